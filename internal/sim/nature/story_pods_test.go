package nature_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apitypes "k8s.io/apimachinery/pkg/types"
)

// cordon does what kubectl cordon and uncordon do.
func (l *lab) cordon(t *testing.T, node string, on bool) {
	t.Helper()
	value := "null"
	if on {
		value = "true"
	}
	patch := fmt.Sprintf(`{"spec":{"unschedulable":%s}}`, value)
	if _, err := l.kube.CoreV1().Nodes().Patch(t.Context(), node, apitypes.StrategicMergePatchType, []byte(patch), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
}

// stuckPods lists the pods that are bound and have no address.
func (l *lab) stuckPods(t *testing.T) []corev1.Pod {
	t.Helper()
	pods, err := l.pods(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(pods, func(p corev1.Pod) bool {
		return p.Spec.NodeName == "" || p.Spec.HostNetwork || p.Status.PodIP != "" || p.Status.Phase != corev1.PodPending
	})
}

func (l *lab) delete(t *testing.T, p corev1.Pod) {
	t.Helper()
	if err := l.kube.CoreV1().Pods(p.Namespace).Delete(t.Context(), p.Name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &p.UID}}); err != nil {
		t.Fatal(err)
	}
}

// running wants this many pods to run in a namespace, none of which is one of old.
func (l *lab) running(ctx context.Context, namespace string, want int, old []corev1.Pod) error {
	pods, err := l.pods(ctx, namespace)
	if err != nil {
		return err
	}
	n := 0
	for _, p := range pods {
		if slices.ContainsFunc(old, func(o corev1.Pod) bool { return o.UID == p.UID }) {
			return fmt.Errorf("pod %s is still there", p.Name)
		}
		if ready(&p) {
			n++
		}
	}
	if n != want || len(pods) != want {
		return fmt.Errorf("%d of %d pods run, want %d", n, len(pods), want)
	}
	return nil
}

// Pods that can't start where they are start elsewhere once they are deleted, not on the cordoned node.
func TestPodsMoveOffACordonedNode(t *testing.T) {
	t.Parallel()
	l := open(t, "public/pending-s01-warm-pool")
	all, err := l.pods(t.Context(), "backend")
	if err != nil {
		t.Fatal(err)
	}
	old := l.stuckPods(t)
	node := old[0].Spec.NodeName
	before, err := l.kube.CoreV1().Nodes().Get(t.Context(), node, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	l.live(t)
	l.lived(t, 2)
	l.cordon(t, node, true)
	l.until(t, func(ctx context.Context) error {
		n, err := l.kube.CoreV1().Nodes().Get(ctx, node, metav1.GetOptions{})
		if err == nil && !slices.ContainsFunc(n.Spec.Taints, func(x corev1.Taint) bool { return x.Key == corev1.TaintNodeUnschedulable }) {
			err = fmt.Errorf("taints %v", n.Spec.Taints)
		}
		return err
	})
	for _, p := range old {
		l.delete(t, p)
	}
	l.until(t, func(ctx context.Context) error { return l.running(ctx, "backend", len(all), old) })
	pods, err := l.pods(t.Context(), "backend")
	if err != nil {
		t.Fatal(err)
	}
	known := map[apitypes.UID]bool{}
	for _, p := range all {
		known[p.UID] = true
	}
	for _, p := range pods {
		if p.Spec.NodeName == node && !known[p.UID] {
			t.Errorf("pod %s went to the cordoned node", p.Name)
		}
	}
	l.consistent(t)
	l.cordon(t, node, false)
	l.until(t, func(ctx context.Context) error {
		n, err := l.kube.CoreV1().Nodes().Get(ctx, node, metav1.GetOptions{})
		if err == nil && (len(n.Spec.Taints) != len(before.Spec.Taints) || n.Spec.Unschedulable) {
			err = fmt.Errorf("spec %+v, before %+v", n.Spec, before.Spec)
		}
		return err
	})
	l.cured(t)
}

// A pod that no node takes waits, and says why, until one does.
func TestNoNodeTakesThePod(t *testing.T) {
	t.Parallel()
	l := open(t, "public/pending-s01-warm-pool")
	nodes, err := l.kube.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	old := l.stuckPods(t)[:1]
	l.live(t)
	l.lived(t, 2)
	for _, n := range nodes.Items {
		l.cordon(t, n.Name, true)
	}
	l.delete(t, old[0])
	l.until(t, func(ctx context.Context) error {
		events, err := l.kube.CoreV1().Events("backend").List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		want := fmt.Sprintf("0/%d nodes are available: %d node(s) were unschedulable.", len(nodes.Items), len(nodes.Items))
		if !slices.ContainsFunc(events.Items, func(e corev1.Event) bool { return e.Reason == "FailedScheduling" && e.Message == want }) {
			return fmt.Errorf("nothing says %q", want)
		}
		return nil
	})
	for _, n := range nodes.Items {
		if n.Name != old[0].Spec.NodeName {
			l.cordon(t, n.Name, false)
		}
	}
	l.until(t, func(context.Context) error {
		if n := len(l.stuckPods(t)); n != 5 { // of the six that were there
			return fmt.Errorf("%d pods wait", n)
		}
		return nil
	})
	l.consistent(t)
}

// A new aws-node pod begins with an empty memory: it no longer waits after a refusal, and counts no address that no pod has.
func TestARestartedAgentServesThePodsThatWait(t *testing.T) {
	for _, world := range []string{
		"public/pending-s20-backoff", "public/pending-s27-datastore-leak", "public/pending-n12-policy-agent",
		"own/pending/ipamd-out-of-memory", "own/pending/node-not-ready-for-its-cni",
	} {
		t.Run(world, func(t *testing.T) {
			t.Parallel()
			l := open(t, world)
			old := l.stuckPods(t)
			node := old[0].Spec.NodeName
			agents, err := l.kube.CoreV1().Pods("kube-system").List(t.Context(), metav1.ListOptions{LabelSelector: "k8s-app=aws-node", FieldSelector: "spec.nodeName=" + node})
			if err != nil || len(agents.Items) != 1 {
				t.Fatalf("%v, %v", agents, err)
			}
			before, err := l.kube.AppsV1().DaemonSets("kube-system").Get(t.Context(), "aws-node", metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			l.live(t)
			l.lived(t, 4)
			if now := l.stuckPods(t); len(now) != len(old) {
				t.Fatalf("%d pods wait before the restart, %d at the beginning", len(now), len(old))
			}
			l.delete(t, agents.Items[0])
			l.until(t, func(ctx context.Context) error {
				for _, p := range l.stuckPods(t) {
					if p.Spec.NodeName == node {
						return fmt.Errorf("pod %s waits", p.Name)
					}
				}
				return l.rolledOut(ctx)
			})
			l.consistent(t)
			d, err := l.kube.AppsV1().DaemonSets("kube-system").Get(t.Context(), "aws-node", metav1.GetOptions{})
			if err != nil || d.Generation != before.Generation || d.Status.NumberReady != d.Status.DesiredNumberScheduled {
				t.Errorf("daemonset: generation %d, status %+v, %v", d.Generation, d.Status, err)
			}
		})
	}
}
