// Package all lists the diagnoses.
package all

import (
	"slices"
	"strings"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/diagnostics/alb"
	"github.com/netdiag/netdiag/diagnostics/ip"
	"github.com/netdiag/netdiag/diagnostics/pending"
)

// Diagnoses lists every question that netdiag can answer, in the order of the help.
func Diagnoses() []diagnostics.Diagnosis {
	return []diagnostics.Diagnosis{pending.Diagnosis, alb.Diagnosis, ip.Diagnosis}
}

// Find finds a diagnosis by its name.
func Find(name string) (diagnostics.Diagnosis, bool) {
	for _, d := range Diagnoses() {
		if d.Name == name {
			return d, true
		}
	}
	return diagnostics.Diagnosis{}, false
}

// Reads lists the permissions that the diagnoses use, sorted: those of AWS, such as ec2:DescribeSubnets, and those of
// Kubernetes, such as "list pods".
func Reads() (aws, kubernetes []string) {
	for _, d := range Diagnoses() {
		for _, p := range d.Reads {
			if strings.Contains(p, ":") {
				aws = append(aws, p)
			} else {
				kubernetes = append(kubernetes, p)
			}
		}
	}
	slices.Sort(aws)
	slices.Sort(kubernetes)
	return slices.Compact(aws), slices.Compact(kubernetes)
}
