package pending

import (
	"fmt"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/diagnostics/awsnode"
)

// fixPodGroups is for pods with security groups of their own: by what EC2 said of their branch interfaces, where it said something.
func (a *analysis) fixPodGroups(f *diagnostics.Finding) {
	ns := a.s.Target.Namespace
	switch f.Reason {
	case tooManyGroups:
		a.work(f, Maker{Kind: "SecurityGroupPolicy", Owner: "none"}, diagnostics.Fix{Title: "Give the pods no more security groups than an interface may have: 5, unless the quota of the account is higher", Undo: "revert the change",
			Blast: "pods that are made anew", Changes: []string{"SecurityGroupPolicy of namespace " + ns + ": fewer groups"}, Commands: []string{"kubectl get securitygrouppolicies -n " + ns + " -o yaml"}})
		a.refuse("repair-pod-security-groups", "EC2 allows the calls for %s, but not so many security groups on one interface", plural(len(f.Affects), "pod"))
	case noRoomLeft:
		a.refuse("repair-pod-security-groups", "EC2 allows the calls, and had no address for %s; the control plane tries again by itself", plural(len(f.Affects), "pod"))
	default:
		a.fixBranch(f)
	}
}

// fixBranch repairs security groups for pods: by what is missing to the branch interfaces.
func (a *analysis) fixBranch(f *diagnostics.Finding) {
	offered, carrying, bare, nodes := int64(0), 0, 0, 0
	for n := range a.s.Nodes {
		node := &a.s.Nodes[n]
		if node.Fargate || node.Labels["kubernetes.io/os"] == "windows" {
			continue
		}
		nodes++
		offered += node.has(branchDevice)
		if node.has(branchDevice) > 0 {
			carrying++
		}
		if !a.trunkable(node.Type) {
			bare++
		}
	}
	fix := diagnostics.Fix{Needs: len(f.Affects), SettlesIn: "5m", Owner: "none", Blast: "pods with their own security groups only; a node that is full of interfaces has no place for a trunk, and must be replaced"}
	state := fmt.Sprintf("%d of %s offer branch interfaces, %d in all", carrying, plural(nodes, "node"), offered)
	switch {
	case f.ID == "pending/branch-eni-failed":
		fix.Title, fix.Owner = "Let the control plane make trunk and branch interfaces again", "iam"
		fix.Proof = f.Summary + "; " + state + "; the role of the cluster needs AmazonEKSVPCResourceController"
		fix.Changes = []string{"role of cluster " + a.s.Target.Cluster + ": policy AmazonEKSVPCResourceController attached"}
		fix.Undo = "detach the policy"
		fix.Commands = []string{fmt.Sprintf("aws eks describe-cluster --name %s --query cluster.roleArn", a.s.Target.Cluster),
			"aws iam attach-role-policy --role-name <role of the cluster> --policy-arn arn:aws:iam::aws:policy/AmazonEKSVPCResourceController", "kubectl get cninodes"}
	case offered == 0 && a.s.Driver != nil && a.s.Driver.Env["ENABLE_POD_ENI"] != "true":
		fix = a.s.setup().Change(diagnostics.Fix{Title: "Switch security groups for pods on", Needs: len(f.Affects), Proof: fmt.Sprintf("%s, and ENABLE_POD_ENI of aws-node is %s", state, awsnode.Shown(a.s.Driver.Env, "ENABLE_POD_ENI"))}, true, awsnode.Setting{Name: "ENABLE_POD_ENI", Value: "true"})
		fix.Action, fix.Executable = nil, false
	case offered == 0 && bare > 0:
		fix.Title = "Start nodes of a type that carries trunk interfaces"
		fix.Proof = fmt.Sprintf("%s: %d of %s are of types without trunk interfaces", state, bare, plural(nodes, "node"))
		fix.Changes, fix.Undo, fix.SettlesIn = []string{"a node group of types such as m5, m6i, c6i or r6i"}, "delete the node group", "10m"
		fix.Commands = []string{fmt.Sprintf("aws eks create-nodegroup --cluster-name %s --nodegroup-name <name> --node-role <role> --instance-types m6i.large --subnets <subnets>", a.s.Target.Cluster)}
	case offered == 0:
		fix.Title = "Get a trunk interface onto the nodes: replace those that have no place left for one"
		fix.Proof = state + "; a trunk takes the place of an interface, and is attached where one is free"
		fix.Changes, fix.Undo, fix.SettlesIn = []string{"nodes with a place for a trunk interface from their start"}, "nothing to undo", "10m"
		fix.Commands = []string{"kubectl get nodes -L vpc.amazonaws.com/has-trunk-attached", "kubectl get cninodes", fmt.Sprintf("aws eks describe-cluster --name %s --query cluster.roleArn", a.s.Target.Cluster)}
	default:
		each := max(int(offered)/max(carrying, 1), 1)
		count := (len(f.Affects) + each - 1) / each
		ids, room := a.roomy("", 16, "")
		cooldown := a.s.CNIConfig["branch-eni-cooldown"]
		if cooldown == "" {
			cooldown = "60"
		}
		fix.Title = fmt.Sprintf("Start %s with branch interfaces to offer, or larger ones", plural(count, "further node"))
		fix.Proof = fmt.Sprintf("%s, and all are taken; a node like these offers %d, so that %s need %d more; one that was freed rests for %s seconds, at the least 30; %s", state, each, plural(len(f.Affects), "pod"), count, cooldown, room)
		fix.Undo, fix.SettlesIn = "take the nodes away again; branch-eni-cooldown back to "+cooldown, "10m"
		if w, ok := a.first(f); ok {
			fix.Changes, fix.Commands = a.growth(w, count, true, ids)
		}
		if cooldown != "30" {
			fix.Changes = append(fix.Changes, "where such pods come and go often, ConfigMap kube-system/amazon-vpc-cni: branch-eni-cooldown "+cooldown+" → 30")
			fix.Commands = append(fix.Commands, `kubectl patch configmap amazon-vpc-cni -n kube-system --type merge -p '{"data":{"branch-eni-cooldown":"30"}}'`)
		}
	}
	a.offer("repair-pod-security-groups", fix, f)
	a.refuse("tune-warm-pool", "warm pools hold 0 branch interfaces: those are made by the control plane, one for each pod")
}

