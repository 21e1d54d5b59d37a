package kube_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/netdiag/netdiag/internal/kube"
	"github.com/netdiag/netdiag/internal/remedy"
	simkube "github.com/netdiag/netdiag/internal/sim/kube"
)

const fullNode = "apiVersion: v1\nkind: Node\nmetadata: {name: n1, annotations: {a: b}}\n"

// waitingPod is a pod on a node that never started.
func waitingPod(name, node, controller string) string {
	return fmt.Sprintf(`
apiVersion: v1
kind: Pod
metadata: {name: %[1]s, namespace: shop, uid: u-%[1]s, ownerReferences: [{apiVersion: apps/v1, kind: %[3]s, name: web, uid: rs, controller: true}]}
spec: {nodeName: %[2]s, containers: [{name: c, image: i}]}
status: {phase: Pending, containerStatuses: [{name: c, image: i, imageID: "", ready: false, restartCount: 0, state: {waiting: {reason: ContainerCreating}}}]}
`, name, node, controller)
}

func moveAction(pods ...string) remedy.Action {
	a := &remedy.MovePods{Node: "n1"}
	for _, p := range pods {
		a.Pods = append(a.Pods, remedy.NamespacedPod{Namespace: "shop", Name: p, UID: "u-" + p})
	}
	return remedy.Action{MovePods: a}
}

