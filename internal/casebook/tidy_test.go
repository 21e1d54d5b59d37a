package casebook_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/netdiag/netdiag/internal/casebook"
)

// shelf keeps records as they are given, and takes note of what is deleted.
type shelf[T any] struct {
	casebook.Records[T]
	records []T
	gone    []string
	name    func(T) string
}

func (s *shelf[T]) List(context.Context) ([]T, error) { return s.records, nil }

func (s *shelf[T]) Delete(_ context.Context, r T) error {
	s.gone = append(s.gone, s.name(r))
	return nil
}

// TestTidy: a question goes a week after it was answered, a fix a quarter after it ended, and nothing that is open or that
// something open needs.
func TestTidy(t *testing.T) {
	now := time.Date(2026, 11, 22, 10, 30, 0, 0, time.UTC)
	day := func(n int) time.Time { return now.Add(-time.Duration(n)*24*time.Hour - time.Minute) }
	inv := func(name string, created time.Time, p casebook.InvestigationPhase, change ...func(*casebook.Investigation)) casebook.Investigation {
		i := casebook.Investigation{Name: name, Created: created, Status: casebook.InvestigationStatus{Phase: p}}
		for _, f := range change {
			f(&i)
		}
		return i
	}
	rem := func(name string, finished time.Time, p casebook.Phase, change ...func(*casebook.Remediation)) casebook.Remediation {
		r := casebook.Remediation{Name: name, Created: finished, Status: casebook.RemediationStatus{Phase: p, Finished: finished}}
		for _, f := range change {
			f(&r)
		}
		return r
	}
	invs := &shelf[casebook.Investigation]{name: func(i casebook.Investigation) string { return i.Name }, records: []casebook.Investigation{
		inv("gone-answered", day(7), casebook.Reported), inv("gone-failed", day(8), casebook.Faulted), inv("gone-long-ago", day(400), casebook.Reported),
		inv("young", day(6), casebook.Reported), inv("open", day(30), casebook.Diagnosing, func(i *casebook.Investigation) { i.Question.Follows = "followed" }),
		inv("followed", day(30), casebook.Reported), inv("fix-is-open", day(30), casebook.Reported), inv("fix-is-watched", day(30), casebook.Reported),
		inv("fix-is-over", day(30), casebook.Reported, func(i *casebook.Investigation) { i.Name = "gone-fix-is-over" }),
		inv("anew", day(1), casebook.Received, func(i *casebook.Investigation) { i.Question.After = "asked-anew" }),
	}}
	rems := &shelf[casebook.Remediation]{name: func(r casebook.Remediation) string { return r.Name }, records: []casebook.Remediation{
		rem("gone-done", day(90), casebook.Succeeded), rem("gone-expired", day(91), casebook.Expired),
		rem("young", day(89), casebook.Succeeded), rem("asked-anew", day(100), casebook.Superseded),
		rem("undo", day(0), casebook.AwaitingApproval, func(r *casebook.Remediation) { r.Plan.Undoes, r.Plan.Investigation = "undone", "fix-is-open" }),
		rem("undone", day(200), casebook.Succeeded), rem("next", day(0), casebook.Verifying, func(r *casebook.Remediation) { r.Plan.Follows = "before" }),
		rem("before", day(200), casebook.Succeeded), rem("person", day(200), casebook.NeedsHuman), rem("undated", time.Time{}, casebook.Failed),
		rem("watched", now, casebook.Succeeded, func(r *casebook.Remediation) {
			r.Plan.Investigation = "fix-is-watched"
			r.Status.Watch = &casebook.Watch{Until: now.Add(time.Minute), State: casebook.Watching}
		}),
		rem("over", day(1), casebook.Succeeded, func(r *casebook.Remediation) { r.Plan.Investigation = "gone-fix-is-over" }),
	}}
	n, err := casebook.Tidy(t.Context(), casebook.Store{Investigations: invs, Remediations: rems}, now)
	gone := slices.Concat(invs.gone, rems.gone)
	if err != nil || n != len(gone) {
		t.Errorf("%d deleted, said %d, error %v", len(gone), n, err)
	}
	want := 0
	for _, i := range invs.records {
		if strings.HasPrefix(i.Name, "gone-") {
			want++
		}
	}
	for _, r := range rems.records {
		if strings.HasPrefix(r.Name, "gone-") {
			want++
		}
	}
	if stayed := slices.ContainsFunc(gone, func(name string) bool { return !strings.HasPrefix(name, "gone-") }); stayed || len(gone) != want {
		t.Errorf("deleted %q, want the %d that begin with gone-", gone, want)
	}
}
