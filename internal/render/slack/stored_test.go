package slack_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/render/slack"
)

// FuzzParseValue: what is taken for a button's value is what a button carries, to the last character.
func FuzzParseValue(f *testing.F) {
	for _, v := range []string{"", "v1:rem-abc:0123", "v1:a:b:c", "v2:a:b", "v1::b", "v1:a:", "v1:\x00:\u202e"} {
		f.Add(v)
	}
	f.Fuzz(func(t *testing.T, v string) {
		name, nonce, ok := slack.ParseValue(v)
		if ok && (slack.Value(name, nonce) != v || name == "" || nonce == "" || strings.Contains(name+nonce, ":")) {
			t.Errorf("%q is read as %q and %q", v, name, nonce)
		}
	})
}

// FuzzStoredRemediation: records of other versions, that lack fields or have odd ones, are shown, and get buttons only
// while they wait for approval.
func FuzzStoredRemediation(f *testing.F) {
	for _, p := range append(phases(), "", "Paused") {
		rem := casebook.Remediation{Name: "rem-1", Status: casebook.RemediationStatus{Phase: p}}
		b, err := json.Marshal(rem)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte(`{"plan":{"fix":{"action":{"addonConfig":{}}},"risk":"extreme"},"status":{"phase":"AwaitingApproval","nonce":"0"}}`))
	f.Add([]byte(`{"plan":{"fix":{"action":{}}},"status":{"phase":"Succeeded","receipt":{"owned":true,"undo":{}},"watch":{"state":"Gone"},"trial":{},"notes":[{}]}}`))
	f.Fuzz(func(t *testing.T, stored []byte) {
		var rem casebook.Remediation
		if json.Unmarshal(stored, &rem) != nil {
			return
		}
		card := encode(t, slack.Card(rem))
		if strings.Contains(card, `"action_id": "`+slack.ActionApprove) && rem.Status.Phase != casebook.AwaitingApproval {
			t.Errorf("a card in phase %q has buttons", rem.Status.Phase)
		}
		checkLimits(t, "card", slack.Card(rem))
		checkLimits(t, "outcome", slack.Outcome(rem))
		for _, n := range rem.Status.Notes {
			checkLimits(t, "note", slack.Note(rem, n))
		}
		encode(t, slack.UndoView(rem, ""))
		for _, v := range []casebook.Verdict{casebook.Approve, casebook.Reject} {
			encode(t, slack.DecisionView(slack.Decision{Remediation: rem, Verdict: v}))
		}
	})
}
