package policy_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/policy"
)

func TestRights(t *testing.T) {
	p := policy.Policy{Team: "T01", Askers: []string{policy.Anyone}, Approvers: []policy.Grant{
		{Users: []string{"U0BOB", "U0EVE"}},
		{Users: []string{"U0BOB"}, Risks: []string{"low", "medium"}, Namespaces: []string{"backend"}},
		{Users: []string{"U0BOB"}, Fixes: []string{"alb/allow-pod-port"}, Namespaces: []string{"a", "b", "c"}},
	}}
	member := func(id string) casebook.Person { return casebook.Person{Team: "T01", Home: "T01", User: id} }
	ask := "Ask, here and in every channel that is not shared with another organisation."
	own := "Reject fixes that were offered for your own questions."
	only := p
	only.Askers = []string{"U0BOB"}
	guest := member("U0BOB")
	guest.Restricted = true
	grouped := policy.Policy{Team: "T01", Askers: []string{policy.Anyone}, Approvers: []policy.Grant{
		{Groups: []string{"S0SHOP", "S0SHOP2"}, Namespaces: []string{"shop"}}, {Users: []string{"U0BOB"}, Groups: []string{"S0SHOP"}, Risks: []string{"low"}},
	}}
	in := member("U0AMY")
	in.Groups = map[string]casebook.Membership{"S0SHOP": casebook.Member, "S0SHOP2": casebook.NoMember}
	for name, c := range map[string]struct {
		policy policy.Policy
		by     casebook.Person
		fixes  bool
		want   []string
	}{
		"approver": {p, member("U0BOB"), true, []string{
			ask,
			"Approve or reject all fixes. From medium risk up, not for your own questions.",
			"Approve or reject all fixes of low and medium risk in namespace backend. From medium risk up, not for your own questions.",
			"Approve or reject the fixes alb/allow-pod-port in the namespaces a, b and c. From medium risk up, not for your own questions.",
			own,
		}},
		"asker":        {p, member("U0AMY"), true, []string{ask, own}},
		"read-only":    {p, member("U0BOB"), false, []string{ask, "Nobody can approve anything: netdiag is read-only here."}},
		"no asker":     {only, member("U0AMY"), true, []string{own}},
		"guest":        {p, guest, true, nil},
		"another team": {p, casebook.Person{Team: "T01", Home: "T02", User: "U0BOB"}, true, nil},
		"in a group": {grouped, in, true, []string{
			ask,
			"Approve or reject all fixes in namespace shop. From medium risk up, not for your own questions.",
			"Approve or reject all fixes of low risk. From medium risk up, not for your own questions.",
			own,
		}},
		"groups unknown": {grouped, member("U0BOB"), true, []string{
			ask,
			"Approve or reject all fixes of low risk. From medium risk up, not for your own questions.",
			"Perhaps more: Slack did not tell me who is in user group S0SHOP. Open this tab again in a minute.",
			own,
		}},
		"nobody at all": {policy.Policy{}, member("U0BOB"), true, nil},
	} {
		if d := cmp.Diff(c.want, c.policy.Rights(c.by, c.fixes)); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}
