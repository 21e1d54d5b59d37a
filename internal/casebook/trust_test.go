package casebook_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/store/memory"
)

// TestTheExecutorBelievesLittle: its own settings and its own clock stand above what the record says.
func TestTheExecutorBelievesLittle(t *testing.T) {
	for name, c := range map[string]struct {
		trusts func(string, casebook.Remediation) bool
		forge  func(*casebook.Remediation)
		want   string // empty: carried out
	}{
		"believed":         {nil, nil, ""},
		"trusted":          {func(user string, _ casebook.Remediation) bool { return user == approver }, nil, ""},
		"by somebody else": {func(user string, _ casebook.Remediation) bool { return user == second }, nil, "by the settings of the executor, too few"},
		"by nobody at all": {func(string, casebook.Remediation) bool { return false }, nil, "by the settings of the executor, too few"},
		"for too long":     {nil, func(r *casebook.Remediation) { r.Plan.Expires = r.Plan.Expires.Add(time.Hour) }, "approved for longer than 30 minutes"},
		"dated ahead":      {nil, func(r *casebook.Remediation) { r.Status.Decisions[0].At = time.Now().Add(20 * time.Minute) }, "dated after the executor's own clock"},
		"long expired": {nil, func(r *casebook.Remediation) {
			r.Created, r.Plan.Expires = r.Created.Add(-time.Hour), r.Plan.Expires.Add(-time.Hour)
		}, "had expired before"},
		"of another cluster": {nil, func(r *casebook.Remediation) { r.Plan.Question.Target.Cluster = "staging" }, "about another cluster"},
		"approved, and rejected": {nil, func(r *casebook.Remediation) {
			r.Status.Decisions = append(r.Status.Decisions, decision(*r, second))
			r.Status.Decisions[1].Verdict = casebook.Reject
		}, "rejected it"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &cluster{now: time.Now}
				b := &casebook.Book{Store: memory.New(time.Now), Policy: anyone{}, Now: time.Now, Patience: -1}
				r := approve(t, b, ask(t, b, w, "k"))
				if c.forge != nil {
					c.forge(&r)
				}
				s := casebook.Store{Halt: b.Store.Halt, Investigations: b.Store.Investigations, Remediations: &lawless{r: r}}
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				e := newExecutor(s, w, "executor-1")
				e.Trusts, e.Cluster = c.trusts, "prod"
				_ = e.Run(ctx)
				r = get(t, s, r.Name)
				if carried := r.Status.Phase == casebook.Succeeded; carried != (c.want == "") || carried != (w.applied == 1) || !strings.Contains(r.Status.Outcome, c.want) {
					t.Errorf("phase %s, applied %d times: %s", r.Status.Phase, w.applied, r.Status.Outcome)
				}
				if c.want != "" && r.Status.Phase != casebook.Cancelled {
					t.Errorf("phase %s, want Cancelled", r.Status.Phase)
				}
			})
		})
	}
}

// TestOneChangeOfATargetInHalfAnHour: a thing that needs changing again and again is at odds with somebody. An undo
// doesn't wait.
func TestOneChangeOfATargetInHalfAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newTown(t, &cluster{}, 2)
		defer u.stop()
		first := u.fixed()
		undo, _ := u.undo(first.Name, second)
		approve(t, u.b, undo)
		if undo = await(u.ctx, t, u.b.Store, undo.Name, final); undo.Status.Phase != casebook.Succeeded {
			t.Fatalf("the undo: %s: %s", undo.Status.Phase, undo.Status.Outcome)
		}
		soon := await(u.ctx, t, u.b.Store, ask(t, u.b, u.c, "again").Name, func(r casebook.Remediation) bool { return r.Status.Trial != nil })
		if why := soon.Status.Trial.Refused; !strings.Contains(why, "security-group/sg-1 was changed at ") || !strings.Contains(why, "Ask again after ") {
			t.Errorf("soon after: %q", why)
		}
		time.Sleep(30 * time.Minute) // of the bubble
		late := approve(t, u.b, ask(t, u.b, u.c, "later"))
		if late = await(u.ctx, t, u.b.Store, late.Name, final); late.Status.Phase != casebook.Succeeded || u.c.applied != 2 {
			t.Errorf("half an hour later: %s: %s", late.Status.Phase, late.Status.Outcome)
		}
	})
}

// TestAnotherPortDoesNotWait: another port of the same security group is nothing that anybody is at odds about.
func TestAnotherPortDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newTown(t, &cluster{}, 2)
		defer u.stop()
		first := u.fixed()
		undo, _ := u.undo(first.Name, second)
		approve(t, u.b, undo)
		await(u.ctx, t, u.b.Store, undo.Name, final)
		u.set(func(c *cluster) { c.drift = 9090 })
		other := await(u.ctx, t, u.b.Store, ask(t, u.b, u.c, "another port").Name, func(r casebook.Remediation) bool { return r.Status.Trial != nil })
		if other.Status.Trial.Refused != "" {
			t.Errorf("another port: %q", other.Status.Trial.Refused)
		}
	})
}
