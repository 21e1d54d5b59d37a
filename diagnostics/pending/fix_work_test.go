package pending

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/eks"
	"github.com/netdiag/netdiag/internal/trail"
)

// fixOf finds a fix of a report by its id.
func fixOf(t *testing.T, r diagnostics.Report, id string) diagnostics.Fix {
	t.Helper()
	n := slices.IndexFunc(r.Fixes, func(f diagnostics.Fix) bool { return f.ID == "pending/"+id })
	if n < 0 {
		t.Fatalf("no %s among %v: %s", id, fixIDs(r), r.Summary)
	}
	return r.Fixes[n]
}

func TestWorkloadsAreChangedThroughTheirOwner(t *testing.T) {
	gpu := corev1.Taint{Key: "dedicated", Value: "gpu", Effect: corev1.TaintEffectNoSchedule}
	for _, c := range []struct{ owner, why, release, command string }{
		{"none", "", "", `kubectl patch deployment/api -n backend --type strategic -p '{"spec":{"template":{"spec":{"tolerations":[{"effect":"NoSchedule","key":"dedicated","operator":"Equal","value":"gpu"}]}}}}'`},
		{"helm", "meta.helm.sh/release-name=shop", "shop", "helm upgrade shop <chart> -n backend --reuse-values -f <values>"},
		{"argocd", "argocd.argoproj.io/tracking-id=shop:apps/Deployment:backend/api", "shop", "# in Git (argocd.argoproj.io/tracking-id=shop:apps/Deployment:backend/api): a toleration of dedicated=gpu:NoSchedule"},
		{"terraform", "field manager Terraform", "", "# where terraform declares it (field manager Terraform): a toleration of dedicated=gpu:NoSchedule"},
	} {
		s := twoNodes(func(n1, n2 *Node) { n1.Taints, n2.Taints = []corev1.Taint{gpu}, []corev1.Taint{gpu} })
		s.unplaced(1, "0/2 nodes are available: 2 node(s) had untolerated taint {dedicated: gpu}.", nil)
		s.s.Makers = map[string]Maker{"ReplicaSet/api-1": {Kind: "Deployment", Name: "api", Owner: c.owner, Why: c.why, Release: c.release}}
		fix := fixOf(t, s.judged(t), "fix-workload")
		if fix.Owner != c.owner || !slices.Contains(fix.Commands, c.command) {
			t.Errorf("%s: owner %s, commands %q", c.owner, fix.Owner, fix.Commands)
		}
	}
}

// A merge replaces the whole list of tolerations, so that those that are there must be in it.
func TestATolerationKeepsTheOthers(t *testing.T) {
	gpu := corev1.Taint{Key: "dedicated", Value: "gpu", Effect: corev1.TaintEffectNoSchedule}
	s := twoNodes(func(n1, n2 *Node) { n1.Taints, n2.Taints = []corev1.Taint{gpu}, []corev1.Taint{gpu} })
	s.unplaced(1, "0/2 nodes are available: 2 node(s) had untolerated taint {dedicated: gpu}.", func(p *corev1.Pod) {
		p.Spec.Tolerations = []corev1.Toleration{{Key: "spot", Operator: corev1.TolerationOpExists}, {Key: corev1.TaintNodeNotReady, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute}}
	})
	command := fixOf(t, s.judged(t), "fix-workload").Commands[0]
	if !strings.Contains(command, `{"key":"spot","operator":"Exists"},{"effect":"NoSchedule","key":"dedicated"`) || strings.Contains(command, "not-ready") {
		t.Errorf("command %s", command)
	}
}

func TestWhoDeclaresAWorkload(t *testing.T) {
	deployment := func(edit func(*metav1.ObjectMeta)) makers {
		d := appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "api"}}
		edit(&d.ObjectMeta)
		return makers{deployments: []appsv1.Deployment{d}, sets: []appsv1.ReplicaSet{{ObjectMeta: metav1.ObjectMeta{Name: "api-1", OwnerReferences: ownedBy("Deployment", "api")}}}}
	}
	for _, c := range []struct {
		edit func(*metav1.ObjectMeta)
		want Maker
	}{
		{func(*metav1.ObjectMeta) {}, Maker{Kind: "Deployment", Name: "api", Owner: "none"}},
		{func(o *metav1.ObjectMeta) { o.Labels = map[string]string{"app.kubernetes.io/managed-by": "Helm"} }, Maker{Kind: "Deployment", Name: "api", Owner: "none"}},
		{func(o *metav1.ObjectMeta) { o.Annotations = map[string]string{"meta.helm.sh/release-name": "shop"} }, Maker{Kind: "Deployment", Name: "api", Owner: "helm", Why: "meta.helm.sh/release-name=shop", Release: "shop"}},
		{func(o *metav1.ObjectMeta) {
			o.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "kubectl-client-side-apply"}, {Manager: "kustomize-controller"}}
		}, Maker{Kind: "Deployment", Name: "api", Owner: "flux", Why: "field manager kustomize-controller"}},
	} {
		if d := cmp.Diff(map[string]Maker{"ReplicaSet/api-1": c.want}, deployment(c.edit).known()); d != "" {
			t.Error(d)
		}
	}
}

