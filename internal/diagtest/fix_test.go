package diagtest_test

import (
	"context"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/diagnostics/all"
	"github.com/netdiag/netdiag/internal/ask"
	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/diagtest"
	"github.com/netdiag/netdiag/internal/live"
	"github.com/netdiag/netdiag/internal/policy"
	"github.com/netdiag/netdiag/internal/remedy"
	"github.com/netdiag/netdiag/internal/sim/access"
	"github.com/netdiag/netdiag/internal/sim/nature"
	"github.com/netdiag/netdiag/internal/store/memory"
	"github.com/netdiag/netdiag/internal/world"
	"github.com/netdiag/netdiag/internal/world/worldtest"
)

const (
	team      = "T0TEST001"
	requester = "U0MAYA"
	approver  = "U0JONAS"
	second    = "U0AIKO"
)

// unowned takes the add-on and every mark of an owner from aws-node: then only the DaemonSet itself can be changed.
func unowned(w *world.World) {
	w.AWS["eks"]["Addons"] = json.RawMessage("[]")
	for _, o := range w.Objects {
		if o.GetKind() == "DaemonSet" && o.GetName() == "aws-node" {
			o.SetManagedFields(nil)
			o.SetLabels(map[string]string{"k8s-app": "aws-node"})
		}
	}
}

// madeForPods adds an empty subnet beside the one that is full, with its routes.
func madeForPods(w *world.World) {
	var subnets, tables []map[string]any
	for list, into := range map[string]*[]map[string]any{"Subnets": &subnets, "RouteTables": &tables} {
		if err := json.Unmarshal(w.AWS["ec2"][list], into); err != nil {
			panic(err) // the world was loaded
		}
	}
	further := maps.Clone(subnets[0])
	parts := strings.Split(further["CidrBlock"].(string), ".")
	further["SubnetId"], further["CidrBlock"], further["AvailableIpAddressCount"], further["Tags"] = "subnet-0c0c0c0c0c0c0c0c0", parts[0]+"."+parts[1]+".200.0/24", 251, []any{}
	subnets = append(subnets, further)
	tables[0]["Associations"] = append(tables[0]["Associations"].([]any), map[string]any{"RouteTableId": tables[0]["RouteTableId"], "SubnetId": further["SubnetId"]})
	for list, from := range map[string]any{"Subnets": subnets, "RouteTables": tables} {
		raw, err := json.Marshal(from)
		if err != nil {
			panic(err) // it came as JSON
		}
		w.AWS["ec2"][list] = raw
	}
}

// nearlyFull leaves the subnet beside that one a few addresses, and asks how much room there is.
func nearlyFull(w *world.World) {
	madeForPods(w)
	w.Meta.Ask = "ip"
	var subnets []map[string]any
	if err := json.Unmarshal(w.AWS["ec2"]["Subnets"], &subnets); err != nil {
		panic(err) // the world was loaded
	}
	subnets[0]["AvailableIpAddressCount"] = 5
	raw, err := json.Marshal(subnets)
	if err != nil {
		panic(err) // it came as JSON
	}
	w.AWS["ec2"]["Subnets"] = raw
}

// carry is a fix that can be carried out in a world.
type carry struct {
	name, dir, fix, kind string
	change               func(*world.World)
}

