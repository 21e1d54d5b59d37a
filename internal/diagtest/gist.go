package diagtest

import (
	"fmt"
	"strings"

	"github.com/netdiag/netdiag/diagnostics"
)

// Gist is what a report says, without its times and ages: what must not depend on when or where it is made.
func Gist(r diagnostics.Report) string {
	var b strings.Builder
	fmt.Fprintf(&b, "severity %s layer %s\n", r.Severity, r.Layer)
	for _, part := range []struct {
		name     string
		findings []diagnostics.Finding
	}{{"cause", r.Causes}, {"contributing", r.Contributing}, {"symptom", r.Symptoms}} {
		for _, f := range part.findings {
			fmt.Fprintf(&b, "%s %s %s %s\n", part.name, f.Key(), f.Reason, f.Confidence)
			for _, a := range f.Affects {
				fmt.Fprintf(&b, "  affects %s\n", a)
			}
		}
	}
	for _, p := range r.Passed {
		fmt.Fprintf(&b, "passed %s\n", p.ID)
	}
	for _, g := range r.Gaps {
		fmt.Fprintf(&b, "gap %s %s %s\n", g.Permission, g.Reason, strings.Join(g.Caps, " "))
	}
	for _, f := range r.Fixes {
		hash := ""
		if f.Action != nil {
			hash = f.Action.Hash()
		}
		fmt.Fprintf(&b, "fix %s frees %d needs %d executable %t %s %s\n", f.ID, f.Frees, f.Needs, f.Executable, hash, strings.Join(f.Changes, "; "))
	}
	for _, f := range r.Refused {
		fmt.Fprintf(&b, "refused %s\n", f.ID)
	}
	fmt.Fprintf(&b, "contradictions %d\n", len(r.Contradictions))
	return b.String()
}
