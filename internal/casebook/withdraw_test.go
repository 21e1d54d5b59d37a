package casebook_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/netdiag/netdiag/internal/casebook"
)

// What was proposed beside a fix that succeeded is withdrawn where it would resolve nothing more; what is about something
// else, of another answer, decided already or an undo stays.
func TestWithdraw(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newTown(t, &cluster{}, 1)
		r := u.fixed()
		u.stop()
		all := u.b.Store.Remediations
		beside := func(name string, change func(*casebook.Remediation)) {
			o := r
			o.Name, o.Version, o.Status = name, "", casebook.RemediationStatus{Phase: casebook.Proposed}
			change(&o)
			if _, err := all.Create(t.Context(), o); err != nil {
				t.Fatal(err)
			}
			if _, err := u.b.Ask(t.Context(), name); err != nil {
				t.Fatal(err)
			}
		}
		beside("rem-same", func(*casebook.Remediation) {})
		beside("rem-less", func(o *casebook.Remediation) { o.Plan.Fix.ID = "alb/manage-rules" })
		beside("rem-more", func(o *casebook.Remediation) {
			o.Plan.Fix.Resolves = append([]string{"alb/hc.path x"}, o.Plan.Fix.Resolves...)
		})
		beside("rem-nothing", func(o *casebook.Remediation) { o.Plan.Fix.Resolves = nil })
		beside("rem-elsewhere", func(o *casebook.Remediation) { o.Plan.Investigation = "inv-other" })
		beside("rem-undo", func(o *casebook.Remediation) { o.Plan.Undoes = r.Name })
		beside("rem-decided", func(*casebook.Remediation) {})
		approve(t, u.b, get(t, u.b.Store, "rem-decided"))

		open := get(t, u.b.Store, "rem-same")
		if err := u.b.Withdraw(t.Context(), open); err != nil || get(t, u.b.Store, "rem-less").Status.Phase != casebook.AwaitingApproval {
			t.Errorf("what has not succeeded withdraws others; %v", err)
		}
		for range 2 {
			if err := u.b.Withdraw(t.Context(), r); err != nil {
				t.Fatal(err)
			}
		}
		for name, want := range map[string]casebook.Phase{
			"rem-same": casebook.Cancelled, "rem-less": casebook.Cancelled, "rem-more": casebook.AwaitingApproval, "rem-nothing": casebook.AwaitingApproval,
			"rem-elsewhere": casebook.AwaitingApproval, "rem-undo": casebook.AwaitingApproval, "rem-decided": casebook.Approved, r.Name: casebook.Succeeded,
		} {
			s := get(t, u.b.Store, name).Status
			if s.Phase != want || want == casebook.Cancelled && !strings.Contains(s.Outcome, "the trouble is gone since "+r.Plan.Fix.ID+" was done ("+r.Name+")") {
				t.Errorf("%s: %s %q, want %s", name, s.Phase, s.Outcome, want)
			}
		}
	})
}
