package alb

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
)

const system = "kube-system"

// system reads the cluster itself: nodes, the load balancer controller, what enforces network policies, DNS records and mesh settings.
func (c *collector) system(ctx context.Context) {
	c.parallel(ctx,
		func(ctx context.Context) {
			v, err := c.in.Nodes.Nodes(ctx)
			c.keep(err, "", func() { c.s.Nodes = v })
		},
		func(ctx context.Context) {
			v, err := c.in.Daemons.DaemonSets(ctx, system)
			c.keep(err, system, func() { c.s.Enforcer.Name = enforcerIn(v) })
		},
		func(ctx context.Context) {
			v, err := c.in.Clusters.Cluster(ctx, c.s.Cluster)
			c.keep(err, c.s.Cluster, func() { c.s.EKS = v })
		},
		c.controller, c.dns, c.policyEndpoints, c.mesh)
}

// enforcerIn finds what enforces NetworkPolicies: the agent of the VPC CNI where it is switched on, or another plugin.
func enforcerIn(ds []appsv1.DaemonSet) string {
	var names []string
	for _, d := range ds {
		switch d.Name {
		case "aws-node":
			for _, ct := range d.Spec.Template.Spec.Containers {
				if slices.Contains(ct.Args, "--enable-network-policy=true") {
					names = append(names, "aws-network-policy-agent")
				}
			}
		case "calico-node", "cilium", "weave-net", "kube-router", "canal", "antrea-agent":
			names = append(names, d.Name)
		}
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// dns reads the records that external-dns is told to make. Where there is none of its resources nothing is known about DNS.
func (c *collector) dns(ctx context.Context) {
	us, err := c.in.Customs.Customs(ctx, "externaldns.k8s.io", "v1alpha1", "dnsendpoints", "")
	c.keep(err, "", func() {
		for _, u := range us {
			endpoints, _ := field(u.Object, "spec", "endpoints").([]any)
			for _, e := range endpoints {
				name, _ := field(e, "dnsName").(string)
				c.s.DNS = append(c.s.DNS, DNSRecord{Name: name, Targets: strs(field(e, "targets")), Object: "dnsendpoint/" + u.GetNamespace() + "/" + u.GetName()})
			}
		}
		slices.SortFunc(c.s.DNS, func(a, b DNSRecord) int {
			return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Object, b.Object))
		})
	})
}

// policyEndpoints reads what the VPC CNI made of the network policies: the pods for which they are enforced.
func (c *collector) policyEndpoints(ctx context.Context) {
	for _, ns := range c.near[:min(len(c.near), mostNamespaces)] {
		us, err := c.in.Customs.Customs(ctx, "networking.k8s.aws", "v1alpha1", "policyendpoints", ns)
		c.keep(err, ns, func() {
			for _, u := range us {
				pods, _ := field(u.Object, "spec", "podSelectorEndpoints").([]any)
				for _, p := range pods {
					name, _ := field(p, "name").(string)
					namespace, _ := field(p, "namespace").(string)
					c.s.Enforcer.Computed = append(c.s.Enforcer.Computed, cmp.Or(namespace, u.GetNamespace())+"/"+name)
				}
			}
			slices.Sort(c.s.Enforcer.Computed)
		})
	}
}

// mesh reads Istio's settings of mutual TLS: those of the namespaces of the ingress, and the ones for the whole mesh.
func (c *collector) mesh(ctx context.Context) {
	wanted := append(slices.Clone(c.near), "istio-system")
	us, err := c.in.Customs.Customs(ctx, "security.istio.io", "v1", "peerauthentications", "")
	c.keep(err, "", func() {
		for _, u := range us {
			if !slices.Contains(wanted, u.GetNamespace()) {
				continue
			}
			mode, _ := field(u.Object, "spec", "mtls", "mode").(string)
			selector := map[string]string{}
			labels, _ := field(u.Object, "spec", "selector", "matchLabels").(map[string]any)
			for k, v := range labels {
				selector[k], _ = v.(string)
			}
			ports := map[int]string{}
			levels, _ := field(u.Object, "spec", "portLevelMtls").(map[string]any)
			for k, v := range levels {
				if port, err := strconv.Atoi(k); err == nil {
					ports[port], _ = field(v, "mode").(string)
				}
			}
			c.s.Mesh = append(c.s.Mesh, PeerAuthentication{Namespace: u.GetNamespace(), Name: u.GetName(), Mode: mode, Selector: selector, Ports: ports})
		}
		slices.SortFunc(c.s.Mesh, func(a, b PeerAuthentication) int {
			return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
		})
	})
}

// field walks down maps; nil where one of the keys isn't there.
func field(v any, path ...string) any {
	for _, key := range path {
		m, _ := v.(map[string]any)
		v = m[key]
	}
	return v
}

func strs(v any) []string {
	list, _ := v.([]any)
	var out []string
	for _, x := range list {
		if s, ok := x.(string); ok {
			out = append(out, s)
		}
	}
	return out
}
