package policy

import (
	"slices"
	"strings"

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
		out = append(out, "Perhaps more: Slack did not tell me who is in user group "+enumerate(unknown)+". Open this tab again in a minute.")
	}
	return append(out, "Reject fixes that were offered for your own questions.")
}

// scope is which fixes a grant covers.
func (g Grant) scope() string {
	s := "all fixes"
	if len(g.Fixes) > 0 {
		s = "the fixes " + enumerate(g.Fixes)
	}
	if len(g.Risks) > 0 {
		s += " of " + enumerate(g.Risks) + " risk"
	}
	switch len(g.Namespaces) {
	case 0:
		return s
	case 1:
		return s + " in namespace " + g.Namespaces[0]
	}
	return s + " in the namespaces " + enumerate(g.Namespaces)
}

func enumerate(ss []string) string {
	if len(ss) == 1 {
		return ss[0]
	}
	return strings.Join(ss[:len(ss)-1], ", ") + " and " + ss[len(ss)-1]
}
