// Package policy says who may ask and who may decide: by Slack's ids alone, never by names, and where nothing is
// configured by nobody.
package policy

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/casebook"
)

// Anyone stands in Askers for every full member of the team.
const Anyone = "*"

// Policy is who may do what, as configured. It is a casebook.Policy. Its zero value lets nobody do anything.
type Policy struct {
	// Team is the id of the one workspace that netdiag serves.
	Team string `json:"team"`
	// Askers lists the user ids that may ask; Anyone is every full member of the team. Empty: nobody.
	Askers []string `json:"askers"`
	// Approvers says who may decide on fixes. Membership of a channel gives no right. Empty: nobody.
	Approvers []Grant `json:"approvers"`
}

// Grant lets users, and the members of user groups, decide on the fixes that it covers. An empty list of Risks, Fixes or
// Namespaces doesn't narrow it; without Users and Groups it is nobody's.
type Grant struct {
	Users      []string `json:"users,omitempty"`      // user ids
	Groups     []string `json:"groups,omitempty"`     // ids of user groups, such as S0123ABCD
	Risks      []string `json:"risks,omitempty"`      // low, medium, high
	Fixes      []string `json:"fixes,omitempty"`      // ids of the catalogue, such as alb/allow-pod-port
	Namespaces []string `json:"namespaces,omitempty"` // of the question's target; one about none, such as ip, needs a grant that names none
}

var (
	userID  = regexp.MustCompile(`^[UW][A-Z0-9]{2,20}$`)
	groupID = regexp.MustCompile(`^S[A-Z0-9]{2,20}$`)
	teamID  = regexp.MustCompile(`^[TE][A-Z0-9]{2,20}$`)
)

// Invalid is an entry of a policy that can't be meant.
type Invalid struct {
	Path   string // of the entry, such as approvers[0].users
	Reason string
}

// Error is the path and the reason.
func (i *Invalid) Error() string { return "policy: " + i.Path + ": " + i.Reason }

func invalid(path, format string, args ...any) error {
	return &Invalid{path, fmt.Sprintf(format, args...)}
}

// Validate reports the first entry that can't be meant, as an *Invalid: a name where an id belongs, a risk or a fix that
// doesn't exist.
func (p Policy) Validate() error {
	if !teamID.MatchString(p.Team) {
		return invalid("team", "%q is no id of a Slack workspace, such as T0123ABCD", p.Team)
	}
	for _, u := range p.Askers {
		if u != Anyone && !userID.MatchString(u) {
			return invalid("askers", "%q is neither a user id, such as U0123ABCD, nor %q", u, Anyone)
		}
	}
	for i, g := range p.Approvers {
		if err := g.validate(fmt.Sprintf("approvers[%d]", i)); err != nil {
			return err
		}
	}
	return nil
}

func (g Grant) validate(path string) error {
	for _, u := range g.Users {
		if !userID.MatchString(u) {
			return invalid(path+".users", "%q is no user id, such as U0123ABCD; a name can be taken over by somebody else", u)
		}
	}
	for _, id := range g.Groups {
		if !groupID.MatchString(id) {
			return invalid(path+".groups", "%q is no id of a user group, such as S0123ABCD; a handle can be taken over by another group", id)
		}
	}
	for _, r := range g.Risks {
		if r != "low" && r != "medium" && r != "high" {
			return invalid(path+".risks", "%q is none of low, medium and high", r)
		}
	}
	for _, f := range g.Fixes {
		if !diagnostics.FixByID(f).Executable {
			return invalid(path+".fixes", "%q is no fix that can be carried out", f)
		}
	}
	return nil
}