// carried lists a world for each fix that can be carried out, of each kind of change by which it can.
var carried = []carry{
	{"warm pool through the add-on", "seeds/seed-ip-exhaustion", "pending/tune-warm-pool", "AddonConfig", nil},
	{"warm pool of an unowned DaemonSet", "seeds/seed-ip-exhaustion", "pending/tune-warm-pool", "DaemonSetEnv", unowned},
	{"prefixes where a subnet is reserved for them", "own/pending/prefixes-reserved-and-off", "pending/enable-prefix-delegation", "AddonConfig", nil},
	{"single addresses again where no prefix can be had", "public/pending-s06-prefix-rollout-backfired", "pending/disable-prefix-delegation", "AddonConfig", nil},
	{"warm pool before pods wait", "own/ip/surge-short", "pending/tune-warm-pool", "AddonConfig", nil},
	{"a warm address where a minimum caps the nodes", "own/pending/minimum-caps-node", "pending/tune-warm-pool", "AddonConfig", nil},
	{"pods off a node whose subnet is full", "public/pending-s01-warm-pool", "pending/move-pods-off-node", "MovePods", nil},
	{"pods off a node whose interfaces are full", "public/pending-s10-max-pods-over-slots", "pending/move-pods-off-node", "MovePods", nil},
	{"the CNI of a node that still waits after a refusal", "public/pending-s20-backoff", "pending/restart-ipamd", "RestartPods", nil},
	{"the CNI of a node that counts what no pod has", "public/pending-s27-datastore-leak", "pending/restart-ipamd", "RestartPods", nil},
	{"the CNI of a node that ran out of memory", "own/pending/ipamd-out-of-memory", "pending/restart-ipamd", "RestartPods", nil},
	{"rules through the controller", "seeds/seed-alb-502", "alb/manage-rules", "Annotate", nil},
	{"a rule of the controller that somebody removed", "public/alb-s07-drift-removed", "alb/reconcile-kick", "Annotate", nil},
	{"one port for one security group", "seeds/seed-alb-502", "alb/allow-pod-port", "AllowIngress", nil},
	{"a health check of what the readiness probe asks", "own/alb/hc-override-service-path", "alb/set-health-check", "Annotate", nil},
	{"one more code that counts as healthy", "own/alb/hc-codes-no-content", "alb/set-success-codes", "Annotate", nil},
	{"interfaces that nodes left behind", "public/pending-s17-leaked-enis", "pending/delete-leaked-enis", "DeleteInterfaces", nil},
	{"a subnet that was made for pods and has no tag", "own/pending/subnet-full", "pending/add-pod-subnet", "Tag", madeForPods},
	{"a subnet that was made for pods, before they wait", "own/pending/subnet-full", "pending/add-pod-subnet", "Tag", nearlyFull},
	{"the cluster's tag on one group of the node only", "public/alb-s04-tag-ambiguous", "alb/tag-security-group", "Tag", nil},
}

// Each fix that can be carried out, from the proposal to the verified end and back again: the casebook, the executor, the
// real hands on the real SDKs, and nature around them.
func TestFixesHelp(t *testing.T) {
	for i, c := range carried {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if diagtest.Race && i%4 != 0 {
				t.Skip("dear under the race detector, which sees every fourth")
			}
			l := newLife(t, filepath.Join(worlds, c.dir), c.change)
			before, r := l.propose(c.fix)
			if r.Plan.Fix.Action.Kind() != c.kind {
				t.Fatalf("the action is %s, want %s", r.Plan.Fix.Action.Kind(), c.kind)
			}
			was := l.image(*r.Plan.Fix.Action)
			r = l.carryOut(r)
			if r.Status.Phase != casebook.Succeeded {
				t.Fatalf("ended %s: %s\n%v", r.Status.Phase, r.Status.Outcome, r.Status.Notes)
			}
			after := l.diagnose()
			for _, key := range r.Plan.Fix.Resolves {
				if _, there := before.Finding(key); !there {
					t.Errorf("%s was never found", key)
				}
				if _, there := after.Finding(key); there {
					t.Errorf("succeeded, and yet %s is still found", key)
				}
			}
			if some := len(before.Causes) > 0 || before.Diagnosis == "ip"; !some || len(after.Causes) != 0 || len(r.Plan.Fix.Resolves) == 0 { // nothing of ip is trouble yet
				t.Errorf("%d causes before, %d after; want some, and none", len(before.Causes), len(after.Causes))
			}
			if !l.goesBack(*r.Plan.Fix.Action) {
				return
			}
			if cmp.Diff(was, l.image(*r.Plan.Fix.Action)) == "" {
				t.Error("what the change is about reads as before it")
			}
			undo, err := l.book.ProposeUndo(t.Context(), r.Name, person(requester))
			if err != nil {
				t.Fatal(err)
			}
			if undo = l.carryOut(undo); undo.Status.Phase != casebook.Succeeded {
				t.Fatalf("the undo ended %s: %s\n%v", undo.Status.Phase, undo.Status.Outcome, undo.Status.Notes)
			}
			if d := cmp.Diff(was, l.image(*r.Plan.Fix.Action)); d != "" {
				t.Errorf("after the undo it isn't as before (-before +after):\n%s", d)
			}
		})
	}
}

