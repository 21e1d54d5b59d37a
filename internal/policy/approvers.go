package policy

import (
	"fmt"
	"slices"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/casebook"
)

// Approvers says whose approvals count for a process that can't ask Slack, such as bot execute: it names people alone, for
// nobody there knows who is in a user group. It holds what a record says against settings that whoever writes records
// can't change.
type Approvers []Grant

// Validate reports the first entry that can't be meant, as an *Invalid.
func (a Approvers) Validate() error {
	for i, g := range a {
		path := fmt.Sprintf("approvers[%d]", i)
		if err := g.validate(path); err != nil {
			return err
		}
		if len(g.Groups) > 0 {
			return invalid(path+".groups", "bot execute holds no Slack token, so it can't know who is in %s: name users", g.Groups[0])
		}
	}
	return nil
}

// Trusts reports whether a grant covers the approval of r by a user. The catalogue says what risk a fix has, not the record.
func (a Approvers) Trusts(user string, r casebook.Remediation) bool {
	return slices.ContainsFunc(a, func(g Grant) bool { return g.coversFix(r) && slices.Contains(g.Users, user) })
}

// coversFix reports whether g is about fixes such as that of r.
func (g Grant) coversFix(r casebook.Remediation) bool {
	kind := diagnostics.FixByID(r.Plan.Fix.ID)
	namespace := r.Plan.Question.Target.Namespace
	place := covers(g.Namespaces, namespace) || namespace == "" && len(g.Namespaces) == 0 // a question about the cluster, such as ip
	return covers(g.Risks, kind.Risk) && covers(g.Fixes, r.Plan.Fix.ID) && place
}