// fixWindows gives Windows pods addresses: their settings are those of a ConfigMap, not of aws-node.
func (a *analysis) fixWindows(f *diagnostics.Finding) {
	offered, nodes := int64(0), 0
	for n := range a.s.Nodes {
		if node := &a.s.Nodes[n]; node.Labels["kubernetes.io/os"] == "windows" {
			nodes++
			offered += node.has(windowsDevice)
		}
	}
	const edit = `kubectl patch configmap amazon-vpc-cni -n kube-system --type merge -p '{"data":{%s}}'`
	fix := diagnostics.Fix{Needs: len(f.Affects), Owner: "none", Blast: "Windows nodes only", SettlesIn: "5m", Title: "Switch address management for Windows on",
		Proof:   fmt.Sprintf("%s offer %d Windows pod addresses: without enable-windows-ipam the control plane assigns none", plural(nodes, "Windows node"), offered),
		Changes: []string{"ConfigMap kube-system/amazon-vpc-cni: enable-windows-ipam → true"}, Undo: "enable-windows-ipam back to false",
		Commands: []string{fmt.Sprintf(edit, `"enable-windows-ipam":"true"`)}}
	if a.s.CNIConfig["enable-windows-ipam"] == "true" && offered == 0 {
		fix.Title = "Find out why the control plane gives Windows nodes no addresses"
		fix.Proof = fmt.Sprintf("%s offer 0 Windows pod addresses although enable-windows-ipam is true: the role of the cluster needs AmazonEKSVPCResourceController", plural(nodes, "Windows node"))
		fix.Changes = []string{"role of cluster " + a.s.Target.Cluster + ": policy AmazonEKSVPCResourceController attached"}
		fix.Undo = "detach the policy"
		fix.Commands = []string{fmt.Sprintf("aws eks describe-cluster --name %s --query cluster.roleArn", a.s.Target.Cluster),
			"aws iam attach-role-policy --role-name <role of the cluster> --policy-arn arn:aws:iam::aws:policy/AmazonEKSVPCResourceController"}
	}
	if offered > 0 {
		fix.Title = "Give Windows nodes more addresses: prefixes, or further nodes"
		fix.Proof = fmt.Sprintf("%s offer %d Windows pod addresses, and all are taken; with prefixes a node carries sixteen times as many", plural(nodes, "Windows node"), offered)
		fix.Changes = []string{"ConfigMap kube-system/amazon-vpc-cni: enable-windows-prefix-delegation → true", "new Windows nodes"}
		fix.Undo = "enable-windows-prefix-delegation back to false"
		fix.Commands = []string{fmt.Sprintf(edit, `"enable-windows-prefix-delegation":"true","warm-prefix-target":"1"`)}
	}
	a.offer("windows-ipam", fix, f)
	a.refuse("tune-warm-pool", "WARM_IP_TARGET and MINIMUM_IP_TARGET of aws-node mean nothing to %s: ConfigMap amazon-vpc-cni has settings of its own", plural(nodes, "Windows node"))
}
