package pending

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/remedy"
)

// What one change of the bot may take in: more is a plan for people.
const (
	mostMoved     = 20 // pods
	mostRestarted = 5  // nodes
)

// carry makes an action the bot's own to carry out, but for one that can't be told apart: pods without a UID, say.
func carry(fix *diagnostics.Fix, a remedy.Action) {
	if a.Validate() == nil {
		fix.Action, fix.Executable = &a, true
	}
}

// moving lets the bot carry out a move, or says in the fix why it doesn't.
func (a *analysis) moving(fix *diagnostics.Fix, f *diagnostics.Finding, here []*pool, pods []waiting) {
	if why := a.unmoved(f, here, pods); why != "" {
		fix.Blast += "; by hand only: " + why
		return
	}
	move := &remedy.MovePods{Node: here[0].node.Name}
	for _, w := range pods {
		move.Pods = append(move.Pods, remedy.NamespacedPod{Namespace: w.pod.Namespace, Name: w.pod.Name, UID: string(w.pod.UID)})
	}
	slices.SortFunc(move.Pods, func(x, y remedy.NamespacedPod) int {
		return cmp.Or(strings.Compare(x.Namespace, y.Namespace), strings.Compare(x.Name, y.Name))
	})
	carry(fix, remedy.Action{MovePods: move})
}

// unmoved says why the bot moves no pods itself; empty where it does.
func (a *analysis) unmoved(f *diagnostics.Finding, here []*pool, pods []waiting) string {
	switch {
	case f.Confidence != diagnostics.Confirmed:
		return "the cause is not confirmed"
	case len(here) != 1:
		return fmt.Sprintf("%d nodes would be cordoned, and the bot cordons one", len(here))
	case len(pods) > mostMoved:
		return fmt.Sprintf("%d pods are more than the %d that the bot moves at once", len(pods), mostMoved)
	case here[0].node.Cordoned:
		return "the node is cordoned already"
	case a.s.Target.Namespace == "kube-system":
		return "the bot deletes no pods of kube-system but those of aws-node"
	}
	for _, w := range pods {
		if why := kept(w.pod); why != "" {
			return why
		}
	}
	return ""
}

// kept says why a pod that nothing pins isn't sure to start elsewhere, or isn't one that never ran.
func kept(p *corev1.Pod) string {
	hard := func(terms []corev1.PodAffinityTerm) bool { return len(terms) > 0 }
	aff := p.Spec.Affinity
	switch {
	case ranOnce(p):
		return "a container of pod " + p.Name + " has run"
	case aff != nil && (aff.PodAffinity != nil && hard(aff.PodAffinity.RequiredDuringSchedulingIgnoredDuringExecution) ||
		aff.PodAntiAffinity != nil && hard(aff.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution)):
		return "pod " + p.Name + " must be near other pods, or away from them"
	case slices.ContainsFunc(p.Spec.TopologySpreadConstraints, func(c corev1.TopologySpreadConstraint) bool { return c.WhenUnsatisfiable == corev1.DoNotSchedule }):
		return "pod " + p.Name + " must be spread"
	case metav1.GetControllerOf(p) == nil:
		return "nothing makes pod " + p.Name + " again"
	}
	return ""
}

// ranOnce reports whether any container of a pod has run.
func ranOnce(p *corev1.Pod) bool {
	return p.Status.Phase != corev1.PodPending || slices.ContainsFunc(slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses), func(s corev1.ContainerStatus) bool {
		return s.State.Running != nil || s.State.Terminated != nil || s.LastTerminationState.Terminated != nil || s.RestartCount > 0
	})
}

// restarting lets the bot carry out a restart of the CNI on some nodes, or says in the fix why it doesn't.
func (a *analysis) restarting(fix *diagnostics.Fix, f *diagnostics.Finding, nodes []*pool) {
	if why := a.unrestarted(f, nodes); why != "" {
		fix.Blast += "; by hand only: " + why
		return
	}
	restart := &remedy.RestartPods{Namespace: "kube-system", DaemonSet: "aws-node"}
	for _, p := range nodes {
		restart.Pods = append(restart.Pods, remedy.Pod{Name: p.node.Agent.Name, UID: p.node.Agent.UID, Node: p.node.Name})
	}
	slices.SortFunc(restart.Pods, func(x, y remedy.Pod) int { return strings.Compare(x.Name, y.Name) })
	carry(fix, remedy.Action{RestartPods: restart})
}

// unrestarted says why the bot doesn't restart the CNI itself; empty where it does.
func (a *analysis) unrestarted(f *diagnostics.Finding, nodes []*pool) string {
	id, d := strings.TrimPrefix(f.ID, "pending/"), a.s.Driver
	switch {
	case id != "insufficiency-backoff" && id != "ipamd-leak" && id != "ipamd-down":
		return "the bot restarts aws-node for what ipamd has in memory, and this is something else"
	case f.Latent || f.Confidence != diagnostics.Confirmed && f.Confidence != diagnostics.Likely:
		return "the cause is only possible"
	case len(nodes) == 0 || len(nodes) > mostRestarted:
		return fmt.Sprintf("%s would get no addresses at once, and the bot restarts %d at most", plural(len(nodes), "node"), mostRestarted)
	case d == nil || d.Updated < d.Desired:
		return "aws-node is being rolled out, or could not be read"
	}
	for _, p := range nodes {
		switch {
		case p == nil || p.node.Agent == nil || p.node.Agent.Waiting == "CrashLoopBackOff" && id != "ipamd-down":
			return "a node has no pod of aws-node that runs"
		case !a.refills(p):
			return fmt.Sprintf("the pool of %s would stay empty: no subnet that its interfaces reach has addresses", p.node.Name)
		}
	}
	return ""
}

// refills reports whether a node has an address for a pod once its CNI begins anew: one that it holds already, or one that a
// subnet has.
func (a *analysis) refills(p *pool) bool {
	return p.free() > 0 || slices.ContainsFunc(a.places(p), func(w way) bool { return !a.shortOf(p, w) })
}
