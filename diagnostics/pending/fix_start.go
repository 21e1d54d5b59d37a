package pending

import (
	"fmt"
	"slices"
	"strings"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/trail"
)

// fixResources starts nodes that have what the pods ask for, or lets them ask for less.
func (a *analysis) fixResources(f *diagnostics.Finding) {
	w, ok := a.first(f)
	if !ok {
		return
	}
	d := demandOf(w.pod)
	a.startNodes(f, w)
	a.refusePlace(f)
	m := a.makerOf(w)
	largest := int64(0)
	for n := range a.s.Nodes {
		largest = max(largest, a.s.Nodes[n].has(f.Subject))
	}
	asked := amount(f.Subject, d.of(f.Subject))
	if _, device := d.devices[f.Subject]; device && d.of(f.Subject) <= 1 {
		return // one device can't be halved
	}
	what := fmt.Sprintf("requests of %s less than %s", f.Subject, asked)
	a.work(f, m, diagnostics.Fix{Title: fmt.Sprintf("Ask for less %s than %s a pod, or run fewer pods", f.Subject, asked),
		Proof:    fmt.Sprintf("%s; the largest node offers %s in all", f.Summary, amount(f.Subject, largest)),
		Changes:  []string{fmt.Sprintf("%s: %s", m, what)},
		Commands: m.inItsTool(a.s.Target.Namespace, what, fmt.Sprintf("kubectl set resources %s -n %s --requests=%s=<less than %s>", m, a.s.Target.Namespace, f.Subject, asked))})
}

// first finds a pod that a finding affects.
func (a *analysis) first(f *diagnostics.Finding) (waiting, bool) {
	for _, w := range a.pods {
		if slices.Contains(f.Affects, w.ref()) {
			return w, true
		}
	}
	return waiting{}, false
}

// startNodes offers further nodes: as many as the pods need, of the type that is there where it is large enough.
func (a *analysis) startNodes(f *diagnostics.Finding, w waiting) {
	if coming := a.onItsWay(w); coming != "" {
		f.Summary += "; " + coming
		a.refuse("new-node-group", "%s: wait some minutes before starting more than that for %s", coming, plural(len(f.Affects), "pod"))
		return
	}
	d := demandOf(w.pod)
	need := len(f.Affects)
	model, each := a.model(w)
	ids, room := a.roomy("", 16, "")
	fix := diagnostics.Fix{Title: "Start further nodes, or larger ones", Needs: need, Blast: "none on running pods", Undo: "take the nodes away again", SettlesIn: "10m",
		Proof: f.Summary + "; a node needs addresses too: " + room}
	count := 1
	switch {
	case model != nil && each > 0:
		count = (need + each - 1) / each
		fix.Title = fmt.Sprintf("Start %s of type %s", plural(count, "further node"), model.Type)
		fix.Proof = fmt.Sprintf("an empty %s takes %d of these pods (%s CPU and %s of memory each), so that %s need %d; a node needs addresses too: %s",
			model.Type, each, amount("cpu", d.cpu), amount("memory", d.memory), plural(need, "pod"), count, room)
	case model != nil && a.nowhere(f.Subject):
		fix.Title = "Start nodes of a type that has " + f.Subject
		fix.Proof = fmt.Sprintf("0 of %s have any %s; a node needs addresses too: %s", plural(len(a.s.Nodes), "node"), f.Subject, room)
	case model != nil:
		fix.Title = "Start nodes of a larger type"
		fix.Proof = fmt.Sprintf("not even an empty %s takes one of these pods (%s CPU and %s of memory%s); a node needs addresses too: %s",
			model.Type, amount("cpu", d.cpu), amount("memory", d.memory), devicesText(d), room)
	}
	fix.Changes, fix.Commands = a.growth(w, count, each > 0, ids)
	a.offer("new-node-group", fix, f)
}

// nowhere reports that no node offers any of a resource.
func (a *analysis) nowhere(resource string) bool {
	return !slices.ContainsFunc(a.s.Nodes, func(n Node) bool { return n.has(resource) > 0 })
}

