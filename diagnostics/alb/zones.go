package alb

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/elb"
	"github.com/netdiag/netdiag/internal/vpc"
)

// roomForNodes is how many free addresses a subnet needs for a load balancer (aws-load-balancer-controller, subnet discovery).
const roomForNodes = 8

// choice reads all subnets of the VPC with their routes where the load balancer lacks one: for targets in a zone that
// isn't enabled, and where the controller complains of subnets.
func (c *collector) choice(ctx context.Context) {
	s := c.s
	lacking := slices.ContainsFunc(s.TargetGroups, func(g TargetGroup) bool { return slices.ContainsFunc(g.Health, outOfZone) })
	lacking = lacking || slices.ContainsFunc(s.Events, func(e corev1.Event) bool {
		return e.InvolvedObject.Kind == "Ingress" && e.Type == corev1.EventTypeWarning && complaint(e.Message) == "subnets"
	})
	id := ""
	switch {
	case s.Balancer != nil:
		id = s.Balancer.VPC
	case s.EKS != nil:
		id = s.EKS.VPC
	}
	if !lacking || id == "" {
		return
	}
	c.parallel(ctx,
		func(ctx context.Context) {
			v, err := c.in.Network.SubnetsOf(ctx, id)
			c.keep(err, id, func() {
				s.Choice = slices.Clone(v)
				slices.SortFunc(s.Choice, func(a, b vpc.Subnet) int { return strings.Compare(a.ID, b.ID) })
			})
		},
		func(ctx context.Context) {
			v, err := c.in.Routing.RouteTables(ctx, id)
			c.keep(err, id, func() { s.Routes = v })
		})
}

// outOfZone recognises a target that gets no requests because its zone isn't enabled for the load balancer.
func outOfZone(h elb.TargetHealth) bool {
	return h.State == "unused" && strings.Contains(h.Description, "Availability Zone that is not enabled")
}

// scheme is whether the load balancer faces the internet, or is to: what it is, else what class or annotation say, else internal.
func (a *analysis) scheme() string {
	if a.s.Balancer != nil && a.s.Balancer.Scheme != "" {
		return a.s.Balancer.Scheme
	}
	if v, ok := a.s.Params["scheme"].(string); ok {
		return v
	}
	if a.s.Ingress != nil {
		return cmp.Or(a.s.Ingress.Annotations[annotation("scheme")], "internal")
	}
	return "internal"
}

// roleTag is the tag by which the controller finds subnets for a load balancer of this scheme.
func roleTag(scheme string) string {
	if scheme == "internet-facing" {
		return "kubernetes.io/role/elb"
	}
	return "kubernetes.io/role/internal-elb"
}

// public reports whether a subnet has a route to an internet gateway; known is false where its routes weren't read.
func (s *Snapshot) public(subnet string) (yes, known bool) {
	var table *vpc.RouteTable
	for i, rt := range s.Routes {
		if slices.Contains(rt.Subnets, subnet) || (rt.Main && table == nil) {
			table = &s.Routes[i]
			if !rt.Main {
				break
			}
		}
	}
	if table == nil {
		return false, false
	}
	return slices.ContainsFunc(table.Routes, func(r vpc.Route) bool { return strings.HasPrefix(r.Target, "igw-") }), true
}

// fits says why a subnet can't carry the load balancer; empty where it can.
func (a *analysis) fits(n vpc.Subnet) string {
	if n.Available < roomForNodes {
		return fmt.Sprintf("only %d free addresses of %d", n.Available, roomForNodes)
	}
	if yes, known := a.s.public(n.ID); known && !yes && a.scheme() == "internet-facing" {
		return "no route to an internet gateway"
	}
	return ""
}

// pick chooses a subnet of the zone for the load balancer: one with the role tag first, then, for an internal load
// balancer, one that isn't public, then the one with most room.
func (a *analysis) pick(zone string) (vpc.Subnet, bool) {
	var found []vpc.Subnet
	for _, n := range a.s.Choice {
		if n.Zone == zone && a.fits(n) == "" {
			found = append(found, n)
		}
	}
	tag := roleTag(a.scheme())
	rank := func(n vpc.Subnet) int {
		r := 0
		if _, ok := n.Tags[tag]; ok {
			r -= 2
		}
		if yes, _ := a.s.public(n.ID); yes == (a.scheme() == "internet-facing") {
			r--
		}
		return r
	}
	slices.SortStableFunc(found, func(x, y vpc.Subnet) int { return cmp.Or(rank(x)-rank(y), y.Available-x.Available) })
	if len(found) == 0 {
		return vpc.Subnet{}, false
	}
	return found[0], true
}

// subnetEvidence lists the subnets of the VPC with what decides whether they can carry the load balancer.
func (a *analysis) subnetEvidence() (diagnostics.Evidence, bool) {
	if len(a.s.Choice) == 0 {
		return diagnostics.Evidence{}, false
	}
	tag := roleTag(a.scheme())
	var parts []string
	for _, n := range a.s.Choice {
		text := fmt.Sprintf("%s (%s): %d free", n.ID, n.Zone, n.Available)
		if _, ok := n.Tags[tag]; ok {
			text += ", tagged"
		}
		if yes, known := a.s.public(n.ID); known && yes {
			text += ", public"
		}
		parts = append(parts, text)
	}
	if len(parts) > 8 {
		parts = append(parts[:8], fmt.Sprintf("and %d more", len(parts)-8))
	}
	return diagnostics.Evidence{What: fmt.Sprintf("subnets of the VPC (an %s load balancer needs %d free addresses and the tag %s)", a.scheme(), roomForNodes, tag), Value: strings.Join(parts, "; "), Source: "ec2:DescribeSubnets",
		Repeat: "aws ec2 describe-subnets --filters Name=vpc-id,Values=" + a.s.Choice[0].VPC}, true
}
