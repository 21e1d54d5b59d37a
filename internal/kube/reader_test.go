package kube_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/diagtest"
	"github.com/netdiag/netdiag/internal/elb"
	"github.com/netdiag/netdiag/internal/kube"
	simkube "github.com/netdiag/netdiag/internal/sim/kube"
	"github.com/netdiag/netdiag/internal/world"
	"github.com/netdiag/netdiag/internal/world/worldtest"
)

const worlds = "../../testdata/worlds/public"

func load(t testing.TB, name string) *world.World {
	t.Helper()
	return worldtest.Load(t, filepath.Join(worlds, name))
}

// serve runs a world's API server until the test ends and makes a client of it.
func serve(t testing.TB, w *world.World) (*simkube.Server, *kube.Client) {
	t.Helper()
	s := simkube.New(w, simkube.Options{Now: func() time.Time { return w.Meta.Now }})
	h := httptest.NewServer(s)
	t.Cleanup(h.Close)
	t.Cleanup(s.Close)
	c, err := kube.New(&rest.Config{Host: h.URL, BearerToken: simkube.Token("netdiag")})
	if err != nil {
		t.Fatal(err)
	}
	return s, c
}

// count counts the objects of a kind in a namespace, or in all for "".
func count(w *world.World, kind, namespace string) int {
	n := 0
	for _, o := range w.Objects {
		reason, _ := o.Object["reason"].(string)
		routine := kind == "Event" && slices.Contains([]string{"Pulling", "Pulled", "Created", "Started", "Scheduled", "SuccessfulCreate"}, reason) // these are not asked for
		if o.GetKind() == kind && !routine && (namespace == "" || o.GetNamespace() == namespace) {
			n++
		}
	}
	return n
}

// size turns a list read into its length, and a denied one into what the world holds, once its error is checked.
func size[T any](t *testing.T, w *world.World, permission, kind, namespace string) func(l []T, err error) int {
	return func(l []T, err error) int {
		t.Helper()
		var re *diagnostics.ReadError
		if slices.Contains(w.Meta.Denied.Kubernetes, permission) {
			if !errors.As(err, &re) || re.Permission != permission || re.Reason != diagnostics.Denied {
				t.Errorf("%s: %v, want a denied ReadError", permission, err)
			}
			return count(w, kind, namespace)
		}
		if err != nil {
			t.Errorf("%s: %v", permission, err)
		}
		return len(l)
	}
}

