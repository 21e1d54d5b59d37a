package casebook_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/remedy"
)

// long is a report with n of everything, each with a text of some length.
func long(n, text int) diagnostics.Report {
	s := strings.Repeat("ü", text/2)
	var r diagnostics.Report
	a := remedy.Action{AllowIngress: &remedy.AllowIngress{Group: "sg-1", Source: "sg-2", Port: 80}}
	r.Fixes = []diagnostics.Fix{{ID: "alb/allow-pod-port", Executable: true, Action: &a, Changes: []string{"sg-1"}, Resolves: []string{"alb/hc.path 0"}}}
	r.Tables = []diagnostics.Table{{Title: "Targets", Columns: []string{"Target"}}}
	for i := range n {
		f := diagnostics.Finding{ID: "alb/hc.path", Subject: fmt.Sprint(i), Summary: s, Affects: []string{s}, Evidence: []diagnostics.Evidence{{Value: s}, {Value: s}}}
		r.Causes, r.Contributing, r.Symptoms = append(r.Causes, f), append(r.Contributing, f), append(r.Symptoms, f)
		r.Tables[0].Rows = append(r.Tables[0].Rows, []string{s})
		r.Steps = append(r.Steps, diagnostics.Step{Finding: s})
		r.Timeline = append(r.Timeline, diagnostics.Moment{What: s})
		r.Passed = append(r.Passed, diagnostics.Passed{Summary: s})
		r.Gaps = append(r.Gaps, diagnostics.Gap{Permission: fmt.Sprint(i), Summary: s})
		r.Fixes = append(r.Fixes, diagnostics.Fix{ID: "alb/edit-nacl", Commands: []string{s}})
	}
	return r
}

// TestFit: a report that is too long loses its least, says so, and keeps what a fix is verified by.
func TestFit(t *testing.T) {
	for _, c := range []struct{ n, text int }{{1000, 200}, {100, 5000}, {2, 500_000}, {4000, 10}} {
		if raceDetector && c.text > 1000 {
			continue // megabytes are dear under it, and one goroutine writes them
		}
		was := long(c.n, c.text)
		before, err := json.Marshal(was)
		if err != nil {
			t.Fatal(err)
		}
		got := casebook.Fit(was)
		b, err := json.Marshal(got)
		if err != nil || len(b) > 1<<20 {
			t.Errorf("%d × %d: %d bytes, error %v", c.n, c.text, len(b), err)
		}
		last := got.Steps[len(got.Steps)-1]
		if last.Title != "Left out" || !strings.Contains(last.Finding, "Left out are: ") {
			t.Errorf("%d × %d: the last step is %+v", c.n, c.text, last)
		}
		if diff := cmp.Diff(was.Fixes[0], got.Fixes[0]); diff != "" {
			t.Errorf("%d × %d: what can be carried out:\n%s", c.n, c.text, diff)
		}
		if _, there := got.Finding("alb/hc.path 0"); !there {
			t.Errorf("%d × %d: the first cause is gone", c.n, c.text)
		}
		if omitted := was.Tables[0].Omitted + len(was.Tables[0].Rows); got.Tables[0].Omitted+len(got.Tables[0].Rows) != omitted {
			t.Errorf("%d × %d: %d rows and %d omitted, want %d together", c.n, c.text, len(got.Tables[0].Rows), got.Tables[0].Omitted, omitted)
		}
		if again, err := json.Marshal(was); err != nil || !bytes.Equal(before, again) {
			t.Errorf("%d × %d: the report itself was changed", c.n, c.text)
		}
	}
	short := long(3, 10)
	if diff := cmp.Diff(short, casebook.Fit(short)); diff != "" {
		t.Errorf("one that isn't too long (-was +is):\n%s", diff)
	}
	left := casebook.Fit(long(1000, 200)).Steps
	t.Log(left[len(left)-1].Finding)
}

// TestALongReportIsStored cut, and its fixes are proposed.
func TestALongReportIsStored(t *testing.T) {
	h := newHand()
	b := newBook(h.now)
	inv, _, err := b.Open(t.Context(), person(requester), question(h.now()), "k")
	if err == nil {
		inv, err = b.Claim(t.Context(), inv.Name, "front-1")
	}
	if err != nil {
		t.Fatal(err)
	}
	inv, rs, err := b.Report(t.Context(), inv, long(1000, 500))
	if err != nil || len(rs) != 1 {
		t.Fatalf("%d fixes proposed, error %v", len(rs), err)
	}
	if text, err := json.Marshal(inv); err != nil || len(text) > 1100_000 {
		t.Errorf("%d bytes, error %v", len(text), err)
	}
}
