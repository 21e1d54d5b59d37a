package alb

import (
	"context"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/netdiag/netdiag/diagnostics"
)

// silent are the targets that don't answer although nothing in the VPC is known to block them: only then are the questions
// of this file worth a call.
func silent(s *Snapshot) (m *model, out []*target) {
	m = newModel(s)
	for _, t := range m.targets() {
		if t.class == drop && !t.group.byDesign(t) && len(t.blocked()) == 0 {
			out = append(out, t)
		}
	}
	return m, out
}

// agentNodes is of how many nodes the agents are read.
const agentNodes = 3

// agents reads the agents of the network on nodes whose targets don't answer while others do.
func (c *collector) agents(ctx context.Context) {
	m, ts := silent(c.s)
	if !slices.ContainsFunc(m.targets(), func(t *target) bool { return t.class == healthy }) {
		return
	}
	var nodes []string
	for _, t := range ts {
		if t.node != nil {
			nodes = append(nodes, t.node.Name)
		}
	}
	nodes = sorted(nodes)
	var reads []func(context.Context)
	for _, node := range nodes[:min(len(nodes), agentNodes)] {
		reads = append(reads, func(ctx context.Context) {
			v, err := c.in.Pods.Pods(ctx, diagnostics.PodQuery{Namespace: system, Node: node})
			c.keep(err, system, func() {
				for _, p := range v {
					if !agent(p.Name) || p.Spec.NodeName != node {
						continue
					}
					hush(&p.ObjectMeta)
					p.ManagedFields = nil
					bare(&p.Spec)
					c.s.Agents = append(c.s.Agents, p)
				}
			})
		})
	}
	c.parallel(ctx, reads...)
}

// agent knows by name the pods that carry the packets of others on their node.
func agent(name string) bool {
	return slices.ContainsFunc([]string{"kube-proxy-", "aws-node-", "cilium-", "calico-node-"}, func(p string) bool { return strings.HasPrefix(name, p) })
}

// foreignKinds are kinds of network policy that netdiag doesn't evaluate: where one is in use, the standard ones alone
// decide nothing.
var foreignKinds = []struct{ group, version, plural, kind string }{
	{"policy.networking.k8s.io", "v1alpha1", "adminnetworkpolicies", "AdminNetworkPolicy"},
	{"policy.networking.k8s.io", "v1alpha1", "baselineadminnetworkpolicies", "BaselineAdminNetworkPolicy"},
	{"cilium.io", "v2", "ciliumnetworkpolicies", "CiliumNetworkPolicy"},
	{"cilium.io", "v2", "ciliumclusterwidenetworkpolicies", "CiliumClusterwideNetworkPolicy"},
	{"crd.projectcalico.org", "v1", "networkpolicies", "Calico NetworkPolicy"},
	{"crd.projectcalico.org", "v1", "globalnetworkpolicies", "Calico GlobalNetworkPolicy"},
}

// foreign looks for policies of other kinds that may speak about the pods of targets that don't answer.
func (c *collector) foreign(ctx context.Context) {
	if _, ts := silent(c.s); len(ts) == 0 || c.s.Enforcer.Name == "" {
		return
	}
	ours := c.namespaces()
	var reads []func(context.Context)
	for _, k := range foreignKinds {
		reads = append(reads, func(ctx context.Context) {
			us, err := c.in.Customs.Customs(ctx, k.group, k.version, k.plural, "")
			c.keep(err, "", func() {
				if slices.ContainsFunc(us, func(u unstructured.Unstructured) bool {
					return u.GetNamespace() == "" || slices.Contains(ours, u.GetNamespace())
				}) {
					c.s.Enforcer.Foreign = append(c.s.Enforcer.Foreign, k.kind)
				}
			})
		})
	}
	c.parallel(ctx, reads...)
}
