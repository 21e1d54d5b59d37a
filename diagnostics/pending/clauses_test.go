package pending

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseClauses(t *testing.T) {
	type short struct {
		Count         int
		Cause, Detail string
	}
	for _, c := range []struct {
		message string
		nodes   int
		want    []short
	}{
		{"0/3 nodes are available: 3 Too many pods. preemption: 0/3 nodes are available: 3 No preemption victims found for incoming pod.", 3,
			[]short{{3, "max-pods", ""}}},
		{"0/3 nodes are available: 3 Insufficient pods.", 3, []short{{3, "max-pods", ""}}},
		{"0/5 nodes are available: 3 Insufficient cpu, 3 Too many pods, 2 node(s) had untolerated taint {dedicated: gpu}.", 5,
			[]short{{3, "insufficient-resources", "cpu"}, {3, "max-pods", ""}, {2, "taint", "dedicated: gpu"}}},
		{"0/3 nodes are available: 1 node(s) had taint {node.kubernetes.io/not-ready: }, that the pod didn't tolerate, 2 Insufficient memory.", 3,
			[]short{{1, "taint", "node.kubernetes.io/not-ready"}, {2, "insufficient-resources", "memory"}}},
		{"0/3 nodes are available: 3 node(s) had untolerated taint(s).", 3, []short{{3, "taint", ""}}},
		{"0/2 nodes are available: 2 node(s) were unschedulable.", 2, []short{{2, "taint", "node.kubernetes.io/unschedulable"}}},
		{"0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims. preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling.", 3,
			[]short{{0, "volume-binding", "pod has unbound immediate PersistentVolumeClaims"}}},
		{"0/3 nodes are available: 2 node(s) had volume node affinity conflict, 1 node(s) exceed max volume count.", 3,
			[]short{{2, "volume-binding", "node(s) had volume node affinity conflict"}, {1, "volume-binding", "node(s) exceed max volume count"}}},
		{"0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector.", 3, []short{{3, "affinity", "node(s) didn't match Pod's node affinity/selector"}}},
		{"0/3 nodes are available: 3 node(s) didn't have free ports for the requested pod ports.", 3, []short{{3, "host-port", ""}}},
		{"0/3 nodes are available: 3 Insufficient vpc.amazonaws.com/pod-eni.", 3, []short{{3, "branch-eni-capacity", ""}}},
		{"0/3 nodes are available: 3 Insufficient vpc.amazonaws.com/PrivateIPv4Address.", 3, []short{{3, "windows-ip-resource", ""}}},
		{`persistentvolumeclaim "data" not found`, 0, []short{{0, "volume-binding", `persistentvolumeclaim "data" not found`}}},
		{"no nodes available to schedule pods", 0, []short{{0, "", ""}}},
	} {
		nodes, clauses := parseClauses(c.message)
		var got []short
		for _, k := range clauses {
			got = append(got, short{k.count, k.cause, k.detail})
		}
		if d := cmp.Diff(c.want, got); d != "" || nodes != c.nodes {
			t.Errorf("%s: %d nodes, want %d (-want +got):\n%s", c.message, nodes, c.nodes, d)
		}
	}
}
