package slack_test

import (
	"strings"
	"testing"
	"time"

	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/render/slack"
)

func TestDecision(t *testing.T) {
	rem := remediation(t, casebook.AwaitingApproval)
	second := rem
	second.Plan.Risk, second.Plan.Approvals = "high", 2
	second.Status.Decisions = []casebook.Decision{{User: "U0BOB", Verdict: casebook.Approve, At: noon.Add(time.Minute)}}
	ds := []slack.Decision{
		{Remediation: rem, Verdict: casebook.Approve, Metadata: "m"},
		{Remediation: rem, Verdict: casebook.Reject, Metadata: "m"},
		{Remediation: second, Verdict: casebook.Approve, Metadata: "m", Stopped: "Changes are stopped by <@U0123ABCD> since 24 November 11:58:00 UTC."},
	}
	for _, d := range ds {
		v := encode(t, slack.DecisionView(d))
		for _, want := range append([]string{"prod-cluster", rem.Plan.Target, rem.Plan.Hash, d.Remediation.Plan.Risk}, rem.Plan.Fix.Changes...) {
			if !strings.Contains(v, want) {
				t.Errorf("%s does not name %q", d.Verdict, want)
			}
		}
	}
	goldenViews(t, "decision", slack.DecisionView(ds[0]), slack.DecisionView(ds[1]), slack.DecisionView(ds[2]),
		slack.DecisionAnswer("Decided already: approved by <@U0BOB> at 12:01:00 UTC; the fix is done."))
}

// What can't be shown whole can't be approved; it can be rejected.
func TestDecisionOnALongPlan(t *testing.T) {
	for name, change := range map[string]func(*casebook.Remediation){
		"a long change": func(r *casebook.Remediation) { r.Plan.Fix.Changes = []string{strings.Repeat("x", 501)} },
		"many changes":  func(r *casebook.Remediation) { r.Plan.Fix.Changes = strings.Split(strings.Repeat("x,", 50), ",") },
		"much text": func(r *casebook.Remediation) {
			r.Plan.Fix.Changes = strings.Split(strings.Repeat(strings.Repeat("x", 400)+",", 8), ",")
		},
	} {
		rem := remediation(t, casebook.AwaitingApproval)
		if slack.DecisionView(slack.Decision{Remediation: rem, Verdict: casebook.Approve}).Submit == nil {
			t.Error("a short plan can't be approved")
		}
		change(&rem)
		if slack.DecisionView(slack.Decision{Remediation: rem, Verdict: casebook.Approve}).Submit != nil {
			t.Errorf("%s: it can be approved", name)
		}
		if slack.DecisionView(slack.Decision{Remediation: rem, Verdict: casebook.Reject}).Submit == nil {
			t.Errorf("%s: it can't be rejected", name)
		}
	}
}

// Text from the cluster stays text, however long or odd.
func TestDecisionLimits(t *testing.T) {
	rem := remediation(t, casebook.AwaitingApproval)
	for _, s := range []string{strings.Repeat("é", 5000), "<!channel> <@U0BOB> *b* `c`", "\u202e\x00"} {
		rem.Plan.Fix.Title, rem.Plan.Fix.Blast, rem.Plan.Target, rem.Plan.Question.Target.Cluster = s, s, s, s
		for range 60 {
			rem.Plan.Fix.Changes = append(rem.Plan.Fix.Changes, s)
		}
		checkView(t, "decision", slack.DecisionView(slack.Decision{Remediation: rem, Verdict: casebook.Reject, Metadata: strings.Repeat("m", 5000)}))
	}
}