// shop says what is so: whether the node is cordoned, and which pods are there, with ! for those that are being deleted.
func shop(t *testing.T, c kubernetes.Interface) string {
	t.Helper()
	n, err := c.CoreV1().Nodes().Get(context.Background(), "n1", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	l, err := c.CoreV1().Pods("shop").List(context.Background(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	if n.Spec.Unschedulable {
		out = append(out, "cordoned")
	}
	for _, p := range l.Items {
		if p.DeletionTimestamp != nil {
			p.Name += "!"
		}
		out = append(out, p.Name)
	}
	return strings.Join(out, " ")
}

// start has a pod run, as its kubelet would.
func start(t *testing.T, c kubernetes.Interface, name string) {
	t.Helper()
	p, err := c.CoreV1().Pods("shop").Get(context.Background(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	p.Status.Phase = corev1.PodRunning
	if _, err := c.CoreV1().Pods("shop").UpdateStatus(context.Background(), p, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func TestPodsAreMovedAndTheNodeIsGivenBack(t *testing.T) {
	s, client := serve(t, small(fullNode, waitingPod("a", "n1", "ReplicaSet"), waitingPod("b", "n1", "StatefulSet"), waitingPod("other", "n1", "ReplicaSet")))
	warm(t, s)
	h, ctx, c, mark := client.Hands(), context.Background(), direct(t, s), remedy.Mark{Remediation: "rem-1"}
	a := moveAction("a", "b")
	if err := h.DryRun(ctx, a, mark); err != nil || shop(t, c) != "a b other" {
		t.Fatalf("dry run: %v, %s", err, shop(t, c))
	}
	if done, r, err := h.Look(ctx, a, mark); done || err != nil || len(r.Did) > 0 {
		t.Fatalf("look before: %v, %+v, %v", done, r, err)
	}
	r, err := h.Apply(ctx, a, mark)
	if err != nil || shop(t, c) != "cordoned a! b! other" {
		t.Fatalf("apply: %v, %s", err, shop(t, c))
	}
	want := remedy.Receipt{
		Undo: &remedy.Action{Cordon: &remedy.Cordon{Node: "n1", Was: true}}, Owned: true,
		Did: []string{"node n1 cordoned", "pod shop/a deleted", "pod shop/b deleted"},
	}
	if d := cmp.Diff(want, r); d != "" {
		t.Errorf("receipt (-want +got):\n%s", d)
	}
	done, seen, err := h.Look(ctx, a, mark)
	want.Did = []string{"node n1 cordoned", "pod shop/a is being deleted", "pod shop/b is being deleted"}
	if d := cmp.Diff(want, seen); !done || err != nil || d != "" {
		t.Errorf("look after: %v, %v (-want +got):\n%s", done, err, d)
	}
	if done, _, err := h.Look(ctx, a, remedy.Mark{Remediation: "rem-2"}); done || err != nil {
		t.Errorf("look of another: %v, %v", done, err)
	}
	if _, err := h.Apply(ctx, *r.Undo, remedy.Mark{Remediation: "rem-3"}); err != nil {
		t.Fatal(err)
	}
	n, err := c.CoreV1().Nodes().Get(ctx, "n1", metav1.GetOptions{})
	if err != nil || n.Spec.Unschedulable || n.Annotations["a"] != "b" || n.Annotations["netdiag.io/remediation"] != "rem-3" {
		t.Errorf("after the undo: %v, %v, %v", n.Spec, n.Annotations, err)
	}
	if done, _, _ := h.Look(ctx, a, mark); done {
		t.Error("undone, and yet it is said to be in effect")
	}
	if done, seen, err := h.Look(ctx, *r.Undo, remedy.Mark{Remediation: "rem-3"}); !done || !seen.Owned || err != nil {
		t.Errorf("look at the undo: %v %+v %v", done, seen, err)
	}
}

// What has happened to a pod since the plan is told; the others move all the same.
func TestPodsThatNeedNotMoveAreLeftAlone(t *testing.T) {
	s, client := serve(t, small(fullNode, waitingPod("a", "n1", "ReplicaSet"), waitingPod("b", "n1", "ReplicaSet"), waitingPod("c", "n2", "ReplicaSet"),
		waitingPod("d", "n1", "DaemonSet"), strings.Replace(waitingPod("e", "n1", "ReplicaSet"), "controller: true", "controller: false", 1),
		strings.Replace(waitingPod("f", "n1", "ReplicaSet"), "u-f", "u-new", 1), strings.Replace(waitingPod("g", "n1", "ReplicaSet"), "restartCount: 0", "restartCount: 1", 1)))
	warm(t, s)
	c := direct(t, s)
	start(t, c, "a")
	r, err := client.Hands().Apply(context.Background(), moveAction("a", "b", "c", "d", "e", "f", "g", "h"), remedy.Mark{Remediation: "rem-1"})
	if err != nil || shop(t, c) != "cordoned a b! c d e f g" {
		t.Errorf("%v, %s", err, shop(t, c))
	}
	want := []string{
		"node n1 cordoned", "pod shop/a has started meanwhile and is left alone", "pod shop/b deleted", "pod shop/c is on another node and is left alone",
		"pod shop/d belongs to a DaemonSet, which would make it again on this node, and is left alone",
		"pod shop/e has no controller that would make it again and is left alone", "pod shop/f is gone",
		"pod shop/g has started meanwhile and is left alone", "pod shop/h is gone",
	}
	if d := cmp.Diff(want, r.Did); d != "" {
		t.Errorf("did (-want +got):\n%s", d)
	}
}

func TestMovingIsRefusedWhereTheWorldHasMoved(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*testing.T, kubernetes.Interface)
		want   string
	}{
		"all have started": {func(t *testing.T, c kubernetes.Interface) { start(t, c, "a") }, "still wait on node n1 is 0 now, not 1"},
		"somebody has cordoned the node": {func(t *testing.T, c kubernetes.Interface) {
			n, err := c.CoreV1().Nodes().Get(context.Background(), "n1", metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			n.Spec.Unschedulable = true
			if _, err := c.CoreV1().Nodes().Update(context.Background(), n, metav1.UpdateOptions{}); err != nil {
				t.Fatal(err)
			}
		}, "node n1 is cordoned now, not schedulable"},
	} {
		t.Run(name, func(t *testing.T) {
			s, client := serve(t, small(fullNode, waitingPod("a", "n1", "ReplicaSet")))
			warm(t, s)
			cs := direct(t, s)
			c.change(t, cs)
			before := shop(t, cs)
			for _, err := range []error{
				client.Hands().DryRun(context.Background(), moveAction("a"), remedy.Mark{Remediation: "r"}),
				func() error {
					_, err := client.Hands().Apply(context.Background(), moveAction("a"), remedy.Mark{Remediation: "r"})
					return err
				}(),
			} {
				var changed *kube.Changed
				if !errors.As(err, &changed) || !errors.Is(err, remedy.ErrRefused) || !strings.Contains(err.Error(), c.want) {
					t.Errorf("%v, want it refused with %q", err, c.want)
				}
			}
			if now := shop(t, cs); now != before {
				t.Errorf("it is %s, was %s", now, before)
			}
			if done, r, err := client.Hands().Look(context.Background(), moveAction("a"), remedy.Mark{Remediation: "r"}); done || len(r.Did) > 0 || err != nil {
				t.Errorf("look: %v %+v %v", done, r, err)
			}
		})
	}
}

// A pod that starts between the look at it and its deletion stays.
func TestAPodThatStartsInBetweenStays(t *testing.T) {
	s, client := serve(t, small(fullNode, waitingPod("a", "n1", "ReplicaSet")))
	warm(t, s)
	c, came := direct(t, s), false
	s.SetFault(func(r *http.Request) *simkube.Fault {
		if r.Method == http.MethodDelete && !came {
			came = true
			start(t, c, "a")
		}
		return nil
	})
	r, err := client.Hands().Apply(context.Background(), moveAction("a"), remedy.Mark{Remediation: "rem-1"})
	if err != nil || shop(t, c) != "cordoned a" || len(r.Did) != 2 || r.Did[1] != "pod shop/a has started meanwhile and is left alone" {
		t.Errorf("%v, %s, %q", err, shop(t, c), r.Did)
	}
}

// Once the node is cordoned nothing that follows is a refusal; Look tells how far it got, and Apply goes on from there.
func TestMovingIsTakenUpWhereItBroke(t *testing.T) {
	s, client := serve(t, small(fullNode, waitingPod("a", "n1", "ReplicaSet"), waitingPod("b", "n1", "ReplicaSet")))
	warm(t, s)
	h, ctx, c, mark := client.Hands(), context.Background(), direct(t, s), remedy.Mark{Remediation: "rem-1"}
	for _, status := range []int{http.StatusForbidden, http.StatusInternalServerError} {
		s.SetFault(func(r *http.Request) *simkube.Fault {
			if r.Method == http.MethodDelete && strings.HasSuffix(r.URL.Path, "/b") {
				return &simkube.Fault{Status: status}
			}
			return nil
		})
		if _, err := h.Apply(ctx, moveAction("a", "b"), mark); err == nil || errors.Is(err, remedy.ErrRefused) {
			t.Errorf("%d: %v, want an error that leaves it open", status, err)
		}
		done, r, err := h.Look(ctx, moveAction("a", "b"), mark)
		if want := []string{"node n1 cordoned", "pod shop/a is being deleted"}; done || err != nil || cmp.Diff(want, r.Did) != "" || r.Undo == nil {
			t.Errorf("%d: look: %v %+v %v", status, done, r, err)
		}
	}
	s.SetFault(nil)
	if _, err := h.Apply(ctx, moveAction("a", "b"), mark); err != nil || shop(t, c) != "cordoned a! b!" {
		t.Errorf("taken up: %v, %s", err, shop(t, c))
	}
}

const agents = `
apiVersion: v1
kind: Pod
metadata: {name: %[1]s, namespace: kube-system, uid: u-%[1]s, labels: {k8s-app: aws-node}, ownerReferences: [{apiVersion: apps/v1, kind: DaemonSet, name: aws-node, uid: %[3]s, controller: true}]}
spec: {nodeName: %[2]s, hostNetwork: true, containers: [{name: aws-node, image: i}]}
status: {phase: Running, conditions: [{type: Ready, status: "False"}]}
`

func agent(name, node, owner string) string { return fmt.Sprintf(agents, name, node, owner) }

func restartAction(pods ...remedy.Pod) remedy.Action {
	return remedy.Action{RestartPods: &remedy.RestartPods{Namespace: "kube-system", DaemonSet: "aws-node", Pods: pods}}
}

func TestAgentsAreRestarted(t *testing.T) {
	s, client := serve(t, small(daemonSet, agent("x1", "n1", "u1"), agent("x2", "n2", "u1")))
	warm(t, s)
	h, ctx, c, mark := client.Hands(), context.Background(), direct(t, s).CoreV1().Pods("kube-system"), remedy.Mark{Remediation: "rem-1"}
	a := restartAction(remedy.Pod{Name: "x1", UID: "u-x1", Node: "n1"})
	if err := h.DryRun(ctx, a, mark); err != nil {
		t.Fatal(err)
	}
	look := func(want bool, said ...string) {
		t.Helper()
		done, r, err := h.Look(ctx, a, mark)
		if d := cmp.Diff(said, r.Did); done != want || err != nil || d != "" || r.Undo != nil {
			t.Errorf("look: %v, %v (-want +got):\n%s", done, err, d)
		}
	}
	look(false)
	r, err := h.Apply(ctx, a, mark)
	if d := cmp.Diff(remedy.Receipt{Owned: true, Did: []string{"pod kube-system/x1 deleted"}}, r); err != nil || d != "" {
		t.Fatalf("%v (-want +got):\n%s", err, d)
	}
	look(false, "pod kube-system/x1 deleted, and not gone yet")
	if p, err := c.Get(ctx, "x1", metav1.GetOptions{}); err != nil || p.DeletionTimestamp == nil {
		t.Fatalf("%v, %v", p, err)
	}
	if err := c.Delete(ctx, "x1", *metav1.NewDeleteOptions(0)); err != nil {
		t.Fatal(err)
	}
	look(false, "pod kube-system/x1 deleted, and not made again yet")
	next := &corev1.Pod{}
	if other, err := c.Get(ctx, "x2", metav1.GetOptions{}); err != nil || other.DeletionTimestamp != nil {
		t.Fatalf("the pod of another node: %v, %v", other, err)
	} else {
		next.ObjectMeta = metav1.ObjectMeta{Name: "x3", Labels: other.Labels, OwnerReferences: other.OwnerReferences}
		next.Spec = other.Spec
		next.Spec.NodeName = "n1"
	}
	next, err = c.Create(ctx, next, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	look(false, "pod kube-system/x1 deleted; x3, made in its place, is not ready yet")
	if again, err := h.Apply(ctx, a, mark); err != nil || again.Did[0] != "pod kube-system/x1 is gone" {
		t.Errorf("apply again: %+v, %v", again, err)
	}
	next.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	if _, err := c.UpdateStatus(ctx, next, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	look(true, "pod kube-system/x1 deleted; x3, made in its place, is ready")
}

func TestRestartingIsRefused(t *testing.T) {
	one := remedy.Pod{Name: "x1", UID: "u-x1", Node: "n1"}
	for name, c := range map[string]struct {
		action remedy.Action
		want   string
	}{
		"another controller":  {restartAction(remedy.Pod{Name: "x3", UID: "u-x3", Node: "n3"}), "the controller of pod kube-system/x3 is another now"},
		"another node":        {restartAction(remedy.Pod{Name: "x1", UID: "u-x1", Node: "n9"}), "the node of pod kube-system/x1 is n1 now, not n9"},
		"two of one node":     {restartAction(one, remedy.Pod{Name: "x2", UID: "u-x2", Node: "n1"}), "x1 and x2 are both on node n1"},
		"another daemonset":   {remedy.Action{RestartPods: &remedy.RestartPods{Namespace: "kube-system", DaemonSet: "kube-proxy", Pods: []remedy.Pod{one}}}, "only those of kube-system/aws-node"},
		"the good one beside": {restartAction(one, remedy.Pod{Name: "x3", UID: "u-x3", Node: "n3"}), "the controller of pod"},
	} {
		s, client := serve(t, small(daemonSet, agent("x1", "n1", "u1"), agent("x2", "n1", "u1"), agent("x3", "n3", "other")))
		for what, err := range map[string]error{
			"dry run": client.Hands().DryRun(context.Background(), c.action, remedy.Mark{Remediation: "r"}),
			"apply": func() error {
				_, err := client.Hands().Apply(context.Background(), c.action, remedy.Mark{Remediation: "r"})
				return err
			}(),
		} {
			if !errors.Is(err, remedy.ErrRefused) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %s: %v, want a refusal with %q", name, what, err, c.want)
			}
		}
		for _, r := range s.Requests() {
			if r.Method != http.MethodGet {
				t.Errorf("%s: %s %s was sent", name, r.Method, r.Path)
			}
		}
	}
}

// Every permission that a change needs and that is missing is found by the dry run, and named with the role that has it.
func TestMissingPermissionsAreFoundByTheDryRun(t *testing.T) {
	restart := restartAction(remedy.Pod{Name: "x1", UID: "u-x1", Node: "n1"})
	for _, c := range []struct {
		denied string
		action remedy.Action
		want   string
	}{
		{"patch nodes", moveAction("a"), `netdiag may not patch nodes n1; missing is {apiGroups: [""], resources: [nodes], verbs: [patch]}, which the chart gives with ClusterRole netdiag-fix-move (fixes.kinds.movePods: true)`},
		{"delete pods", moveAction("a"), `netdiag may not delete pods a in namespace shop; missing is {apiGroups: [""], resources: [pods], verbs: [delete]}, which the chart gives with ClusterRole netdiag-fix-move (fixes.kinds.movePods: true)`},
		{"delete pods", restart, `netdiag may not delete pods x1 in namespace kube-system; missing is {apiGroups: [""], resources: [pods], verbs: [delete]}, which the chart gives with Role netdiag-fix-restart in kube-system (fixes.kinds.restartPods: true)`},
		{"get pods", restart, `netdiag may not get pods x1 in namespace kube-system; missing is {apiGroups: [""], resources: [pods], verbs: [get]}, which the chart gives with Role netdiag-fix-restart in kube-system (fixes.kinds.restartPods: true)`},
		{"patch ingresses.networking.k8s.io", annotateAction(), `netdiag may not patch ingresses.networking.k8s.io api in namespace backend; missing is {apiGroups: ["networking.k8s.io"], resources: [ingresses], verbs: [patch]}, which the chart gives with ClusterRole netdiag-fix (fixes.kinds.annotate: true)`},
	} {
		w := small(fullNode, daemonSet, ingress, waitingPod("a", "n1", "ReplicaSet"), agent("x1", "n1", "u1"))
		w.Meta.Denied.Kubernetes = []string{c.denied}
		_, client := serve(t, w)
		err := client.Hands().DryRun(context.Background(), c.action, remedy.Mark{Remediation: "r"})
		var forbidden *kube.Forbidden
		if !errors.As(err, &forbidden) || !errors.Is(err, remedy.ErrRefused) || !apierrors.IsForbidden(err) || err.Error() != c.want {
			t.Errorf("without %s: %v\nwant %s", c.denied, err, c.want)
		}
	}
}

// Forbidden by an admission, although the right is there: the API server's own words say by which.
func TestForbiddenByAnAdmissionIsNoMissingPermission(t *testing.T) {
	s, client := serve(t, small(fullNode, waitingPod("a", "n1", "ReplicaSet")))
	warm(t, s)
	s.SetFault(func(r *http.Request) *simkube.Fault {
		if r.Method == http.MethodPatch {
			return &simkube.Fault{Status: http.StatusForbidden, Message: "admission webhook x denied the request"}
		}
		return nil
	})
	err := client.Hands().DryRun(context.Background(), moveAction("a"), remedy.Mark{Remediation: "r"})
	var forbidden *kube.Forbidden
	if errors.As(err, &forbidden) || !errors.Is(err, remedy.ErrRefused) || !strings.Contains(err.Error(), "admission webhook x denied") {
		t.Error(err)
	}
}
