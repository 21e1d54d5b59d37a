package pending

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/diagnostics/awsnode"
	"github.com/netdiag/netdiag/internal/cni"
)

// fixTaint lets the pods onto the nodes, or the nodes take pods again.
func (a *analysis) fixTaint(f *diagnostics.Finding) {
	w, ok := a.first(f)
	if !ok {
		return
	}
	ns, m := a.s.Target.Namespace, a.makerOf(w)
	var names []string
	var taint corev1.Taint
	for n := range a.s.Nodes {
		for _, t := range a.s.Nodes[n].Taints {
			if t.Key == f.Subject && keepsAway(t, w.pod) {
				names, taint = append(names, a.s.Nodes[n].Name), t
				break
			}
		}
	}
	if f.Subject == "node.kubernetes.io/unschedulable" && len(names) > 0 {
		fix := diagnostics.Fix{Title: fmt.Sprintf("Uncordon %s when the maintenance is over, or start further nodes", plural(len(names), "node")), Owner: "none", Needs: len(f.Affects), Proof: f.Summary,
			Blast: "the nodes take new pods again, which whoever cordoned them may not want", Undo: "kubectl cordon the same nodes", SettlesIn: "1m"}
		for _, name := range names[:min(len(names), 5)] {
			fix.Changes = append(fix.Changes, "node "+name+": cordoned → schedulable")
			fix.Commands = append(fix.Commands, "kubectl uncordon "+name)
		}
		a.offer("fix-workload", fix, f)
		a.refusePlace(f)
		return
	}
	if strings.HasPrefix(f.Subject, "node.kubernetes.io/") || strings.HasPrefix(f.Subject, "karpenter.sh/") {
		a.work(f, Maker{Kind: "Node", Name: f.Subject, Owner: "none"}, diagnostics.Fix{Title: "See to the nodes: Kubernetes or a tool takes the taint " + f.Subject + " away when what it stands for is over", Blast: "none", Undo: "nothing to undo",
			Changes: []string{"the nodes' trouble, not the pods"}, Commands: []string{"kubectl get nodes -o custom-columns=NAME:.metadata.name,TAINTS:.spec.taints"}})
		a.refusePlace(f)
		return
	}
	what := fmt.Sprintf("a toleration of %s=%s:%s", f.Subject, taint.Value, taint.Effect)
	toleration := map[string]any{"key": f.Subject, "operator": "Equal", "value": taint.Value, "effect": string(taint.Effect)}
	a.work(f, m, diagnostics.Fix{Title: fmt.Sprintf("Let the pods tolerate the taint %s, if they belong on these nodes, or offer nodes without it", f.Subject),
		Proof:    fmt.Sprintf("%s; %d of %s have it, and what else could keep the pods away only shows then", f.Summary, len(names), plural(len(a.s.Nodes), "node")),
		Changes:  []string{fmt.Sprintf("%s: %s", m, what)},
		Commands: m.inItsTool(ns, what, m.template(ns, map[string]any{"tolerations": tolerationsOf(w.pod, toleration)}))})
	a.refusePlace(f)
}

// tolerationsOf are those that the pod has already, which a merge would replace, without those that Kubernetes adds itself, and a further one.
func tolerationsOf(p *corev1.Pod, more map[string]any) []map[string]any {
	var out []map[string]any
	for _, t := range p.Spec.Tolerations {
		if t.Key == corev1.TaintNodeNotReady || t.Key == corev1.TaintNodeUnreachable {
			continue
		}
		one := map[string]any{}
		for key, value := range map[string]string{"key": t.Key, "operator": string(t.Operator), "value": t.Value, "effect": string(t.Effect)} {
			if value != "" {
				one[key] = value
			}
		}
		out = append(out, one)
	}
	return append(out, more)
}

// fixAffinity changes what the pods ask of nodes, or gives nodes the label.
func (a *analysis) fixAffinity(f *diagnostics.Finding) {
	w, ok := a.first(f)
	if !ok {
		return
	}
	ns, m := a.s.Target.Namespace, a.makerOf(w)
	asks := asksOfNodes(w.pod)
	what := "another node selector or affinity"
	fix := diagnostics.Fix{Title: "Correct selector, affinity or spread of the pods, or give nodes what they ask for"}
	edit := fmt.Sprintf("kubectl edit %s -n %s", m, ns)
	if key := missingLabel(w.pod, a.s.Nodes); key != "" {
		what = "a node selector that nodes meet, now " + asks
		fix.Title = fmt.Sprintf("Correct the node selector of the pods (%s), or label the nodes that are meant", asks)
		fix.Proof = fmt.Sprintf("0 of %s have %s", plural(len(a.s.Nodes), "node"), key)
		edit = fmt.Sprintf("kubectl edit %s -n %s   # or: kubectl label node <node> %s", m, ns, key)
	}
	fix.Changes = []string{fmt.Sprintf("%s: %s", m, what)}
	fix.Commands = append([]string{"kubectl get nodes --show-labels"}, m.inItsTool(ns, what, edit)...)
	a.work(f, m, fix)
	a.refusePlace(f)
}

// missingLabel is a label of the pod's node selector that no node has.
func missingLabel(p *corev1.Pod, nodes []Node) string {
	for _, key := range sortedKeys(p.Spec.NodeSelector) {
		if !slices.ContainsFunc(nodes, func(n Node) bool { return n.Labels[key] == p.Spec.NodeSelector[key] }) {
			return key + "=" + p.Spec.NodeSelector[key]
		}
	}
	return ""
}