// Groups lists the user groups that approvers come from, each once: whose members a decision needs to know.
func (p Policy) Groups() []string {
	var out []string
	for _, g := range p.Approvers {
		out = append(out, g.Groups...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// MayAsk refuses questions of those who aren't full members of the team, or aren't listed.
func (p Policy) MayAsk(by casebook.Person, _ casebook.Question) error {
	if err := p.member(by); err != nil {
		return err
	}
	if !slices.Contains(p.Askers, Anyone) && !slices.Contains(p.Askers, by.User) {
		return diagnostics.Refusal("You are not on the list of those who may ask here. Whoever runs netdiag can add your user id to askers.")
	}
	return nil
}

// MayDecide refuses the word of those who aren't full members of the team, or whom no grant covers. Who asked may always
// withdraw, that is reject.
func (p Policy) MayDecide(by casebook.Person, v casebook.Verdict, r casebook.Remediation) error {
	if err := p.member(by); err != nil {
		return err
	}
	q := r.Plan.Question
	if by.Team != q.Team {
		return elsewhere
	}
	if v == casebook.Reject && by.User == q.User {
		return nil
	}
	// The catalogue says what risk a fix has, not the record.
	risk := diagnostics.FixByID(r.Plan.Fix.ID).Risk
	unknown := ""
	for _, g := range p.Approvers {
		if !g.coversFix(r) {
			continue
		}
		if g.has(by) {
			return nil
		}
		unknown = cmp.Or(unknown, g.unknown(by))
	}
	if unknown != "" {
		return diagnostics.Refusal(fmt.Sprintf("Slack did not tell me who is in user group %s, so I can't tell whether you may decide on this. Nothing was recorded. Try again in a minute.", unknown))
	}
	where := ""
	if ns := q.Target.Namespace; ns != "" {
		where = " in namespace " + ns
	}
	return diagnostics.Refusal(fmt.Sprintf("You are not among the approvers of %s (risk %s)%s. Nothing was recorded.", r.Plan.Fix.ID, risk, where))
}

// has reports whether somebody is among those whom g lets decide: by their own id, or in a group that is known to hold them.
func (g Grant) has(by casebook.Person) bool {
	return slices.Contains(g.Users, by.User) || slices.ContainsFunc(g.Groups, func(id string) bool { return by.Groups[id] == casebook.Member })
}

// unknown is the first group of g of which nobody knows whether it holds somebody; empty where all are known.
func (g Grant) unknown(by casebook.Person) string {
	for _, id := range g.Groups {
		if by.Groups[id] == casebook.Unknown {
			return id
		}
	}
	return ""
}

// MayResume refuses those who aren't full members of the team, or whom no grant lets decide on anything.
func (p Policy) MayResume(by casebook.Person) error {
	if err := p.member(by); err != nil {
		return err
	}
	unknown := ""
	for _, g := range p.Approvers {
		if g.has(by) {
			return nil
		}
		unknown = cmp.Or(unknown, g.unknown(by))
	}
	if unknown != "" {
		return diagnostics.Refusal(fmt.Sprintf("Slack did not tell me who is in user group %s, so I can't tell whether you are an approver. Nothing was done. Try again in a minute.", unknown))
	}
	return diagnostics.Refusal("Only approvers can resume changes, and you are none.")
}

func covers(list []string, v string) bool {
	return v != "" && (len(list) == 0 || slices.Contains(list, v))
}

// Refusals of people, whoever they are.
const (
	elsewhere diagnostics.Refusal = "This is not the workspace that netdiag serves. Nothing was recorded."
	shared    diagnostics.Refusal = "This channel is shared with another organisation: netdiag doesn't answer here."
	noMember  diagnostics.Refusal = "Only full members of this workspace can use netdiag: no guests, no bots, no accounts that are deactivated or of another workspace, none whose e-mail address isn't confirmed."
)

// member refuses everybody but full, living members of the team, and everything in shared channels. What isn't known
// about a person counts against them: team ids must be there and be the configured one.
func (p Policy) member(by casebook.Person) error {
	switch {
	case p.Team == "" || by.Team != p.Team || by.Home != p.Team || by.User == "":
		return elsewhere
	case by.Shared:
		return shared
	case by.Deleted || by.Bot || by.Restricted || by.Stranger || by.Unconfirmed:
		return noMember
	}
	return nil
}