// Every fix that the catalogue marks as one that the bot carries out has a world in which it is.
func TestEveryExecutableFixIsCarriedOut(t *testing.T) {
	raw, err := os.ReadFile("../../diagnostics/catalogue.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var catalogue map[string]struct {
		Fixes map[string]struct{ Executable bool }
	}
	if err := yaml.Unmarshal(raw, &catalogue); err != nil {
		t.Fatal(err)
	}
	n := 0
	for diagnosis, part := range catalogue {
		for id, f := range part.Fixes {
			if !f.Executable {
				continue
			}
			n++
			if !slices.ContainsFunc(carried, func(c carry) bool { return c.fix == diagnosis+"/"+id }) {
				t.Errorf("%s/%s is carried out in no world", diagnosis, id)
			}
		}
	}
	if n < 10 {
		t.Errorf("only %d fixes of the catalogue are executable", n)
	}
	for _, kind := range remedy.Kinds() {
		undo := kind == "Cordon" || kind == "RevokeIngress" // they only undo
		if !undo && !slices.ContainsFunc(carried, func(c carry) bool { return c.kind == kind }) {
			t.Errorf("no world has a change of the kind %s", kind)
		}
	}
}

// carryOut has a Remediation approved by as many as its risk asks for, and waits until it has ended.
func (l *life) carryOut(r casebook.Remediation) casebook.Remediation {
	l.t.Helper()
	click := casebook.Click{Nonce: r.Status.Nonce, Card: r.Status.Card, By: person(requester), Verdict: casebook.Approve}
	_, err := l.book.Decide(l.t.Context(), r.Name, click)
	if low := r.Plan.Fix.Risk == "low"; (err == nil) != low {
		l.t.Fatalf("the requester approved a fix of %s risk: %v", r.Plan.Fix.Risk, err)
	}
	approvers := map[string][]string{"low": nil, "medium": {approver}, "high": {approver, second}}[r.Plan.Fix.Risk]
	for _, who := range approvers {
		click.By = person(who)
		if _, err := l.book.Decide(l.t.Context(), r.Name, click); err != nil {
			l.t.Fatal(err)
		}
	}
	return l.end(r.Name)
}

// The world moved between proposal and approval: what was approved is not carried out.
func TestAFixThatIsNoLongerProposedIsNotCarriedOut(t *testing.T) {
	t.Parallel()
	l := newLife(t, filepath.Join(worlds, "seeds/seed-alb-502"), nil)
	_, manage := l.propose("alb/manage-rules")
	_, allow := l.propose("alb/allow-pod-port")
	for _, r := range []casebook.Remediation{manage, allow} {
		click := casebook.Click{Nonce: r.Status.Nonce, Card: r.Status.Card, By: person(approver), Verdict: casebook.Approve}
		if _, err := l.book.Decide(t.Context(), r.Name, click); err != nil {
			t.Fatal(err)
		}
		l.end(r.Name)
	}
	if r := l.end(allow.Name); r.Status.Phase != casebook.Superseded {
		t.Errorf("the second fix ended %s (%s), want Superseded: the first had solved it", r.Status.Phase, r.Status.Outcome)
	}
	for _, q := range l.served.AWS.Requests() {
		if q.Action == "AuthorizeSecurityGroupIngress" && q.AccessKey == access.AccessKeyID && !q.DryRun {
			t.Error("the superseded fix was carried out")
		}
	}
}

func person(id string) casebook.Person { return casebook.Person{Team: team, Home: team, User: id} }

// life is a served world that nature and an executor live in.
type life struct {
	t      *testing.T
	served *diagtest.Served
	src    live.Source
	book   *casebook.Book
	ask    ask.Command
}

