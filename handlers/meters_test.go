package handlers_test

import (
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/meters"
)

// scraped are the lines of /metrics with one of the prefixes whose value isn't 0.
func scraped(m *meters.Meters, prefixes ...string) []string {
	w := httptest.NewRecorder()
	m.Handler(func() error { return nil }).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	var out []string
	for line := range strings.Lines(w.Body.String()) {
		line = strings.TrimSpace(line)
		if !strings.HasSuffix(line, " 0") && slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(line, p) }) {
			out = append(out, line)
		}
	}
	return out
}

// What people decide and what they are refused is counted, and which fixes are open and how they end.
func TestDecisionsAreMetered(t *testing.T) {
	r := newRig(t)
	c := r.config()
	c.Meters = meters.New("test")
	r.start(c)
	r.ask(maya, ops, "/netdiag pending backend")
	root := r.root(0, "root cause found")
	card := r.card(root)
	check := func(want ...string) {
		t.Helper()
		if diff := cmp.Diff(want, scraped(c.Meters, "netdiag_decisions_total{", "netdiag_fixes{", "netdiag_fixes_ended_total{")); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
	check(`netdiag_fixes{phase="AwaitingApproval"} 1`)
	if err := r.Click(r.context(), maya, ops, card.TS, "Approve"); err != nil { // she asked
		t.Fatal(err)
	}
	r.whispers(maya, 1)
	v := r.consider(jonas, card, "Reject")
	p := submitted(v, guest)
	p["view"].(object)["private_metadata"] = strings.Replace(v.PrivateMetadata, `"Reject"`, `"backend"`, 1)
	r.deliver(1, p) // forged: whatever it says becomes no label
	r.logged(2, "a click refused")
	if problems := r.submit(jonas, nil); len(problems) > 0 {
		t.Fatal(problems)
	}
	r.reply(root, says("Rejected by <@U0JONAS>"))
	if phase := r.fixes()[0].Status.Phase; phase != casebook.Rejected {
		t.Fatal(phase)
	}
	check(`netdiag_decisions_total{end="recorded",verdict="reject"} 1`, `netdiag_decisions_total{end="refused",verdict="approve"} 1`,
		`netdiag_decisions_total{end="refused",verdict="unknown"} 1`, `netdiag_fixes_ended_total{fix="pending/tune-warm-pool",phase="Rejected"} 1`)
}
