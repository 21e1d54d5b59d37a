package policy

import (
	"slices"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/casebook"
)

// Rights says what the policy lets somebody do, a sentence each, for that person to read; fixes tells whether any are
// offered. It is empty for somebody who may do nothing. MayAsk and MayDecide judge; this only describes them.
func (p Policy) Rights(by casebook.Person, fixes bool) []string {
	var out []string
	if p.MayAsk(by, casebook.Question{}) == nil {
		out = append(out, "Ask, here and in every channel that is not shared with another organisation.")
	}
	switch {
	case p.member(by) != nil:
		return nil
	case !fixes:
		return append(out, "Nobody can approve anything: netdiag is read-only here.")
	}
	var unknown []string
	for _, g := range p.Approvers {
		if g.has(by) {
			out = append(out, "Approve or reject "+g.scope()+". From medium risk up, not for your own questions.")
		} else if id := g.unknown(by); id != "" && !slices.Contains(unknown, id) {
			unknown = append(unknown, id)
		}
	}
	if len(unknown) > 0 {
		out = append(out, "Perhaps more: Slack did not tell me who is in user group "+diagnostics.Series(unknown)+". Open this tab again in a minute.")
	}
	return append(out, "Reject fixes that were offered for your own questions.")
}

// scope is which fixes a grant covers.
func (g Grant) scope() string {
	s := "all fixes"
	if len(g.Fixes) > 0 {
		s = "the fixes " + diagnostics.Series(g.Fixes)
	}
	if len(g.Risks) > 0 {
		s += " of " + diagnostics.Series(g.Risks) + " risk"
	}
	switch len(g.Namespaces) {
	case 0:
		return s
	case 1:
		return s + " in namespace " + g.Namespaces[0]
	}
	return s + " in the namespaces " + diagnostics.Series(g.Namespaces)
}
