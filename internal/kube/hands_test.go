package kube_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/netdiag/netdiag/internal/kube"
	"github.com/netdiag/netdiag/internal/remedy"
	simkube "github.com/netdiag/netdiag/internal/sim/kube"
)

const daemonSet = `
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: aws-node, namespace: kube-system, uid: u1}
spec:
  selector: {matchLabels: {k8s-app: aws-node}}
  template:
    metadata: {labels: {k8s-app: aws-node}}
    spec:
      containers:
      - {name: other, image: o}
      - name: aws-node
        image: cni
        env:
        - {name: FIRST, value: "1"}
        - {name: WARM_ENI_TARGET, value: "1"}
        - {name: NODE, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}
        - {name: WARM_PREFIX_TARGET, value: "1"}
        - {name: LAST, value: "9"}
status: {observedGeneration: 3}
`

const ingress = `
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: api, namespace: backend, annotations: {alb.ingress.kubernetes.io/healthcheck-path: /}}
`

//go:fix inline

// envAction sets one variable, changes one and removes one.
func envAction() remedy.Action {
	return remedy.Action{DaemonSetEnv: &remedy.DaemonSetEnv{
		Namespace: "kube-system", Name: "aws-node", Container: "aws-node",
		Set: map[string]string{"WARM_ENI_TARGET": "0", "WARM_IP_TARGET": "4"}, Unset: []string{"WARM_PREFIX_TARGET"},
		Was: map[string]*string{"WARM_ENI_TARGET": new("1"), "WARM_IP_TARGET": nil, "WARM_PREFIX_TARGET": new("1")},
	}}
}

func annotateAction() remedy.Action {
	return remedy.Action{Annotate: &remedy.Annotate{
		APIVersion: "networking.k8s.io/v1", Resource: "ingresses", Namespace: "backend", Name: "api",
		Key: "alb.ingress.kubernetes.io/healthcheck-path", Value: new("/health"), Was: new("/"),
	}}
}

