// Package all lists the diagnoses.
package all

import (
	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/diagnostics/alb"
	"github.com/netdiag/netdiag/diagnostics/pending"
)

// Diagnoses lists every question that netdiag can answer, in the order of the help.
func Diagnoses() []diagnostics.Diagnosis {
	return []diagnostics.Diagnosis{pending.Diagnosis, alb.Diagnosis}
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
