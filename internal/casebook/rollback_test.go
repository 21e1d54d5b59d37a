package casebook_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/remedy"
)

// down is aws-node failing on a node, for a while after the change.
func down(after, until time.Duration) []alarm {
	return []alarm{{after, until, diagnostics.Finding{ID: "pending/ipamd-down", Subject: "node-1", Confidence: diagnostics.Confirmed}}}
}

func TestWhatGetsWorseIsTakenBack(t *testing.T) {
	for name, c := range map[string]struct {
		world   *cluster
		meddle  func(*town) // once it is applied
		phase   casebook.Phase
		revoked int
		want    string
	}{
		"aws-node goes down and stays so": {&cluster{alarm: down(3*time.Second, time.Hour)}, nil, casebook.RolledBack, 1, "Taken back: it had got worse"},
		"while it restarts":               {&cluster{alarm: down(3*time.Second, 100*time.Second)}, nil, casebook.Succeeded, 0, "is gone"},
		"again and again for a moment":    {&cluster{alarm: append(down(3*time.Second, 100*time.Second), down(110*time.Second, 200*time.Second)...)}, nil, casebook.Succeeded, 0, "is gone"},
		"somebody changed it since":       {&cluster{alarm: down(0, time.Hour)}, func(u *town) { u.c.changed = true }, casebook.NeedsHuman, 0, "isn't as the change left it"},
		"the answer is lost":              {&cluster{alarm: down(0, time.Hour)}, func(u *town) { u.c.lose = 1 }, casebook.RolledBack, 1, "Taken back"},
		"the undo never arrives":          {&cluster{alarm: down(0, time.Hour)}, func(u *town) { u.c.refuse = errors.New("dial: refused") }, casebook.NeedsHuman, 0, "tried 3 times"},
		"it can't be looked at":           {&cluster{alarm: down(0, time.Hour)}, func(u *town) { u.c.lookErr = errors.New("throttled") }, casebook.NeedsHuman, 0, "could not be seen"},
		"made by somebody else":           {&cluster{alarm: down(0, time.Hour), foreign: true}, nil, casebook.NeedsHuman, 0, "netdiag can't take this change back"},
		"changes are stopped": {&cluster{alarm: down(0, time.Hour)}, func(u *town) {
			if _, err := u.b.Store.Halt.Set(u.ctx, casebook.Halt{On: true}); err != nil {
				u.t.Error(err)
			}
		}, casebook.NeedsHuman, 0, "Changes are stopped"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u := newTown(t, c.world, 2)
				defer u.stop()
				r := approve(t, u.b, ask(t, u.b, u.c, "k"))
				r = await(u.ctx, t, u.b.Store, r.Name, func(r casebook.Remediation) bool { return r.Status.Phase == casebook.Verifying || final(r) })
				if c.meddle != nil {
					u.set(func(*cluster) { c.meddle(u) })
				}
				r = await(u.ctx, t, u.b.Store, r.Name, final)
				if r.Status.Phase != c.phase || u.c.revoked != c.revoked || u.c.applied != 1 || !strings.Contains(r.Status.Outcome, c.want) {
					t.Errorf("phase %s, taken back %d times: %s\nwant %s, %d, %q", r.Status.Phase, u.c.revoked, r.Status.Outcome, c.phase, c.revoked, c.want)
				}
				if c.phase == casebook.RolledBack && (u.c.rule || r.Status.Step != casebook.StepUndone || !strings.Contains(notes(r), "rolling-back: It got worse after the change: pending/ipamd-down node-1. Taking it back: security group sg-1: remove rule sgr-1")) {
					t.Errorf("step %s, notes\n%s", r.Status.Step, notes(r))
				}
			})
		})
	}
}

// table is a table with some columns.
func table(title string, columns string, rows ...string) diagnostics.Table {
	t := diagnostics.Table{Title: title, Columns: strings.Fields(columns)}
	for _, r := range rows {
		t.Rows = append(t.Rows, strings.Split(r, "|"))
	}
	return t
}