// fixHostPort gives the port up. A node has each port once.
func (a *analysis) fixHostPort(f *diagnostics.Finding) {
	w, ok := a.first(f)
	if !ok {
		return
	}
	ns, m := a.s.Target.Namespace, a.makerOf(w)
	ports := strings.Join(demandOf(w.pod).ports, ", ")
	what := fmt.Sprintf("no hostPort %s (a Service reaches the pods without it), or fewer replicas than nodes", ports)
	a.work(f, m, diagnostics.Fix{Title: fmt.Sprintf("Give up host port %s, or run fewer of these pods than nodes", ports), Changes: []string{fmt.Sprintf("%s: %s", m, what)},
		Proof:    fmt.Sprintf("%s; each of %s has the port once", f.Summary, plural(len(a.s.Nodes), "node")),
		Commands: m.inItsTool(ns, what, fmt.Sprintf("kubectl edit %s -n %s", m, ns))})
	a.refusePlace(f)
}

// fixVolume gets a claim bound, or a node where its volume is.
func (a *analysis) fixVolume(f *diagnostics.Finding) {
	w, ok := a.first(f)
	if !ok {
		return
	}
	ns, m := a.s.Target.Namespace, a.makerOf(w)
	_, clauses := parseClauses(w.text)
	kind := volumeOthers
	for _, c := range clauses {
		if c.cause == "volume-binding" {
			kind = volumeKind(c.reason)
		}
	}
	look := fmt.Sprintf("kubectl describe pvc -n %s %s", ns, f.Subject)
	fix := diagnostics.Fix{Title: "Get the claim " + f.Subject + " bound", Blast: "none on running pods", Undo: "revert the change", Commands: []string{look, "kubectl get storageclass"}, Changes: []string{"claim " + f.Subject + ": a storage class that exists, or a volume that fits"}}
	switch {
	case kind == volumeClaim && a.claim(f.Subject) == nil:
		fix.Title, fix.Changes = "Create the claim "+f.Subject+", or correct its name in the pods", []string{"claim " + f.Subject + " in namespace " + ns}
		fix.Commands = []string{"kubectl get pvc -n " + ns, "kubectl apply -n " + ns + " -f <claim " + f.Subject + ">"}
	case kind == volumeCount:
		fix.Title, fix.Changes = "Start a further node for the pods with volumes, or move some of them", []string{"a further node"}
		fix.Commands = []string{"kubectl get volumeattachments", "kubectl get csinodes -o yaml"}
	case kind == volumeZone:
		var zones []string
		for _, v := range a.volumesOf(w.pod) {
			zones = append(zones, zonesOf(v)...)
		}
		in := strings.Join(zones, ", ")
		fix.Title = fmt.Sprintf("Make room in %s, where the volume of claim %s is: a volume does not change its zone", in, f.Subject)
		fix.Changes = []string{"a node with room in " + in}
		fix.Commands = append(fix.Commands[:1], "kubectl get nodes -L topology.kubernetes.io/zone", fmt.Sprintf("aws eks create-nodegroup --cluster-name %s --nodegroup-name <name> --node-role <role> --subnets %s", a.s.Target.Cluster, a.subnetsIn(zones)))
		fix.SettlesIn = "10m"
	}
	a.work(f, m, fix)
	a.refusePlace(f)
}

// subnetsIn lists the subnets of zones that have room for a node.
func (a *analysis) subnetsIn(zones []string) string {
	var out []string
	for _, s := range a.s.Subnets {
		if slices.Contains(zones, s.Zone) && s.Available >= launchNeeds {
			out = append(out, s.ID)
		}
	}
	if len(out) == 0 {
		return "<subnet in " + strings.Join(zones, ", ") + ">"
	}
	return strings.Join(out, " ")
}

// fixDelegation is for nodes at the limit that their interfaces set: with prefixes new nodes of the same type run more pods,
// where the subnets have blocks for them. It says what refuses it otherwise.
func (a *analysis) fixDelegation(f *diagnostics.Finding, full []*pool) {
	p := full[0]
	l, known := awsnode.LimitsOf(a.s.Types, p.node.Type)
	with := p.settings
	with.PrefixDelegation = true
	more := cni.MaxPods(l, with)
	stays := fmt.Sprintf("max-pods of the %s that are there stays %d whatever the CNI does", plural(len(full), "node"), p.node.MaxPods)
	switch why, ok := a.prefixesHelp(full); {
	case p.settings.PrefixDelegation:
		a.refuse("enable-prefix-delegation", "prefixes are delegated already; the %d pods of a node are its own limit (max-pods)", p.node.MaxPods)
	case known && l.Nitro && more <= p.node.MaxPods:
		a.refuse("enable-prefix-delegation", "with prefixes %s would run %d pods, and its nodes run %d already", p.node.Type, more, p.node.MaxPods)
	case ok:
		a.offerPrefixes(f, full)
	case why != "":
		a.refuse("enable-prefix-delegation", "%s, and for new ones: %s", stays, why)
	default:
		a.refuse("enable-prefix-delegation", "%s, and whether the subnets have whole /28 blocks for new ones is not known", stays)
	}
}
