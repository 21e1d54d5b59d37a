package pending

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/vpc"
)

// Of more nodes than are read in depth some of every subnet are picked, and of the rest those with the most waiting pods.
func TestDeepPicksSomeOfEverySubnet(t *testing.T) {
	for subnets, least := range map[int]int{3: 3, 5: 3, 6: 2, 10: 1} {
		c := &collector{s: Snapshot{At: now}}
		nodes, pods := map[string]string{}, 0
		for s := range subnets {
			id := fmt.Sprintf("subnet-%d", s)
			c.s.Subnets = append(c.s.Subnets, vpc.Subnet{ID: id, CIDR: netip.MustParsePrefix(fmt.Sprintf("10.0.%d.0/24", s))})
			for n := range 20 {
				name := fmt.Sprintf("node-%d-%02d", s, n)
				nodes[name] = id
				c.s.Nodes = append(c.s.Nodes, Node{Name: name, Address: fmt.Sprintf("10.0.%d.%d", s, 10+n), Zone: "us-west-2a", Group: "workers"})
				for range 1 + (subnets-s)*10 + n { // the first subnet has by far the most
					p := pendingPod(nil)
					p.Name, p.UID, p.Spec.NodeName = fmt.Sprint("p", pods), "", name
					pods++
					c.s.Pods = append(c.s.Pods, *p)
				}
			}
		}
		slices.SortFunc(c.s.Nodes, func(a, b Node) int { return cmp.Compare(a.Name, b.Name) })
		picked := map[string]int{}
		deep := c.deep()
		for _, n := range deep {
			picked[nodes[n.Name]]++
		}
		if len(deep) != deepNodes || c.s.Skipped != subnets*20-deepNodes {
			t.Errorf("%d subnets: %d nodes picked and %d skipped, want %d and the rest", subnets, len(deep), c.s.Skipped, deepNodes)
		}
		for _, s := range c.s.Subnets {
			if picked[s.ID] < least {
				t.Errorf("%d subnets: %d nodes of %s, want at least %d: %v", subnets, picked[s.ID], s.ID, least, picked)
			}
		}
	}
}

// crowd answers about the pods of one namespace, and counts those that it gave.
type crowd struct {
	pods  []corev1.Pod
	mu    sync.Mutex
	asked []diagnostics.PodQuery
	given int
}

func (c *crowd) Pods(_ context.Context, q diagnostics.PodQuery) ([]corev1.Pod, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = append(c.asked, q)
	s, err := labels.Parse(q.Labels)
	if err != nil {
		return nil, err
	}
	var out []corev1.Pod
	for _, p := range c.pods {
		if (q.Phase == "" || string(p.Status.Phase) == q.Phase) && (q.Name == "" || p.Name == q.Name) && s.Matches(labels.Set(p.Labels)) {
			out = append(out, p)
		}
	}
	c.given += len(out)
	return out, nil
}

// large is a namespace with so many running pods of a ReplicaSet, one that waits, and a StatefulSet with one on its way out.
func large(n int) (*crowd, makers) {
	c := &crowd{}
	add := func(name, app, kind string, phase corev1.PodPhase) *corev1.Pod {
		p := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"app": app}, OwnerReferences: ownedBy(kind, app)}, Status: corev1.PodStatus{Phase: phase}}
		if phase == corev1.PodRunning {
			p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
		}
		c.pods = append(c.pods, p)
		return &c.pods[len(c.pods)-1]
	}
	for i := range n {
		add(fmt.Sprintf("web-%05d", i), "web", "ReplicaSet", corev1.PodRunning)
	}
	add("web-waits", "web", "ReplicaSet", corev1.PodPending)
	gone := metav1.NewTime(now.Add(-overdue - 1e9))
	add("db-0", "db", "StatefulSet", corev1.PodRunning).DeletionTimestamp = &gone
	add("queue-0", "queue", "StatefulSet", corev1.PodRunning)
	of := func(app string) *metav1.LabelSelector {
		return &metav1.LabelSelector{MatchLabels: map[string]string{"app": app}}
	}
	one, wanted := int32(1), int32(n+1)
	return c, makers{
		sets: []appsv1.ReplicaSet{{ObjectMeta: metav1.ObjectMeta{Name: "web"}, Spec: appsv1.ReplicaSetSpec{Replicas: &wanted, Selector: of("web")}, Status: appsv1.ReplicaSetStatus{Replicas: wanted, ReadyReplicas: int32(n)}}},
		stateful: []appsv1.StatefulSet{
			{ObjectMeta: metav1.ObjectMeta{Name: "db"}, Spec: appsv1.StatefulSetSpec{Replicas: &one, Selector: of("db")}, Status: appsv1.StatefulSetStatus{Replicas: 1}},
			{ObjectMeta: metav1.ObjectMeta{Name: "queue"}, Spec: appsv1.StatefulSetSpec{Replicas: &one, Selector: of("queue")}, Status: appsv1.StatefulSetStatus{Replicas: 1, ReadyReplicas: 1}},
		},
	}
}

// Of a namespace with very many pods only those are read that have something to explain, and yet all are counted.
func TestALargeNamespaceIsNotReadWhole(t *testing.T) {
	for n, most := range map[int]int{100: 200, 50_000: 10} {
		pods, m := large(n)
		c := &collector{in: diagnostics.Inputs{Pods: pods}, s: Snapshot{Target: diagnostics.Target{Namespace: "shop"}, At: now}, kube: kubernetesCalls}
		if err := c.readNamespace(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		c.sift()
		var kept []string
		for _, p := range c.s.Pods {
			kept = append(kept, p.Name)
		}
		if !slices.Equal(kept, []string{"db-0", "web-waits"}) || pods.given > most {
			t.Errorf("%d pods: kept %v of %d that were read", n, kept, pods.given)
		}
		if ready := n + 1; c.s.Ready < ready || c.s.Live < ready+1 || c.s.Live > n+3 {
			t.Errorf("%d pods: %d of %d are ready", n, c.s.Ready, c.s.Live)
		}
		if c.kube != kubernetesCalls-len(pods.asked) {
			t.Errorf("%d calls are left after %d", c.kube, len(pods.asked))
		}
	}
}

// A pod or workload of a large namespace is found by its name all the same.
func TestAskedByNameInALargeNamespace(t *testing.T) {
	for name, want := range map[string][]string{"web-04711": {"web-04711"}, "web-waits": {"web-waits"}, "queue": {"queue-0"}, "db": {"db-0"}} {
		pods, m := large(5000)
		c := &collector{in: diagnostics.Inputs{Pods: pods}, s: Snapshot{Target: diagnostics.Target{Namespace: "shop", Name: name}, At: now}}
		if err := c.readNamespace(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		if err := c.narrow(m); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var got []string
		for _, p := range c.all {
			got = append(got, p.Name)
		}
		if !slices.Equal(got, want) || pods.given > 10 {
			t.Errorf("%s: %v, want %v; %d pods were read", name, got, want, pods.given)
		}
	}
}