func TestReaderReadsEveryWorld(t *testing.T) {
	dirs, err := diagtest.All(worlds)
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			t.Parallel()
			w := load(t, filepath.Base(dir))
			_, c := serve(t, w)
			r, ctx := c.Reader(), context.Background()
			check := func(what, kind, namespace string, got int) {
				t.Helper()
				if want := count(w, kind, namespace); got != want {
					t.Errorf("%s: %d, want %d", what, got, want)
				}
			}
			names, err := r.Namespaces(ctx)
			check("namespaces", "Namespace", "", size[string](t, w, "list namespaces", "Namespace", "")(names, err))
			pods, err := r.Pods(ctx, diagnostics.PodQuery{})
			check("pods", "Pod", "", size[any](t, w, "list pods", "Pod", "")(anys(pods), err))
			var one []corev1.Pod
			err = r.EachPod(ctx, func(p *corev1.Pod) { one = append(one, *p) })
			check("pods, one after the other", "Pod", "", size[any](t, w, "list pods", "Pod", "")(anys(one), err))
			nodes, err := r.Nodes(ctx)
			check("nodes", "Node", "", size[any](t, w, "list nodes", "Node", "")(anys(nodes), err))
			for _, ns := range append(names, "") {
				ev, err := r.Events(ctx, ns)
				check("events of "+ns, "Event", ns, size[any](t, w, "list events", "Event", ns)(anys(ev), err))
				svc, err := r.Services(ctx, ns)
				check("services of "+ns, "Service", ns, size[any](t, w, "list services", "Service", ns)(anys(svc), err))
				ds, err := r.DaemonSets(ctx, ns)
				check("daemonsets of "+ns, "DaemonSet", ns, size[any](t, w, "list daemonsets.apps", "DaemonSet", ns)(anys(ds), err))
				dep, err := r.Deployments(ctx, ns)
				check("deployments of "+ns, "Deployment", ns, size[any](t, w, "list deployments.apps", "Deployment", ns)(anys(dep), err))
				rs, err := r.ReplicaSets(ctx, ns)
				check("replicasets of "+ns, "ReplicaSet", ns, size[any](t, w, "list replicasets.apps", "ReplicaSet", ns)(anys(rs), err))
				sts, err := r.StatefulSets(ctx, ns)
				check("statefulsets of "+ns, "StatefulSet", ns, size[any](t, w, "list statefulsets.apps", "StatefulSet", ns)(anys(sts), err))
				jobs, err := r.Jobs(ctx, ns)
				check("jobs of "+ns, "Job", ns, size[any](t, w, "list jobs.batch", "Job", ns)(anys(jobs), err))
				pvc, err := r.Claims(ctx, ns)
				check("claims of "+ns, "PersistentVolumeClaim", ns, size[any](t, w, "list persistentvolumeclaims", "PersistentVolumeClaim", ns)(anys(pvc), err))
				ing, err := r.Ingresses(ctx, ns)
				check("ingresses of "+ns, "Ingress", ns, size[any](t, w, "list ingresses.networking.k8s.io", "Ingress", ns)(anys(ing), err))
				es, err := r.EndpointSlices(ctx, ns)
				check("slices of "+ns, "EndpointSlice", ns, size[any](t, w, "list endpointslices.discovery.k8s.io", "EndpointSlice", ns)(anys(es), err))
				np, err := r.NetworkPolicies(ctx, ns)
				check("policies of "+ns, "NetworkPolicy", ns, size[any](t, w, "list networkpolicies.networking.k8s.io", "NetworkPolicy", ns)(anys(np), err))
				tgb, err := r.TargetGroupBindings(ctx, ns)
				check("bindings of "+ns, "TargetGroupBinding", ns, size[any](t, w, "list targetgroupbindings.elbv2.k8s.aws", "TargetGroupBinding", ns)(anys(tgb), err))
			}
			pv, err := r.PersistentVolumes(ctx)
			check("volumes", "PersistentVolume", "", size[any](t, w, "list persistentvolumes", "PersistentVolume", "")(anys(pv), err))
			csi, err := r.CSINodes(ctx)
			check("CSI nodes", "CSINode", "", size[any](t, w, "list csinodes.storage.k8s.io", "CSINode", "")(anys(csi), err))
			ic, err := r.IngressClasses(ctx)
			check("ingress classes", "IngressClass", "", size[any](t, w, "list ingressclasses.networking.k8s.io", "IngressClass", "")(anys(ic), err))
			readFiles(t, w, r)
		})
	}
}

// readFiles reads the metrics and log of each aws-node pod.
func readFiles(t *testing.T, w *world.World, r *kube.Reader) {
	ctx := context.Background()
	pods, err := r.Pods(ctx, diagnostics.PodQuery{Namespace: "kube-system", Labels: "k8s-app=aws-node"})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pods {
		got, err := r.CNIMetrics(ctx, p.Namespace, p.Name)
		want, ok := w.Metrics[p.Namespace+"/"+p.Name]
		var re *diagnostics.ReadError
		switch {
		case strings.Contains(strings.Join(w.Meta.Denied.Kubernetes, "\n"), "get pods/proxy"):
			if !errors.As(err, &re) || re.Permission != "get pods/proxy" || re.Reason != diagnostics.Denied {
				t.Errorf("metrics of %s: %v, want denied", p.Name, err)
			}
		case !ok:
			if !errors.As(err, &re) || re.Permission != "get pods/proxy" || re.Reason != diagnostics.Absent {
				t.Errorf("metrics of %s: %v, want absent", p.Name, err)
			}
		case err != nil || got != want:
			t.Errorf("metrics of %s: %d bytes, %v, want %d", p.Name, len(got), err, len(want))
		}
		log, err := r.Log(ctx, p.Namespace, p.Name, "aws-node", 3)
		if err != nil {
			t.Errorf("log of %s: %v", p.Name, err)
		}
		all := strings.Split(strings.TrimSuffix(w.Logs[p.Namespace+"/"+p.Name+"/aws-node"], "\n"), "\n")
		if want := strings.Join(all[max(0, len(all)-3):], "\n"); strings.TrimSuffix(log, "\n") != want {
			t.Errorf("log of %s: %q, want %q", p.Name, log, want)
		}
	}
}

func anys[T any](l []T) []any {
	out := make([]any, len(l))
	for i, e := range l {
		out[i] = e
	}
	return out
}

// pod, binding and the like are written here so that a test says what it is about.
func small(objects ...string) *world.World {
	w := &world.World{Dir: "small", Meta: world.Meta{Now: time.Date(2026, 11, 22, 10, 30, 0, 0, time.UTC)}, Logs: map[string]string{}, Metrics: map[string]string{}}
	for _, o := range objects {
		w.Objects = append(w.Objects, object(o))
	}
	return w
}

