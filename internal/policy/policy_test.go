package policy_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/policy"
)

var rules = policy.Policy{
	Team:   "T0TEAM",
	Askers: []string{policy.Anyone},
	Approvers: []policy.Grant{
		{Users: []string{"U0LOW"}, Risks: []string{"low"}},
		{Users: []string{"U0ALL"}},
		{Users: []string{"U0PORT"}, Fixes: []string{"alb/allow-pod-port"}},
		{Users: []string{"U0SHOP"}, Namespaces: []string{"shop"}},
		{Groups: []string{"S0SHOP"}, Namespaces: []string{"shop"}},
		{Groups: []string{"S0PORT", "S0MORE"}, Fixes: []string{"alb/allow-pod-port"}},
		{Users: nil},
	},
}

func person(user string) casebook.Person {
	return casebook.Person{Team: "T0TEAM", Home: "T0TEAM", User: user}
}

func remediation(fix, namespace string) casebook.Remediation {
	return casebook.Remediation{Plan: casebook.Plan{
		Fix: diagnostics.Fix{ID: fix}, Risk: "low", // what the record says of the risk counts for nothing
		Question: casebook.Question{Team: "T0TEAM", User: "U0ASKER", Target: diagnostics.Target{Namespace: namespace}},
	}}
}

func TestWhoMayDecide(t *testing.T) {
	for _, c := range []struct {
		user, fix, namespace string
		verdict              casebook.Verdict
		want                 bool
	}{
		{"U0LOW", "alb/reconcile-kick", "shop", casebook.Approve, true},
		{"U0LOW", "alb/allow-pod-port", "shop", casebook.Approve, false},
		{"U0ALL", "pending/enable-prefix-delegation", "shop", casebook.Approve, true},
		{"U0ALL", "alb/edit-nacl", "shop", casebook.Approve, false}, // not executable: it has no risk that anybody is let decide on
		{"U0PORT", "alb/allow-pod-port", "bank", casebook.Approve, true},
		{"U0PORT", "alb/manage-rules", "bank", casebook.Approve, false},
		{"U0SHOP", "alb/manage-rules", "shop", casebook.Approve, true},
		{"U0SHOP", "alb/manage-rules", "bank", casebook.Approve, false},
		{"U0SHOP", "alb/manage-rules", "", casebook.Approve, false},
		{"U0SHOP", "pending/tune-warm-pool", "", casebook.Approve, false}, // ip is about all namespaces
		{"U0ALL", "pending/tune-warm-pool", "", casebook.Approve, true},
		{"U0LOW", "pending/tune-warm-pool", "", casebook.Approve, false},
		{"U0PORT", "pending/tune-warm-pool", "", casebook.Approve, false},
		{"U0NOBODY", "pending/tune-warm-pool", "", casebook.Approve, false},
		{"U0NOBODY", "alb/reconcile-kick", "shop", casebook.Approve, false},
		{"U0NOBODY", "alb/reconcile-kick", "shop", casebook.Reject, false},
		{"U0ASKER", "alb/reconcile-kick", "shop", casebook.Approve, false},
		{"U0ASKER", "alb/reconcile-kick", "shop", casebook.Reject, true},
	} {
		err := rules.MayDecide(person(c.user), c.verdict, remediation(c.fix, c.namespace))
		var r diagnostics.Refusal
		if (err == nil) != c.want || err != nil && !errors.As(err, &r) {
			t.Errorf("%s %s %s in %q: %v, want allowed: %v", c.user, c.verdict, c.fix, c.namespace, err, c.want)
		}
	}
}

// TestGroups: only a membership that is known gives a right, and only what the grant of that very group covers.
func TestGroups(t *testing.T) {
	const notYou, dontKnow = "not among the approvers", "did not tell me who is in user group "
	known := map[string]casebook.Membership{"S0SHOP": casebook.NoMember, "S0PORT": casebook.NoMember, "S0MORE": casebook.NoMember}
	for name, c := range map[string]struct {
		user, fix, namespace string
		groups               map[string]casebook.Membership
		want                 string
	}{
		"member":                       {"U0ONE", "alb/manage-rules", "shop", map[string]casebook.Membership{"S0SHOP": casebook.Member}, ""},
		"member, elsewhere":            {"U0ONE", "alb/manage-rules", "bank", map[string]casebook.Membership{"S0SHOP": casebook.Member}, notYou},
		"of the second group":          {"U0ONE", "alb/allow-pod-port", "bank", map[string]casebook.Membership{"S0MORE": casebook.Member}, ""},
		"of a group of no grant":       {"U0ONE", "alb/manage-rules", "bank", map[string]casebook.Membership{"S0SHOP": casebook.NoMember, "S0EVIL": casebook.Member}, notYou},
		"no member":                    {"U0ONE", "alb/allow-pod-port", "shop", known, notYou},
		"nothing is known":             {"U0ONE", "alb/allow-pod-port", "shop", nil, dontKnow + "S0SHOP"},
		"one of two is unknown":        {"U0ONE", "alb/allow-pod-port", "bank", map[string]casebook.Membership{"S0PORT": casebook.NoMember}, dontKnow + "S0MORE"},
		"the unknown one has no say":   {"U0ONE", "alb/manage-rules", "bank", nil, notYou},
		"listed by id, groups unknown": {"U0ALL", "alb/allow-pod-port", "shop", nil, ""},
	} {
		by := person(c.user)
		by.Groups = c.groups
		for _, v := range []casebook.Verdict{casebook.Approve, casebook.Reject} {
			err := rules.MayDecide(by, v, remediation(c.fix, c.namespace))
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: may %s: %v, want %q", name, v, err, c.want)
			}
		}
	}
	if got := strings.Join(rules.Groups(), " "); got != "S0MORE S0PORT S0SHOP" {
		t.Errorf("groups: %s", got)
	}
}