// Nodes are started where they help: as many as the pods need, from the group that takes them, and not when some are coming.
func TestFurtherNodes(t *testing.T) {
	nodes := func(c *scene) { c.s.Driver.Env["ENABLE_PREFIX_DELEGATION"] = "false" }
	grown := fixOf(t, fullNodes(nodes).judged(t), "new-node-group")
	if d := cmp.Diff([]string{"node group workers: desired size 2 → 4"}, grown.Changes); d != "" || !strings.Contains(grown.Commands[0], "minSize=1,maxSize=10,desiredSize=4") || !strings.Contains(grown.Proof, "an empty m5.large takes 1 of these pods") {
		t.Errorf("changes %v, commands %v, proof %q", grown.Changes, grown.Commands, grown.Proof)
	}
	atMaximum := fixOf(t, fullNodes(func(c *scene) { c.s.Groups[0].Max = 3 }).judged(t), "new-node-group")
	if !slices.Contains(atMaximum.Changes, "node group workers: maximum 3 → 4") {
		t.Errorf("changes %v", atMaximum.Changes)
	}
	other := fixOf(t, fullNodes(func(c *scene) { c.s.Groups[0].Taints = []eks.Taint{{Key: "batch", Effect: "NoSchedule"}} }).judged(t), "new-node-group")
	if !strings.Contains(other.Commands[0], "create-nodegroup") {
		t.Errorf("a group that the pods don't tolerate is to grow: %v", other.Commands)
	}
	coming := fullNodes(func(c *scene) {
		c.s.Groups[0].Desired = 3
		c.s.Activities = []trail.Activity{{Group: "eks-workers", Status: "InProgress", At: minutes(1).Time}}
	}).judged(t)
	if slices.Contains(fixIDs(coming), "new-node-group") || !slices.Contains(refusedIDs(coming), "new-node-group") || !strings.Contains(coming.Summary, "wants 1 more than the 2 that are there") {
		t.Errorf("a node is on its way: fixes %v, refused %v, %s", fixIDs(coming), refusedIDs(coming), coming.Summary)
	}
	large := fullNodes(func(c *scene) {
		for n := range c.s.Pods {
			c.s.Pods[n].Spec.NodeSelector = map[string]string{"topology.kubernetes.io/zone": "us-west-2a"}
			c.s.Pods[n].Spec.Containers[0].Resources.Requests["cpu"] = resource.MustParse("4")
		}
	}).judged(t)
	if fix := fixOf(t, large, "new-node-group"); fix.Title != "Start nodes of a larger type" || !strings.Contains(fix.Commands[0], "--instance-types <type>") {
		t.Errorf("%s: %v", fix.Title, fix.Commands)
	}
}

func TestHigherLimits(t *testing.T) {
	const said = `Failed to schedule pod, all available instance types exceed limits for nodepool: "default"`
	r := fullNodes(func(c *scene) {
		c.pool(nil)
		c.ofPod("Warning", "FailedScheduling", "karpenter", said, 2)
	}).judged(t)
	if fix := fixOf(t, r, "new-node-group"); !cmp.Equal(fix.Changes, []string{"NodePool default: limit of cpu 16 → 18"}) || fix.Commands[0] != `kubectl patch nodepool default --type merge -p '{"spec":{"limits":{"cpu":"18"}}}'` {
		t.Errorf("changes %v, commands %v", fix.Changes, fix.Commands)
	}
}