func TestBindingsKeepAbsentApartFromEmpty(t *testing.T) {
	const head = "apiVersion: elbv2.k8s.aws/v1beta1\nkind: TargetGroupBinding\nmetadata: {namespace: backend, name: %s}\n"
	rule := func(ports string) string {
		return "spec: {targetGroupARN: arn, targetType: ip, serviceRef: {name: api, port: http}, networking: {ingress: [{from: [{securityGroup: {groupID: sg-1}}, {ipBlock: {cidr: 10.0.0.0/8}}]" + ports + "}]}}\n"
	}
	_, c := serve(t, small(
		strings.Replace(head, "%s", "a", 1)+"spec: {targetGroupARN: arn, serviceRef: {name: api, port: 80}}\n",
		strings.Replace(head, "%s", "b", 1)+"spec: {networking: {}}\n",
		strings.Replace(head, "%s", "c", 1)+rule(""),
		strings.Replace(head, "%s", "d", 1)+rule(", ports: []"),
		strings.Replace(head, "%s", "e", 1)+rule(", ports: [{protocol: TCP, port: 8080}, {port: web}, {}]"),
	))
	got, err := c.Reader().TargetGroupBindings(context.Background(), "")
	if err != nil {
		t.Fatal(err)
	}
	in := func(ports []elb.BindingPort) *elb.BindingNetworking {
		return &elb.BindingNetworking{Ingress: []elb.BindingIngress{{Groups: []string{"sg-1"}, CIDRs: []string{"10.0.0.0/8"}, Ports: ports}}}
	}
	for i, want := range []struct {
		port string
		net  *elb.BindingNetworking
	}{
		{"80", nil}, {"", &elb.BindingNetworking{}}, {"http", in(nil)}, {"http", in([]elb.BindingPort{})},
		{"http", in([]elb.BindingPort{{Protocol: "TCP", Port: "8080"}, {Port: "web"}, {}})},
	} {
		if got[i].ServicePort != want.port {
			t.Errorf("%s: port %q, want %q", got[i].Name, got[i].ServicePort, want.port)
		}
		if diff := cmp.Diff(want.net, got[i].Networking); diff != "" { // cmp tells nil from empty
			t.Errorf("%s: networking (-want +got):\n%s", got[i].Name, diff)
		}
	}
}

func TestErrorsSayWhatItWas(t *testing.T) {
	pods := func(r *kube.Reader) error {
		_, err := r.Pods(context.Background(), diagnostics.PodQuery{})
		return err
	}
	customs := func(group, version, plural string) func(*kube.Reader) error {
		return func(r *kube.Reader) error {
			_, err := r.Customs(context.Background(), group, version, plural, "")
			return err
		}
	}
	for name, c := range map[string]struct {
		denied             string
		fault              *simkube.Fault
		ask                func(*kube.Reader) error
		permission, reason string
		refusal            string
	}{
		"denied":            {denied: "list pods", ask: pods, permission: "list pods", reason: diagnostics.Denied},
		"throttled":         {fault: &simkube.Fault{Status: 429}, ask: pods, permission: "list pods", reason: diagnostics.Throttled},
		"throttled, wait":   {fault: &simkube.Fault{Status: 429, RetryAfter: 1}, ask: pods, permission: "list pods", reason: diagnostics.Throttled},
		"gateway timeout":   {fault: &simkube.Fault{Status: 504}, ask: pods, permission: "list pods", reason: diagnostics.Timeout},
		"broken":            {fault: &simkube.Fault{Status: 500}, ask: pods, permission: "list pods", reason: diagnostics.Timeout},
		"unauthorized":      {fault: &simkube.Fault{Status: 401}, ask: pods, refusal: "401 Unauthorized"},
		"no such node":      {ask: func(r *kube.Reader) error { _, err := r.Node(context.Background(), "gone"); return err }, permission: "get nodes", reason: diagnostics.Absent},
		"no such group":     {ask: customs("karpenter.sh", "v1", "nodepools"), permission: "list nodepools.karpenter.sh", reason: diagnostics.Absent},
		"no such resource":  {ask: customs("netdiag.io", "v1alpha1", "nothings"), permission: "list nothings.netdiag.io", reason: diagnostics.Absent},
		"denied group":      {denied: "list targetgroupbindings.elbv2.k8s.aws", ask: func(r *kube.Reader) error { _, err := r.TargetGroupBindings(context.Background(), ""); return err }, permission: "list targetgroupbindings.elbv2.k8s.aws", reason: diagnostics.Denied},
		"denied, no group":  {denied: "list nodepools.karpenter.sh", ask: customs("karpenter.sh", "v1", "nodepools"), permission: "list nodepools.karpenter.sh", reason: diagnostics.Absent},
		"no log, no pod":    {ask: func(r *kube.Reader) error { _, err := r.Log(context.Background(), "a", "b", "c", 5); return err }, permission: "get pods/log", reason: diagnostics.Absent},
		"no proxy, no pod":  {ask: func(r *kube.Reader) error { _, err := r.CNIMetrics(context.Background(), "a", "b"); return err }, permission: "get pods/proxy", reason: diagnostics.Absent},
		"denied pods/proxy": {denied: "get pods/proxy", ask: func(r *kube.Reader) error { _, err := r.CNIMetrics(context.Background(), "a", "b"); return err }, permission: "get pods/proxy", reason: diagnostics.Denied},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := small()
			if c.denied != "" {
				w.Meta.Denied.Kubernetes = []string{c.denied}
			}
			s, client := serve(t, w)
			if c.fault != nil {
				s.SetFault(func(*http.Request) *simkube.Fault { return c.fault })
			}
			err := c.ask(client.Reader())
			var re *diagnostics.ReadError
			var refusal diagnostics.Refusal
			switch {
			case c.refusal != "":
				if !errors.As(err, &refusal) || !strings.Contains(err.Error(), c.refusal) {
					t.Errorf("%v, want a refusal with %q", err, c.refusal)
				}
			case !errors.As(err, &re) || re.Permission != c.permission || re.Reason != c.reason:
				t.Errorf("%v, want %s: %s", err, c.permission, c.reason)
			}
		})
	}
}

