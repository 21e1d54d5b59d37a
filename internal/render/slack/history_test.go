package slack_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/render/slack"
)

// decided are fixes as people decided on them, the oldest first.
func decided(t *testing.T) []casebook.Remediation {
	approved := func(phase casebook.Phase, outcome string, by ...string) casebook.Remediation {
		rem := remediation(t, phase)
		rem.Status.Outcome, rem.Status.Decisions = outcome, nil
		for i, u := range by {
			rem.Status.Decisions = append(rem.Status.Decisions, casebook.Decision{User: u, Verdict: casebook.Approve, At: noon.Add(time.Duration(i-1) * time.Minute)})
		}
		return rem
	}
	rejected := approved(casebook.Rejected, "Rejected; nothing was changed.", "U0BOB")
	rejected.Status.Decisions[0].Verdict, rejected.Status.Decisions[0].Reason = casebook.Reject, "not during the sale <!channel> `x`"
	undone := approved(casebook.Succeeded, "Done: all 14 pods of backend run.", "U0BOB", "U0CAROL")
	undone.Status.Watch = &casebook.Watch{State: casebook.Undone, At: noon}
	undo := approved(casebook.Applying, "", "U0BOB")
	undo.Plan.Undoes, undo.Plan.Fix.Title = "rem-abc", "Undo: "+undo.Plan.Fix.Title
	return []casebook.Remediation{rejected, approved(casebook.Failed, "EKS refused the update.", "U0BOB"), undone, undo}
}

// Each question is followed by what was done about it.
func TestHistoryOfFixes(t *testing.T) {
	es := entries(t)
	es[2].Remediations = decided(t)
	many := entries(t)[2:3]
	many[0].Remediations = append(decided(t), decided(t)...)
	golden(t, "history", slack.History(es, noon), slack.History(many, noon))
}

// However much was done, the list keeps to Slack's limits, and says what it leaves out.
func TestLongHistory(t *testing.T) {
	var es []slack.Entry
	for range 20 {
		e := entries(t)[2]
		e.Remediations = append(decided(t), decided(t)...)
		for i := range e.Remediations {
			e.Remediations[i].Plan.Fix.Title, e.Remediations[i].Status.Outcome = strings.Repeat("long ", 200), strings.Repeat("long ", 200)
		}
		es = append(es, e)
	}
	m := slack.History(es, noon)
	checkLimits(t, "history", m)
	checkLadder(t, "history", m)
	if out := encode(t, m); !strings.Contains(out, "3 earlier …") || !strings.Contains(out, fmt.Sprint("… and ", 20-strings.Count(out, "3 earlier …"), " more")) {
		t.Error(out)
	}
}
