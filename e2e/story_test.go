package e2e

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/kube"
	"github.com/netdiag/netdiag/internal/policy"
	"github.com/netdiag/netdiag/internal/remedy"
	"github.com/netdiag/netdiag/internal/store/crd"
)

const checkPath = "alb.ingress.kubernetes.io/healthcheck-path"

// examine looks at one ingress, with the rights of whoever asks: without a path for its health check it is in trouble.
func examine(cfg *rest.Config) func(context.Context, string, diagnostics.Target) (diagnostics.Report, error) {
	return func(ctx context.Context, name string, target diagnostics.Target) (diagnostics.Report, error) {
		client, err := kubernetes.NewForConfig(cfg)
		if err != nil {
			return diagnostics.Report{}, err
		}
		all, err := client.NetworkingV1().Ingresses(target.Namespace).List(ctx, metav1.ListOptions{}) // as diagnoses read
		r := diagnostics.Report{Diagnosis: name, Target: target, At: time.Now(), Summary: "all is well"}
		if err != nil {
			return r, err
		}
		for _, i := range all.Items {
			if i.Name == target.Name && i.Annotations[checkPath] != "" {
				return r, nil
			}
		}
		path := "/healthz"
		a := remedy.Action{Annotate: &remedy.Annotate{
			APIVersion: "networking.k8s.io/v1", Resource: "ingresses", Namespace: target.Namespace, Name: target.Name, Key: checkPath, Value: &path,
		}}
		r.Summary = "the health check asks for the wrong path"
		r.Causes = []diagnostics.Finding{{ID: "alb/hc.path", Subject: "web", Confidence: diagnostics.Confirmed}}
		r.Fixes = []diagnostics.Fix{{ID: "alb/set-health-check", Risk: "medium", Executable: true, Action: &a, SettlesIn: "1s", Resolves: []string{"alb/hc.path web"}}}
		return r, nil
	}
}