// onItsWay says that a node for the pod is being started already; empty where none is.
func (a *analysis) onItsWay(w waiting) string {
	if e := last(byPod(a.s.Events)[string(w.pod.UID)], a.s.At, fresh, "Nominated", "TriggeredScaleUp"); e != nil && lastWord(byPod(a.s.Events)[string(w.pod.UID)], a) == nil {
		return "a node is on its way since " + clock(e) + " (" + shorten(e.Message) + ")"
	}
	for _, s := range a.suppliers() {
		if s.group == nil || !s.takes(w.pod) {
			continue
		}
		there := 0
		for n := range a.s.Nodes {
			if a.s.Nodes[n].Group == s.group.Name {
				there++
			}
		}
		n := slices.IndexFunc(a.s.Activities, func(t trail.Activity) bool { return slices.Contains(s.group.AutoScaling, t.Group) }) // the newest
		if there > 0 && s.group.Desired > there && n >= 0 && a.s.Activities[n].Status != "Failed" && a.s.Activities[n].Status != "Cancelled" && a.s.At.Sub(a.s.Activities[n].At) < 2*fresh {
			return fmt.Sprintf("%s wants %d more than the %d that are there, and starts them since %s", s.name, s.group.Desired-there, there, a.s.Activities[n].At.UTC().Format("15:04:05"))
		}
	}
	return ""
}

func devicesText(d demand) string {
	var out strings.Builder
	for _, name := range sortedKeys(d.devices) {
		out.WriteString(fmt.Sprintf(", %s of %s", amount(name, d.devices[name]), name))
	}
	return out.String()
}

// model is a node that takes the pod by labels and taints, and how many such pods an empty one of its kind would run beside
// what runs on every node.
func (a *analysis) model(w waiting) (*Node, int) {
	var model *Node
	most := 0
	d := demandOf(w.pod)
	for n := range a.s.Nodes {
		node := &a.s.Nodes[n]
		if node.Fargate || !node.Read || tainted(node, w.pod) != "" || !selects(w.pod, node) {
			continue
		}
		empty := Node{CPU: node.CPU, Memory: node.Memory, MaxPods: node.MaxPods, Devices: node.Devices}
		for _, p := range node.Pods {
			if p.Daemon {
				empty.Pods = append(empty.Pods, p)
			}
		}
		fit := min(fits(&empty, d.cpu, d.memory), max(node.MaxPods-len(empty.Pods), 0))
		for _, name := range sortedKeys(d.devices) {
			if d.devices[name] > 0 {
				fit = min(fit, int(empty.has(name)/d.devices[name]))
			}
		}
		if model == nil || fit > most {
			model, most = node, fit
		}
	}
	return model, most
}

// growth is how to get so many further nodes: from the node group that would take the pod, where it fits, else from a new one.
func (a *analysis) growth(w waiting, count int, same bool, subnets string) (changes, commands []string) {
	cluster := a.s.Target.Cluster
	for _, s := range a.suppliers() {
		if g := s.group; same && g != nil && s.takes(w.pod) {
			want, most := g.Desired+count, max(g.Max, g.Desired+count)
			changes = append(changes, fmt.Sprintf("node group %s: desired size %d → %d", g.Name, g.Desired, want))
			if most > g.Max {
				changes = append(changes, fmt.Sprintf("node group %s: maximum %d → %d", g.Name, g.Max, most))
			}
			return changes, []string{fmt.Sprintf("aws eks update-nodegroup-config --cluster-name %s --nodegroup-name %s --scaling-config minSize=%d,maxSize=%d,desiredSize=%d", cluster, g.Name, g.Min, most, want)}
		}
	}
	create := fmt.Sprintf("aws eks create-nodegroup --cluster-name %s --nodegroup-name <name> --node-role <role> --subnets %s", cluster, subnets)
	if !same {
		create += " --instance-types <type>"
	}
	return []string{"a new managed node group, or a node pool that allows such types"}, []string{create}
}