// Prefixes raise the limit of new nodes, where the subnets have blocks for them and the limit is that of the interfaces.
func TestPrefixesForNodesAtTheirLimit(t *testing.T) {
	full := func(available int, edit func(*scene, *Node, *Node)) diagnostics.Report {
		c := newScene(available, available)
		c.node("n1", "a", 2, 9)
		n2 := c.node("n2", "b", 2, 9)
		n1 := c.s.node("n1") // where it is, now that there are two
		for _, n := range []*Node{n1, n2} {
			for k := len(n.Pods); k < 29; k++ {
				n.Pods = append(n.Pods, Placed{Namespace: "data", Name: fmt.Sprintf("h%d", k), Host: true})
			}
		}
		if edit != nil {
			edit(c, n1, n2)
		}
		c.unplaced(3, "0/2 nodes are available: 2 Too many pods.", nil)
		return c.judged(t)
	}
	r := full(241, nil)
	if d := cmp.Diff([]string{"max-pods confirmed"}, keys(r.Causes)); d != "" {
		t.Fatal(d)
	}
	fix := fixOf(t, r, "enable-prefix-delegation")
	if r.Fixes[0].ID != "pending/new-node-group" || fix.Executable || fix.Action != nil || !strings.Contains(fix.Proof, "for up to 110 pods") || !strings.Contains(fmt.Sprint(fix.Commands), "kubectl drain n1") {
		t.Errorf("fixes %v: %+v", fixIDs(r), fix)
	}
	for name, c := range map[string]struct {
		available int
		edit      func(*scene, *Node, *Node)
		why       string
	}{
		"no blocks":    {20, nil, "0 free /28 blocks, and its 1 node would need 2"},
		"on already":   {241, func(c *scene, _, _ *Node) { c.s.Driver.Env["ENABLE_PREFIX_DELEGATION"] = "true" }, "delegated already"},
		"not on Nitro": {241, func(c *scene, _, _ *Node) { c.s.Types[0].Nitro = false }, "no Nitro type"},
		"an old CNI":   {241, func(c *scene, _, _ *Node) { c.s.Driver.Version = "v1.7.5" }, "max-pods of the 2 nodes"},
		"at the cap":   {241, func(c *scene, n1, n2 *Node) { setPods(n1, 110); setPods(n2, 110) }, "would run 110 pods"},
	} {
		r := full(c.available, c.edit)
		if slices.Contains(fixIDs(r), "enable-prefix-delegation") || !slices.ContainsFunc(r.Refused, func(f diagnostics.Refused) bool {
			return f.ID == "pending/enable-prefix-delegation" && strings.Contains(f.Why, c.why)
		}) {
			t.Errorf("%s: fixes %v, refused %v", name, fixIDs(r), r.Refused)
		}
	}
	r = full(241, func(_ *scene, n1, n2 *Node) { setPods(n1, 20); setPods(n2, 20) })
	if fix := fixOf(t, r, "set-max-pods"); !strings.Contains(fix.Title, "max-pods 29 instead of 20") {
		t.Errorf("%s", fix.Title)
	}
}

// setPods makes a node run so many pods, as many as it may.
func setPods(n *Node, count int) {
	n.MaxPods = count
	for k := len(n.Pods); k < count; k++ {
		n.Pods = append(n.Pods, Placed{Namespace: "data", Name: fmt.Sprintf("more%d", k), Host: true})
	}
	n.Pods = n.Pods[:count]
}

func TestOneFixForAllNodesThatAreNotReady(t *testing.T) {
	c := twoNodes(func(n1, n2 *Node) {
		for _, n := range []*Node{n1, n2} {
			n.Ready, n.ReadyMessage, n.Taints = "Unknown", "Kubelet stopped posting node status.", []corev1.Taint{{Key: "node.kubernetes.io/unreachable", Effect: corev1.TaintEffectNoSchedule}}
		}
	})
	c.unplaced(2, "0/2 nodes are available: 2 node(s) had untolerated taint {node.kubernetes.io/unreachable: }.", nil)
	r := c.judged(t)
	if len(r.Fixes) != 1 || r.Fixes[0].Title != "Replace 2 nodes that are not ready" || len(r.Fixes[0].Resolves) != 2 {
		t.Errorf("fixes %+v", r.Fixes)
	}
}

// A fix is whole: what, why in numbers or words, who, how, and the way back.
func TestFixesAreWhole(t *testing.T) {
	var reports []diagnostics.Report
	for _, message := range []string{"2 Insufficient cpu", "2 node(s) didn't match Pod's node affinity/selector", "2 node(s) didn't have free ports for the requested pod ports", "2 node(s) exceed max volume count", "2 Too many pods",
		"2 node(s) had untolerated taint {dedicated: gpu}", "2 Insufficient vpc.amazonaws.com/pod-eni", "2 Insufficient vpc.amazonaws.com/PrivateIPv4Address"} {
		c := twoNodes(nil)
		c.s.Nodes[1].Read = false // so that the scheduler's word stands
		c.s.Unread = denied("list nodes")
		c.unplaced(1, "0/2 nodes are available: "+message+".", nil)
		reports = append(reports, c.judged(t))
	}
	for _, state := range []corev1.ContainerState{waitingFor("ErrImagePull", "not found"), waitingFor("CreateContainerConfigError", `secret "db" not found`), waitingFor("RunContainerError", "permission denied")} {
		reports = append(reports, onNode(state, nil).judged(t))
	}
	for _, r := range reports {
		if len(r.Fixes) == 0 {
			t.Errorf("no fix: %s", r.Summary)
		}
		for _, f := range r.Fixes {
			if f.Title == "" || f.Proof == "" || f.Owner == "" || f.Undo == "" || f.SettlesIn == "" || f.Blast == "" || len(f.Changes) == 0 || len(f.Commands) == 0 {
				t.Errorf("%s lacks something: %+v", f.ID, f)
			}
		}
	}
}