func newLife(t *testing.T, dir string, change func(*world.World), set ...func(*nature.Options)) *life {
	t.Helper()
	w := worldtest.Load(t, dir)
	if change != nil {
		change(w)
	}
	w.Shift(time.Since(w.Meta.Now))
	s, err := diagtest.Serve(w, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	src, err := s.Source(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	src.Now = time.Now
	c, err := ask.Parse(w.Meta.Ask)
	if err != nil {
		t.Fatal(err)
	}
	l := &life{t: t, served: s, src: src, ask: c, book: &casebook.Book{
		Store: memory.New(time.Now), Now: time.Now, Patience: -1,
		Policy: policy.Policy{Team: team, Askers: []string{policy.Anyone}, Approvers: []policy.Grant{{Users: []string{requester, approver, second}}}},
	}}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{}, 2)
	go func() {
		defer func() { done <- struct{}{} }()
		o := nature.Options{
			Kube: access.Kubernetes(s.KubeURL, "nature"), AWS: access.SDK(w.Meta.Region, s.AWSURL),
			EKS: s.AWS, Health: s.AWS, Cluster: w.Meta.Cluster, Now: time.Now, Speed: 60,
		}
		for _, f := range set {
			f(&o)
		}
		if err := nature.New(o).Run(ctx); err != nil && ctx.Err() == nil {
			t.Error(err)
		}
	}()
	go func() {
		defer func() { done <- struct{}{} }()
		e := &casebook.Executor{
			Store: l.book.Store, Hands: remedy.Split{AWS: src.AWS.Hands(), Kubernetes: src.Kube.Hands()},
			Diagnose: func(ctx context.Context, name string, target diagnostics.Target) (diagnostics.Report, error) {
				d, _ := all.Find(name)
				out, err := src.Diagnose(ctx, d, target, nil)
				return out.Report, err
			},
			Now: time.Now, After: time.After, Holder: "test", Poll: time.Second,
		}
		if err := e.Run(ctx); err != nil && ctx.Err() == nil {
			t.Error(err)
		}
	}()
	t.Cleanup(func() { stop(); <-done; <-done })
	return l
}

func (l *life) target() diagnostics.Target {
	m := l.served.World.Meta
	return diagnostics.Target{Cluster: m.Cluster, Region: m.Region, Namespace: l.ask.Namespace, Name: l.ask.Name}
}

func (l *life) diagnose() diagnostics.Report {
	l.t.Helper()
	d, _ := all.Find(l.ask.Verb)
	out, err := l.src.Diagnose(l.t.Context(), d, l.target(), nil)
	if err != nil {
		l.t.Fatal(err)
	}
	return out.Report
}

// propose asks, and gives the report and the Remediation of one of its fixes.
func (l *life) propose(fix string) (diagnostics.Report, casebook.Remediation) {
	l.t.Helper()
	ctx := l.t.Context()
	q := casebook.Question{Command: l.ask.String(), Diagnosis: l.ask.Verb, Target: l.target(), Team: team, User: requester, Channel: "C0ONCALL", At: time.Now()}
	inv, _, err := l.book.Open(ctx, person(requester), q, fix)
	if err != nil {
		l.t.Fatal(err)
	}
	if inv, err = l.book.Claim(ctx, inv.Name, "test"); err != nil {
		l.t.Fatal(err)
	}
	report := l.diagnose()
	_, rs, err := l.book.Report(ctx, inv, report)
	if err != nil {
		l.t.Fatal(err)
	}
	i := slices.IndexFunc(rs, func(r casebook.Remediation) bool { return r.Plan.Fix.ID == fix })
	if i < 0 {
		var ids []string
		for _, r := range rs {
			ids = append(ids, r.Plan.Fix.ID)
		}
		l.t.Fatalf("%s is not proposed, only %s", fix, strings.Join(ids, ", "))
	}
	return report, rs[i]
}

// end waits until a Remediation is settled.
func (l *life) end(name string) casebook.Remediation {
	l.t.Helper()
	ctx, stop := context.WithTimeout(l.t.Context(), 4*time.Minute)
	defer stop()
	changes, err := l.book.Store.Remediations.Watch(ctx)
	if err != nil {
		l.t.Fatal(err)
	}
	var last casebook.Remediation
	for r := range changes {
		if r.Name != name {
			continue
		}
		if last = r; r.Status.Phase.Terminal() || r.Status.Phase == casebook.NeedsHuman {
			return r
		}
	}
	l.t.Fatalf("%s is still %s: %v", name, last.Status.Phase, last.Status.Notes)
	return last
}
