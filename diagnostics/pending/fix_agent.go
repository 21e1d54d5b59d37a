package pending

import (
	"fmt"

	"github.com/netdiag/netdiag/diagnostics"
)

// fixAgent gets the CNI of a node to run: a new pod starts at once, where the kubelet waits longer and longer between restarts
// of the old one. It doesn't mend what ends it; what shows of that comes next.
func (a *analysis) fixAgent(f *diagnostics.Finding) {
	node := a.s.node(f.Subject)
	if node == nil {
		return
	}
	if node.Agent == nil {
		a.offer("fix-workload", diagnostics.Fix{Title: "See why DaemonSet aws-node has no pod on " + node.Name, Needs: len(f.Affects), Owner: a.s.setup().Owned().Owner, Proof: f.Summary, Undo: "nothing to undo", SettlesIn: "5m",
			Commands: []string{"kubectl describe daemonset aws-node -n kube-system", nodeCommand(node)}}, f)
		a.fixMove(f)
		return
	}
	g := node.Agent
	restart := diagnostics.Fix{Title: "Restart aws-node on " + node.Name, Needs: len(f.Affects), Proof: f.Summary, Changes: []string{"pod " + g.Name + " on " + node.Name + " is made again"},
		Blast: "no pod gets an address on this node until it is up, as now; running pods keep theirs", Undo: "nothing to undo", SettlesIn: "2m",
		Commands: []string{"kubectl delete pod -n kube-system " + g.Name}}
	a.restarting(&restart, f, []*pool{a.pools[node.Name]})
	work := func(title string, commands ...string) {
		a.offer("fix-workload", diagnostics.Fix{Title: title, Needs: len(f.Affects), Owner: a.s.setup().Owned().Owner, Proof: f.Summary, Undo: "revert the change", SettlesIn: "5m", Commands: commands}, f)
	}
	switch f.Reason {
	case noImage:
		work("Let node "+node.Name+" pull the image of aws-node", "kubectl describe pod -n kube-system "+g.Name, "kubectl get daemonset aws-node -n kube-system -o jsonpath={.spec.template.spec.containers[*].image}")
		a.refuse("restart-ipamd", "another pod pulls the same image: it could not be had on %s", plural(max(len(a.affected(f)), 1), "node"))
	case noMemory:
		restart.Proof += fmt.Sprintf("; the kubelet waits up to 5 minutes between restarts, of which there were %d, and a new pod starts at once", g.Restarts)
		a.offer("restart-ipamd", restart, f)
		work("Give aws-node more memory, or no limit", "kubectl get daemonset aws-node -n kube-system -o jsonpath={.spec.template.spec.containers[0].resources}")
	case crashing:
		restart.Proof += fmt.Sprintf("; the kubelet waits up to 5 minutes between restarts, of which there were %d, and a new pod starts at once. Where that ends too, its log tells why", g.Restarts)
		restart.Commands = append([]string{"kubectl logs -n kube-system " + g.Name + " -c aws-node --previous --tail 50"}, restart.Commands...)
		a.offer("restart-ipamd", restart, f)
	default:
		a.offer("restart-ipamd", restart, f)
	}
	a.fixMove(f)
}