// direct is a client of somebody else.
func direct(t *testing.T, s *simkube.Server) kubernetes.Interface {
	t.Helper()
	c, err := kubernetes.NewForConfig(&rest.Config{Host: "http://sim", Transport: through{s}, UserAgent: "somebody/1"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// warm makes the simulator's first change, which takes a while, before one with a deadline comes.
func warm(t *testing.T, s *simkube.Server) {
	t.Helper()
	_, err := direct(t, s).CoreV1().Namespaces().Create(context.Background(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "warm"}}, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	if err != nil {
		t.Fatal(err)
	}
}

func env(t *testing.T, c kubernetes.Interface) (string, *appsv1.DaemonSet) {
	t.Helper()
	ds, err := c.AppsV1().DaemonSets("kube-system").Get(context.Background(), "aws-node", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range ds.Spec.Template.Spec.Containers[1].Env {
		out = append(out, e.Name+"="+e.Value)
	}
	return strings.Join(out, " "), ds
}

func TestDaemonSetEnvIsSetAndUndone(t *testing.T) {
	s, client := serve(t, small(daemonSet))
	warm(t, s)
	h, ctx, c, mark := client.Hands(), context.Background(), direct(t, s), remedy.Mark{Remediation: "rem-1"}
	before, _ := env(t, c)
	a := envAction()

	if err := h.DryRun(ctx, a, mark); err != nil {
		t.Fatal(err)
	}
	if got, ds := env(t, c); got != before || ds.Annotations["netdiag.io/remediation"] != "" {
		t.Fatalf("the dry run changed it: %s", got)
	}
	if done, _, err := h.Look(ctx, a, mark); done || err != nil {
		t.Fatalf("look before: %v, %v", done, err)
	}
	r, err := h.Apply(ctx, a, mark)
	if err != nil {
		t.Fatal(err)
	}
	got, ds := env(t, c)
	if want := "FIRST=1 WARM_ENI_TARGET=0 NODE= LAST=9 WARM_IP_TARGET=4"; got != want {
		t.Errorf("env %q, want %q", got, want)
	}
	if ds.Generation != 4 {
		t.Errorf("generation %d, want one more than observed", ds.Generation)
	}
	if !owns(ds, "netdiag", "WARM_IP_TARGET") || owns(ds, "netdiag", "FIRST") {
		t.Errorf("managedFields: %v", ds.ManagedFields)
	}
	done, seen, err := h.Look(ctx, a, mark)
	if err != nil || !done {
		t.Fatalf("look after: %v, %v", done, err)
	}
	if diff := cmp.Diff(r, seen); diff != "" || !r.Owned || r.Undo == nil {
		t.Errorf("receipt of Apply and of Look (-apply +look):\n%s", diff)
	}
	if _, other, _ := h.Look(ctx, a, remedy.Mark{Remediation: "rem-2"}); other.Owned || other.Undo != nil {
		t.Errorf("somebody else's receipt: %+v", other)
	}
	again, err := h.Apply(ctx, a, mark)
	if diff := cmp.Diff(r, again); diff != "" || err != nil {
		t.Errorf("apply again: %v\n%s", err, diff)
	}
	if _, err := h.Apply(ctx, *r.Undo, remedy.Mark{Remediation: "rem-3"}); err != nil {
		t.Fatal(err)
	}
	if got, _ := env(t, c); got != "FIRST=1 WARM_ENI_TARGET=1 NODE= LAST=9 WARM_PREFIX_TARGET=1" {
		t.Errorf("env after the undo: %q", got)
	}
}

// owns reports whether a manager owns an env variable of container aws-node.
func owns(ds *appsv1.DaemonSet, manager, name string) bool {
	for _, e := range ds.ManagedFields {
		if e.Manager == manager && e.Operation == metav1.ManagedFieldsOperationUpdate && strings.Contains(string(e.FieldsV1.GetRawBytes()), `k:{\"name\":\"`+name+`\"}`) {
			return true
		}
	}
	return false
}

func TestAnnotateIsSetAndUndone(t *testing.T) {
	s, client := serve(t, small(ingress))
	warm(t, s)
	h, ctx, c, mark := client.Hands(), context.Background(), direct(t, s), remedy.Mark{Remediation: "rem-1"}
	value := func() string {
		ing, err := c.NetworkingV1().Ingresses("backend").Get(ctx, "api", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return ing.Annotations["alb.ingress.kubernetes.io/healthcheck-path"]
	}
	if err := h.DryRun(ctx, annotateAction(), mark); err != nil || value() != "/" {
		t.Fatalf("dry run: %v, %q", err, value())
	}
	r, err := h.Apply(ctx, annotateAction(), mark)
	if err != nil || value() != "/health" {
		t.Fatalf("apply: %v, %q", err, value())
	}
	if _, err := h.Apply(ctx, *r.Undo, mark); err != nil || value() != "/" {
		t.Fatalf("undo: %v, %q", err, value())
	}
	remove := annotateAction()
	remove.Annotate.Value = nil
	r, err = h.Apply(ctx, remove, mark)
	if err != nil || value() != "" {
		t.Fatalf("remove: %v, %q", err, value())
	}
	if done, seen, err := h.Look(ctx, remove, mark); !done || !seen.Owned || err != nil {
		t.Errorf("look at what was removed: %v %+v %v", done, seen, err)
	}
	if _, err := h.Apply(ctx, *r.Undo, mark); err != nil || value() != "/" {
		t.Fatalf("undo of the removal: %v, %q", err, value())
	}
}

func TestHandsRefuseWhatIsNotAsPlanned(t *testing.T) {
	changed := func(change func(*remedy.DaemonSetEnv)) remedy.Action {
		a := envAction()
		change(a.DaemonSetEnv)
		return a
	}
	annotated := func(change func(*remedy.Annotate)) remedy.Action {
		a := annotateAction()
		change(a.Annotate)
		return a
	}
	for name, c := range map[string]struct {
		action remedy.Action
		want   string
	}{
		"another value":     {changed(func(d *remedy.DaemonSetEnv) { d.Was["WARM_ENI_TARGET"] = new("2") }), `WARM_ENI_TARGET of container aws-node of daemonset kube-system/aws-node is "1" now, not "2"`},
		"was unset":         {changed(func(d *remedy.DaemonSetEnv) { d.Was["WARM_ENI_TARGET"] = nil }), `is "1" now, not unset`},
		"unplanned":         {changed(func(d *remedy.DaemonSetEnv) { delete(d.Was, "WARM_ENI_TARGET") }), "doesn't say what WARM_ENI_TARGET was"},
		"value from":        {changed(func(d *remedy.DaemonSetEnv) { d.Set["NODE"] = "x"; d.Was["NODE"] = nil }), "set by valueFrom"},
		"no such container": {changed(func(d *remedy.DaemonSetEnv) { d.Container = "gone" }), "has no container gone"},
		"no such daemonset": {changed(func(d *remedy.DaemonSetEnv) { d.Name = "gone" }), "not found"},
		"annotation":        {annotated(func(a *remedy.Annotate) { a.Was = new("/x") }), `is "/" now, not "/x"`},
		"our own mark":      {annotated(func(a *remedy.Annotate) { a.Key = "netdiag.io/remediation" }), "needs an apiVersion"},
		"other kind":        {remedy.Action{AllowIngress: &remedy.AllowIngress{Group: "sg-1", Source: "sg-2", Port: 80}}, "no change to Kubernetes"},
	} {
		t.Run(name, func(t *testing.T) {
			s, client := serve(t, small(daemonSet, ingress))
			for what, err := range map[string]error{
				"dry run": client.Hands().DryRun(context.Background(), c.action, remedy.Mark{Remediation: "r"}),
				"apply": func() error {
					_, err := client.Hands().Apply(context.Background(), c.action, remedy.Mark{Remediation: "r"})
					return err
				}(),
			} {
				if !errors.Is(err, remedy.ErrRefused) || !strings.Contains(err.Error(), c.want) {
					t.Errorf("%s: %v, want a refusal with %q", what, err, c.want)
				}
			}
			for _, r := range s.Requests() {
				if r.Method != http.MethodGet {
					t.Errorf("%s %s was sent", r.Method, r.Path)
				}
			}
		})
	}
}

// A change of something else in between is no reason to refuse; one of the same thing is.
func TestHandsMeetAnotherWriter(t *testing.T) {
	for name, c := range map[string]struct {
		patch   string
		refused bool
	}{
		"something else": {`{"metadata":{"labels":{"a":"b"}}}`, false},
		"the same thing": {`{"spec":{"template":{"spec":{"containers":[{"name":"aws-node","env":[{"name":"WARM_ENI_TARGET","value":"7"}]}]}}}}`, true},
	} {
		t.Run(name, func(t *testing.T) {
			s, client := serve(t, small(daemonSet))
			warm(t, s)
			other := direct(t, s)
			var came bool
			s.SetFault(func(r *http.Request) *simkube.Fault {
				if r.Method == http.MethodPatch && !came && strings.HasPrefix(r.UserAgent(), "netdiag") {
					came = true
					if _, err := other.AppsV1().DaemonSets("kube-system").Patch(context.Background(), "aws-node", types.StrategicMergePatchType, []byte(c.patch), metav1.PatchOptions{}); err != nil {
						t.Error(err)
					}
				}
				return nil
			})
			_, err := client.Hands().Apply(context.Background(), envAction(), remedy.Mark{Remediation: "r"})
			var changed *kube.Changed
			if errors.As(err, &changed) != c.refused || (err != nil) != c.refused {
				t.Errorf("%v, refused should be %v", err, c.refused)
			}
		})
	}
}

func TestALostAnswerIsFoundByLooking(t *testing.T) {
	s, client := serve(t, small(daemonSet))
	warm(t, s)
	s.SetFault(func(r *http.Request) *simkube.Fault {
		if r.Method == http.MethodPatch {
			return &simkube.Fault{After: true, Drop: true}
		}
		return nil
	})
	h, mark := client.Hands(), remedy.Mark{Remediation: "r"}
	_, err := h.Apply(context.Background(), envAction(), mark)
	if err == nil || errors.Is(err, remedy.ErrRefused) {
		t.Fatalf("%v, want an error that leaves it open", err)
	}
	done, r, err := h.Look(context.Background(), envAction(), mark)
	if !done || !r.Owned || r.Undo == nil || err != nil {
		t.Errorf("look: %v %+v %v", done, r, err)
	}
}

func TestForbiddenChangeIsRefused(t *testing.T) {
	w := small(daemonSet)
	w.Meta.Denied.Kubernetes = []string{"patch daemonsets.apps"}
	_, client := serve(t, w)
	_, err := client.Hands().Apply(context.Background(), envAction(), remedy.Mark{Remediation: "r"})
	const want = `netdiag may not patch daemonsets.apps aws-node in namespace kube-system; missing is {apiGroups: ["apps"], resources: [daemonsets], verbs: [patch]}, ` +
		`which the chart gives with Role netdiag-fix-cni in kube-system (fixes.kinds.daemonSetEnv: true)`
	if !errors.Is(err, remedy.ErrRefused) || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}
