package pending

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/eks"
	"github.com/netdiag/netdiag/internal/vpc"
)

// fargate explains pods that wait for a Fargate microVM: one address of a profile's subnet each, and a way to the registry.
func (a *analysis) fargate() {
	groups := map[string][]waiting{}
	for _, w := range a.at(onFargate) {
		var names []string
		for _, p := range a.profiles(w.pod) {
			names = append(names, p.Name)
		}
		key := strings.Join(names, " ")
		groups[key] = append(groups[key], w)
	}
	for _, key := range sortedKeys(groups) {
		a.onProfile(groups[key])
	}
}

// onProfile explains pods that the same profiles may take.
func (a *analysis) onProfile(pods []waiting) {
	f := diagnostics.Finding{Confidence: diagnostics.Confirmed, Evidence: []diagnostics.Evidence{podEvidence(pods[0])}}
	subnets := map[string]bool{}
	for _, p := range a.profiles(pods[0].pod) {
		f.Subject = p.Name
		for _, id := range p.Subnets {
			subnets[id] = true
		}
	}
	if len(subnets) == 0 {
		a.leaves("eks:ListFargateProfiles", "fargate-no-ip", "egress")
		a.leaves("eks:DescribeFargateProfile", "fargate-no-ip", "egress")
		a.unsolve(pods, "their Fargate profile is not known: "+said(pods[0]))
		return
	}
	known, full, isolated := 0, 0, 0
	for _, id := range sorted(subnets) {
		s := a.s.subnet(id)
		if s == nil {
			continue
		}
		known++
		f.Evidence = append(f.Evidence, subnetEvidence(s))
		if s.Available == 0 {
			full++
		}
		if evidence, alone := a.isolated(id); alone {
			isolated++
			f.Evidence = append(f.Evidence, evidence...)
		}
	}
	switch {
	case known == 0:
		a.leaves("ec2:DescribeSubnets", "fargate-no-ip", "egress")
		a.unsolve(pods, "the subnets of their Fargate profile could not be read")
	case strings.Contains(pods[0].text, "Your AWS account has reached the limit"):
		a.unsolve(pods, "Fargate does not start them for a quota of the account, which is no matter of addresses: "+said(pods[0]))
	case full == known:
		f.ID = "fargate-no-ip"
		if known < len(subnets) {
			f.Confidence = diagnostics.Likely
		}
		f.Summary = fmt.Sprintf("no subnet of Fargate profile %s has a free address", f.Subject)
		a.find(f, pods)
	case isolated == known && strings.Contains(pods[0].text, "timed out"):
		f.ID, f.Confidence = "egress", diagnostics.Likely
		f.Summary = fmt.Sprintf("the subnets of Fargate profile %s have addresses but no way out: images can't be pulled there without endpoints for the registry", f.Subject)
		a.find(f, pods)
	default:
		a.leaves("ec2:DescribeRouteTables", "egress")
		a.unsolve(pods, "Fargate does not start them: "+said(pods[0]))
	}
}

// profiles lists the Fargate profiles that may take a pod: the one that it is labelled with, or else those of its namespace.
func (a *analysis) profiles(p *corev1.Pod) []eks.FargateProfile {
	var named, matching []eks.FargateProfile
	for _, f := range a.s.Profiles {
		if f.Name == p.Labels["eks.amazonaws.com/fargate-profile"] {
			named = append(named, f)
		}
		if slices.Contains(f.Namespaces, p.Namespace) {
			matching = append(matching, f)
		}
	}
	if len(named) > 0 {
		return named
	}
	return matching
}

// wayOut reports whether a subnet has a default route, and by which table; the table is empty where none is known.
func (a *analysis) wayOut(subnet string) (table string, out bool) {
	return vpc.WayOut(a.s.RouteTables, subnet)
}