func TestWhoMayResume(t *testing.T) {
	in := func(user, group string) casebook.Person {
		p := person(user)
		p.Groups = map[string]casebook.Membership{"S0SHOP": casebook.NoMember, "S0PORT": casebook.NoMember, "S0MORE": casebook.NoMember}
		if group != "" {
			p.Groups[group] = casebook.Member
		}
		return p
	}
	stranger := in("U0ALL", "")
	stranger.Stranger = true
	for name, c := range map[string]struct {
		by   casebook.Person
		want string
	}{
		"approver": {in("U0LOW", ""), ""}, "by a group": {in("U0ONE", "S0MORE"), ""}, "who asks": {in("U0ASKER", ""), "Only approvers"},
		"a group that is unknown": {person("U0ASKER"), "did not tell me who is in user group S0SHOP"}, "a stranger": {stranger, "Only full members"},
	} {
		if err := rules.MayResume(c.by); (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if (policy.Policy{}).MayResume(person("U0ALL")) == nil || (policy.Policy{Team: "T0TEAM", Approvers: []policy.Grant{{}}}).MayResume(person("U0ALL")) == nil {
		t.Error("nobody is configured, and somebody may resume")
	}
}

func TestNothingConfiguredIsNobody(t *testing.T) {
	for name, p := range map[string]policy.Policy{"zero": {}, "team alone": {Team: "T0TEAM"}, "a grant to nobody": {Team: "T0TEAM", Approvers: []policy.Grant{{}}}} {
		if p.MayAsk(person("U0ALL"), casebook.Question{}) == nil {
			t.Errorf("%s: may ask", name)
		}
		if p.MayDecide(person("U0ALL"), casebook.Approve, remediation("alb/reconcile-kick", "shop")) == nil {
			t.Errorf("%s: may decide", name)
		}
	}
}

// TestOnlyFullMembers goes through every combination of what can be wrong with a person.
func TestOnlyFullMembers(t *testing.T) {
	for bits := range 1 << 9 {
		p := person("U0ALL")
		for i, spoil := range []func(){
			func() { p.Deleted = true }, func() { p.Bot = true }, func() { p.Restricted = true }, func() { p.Stranger = true },
			func() { p.Unconfirmed = true }, func() { p.Shared = true }, func() { p.Team = "T0OTHER" }, func() { p.Home = "" }, func() { p.User = "" },
		} {
			if bits&(1<<i) != 0 {
				spoil()
			}
		}
		want := bits == 0
		if got := rules.MayAsk(p, casebook.Question{}) == nil; got != want {
			t.Errorf("may ask: %v for %+v", got, p)
		}
		for _, v := range []casebook.Verdict{casebook.Approve, casebook.Reject} {
			if got := rules.MayDecide(p, v, remediation("alb/allow-pod-port", "shop")) == nil; got != want {
				t.Errorf("may %s: %v for %+v", v, got, p)
			}
		}
	}
	foreign := remediation("alb/allow-pod-port", "shop")
	foreign.Plan.Question.Team = "T0OTHER"
	if rules.MayDecide(person("U0ALL"), casebook.Approve, foreign) == nil {
		t.Error("may decide what was asked in another workspace")
	}
}

func TestAskersAreListed(t *testing.T) {
	p := policy.Policy{Team: "T0TEAM", Askers: []string{"U0ONE"}}
	if err := p.MayAsk(person("U0ONE"), casebook.Question{}); err != nil {
		t.Errorf("listed: %v", err)
	}
	if p.MayAsk(person("U0TWO"), casebook.Question{}) == nil {
		t.Error("unlisted: may ask")
	}
}

func TestValidate(t *testing.T) {
	if err := rules.Validate(); err != nil {
		t.Errorf("a good policy: %v", err)
	}
	for want, spoil := range map[string]func(*policy.Policy){
		`team: ""`:                       func(p *policy.Policy) { p.Team = "" },
		`askers: "bob"`:                  func(p *policy.Policy) { p.Askers = []string{"bob"} },
		`approvers[0].users: "*"`:        func(p *policy.Policy) { p.Approvers = []policy.Grant{{Users: []string{"*"}}} },
		`approvers[0].users: "@bob"`:     func(p *policy.Policy) { p.Approvers = []policy.Grant{{Users: []string{"@bob"}}} },
		`approvers[0].groups: "@netops"`: func(p *policy.Policy) { p.Approvers = []policy.Grant{{Groups: []string{"@netops"}}} },
		`approvers[0].groups: "U0BOB"`:   func(p *policy.Policy) { p.Approvers = []policy.Grant{{Groups: []string{"U0BOB"}}} },
		`approvers[0].users: "S0NETOPS"`: func(p *policy.Policy) { p.Approvers = []policy.Grant{{Users: []string{"S0NETOPS"}}} },
		`approvers[0].risks: "tiny"`:     func(p *policy.Policy) { p.Approvers = []policy.Grant{{Risks: []string{"tiny"}}} },
		`approvers[0].fixes: "alb/edit-nacl"`: func(p *policy.Policy) {
			p.Approvers = []policy.Grant{{Fixes: []string{"alb/edit-nacl"}}}
		},
	} {
		p := rules
		spoil(&p)
		if err := p.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want an error about %s", err, want)
		}
	}
}