// fixLimits lets the autoscaler start what it may not start now.
func (a *analysis) fixLimits(f *diagnostics.Finding) {
	w, ok := a.first(f)
	if !ok {
		return
	}
	d := demandOf(w.pod)
	kind, names, _ := strings.Cut(f.Subject, "/")
	fix := diagnostics.Fix{Needs: len(f.Affects), Proof: f.Summary, Blast: "none on running pods; further nodes cost money", SettlesIn: "5m"}
	switch kind {
	case "nodepool":
		for n := range a.s.Pools {
			p := &a.s.Pools[n]
			if !slices.Contains(strings.Split(names, ","), p.Name) {
				continue
			}
			for _, name := range sortedKeys(p.Limits) {
				_, most := a.sizes(p.Name, name)
				step := max(d.of(name)*int64(len(f.Affects)), most+most/4)
				if p.Limits[name]-p.Used[name] >= step {
					continue
				}
				to := p.Used[name] + step
				if whole := map[bool]int64{true: 1000, false: 1 << 30}[name == "cpu"]; to > whole { // whole cores and GiB
					to = (to + whole - 1) / whole * whole
				}
				fix.Changes = append(fix.Changes, fmt.Sprintf("NodePool %s: limit of %s %s → %s", p.Name, name, limitText(name, p.Limits[name]), limitText(name, to)))
				fix.Commands = append(fix.Commands, fmt.Sprintf(`kubectl patch nodepool %s --type merge -p '{"spec":{"limits":{"%s":"%s"}}}'`, p.Name, name, limitText(name, to)))
			}
		}
		fix.Title, fix.Undo = "Raise the limits of node pool "+names, "set the limits back; nodes that are there stay"
		if len(fix.Commands) == 0 {
			fix.Changes, fix.Commands = []string{"NodePool: higher limits"}, []string{"kubectl get nodepools -o yaml", "kubectl edit nodepool " + names}
		}
	case "nodegroup":
		fix.Title, fix.Undo = "Raise the maximum of node group "+names, "set the maximum back"
		fix.Changes, fix.Commands = a.growth(w, 1, true, "")
	case "cluster-autoscaler":
		fix.Title, fix.Undo = "Raise the limits that the Cluster Autoscaler was given", "set them back"
		fix.Changes = []string{"Cluster Autoscaler: --max-nodes-total, --cores-total, --memory-total, or the maximum of a node group"}
		fix.Commands = []string{"kubectl get deployment -n kube-system -l app.kubernetes.io/name=aws-cluster-autoscaler -o yaml", fmt.Sprintf("aws eks list-nodegroups --cluster-name %s", a.s.Target.Cluster)}
	default:
		fix.Title, fix.Undo = "Allow a node pool types that the pods fit on, with labels that they ask for and taints that they tolerate", "take the node pool away"
		fix.Changes, fix.Commands = []string{"a node pool that fits"}, []string{"kubectl get nodepools -o yaml"}
	}
	a.offer("new-node-group", fix, f)
	m := a.makerOf(w)
	what := fmt.Sprintf("requests below %s CPU and %s of memory, or fewer replicas", amount("cpu", d.cpu), amount("memory", d.memory))
	a.work(f, m, diagnostics.Fix{Title: "Ask for less, or run fewer pods", Changes: []string{fmt.Sprintf("%s: %s", m, what)}, Commands: m.inItsTool(a.s.Target.Namespace, what, fmt.Sprintf("kubectl edit %s -n %s", m, a.s.Target.Namespace))})
	a.refusePlace(f)
}

// limitText spells an amount of a resource as Kubernetes takes it.
func limitText(resource string, n int64) string {
	switch {
	case resource == "cpu" && n%1000 == 0:
		return fmt.Sprint(n / 1000)
	case resource == "cpu":
		return fmt.Sprintf("%dm", n)
	case n >= 1<<20:
		return fmt.Sprintf("%dMi", (n+1<<20-1)>>20)
	}
	return fmt.Sprint(n)
}