func TestUnreachableServerIsARefusal(t *testing.T) {
	h := httptest.NewServer(http.NotFoundHandler())
	h.Close() // nobody listens there any more
	c, err := kube.New(&rest.Config{Host: h.URL})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Reader().Namespaces(context.Background())
	var refusal diagnostics.Refusal
	if !errors.As(err, &refusal) || !strings.Contains(err.Error(), h.URL) {
		t.Errorf("%v, want a refusal that names %s", err, h.URL)
	}
}

func TestEachQuestionIsAskedOnce(t *testing.T) {
	w := load(t, "pending-s01-warm-pool")
	s, c := serve(t, w)
	gate := make(chan struct{})
	s.SetFault(func(*http.Request) *simkube.Fault { <-gate; return nil })
	r := c.Reader()
	var wg sync.WaitGroup
	results := make([]int, 8)
	for i := range results {
		wg.Go(func() {
			pods, err := r.Pods(context.Background(), diagnostics.PodQuery{Phase: "Pending"})
			if err != nil {
				t.Error(err)
			}
			results[i] = len(pods)
		})
	}
	close(gate)
	wg.Wait()
	again, err := r.Pods(context.Background(), diagnostics.PodQuery{Phase: "Pending"})
	if err != nil {
		t.Fatal(err)
	}
	for i, n := range results {
		if n != len(again) || n == 0 {
			t.Errorf("answer %d has %d pods, the last one %d", i, n, len(again))
		}
	}
	if n := len(s.Requests()); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
}

// An asker that gives up takes nothing away from those that wait for the same answer.
func TestAnAbandonedQuestionIsAskedAgain(t *testing.T) {
	s, c := serve(t, load(t, "alb-h01-all-green"))
	asked, gate := make(chan struct{}), make(chan struct{})
	var later atomic.Bool
	s.SetFault(func(*http.Request) *simkube.Fault {
		if !later.Swap(true) { // only the first request waits
			close(asked)
			<-gate
		}
		return nil
	})
	r := c.Reader()
	first, giveUp := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := r.Nodes(first); !errors.Is(err, context.Canceled) {
			t.Errorf("the one who gave up got %v", err)
		}
	})
	<-asked
	wg.Go(func() {
		if nodes, err := r.Nodes(context.Background()); err != nil || len(nodes) == 0 {
			t.Errorf("the one who waited got %d nodes, %v", len(nodes), err)
		}
	})
	giveUp()
	wg.Wait()
	close(gate)
}

func TestCustomsReadTheVersionThatIsServed(t *testing.T) {
	_, c := serve(t, small("apiVersion: security.istio.io/v1beta1\nkind: PeerAuthentication\nmetadata: {namespace: a, name: b}\n"))
	l, err := c.Reader().Customs(context.Background(), "security.istio.io", "v1", "peerauthentications", "")
	if err != nil || len(l) != 1 || l[0].GetAPIVersion() != "security.istio.io/v1beta1" {
		t.Errorf("%v, %v", l, err)
	}
}
