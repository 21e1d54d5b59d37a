package kube

import (
	"context"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/netdiag/netdiag/diagnostics"
)

// Blind lists the permissions that were denied to the run, sorted, if nothing but them was asked: who may read nothing at
// all learns nothing from a report. Otherwise it is empty.
func (r *Reader) Blind() []string {
	denied := map[string]bool{}
	for key, err := range r.memory.Outcomes() {
		permission, _, _ := strings.Cut(key, "\x00")
		switch {
		case permission == "discover": // open to everybody
		case reasonOf(err) != diagnostics.Denied:
			return nil
		default:
			denied[permission] = true
		}
	}
	return slices.Sorted(maps.Keys(denied))
}

// Where a cluster of EKS names its region.
var (
	endpoint = regexp.MustCompile(`\.([a-z]{2}(?:-[a-z]+)+-\d)\.eks\.(?:amazonaws|api)\.`)
	provider = regexp.MustCompile(`^aws:///([a-z]{2}(?:-[a-z]+)+-\d)[a-z]/`)
)

// Region is the AWS region that the cluster is in, by the address of its API server or by its nodes, which are asked for
// only where the run has not read them yet; empty where neither tells.
func (r *Reader) Region(ctx context.Context) string {
	if m := endpoint.FindStringSubmatch(r.client.host); m != nil {
		return m[1]
	}
	nodes, err := r.Nodes(ctx)
	if err != nil || len(nodes) == 0 {
		return ""
	}
	for _, n := range nodes {
		if region := n.Labels["topology.kubernetes.io/region"]; region != "" {
			return region
		}
		if m := provider.FindStringSubmatch(n.Spec.ProviderID); m != nil {
			return m[1]
		}
	}
	return ""
}