// fixShortage asks EC2 for other types, or in other zones. Waiting may do as well.
func (a *analysis) fixShortage(f *diagnostics.Finding) {
	ids, room := a.roomy("", 16, "")
	types := "further instance types"
	for _, s := range a.suppliers() {
		if s.name == f.Subject && s.group != nil && len(s.group.InstanceTypes) > 0 {
			types = "types besides " + strings.Join(s.group.InstanceTypes, ", ")
		}
	}
	fix := diagnostics.Fix{Title: "Allow " + types + ", or further zones", Needs: len(f.Affects), Blast: "none on running pods", Undo: "take the new nodes away again", SettlesIn: "10m",
		Proof:    f.Summary + "; EC2 may have such instances again in minutes or hours, and the autoscaler goes on trying; other types and zones have stocks of their own: " + room,
		Changes:  []string{"a node group of several types and zones"},
		Commands: []string{fmt.Sprintf("aws eks create-nodegroup --cluster-name %s --nodegroup-name <name> --node-role <role> --subnets %s --instance-types <type> <type> <type>", a.s.Target.Cluster, ids)}}
	for n := range a.s.Pools {
		if s := a.s.Pools[n]; f.Subject == "node pool "+s.Name {
			fix.Changes = []string{"NodePool " + s.Name + ": requirements allow more instance types, zones or capacity types"}
			fix.Commands = []string{"kubectl edit nodepool " + s.Name + "   # requirements: karpenter.k8s.aws/instance-category, topology.kubernetes.io/zone, karpenter.sh/capacity-type"}
		}
	}
	a.offer("new-node-group", fix, f)
	a.refusePlace(f)
}

// fixLaunch starts nodes where there are addresses for them.
func (a *analysis) fixLaunch(f *diagnostics.Finding) {
	if a.s.subnet(f.Subject) != nil {
		a.fixLeaked(f)
		a.fixWarmPool(f)
	}
	pools, classes := a.launchPools(f)
	switch {
	case len(classes) > 0:
		zone := ""
		if s := a.s.subnet(f.Subject); s != nil {
			zone = s.Zone
		}
		ids, room := a.roomy(zone, 2*len(f.Affects)+16, f.Subject)
		id, tool := "new-node-group", "ec2nodeclass"
		if strings.HasPrefix(classes[0], "NodeClass/") {
			id, tool = "auto-mode-subnets", "nodeclass.eks.amazonaws.com"
		}
		_, name, _ := strings.Cut(classes[0], "/")
		a.offer(id, diagnostics.Fix{Title: fmt.Sprintf("Let %s select subnets that have room", classes[0]), Needs: len(f.Affects), Proof: fmt.Sprintf("%s of node pool %s can start nodes only where it selects subnets; %s", classes[0], strings.Join(pools, ", "), room),
			Blast: "none on running pods; nodes may be replaced by and by", Undo: "the selector before", SettlesIn: "5m",
			Changes:  []string{classes[0] + ": subnetSelectorTerms select a further subnet"},
			Commands: []string{"aws ec2 describe-subnets --subnet-ids " + ids, "kubectl edit " + tool + " " + name + "   # subnetSelectorTerms, or the tag that they ask for on the subnet"}}, f)
	default:
		a.fixNewNodes(f)
	}
	a.refusePrefixes(f.Subject)
	for _, s := range a.s.Subnets {
		if s.ID == f.Subject {
			a.refuse("add-pod-subnet", "a subnet for pods starts no node: its own address still comes from subnet %s, which has %d free", s.ID, s.Available)
		}
	}
}

// launchPools lists the node pools that start their nodes in the subnet that a finding names, and their classes.
func (a *analysis) launchPools(f *diagnostics.Finding) (pools, classes []string) {
	for n := range a.s.Pools {
		p := &a.s.Pools[n]
		if p.Class == "" || f.Subject != p.Class && f.Subject != "node pool "+p.Name && !slices.Contains(p.Subnets, f.Subject) {
			continue
		}
		pools = append(pools, p.Name)
		if !slices.Contains(classes, p.Class) {
			classes = append(classes, p.Class)
		}
	}
	return pools, classes
}
