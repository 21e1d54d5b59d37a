package kube

import "slices"

// Need is a permission of Kubernetes as gaps spell it, such as "get pods/log", for one object where Name is not empty.
type Need struct{ Permission, Name string }

// Grant is a role of the chart: what a kind of change needs besides what diagnoses read.
type Grant struct {
	Role      string
	Namespace string // empty for a ClusterRole
	Switch    string // of the chart's values, which makes the role
	Needs     []Need
}

// Grants lists what changes to Kubernetes need, and by which role of the chart they have it.
func Grants() []Grant { return []Grant{annotateGrant(), cniGrant(), restartGrant(), moveGrant()} }

// String names the role as messages do.
func (g Grant) String() string {
	if g.Namespace == "" {
		return "ClusterRole " + g.Role
	}
	return "Role " + g.Role + " in " + g.Namespace
}

func (g Grant) gives(permission string) bool {
	return slices.ContainsFunc(g.Needs, func(n Need) bool { return n.Permission == permission })
}

func annotateGrant() Grant {
	return Grant{Role: "netdiag-fix", Switch: "fixes.kinds.annotate", Needs: []Need{
		{Permission: "get ingresses.networking.k8s.io"}, {Permission: "patch ingresses.networking.k8s.io"},
		{Permission: "get services"}, {Permission: "patch services"},
		{Permission: "get targetgroupbindings.elbv2.k8s.aws"}, {Permission: "patch targetgroupbindings.elbv2.k8s.aws"},
	}}
}

func cniGrant() Grant {
	return Grant{Role: "netdiag-fix-cni", Namespace: "kube-system", Switch: "fixes.kinds.daemonSetEnv", Needs: []Need{
		{"get daemonsets.apps", "aws-node"}, {"patch daemonsets.apps", "aws-node"},
	}}
}

// RBAC can't tell pods apart by what made them: the chart's policy netdiag-pods leaves those of aws-node.
func restartGrant() Grant {
	return Grant{Role: "netdiag-fix-restart", Namespace: "kube-system", Switch: "fixes.kinds.restartPods", Needs: []Need{
		{"get daemonsets.apps", "aws-node"}, {Permission: "get pods"}, {Permission: "delete pods"},
	}}
}

// Pods that never started, and nothing but the cordon of a node: so the chart's policies netdiag-pods and netdiag-nodes.
func moveGrant() Grant {
	return Grant{Role: "netdiag-fix-move", Switch: "fixes.kinds.movePods", Needs: []Need{
		{Permission: "get nodes"}, {Permission: "patch nodes"}, {Permission: "get pods"}, {Permission: "delete pods"},
	}}
}
