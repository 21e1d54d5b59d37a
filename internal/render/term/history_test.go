package term_test

import (
	"bytes"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/render/term"
	"github.com/netdiag/netdiag/internal/store/memory"
	"github.com/netdiag/netdiag/internal/store/storetest"
)

// TestHistory writes a story in which somebody tried to steer the terminal, and one that is not answered yet.
func TestHistory(t *testing.T) {
	at := time.Date(2026, 11, 26, 3, 14, 15, 0, time.UTC)
	now := at
	store := memory.New(func() time.Time { return now })
	add := func(name string, after time.Duration, s casebook.InvestigationStatus) {
		t.Helper()
		now = at.Add(after)
		i, err := store.Investigations.Create(t.Context(), casebook.Investigation{Name: name, Created: at.Add(after), Status: casebook.InvestigationStatus{Phase: casebook.Received},
			Question: casebook.Question{Command: "alb \x1b[31mapi", Diagnosis: "alb", Team: "T0TEAM", User: "U0ASKER", Channel: "C0OPS", At: at}})
		if err != nil {
			t.Fatal(err)
		}
		if s.Phase == "" {
			return
		}
		i.Status.Phase, i.Status.Claim = casebook.Diagnosing, casebook.Claim{Holder: "pod", Epoch: 1, Renewed: at.Add(after), TTL: time.Minute}
		if i, err = store.Investigations.Update(t.Context(), i); err != nil {
			t.Fatal(err)
		}
		s.Claim = i.Status.Claim
		s.Claim.Renewed = s.Claim.Renewed.Add(2 * time.Second)
		i.Status = s
		if _, err := store.Investigations.Update(t.Context(), i); err != nil {
			t.Fatal(err)
		}
	}
	add("inv-1", 0, casebook.InvestigationStatus{Phase: casebook.Reported, Report: &diagnostics.Report{Summary: "3 targets time out"}})
	add("inv-2", time.Minute, casebook.InvestigationStatus{Phase: casebook.Faulted, Error: "It could not be read. Ask again."})
	add("inv-3", 2*time.Minute, casebook.InvestigationStatus{})
	r := storetest.Remediation("rem-1")
	r.Plan.Investigation = "inv-1"
	now = at.Add(3 * time.Second)
	if _, err := store.Remediations.Create(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	cases, err := casebook.History(t.Context(), store, 0)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := term.History(&b, cases, term.Options{Width: 80}); err != nil {
		t.Fatal(err)
	}
	const golden = "testdata/history.txt"
	if *update {
		if err := os.WriteFile(golden, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), b.String()); d != "" {
		t.Error(d)
	}
	if two, err := casebook.History(t.Context(), store, 2); err != nil || len(two) != 2 || two[0].Investigation.Name != "inv-3" {
		t.Errorf("the newest two: %d, error %v", len(two), err)
	}
}
