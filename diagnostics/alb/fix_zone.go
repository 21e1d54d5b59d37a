package alb

import (
	"fmt"
	"slices"
	"strings"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/vpc"
)

// fixZone offers to enable the zones in which targets lie, with a subnet that fits. An existing load balancer keeps its
// zones, whatever tags subnets get: the controller discovers subnets only for a new one.
func (a *analysis) fixZone(f diagnostics.Finding) {
	var ts []*target
	zones := map[string]bool{}
	for _, g := range a.groups {
		for _, t := range g.of(unused) {
			if outOfZone(t.TargetHealth) && slices.Contains(f.Affects, t.affects()) {
				ts = append(ts, t)
				zones[t.zoneName()] = true
			}
		}
	}
	var have, more, proofs, lacking []string
	if a.s.Balancer != nil {
		for _, z := range a.s.Balancer.Zones {
			have = append(have, z.Subnet)
		}
	}
	for _, zone := range sortedKeys(zones) {
		n, ok := a.pick(zone)
		if !ok {
			lacking = append(lacking, zone)
			continue
		}
		more = append(more, n.ID)
		proofs = append(proofs, a.praise(n))
	}
	x := diagnostics.Fix{ID: "enable-zone", Title: "Enable " + joined(sortedKeys(zones)) + " for the load balancer", SettlesIn: "5m0s", Frees: len(ts), Needs: len(ts), Risk: "low: the load balancer gets nodes in one more zone, the others stay",
		Proof: fmt.Sprintf("%s; then %s there %s requests", joined(proofs), plural(len(ts), "target"), verb(len(ts), "gets", "get"))}
	a.refuse("allow-pod-port", "%d of %d targets lie in a zone that isn't enabled: no security group rule brings requests there", len(ts), len(a.targets()))
	if len(more) == 0 {
		x.Title = "Keep the pods out of " + joined(sortedKeys(zones)) + ", or make a subnet there"
		x.Frees, x.Risk = 0, "a subnet is the network team's to make"
		x.Proof = fmt.Sprintf("no subnet of %s with %d free addresses%s was found", joined(lacking), roomForNodes, map[bool]string{true: " and a route to an internet gateway"}[a.scheme() == "internet-facing"])
		x.Changes = []string{fmt.Sprintf("a subnet in %s for the load balancer, or node affinity that keeps the pods in the %d zones it has", joined(lacking), len(have))}
		x.Undo, x.Owner = "delete the subnet again", ownerNone
		x.Commands = []string{"aws ec2 describe-subnets --filters Name=availability-zone,Values=" + joined(lacking)}
		a.offer(f, x)
		return
	}
	a.setSubnets(&x, have, append(slices.Clone(have), more...))
	a.offer(f, x)
}

// praise says why a subnet fits.
func (a *analysis) praise(n vpc.Subnet) string {
	text := fmt.Sprintf("%s (%s) has %d free addresses of the %d needed", n.ID, n.Zone, n.Available, roomForNodes)
	if yes, known := a.s.public(n.ID); known && yes {
		text += " and a route to an internet gateway"
	}
	return text
}