// TestFiguresOfAVerification: targets that were healthy fall, pods wait on nodes where none did, faults turn into others.
func TestFiguresOfAVerification(t *testing.T) {
	for name, c := range map[string]struct {
		was, is []diagnostics.Table
		phase   casebook.Phase
		note    string
	}{
		"a healthy target falls": {
			[]diagnostics.Table{table("Targets", "Target State Reason", "10.0.0.1:80|healthy|-", "10.0.0.2:80|unhealthy|Target.Timeout")},
			[]diagnostics.Table{table("Targets", "Target State Reason", "10.0.0.1:80|unhealthy|Target.Timeout", "10.0.0.2:80|unhealthy|Target.Timeout")},
			casebook.RolledBack, "of the targets that were healthy some are not any more: 1 before",
		},
		"one falls and another gets well": {
			[]diagnostics.Table{table("Targets", "Target State Reason", "10.0.0.1:80|healthy|-", "10.0.0.2:80|unhealthy|Target.Timeout")},
			[]diagnostics.Table{table("Targets", "Target State Reason", "10.0.0.1:80|unhealthy|Target.Timeout", "10.0.0.2:80|healthy|-")},
			casebook.Succeeded, "",
		},
		"pods wait where none did": {
			[]diagnostics.Table{table("Nodes", "Node Waiting", "node-1|4", "node-2|0")}, []diagnostics.Table{table("Nodes", "Node Waiting", "node-1|0", "node-2|3")},
			casebook.RolledBack, "pods wait for an address on node node-2, where none did before",
		},
		"pods wait on a new node": {
			[]diagnostics.Table{table("Nodes", "Node Waiting", "node-1|4")}, []diagnostics.Table{table("Nodes", "Node Waiting", "node-1|0", "node-2|3")},
			casebook.Succeeded, "",
		},
		"Timeout became 404": {
			[]diagnostics.Table{table("Targets", "Target State Reason", "10.0.0.1:80|unhealthy|Target.Timeout Request timed out")},
			[]diagnostics.Table{table("Targets", "Target State Reason", "10.0.0.1:80|unhealthy|Target.ResponseCodeMismatch Health checks failed with these codes: [404]")},
			casebook.Succeeded, "1 target: Timeout became [404]. The network is fixed; the application answers the wrong code",
		},
		"Timeout became refused": {
			[]diagnostics.Table{table("Targets", "Target State Reason", "10.0.0.1:80|unhealthy|Target.Timeout")},
			[]diagnostics.Table{table("Targets", "Target State Reason", "10.0.0.1:80|unhealthy|Target.FailedHealthChecks Health checks failed")},
			casebook.Succeeded, "1 target: Timeout became Failed. The network is fixed; the target refuses the connection",
		},
		"addresses come free": {
			[]diagnostics.Table{table("Subnets", "Subnet Available", "subnet-1|0", "subnet-2|not read")}, []diagnostics.Table{table("Subnets", "Subnet Available", "subnet-1|61", "subnet-2|9")},
			casebook.Succeeded, "all 3 targets are healthy; subnet-1 has 61 addresses, 0 before",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u := newTown(t, &cluster{tables: c.was}, 1)
				defer u.stop()
				r := approve(t, u.b, ask(t, u.b, u.c, "k"))
				u.set(func(w *cluster) { w.tables = c.is })
				r = await(u.ctx, t, u.b.Store, r.Name, final)
				if r.Status.Phase != c.phase || !strings.Contains(notes(r), c.note) {
					t.Errorf("phase %s: %s\n%s\nwant %s with %q", r.Status.Phase, r.Status.Outcome, notes(r), c.phase, c.note)
				}
			})
		})
	}
}

// TestAPartOfAChange is neither nothing nor the whole: what was done is stored and told, and a person has to look.
func TestAPartOfAChange(t *testing.T) {
	for name, c := range map[string]struct {
		world *cluster
		want  string
	}{
		"the rest is refused":    {&cluster{refuse: fmt.Errorf("%w: no", remedy.ErrRefused), parts: []string{"node ip-1 cordoned"}}, "was refused"},
		"the rest is never made": {&cluster{refuse: errors.New("dial: refused"), parts: []string{"node ip-1 cordoned"}}, "tried 3 times"},
		"nothing at all is made": {&cluster{refuse: fmt.Errorf("%w: no", remedy.ErrRefused)}, "nothing was changed"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u := newTown(t, c.world, 1)
				defer u.stop()
				r := u.fixed()
				if len(c.world.parts) == 0 {
					if r.Status.Phase != casebook.Failed || !strings.Contains(r.Status.Outcome, c.want) {
						t.Errorf("phase %s: %s", r.Status.Phase, r.Status.Outcome)
					}
					return
				}
				if r.Status.Phase != casebook.NeedsHuman || r.Status.Receipt == nil || len(r.Status.Receipt.Did) != 1 {
					t.Fatalf("phase %s, receipt %+v", r.Status.Phase, r.Status.Receipt)
				}
				for _, want := range []string{c.want, "only a part of it was made: node ip-1 cordoned"} {
					if strings.Contains(r.Status.Outcome, "nothing was changed") || !strings.Contains(r.Status.Outcome, want) {
						t.Errorf("%s\nwant %q", r.Status.Outcome, want)
					}
				}
			})
		})
	}
}