// TestFromQuestionToVerifiedFix plays a question to the verified fix on a real API server: two front ends and two executors, each with the
// token and the roles of its service account, under the rules of the custom resources and the admission policies, and the
// executors' own hands. Twenty people click on both front ends at once.
func TestFromQuestionToVerifiedFix(t *testing.T) {
	p := need(t)
	admin, err := kubernetes.NewForConfig(p.admin)
	if err != nil {
		t.Fatal(err)
	}
	namespace := p.namespace(t)
	if _, err := admin.NetworkingV1().Ingresses(namespace).Create(t.Context(), ingress(namespace), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	open := func(cfg *rest.Config) casebook.Store {
		s, err := crd.New(cfg, crd.Options{Namespace: "netdiag", Fault: func(err error) { t.Errorf("watch: %v", err) }})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	rules := policy.Policy{Team: "T0TEAM", Askers: []string{policy.Anyone}, Approvers: []policy.Grant{{}}}
	for i := range 20 {
		rules.Approvers[0].Users = append(rules.Approvers[0].Users, fmt.Sprintf("U0P%02d", i))
	}
	asFront, asExecutor := p.as(t, "netdiag"), p.as(t, "netdiag-executor")
	fronts := []*casebook.Book{{Store: open(asFront), Policy: rules, Now: time.Now}, {Store: open(asFront), Policy: rules, Now: time.Now}}

	var executors sync.WaitGroup
	defer executors.Wait()
	working, stop := context.WithCancel(ctx)
	defer stop()
	for i := range 2 {
		client, err := kube.New(asExecutor)
		if err != nil {
			t.Fatal(err)
		}
		e := &casebook.Executor{
			Store: open(asExecutor), Hands: client.Hands(), Diagnose: examine(asExecutor), Now: time.Now, After: time.After,
			Holder: fmt.Sprintf("executor-%d", i), Poll: 50 * time.Millisecond,
			Fault: func(name string, err error) { t.Errorf("executor, %s: %v", name, err) },
		}
		executors.Go(func() {
			if err := e.Run(working); !errors.Is(err, context.Canceled) {
				t.Errorf("executor: %v", err)
			}
		})
	}

	for _, cfg := range []*rest.Config{asFront, asExecutor} {
		ledger, err := crd.NewLedger(cfg, "netdiag", "pod")
		if err != nil {
			t.Fatal(err)
		}
		a := &casebook.Audit{Store: open(cfg), Ledger: ledger, Now: time.Now, After: time.After, Log: func(e casebook.Entry, err error) {
			if err != nil {
				t.Errorf("audit of %s: %v", e.Record, err)
			}
		}}
		executors.Go(func() { _ = a.Run(working) })
	}

	person := func(n int) casebook.Person {
		return casebook.Person{Team: "T0TEAM", Home: "T0TEAM", User: fmt.Sprintf("U0P%02d", n)}
	}
	q := casebook.Question{
		Command: "alb web", Diagnosis: "alb", Target: diagnostics.Target{Cluster: "prod", Region: "us-west-2", Namespace: namespace, Name: "web"},
		Team: "T0TEAM", User: "U0P00", Channel: "C0CHANNEL", At: time.Now(),
	}
	inv, _, err := fronts[0].Open(ctx, person(0), q, namespace)
	if err == nil {
		inv, err = fronts[0].Claim(ctx, inv.Name, "front-0")
	}
	if err != nil {
		t.Fatal(err)
	}
	report, err := examine(asFront)(ctx, "alb", q.Target)
	if err != nil {
		t.Fatal(err)
	}
	_, rs, err := fronts[0].Report(ctx, inv, report)
	if err != nil || len(rs) != 1 {
		t.Fatalf("%d fixes proposed, error %v", len(rs), err)
	}
	eventually(t, "people are asked", func() bool {
		rs[0], err = fronts[0].Ask(ctx, rs[0].Name)
		return err == nil && rs[0].Status.Phase == casebook.AwaitingApproval
	})
	if rs[0].Status.Trial == nil {
		t.Error("people are asked, and no executor has tried the change")
	}
	barrier := make(chan struct{})
	var clicks sync.WaitGroup
	for i := range 20 {
		for n := range 2 {
			clicks.Go(func() {
				<-barrier
				_, err := fronts[n].Decide(ctx, rs[0].Name, casebook.Click{Nonce: rs[0].Status.Nonce, By: person(i), Verdict: casebook.Approve})
				if refusal := diagnostics.Refusal(""); err != nil && !errors.As(err, &refusal) {
					t.Errorf("click of %d: %v", i, err)
				}
			})
		}
	}
	close(barrier)
	clicks.Wait()

	changes, err := fronts[1].Store.Remediations.Watch(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for r := range changes {
		if r.Name != rs[0].Name || r.Status.Phase != casebook.NeedsHuman && !r.Status.Phase.Terminal() {
			continue
		}
		if r.Status.Phase != casebook.Succeeded || len(r.Status.Decisions) != 1 || r.Status.Decisions[0].User == "U0P00" {
			t.Errorf("phase %s, decisions %+v: %s", r.Status.Phase, r.Status.Decisions, r.Status.Outcome)
		}
		break
	}
	p.eventsTell(t, rs[0].Name, "Proposed", "Approve", "Applying", "Applied", "Succeeded")
	stop()
	executors.Wait()
	web, err := admin.NetworkingV1().Ingresses(namespace).Get(t.Context(), "web", metav1.GetOptions{})
	if err != nil || web.Annotations[checkPath] != "/healthz" || web.Annotations["netdiag.io/remediation"] != rs[0].Name {
		t.Errorf("the ingress carries %v, error %v", web.Annotations, err)
	}
	// kubectl get tells the same story.
	for _, row := range p.table(t, "/apis/netdiag.io/v1alpha1/namespaces/netdiag/remediations").Rows {
		if line := fmt.Sprint(row.Cells...); strings.Contains(line, rs[0].Name) && !strings.Contains(line, "Succeeded") {
			t.Errorf("kubectl get says %s", line)
		}
	}
}

// eventsTell waits until the Events of a record tell these things, each once.
func (p *plane) eventsTell(t *testing.T, record string, reasons ...string) {
	t.Helper()
	client, err := kubernetes.NewForConfig(p.admin)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	var told []string
	for {
		list, err := client.CoreV1().Events("netdiag").List(ctx, metav1.ListOptions{FieldSelector: "involvedObject.name=" + record})
		if err != nil {
			t.Fatal(err)
		}
		told = nil
		for _, e := range list.Items {
			told = append(told, e.Reason)
		}
		missing := slices.DeleteFunc(slices.Clone(reasons), func(r string) bool { return slices.Contains(told, r) })
		if len(missing) == 0 {
			break
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("the events of %s tell %v, not %v", record, told, missing)
		}
	}
	slices.Sort(told)
	for _, reason := range reasons {
		if first := slices.Index(told, reason); first+1 < len(told) && told[first+1] == reason {
			t.Errorf("the events of %s tell %s twice: %v", record, reason, told)
		}
	}
}