// setSubnets fills in how the load balancer gets these subnets: by annotation of every ingress of the group that says
// something, by the class parameters where they decide, or by whoever made a load balancer that isn't the controller's.
func (a *analysis) setSubnets(x *diagnostics.Fix, have, want []string) {
	key, value := annotation("subnets"), strings.Join(want, ",")
	switch {
	case a.s.Ingress == nil:
		x.Owner = ownerNone
		if lb := a.s.Balancer; lb != nil {
			x.Owner = groupOwner(vpc.SecurityGroup{Tags: lb.Tags})
			x.Changes = []string{fmt.Sprintf("load balancer %s: subnets %s → %s, by whoever made it", lb.Name, joined(have), joined(want))}
			x.Commands = []string{fmt.Sprintf("aws elbv2 set-subnets --load-balancer-arn %s --subnets %s", lb.ARN, strings.Join(want, " "))}
		}
		x.Undo = "set the old subnets again"
	case a.s.Params["subnets"] != nil:
		x.Owner = ownerNone
		x.Changes = []string{fmt.Sprintf("IngressClassParams of class %s: spec.subnets.ids → %s (they go before annotation %s)", className(*a.s.Ingress), joined(want), key)}
		x.Commands = []string{"kubectl get ingressclass " + className(*a.s.Ingress) + " -o yaml", "kubectl edit ingressclassparams"}
		x.Undo = "put the old ids back"
		x.Blast = "every ingress of the class is reconciled"
	default:
		x.Owner = objectOwner(a.s.Ingress)
		x.Undo = "put the old annotation back; where there was none, name the old subnets: without the annotation the load balancer keeps what it has"
		x.Blast = "the whole ingress is reconciled"
		for i, ing := range a.everyone() {
			old, ok := ing.Annotations[key]
			if !ok && i > 0 {
				continue // of a group, those that say nothing agree
			}
			if !ok {
				old = "unset"
			}
			x.Changes = append(x.Changes, fmt.Sprintf("Ingress %s/%s: annotation %s %s → %s", ing.Namespace, ing.Name, key, old, value))
			x.Commands = append(x.Commands, fmt.Sprintf("kubectl annotate ingress %s -n %s %s --overwrite", ing.Name, ing.Namespace, quote(key+"="+value)))
		}
		x.Changes = append(x.Changes, fmt.Sprintf("the tag %s alone changes nothing: the controller looks for it only when it makes a load balancer", roleTag(a.scheme())))
		x.Blast += drift(x.Owner)
	}
}

// fixSubnets offers subnets to a controller that finds none for a new load balancer: the tag that it looks for, on one
// subnet that fits in each zone.
func (a *analysis) fixSubnets(f diagnostics.Finding, x diagnostics.Fix) {
	x.ID, x.Title, x.SettlesIn = "enable-zone", "Give the load balancer subnets in two zones", "5m0s"
	tag := roleTag(a.scheme())
	zones := map[string]bool{}
	for _, n := range a.s.Choice {
		zones[n.Zone] = true
	}
	var fit, untagged, proofs, short []string
	for _, zone := range sortedKeys(zones) {
		n, ok := a.pick(zone)
		if !ok {
			short = append(short, zone+": "+a.shortage(zone))
			continue
		}
		fit = append(fit, n.ID)
		proofs = append(proofs, a.praise(n))
		if _, tagged := n.Tags[tag]; !tagged {
			untagged = append(untagged, n.ID)
		}
	}
	x.Frees, x.Needs = len(fit), 2
	if len(fit) > 2 {
		x.Title = fmt.Sprintf("Give the load balancer subnets in %d zones", len(fit))
	}
	switch {
	case len(a.s.Choice) == 0 || len(fit) < 2:
		x.Frees = 0
		x.Changes = []string{fmt.Sprintf("subnets in at least 2 zones with %d free addresses each and the tag %s, or annotation %s", roomForNodes, tag, annotation("subnets"))}
		if len(short) > 0 {
			x.Proof = fmt.Sprintf("%d of %d zones have a subnet that fits (%s)", len(fit), len(zones), strings.Join(short, "; "))
		}
		x.Commands = []string{"aws ec2 describe-subnets --filters Name=tag-key,Values=" + tag}
	case len(untagged) > 0 && a.s.Ingress.Annotations[annotation("subnets")] == "":
		x.Owner, x.Blast = ownerNone, "every new load balancer of this scheme in the VPC may use these subnets"
		x.Undo = "delete the tag again"
		x.Proof = joined(proofs)
		for _, id := range untagged {
			x.Changes = append(x.Changes, fmt.Sprintf("subnet %s: tag %s = 1", id, tag))
		}
		x.Commands = []string{fmt.Sprintf("aws ec2 create-tags --resources %s --tags Key=%s,Value=1", strings.Join(untagged, " "), tag)}
		x.Commands = append(x.Commands, a.retry()...)
	default:
		x.Proof = joined(proofs)
		a.setSubnets(&x, nil, fit)
		x.Changes = x.Changes[:max(len(x.Changes)-1, 1)]
	}
	a.refuse("repair-controller", "the controller works: it has complained %d times that it finds no subnets", a.complaints())
	a.offer(f, x)
}

// shortage says why no subnet of a zone fits.
func (a *analysis) shortage(zone string) string {
	var parts []string
	for _, n := range a.s.Choice {
		if n.Zone == zone {
			parts = append(parts, n.ID+" "+a.fits(n))
		}
	}
	return joined(parts)
}
