// Package storetest is the contract of a casebook.Store, as a test that every implementation passes.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/remedy"
)

// Run tests the stores that open makes, each of them empty.
func Run(t *testing.T, open func(t *testing.T) casebook.Store) {
	for name, test := range map[string]func(*testing.T, casebook.Store){
		"create, get and list": testCreate, "update is a compare-and-swap": testUpdate, "what the machine forbids": testIllegal,
		"everything survives": testSurvives, "watch": testWatch, "many at once": testRace, "ended context": testContext, "halt": testHalt, "memos": testMemos,
		"delete": testDelete,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

// patience is how long a test waits for what must come.
const patience = 20 * time.Second

func begin(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func question() casebook.Question {
	return casebook.Question{
		Command: "alb web", Diagnosis: "alb", Target: diagnostics.Target{Cluster: "prod", Region: "us-west-2", Namespace: "shop", Name: "web"},
		Team: "T0TEAM", User: "U0ASKER", Channel: "C0CHANNEL", At: time.Date(2026, 11, 22, 10, 30, 0, 123456000, time.UTC),
	}
}

// Investigation is a new investigation of some name, legal to create.
func Investigation(name string) casebook.Investigation {
	return casebook.Investigation{Name: name, Question: question(), Status: casebook.InvestigationStatus{Phase: casebook.Received}}
}

// Remediation is a new remediation of some name, legal to create.
func Remediation(name string) casebook.Remediation {
	a := remedy.Action{AllowIngress: &remedy.AllowIngress{Group: "sg-1", Source: "sg-2", Port: 8080, Description: `odd text: "<&>\u2028 – ü`}}
	return casebook.Remediation{Name: name, Status: casebook.RemediationStatus{Phase: casebook.Proposed}, Plan: casebook.Plan{
		Investigation: "inv-1", Question: question(), Hash: a.Hash(), Target: a.Target(), Risk: "medium", Approvals: 1,
		Expires: question().At.Add(30 * time.Minute),
		Fix: diagnostics.Fix{
			ID: "alb/allow-pod-port", Title: "Allow the port", Executable: true, Action: &a, Risk: "medium", SettlesIn: "2m",
			Changes: []string{"sg-1: allow tcp 8080 from sg-2"}, Commands: []string{}, Resolves: []string{"alb/sg.target-ingress sg-1"},
		},
	}}
}

func testCreate(t *testing.T, s casebook.Store) {
	ctx := begin(t)
	if _, err := s.Remediations.Get(ctx, "rem-1"); !errors.Is(err, casebook.ErrNotFound) {
		t.Errorf("get what isn't there: %v, want ErrNotFound", err)
	}
	if l, err := s.Remediations.List(ctx); err != nil || len(l) != 0 {
		t.Errorf("list of an empty store: %d, error %v", len(l), err)
	}
	made, err := s.Remediations.Create(ctx, Remediation("rem-1"))
	if err != nil {
		t.Fatalf("create: %v", err)
	}
	if made.Version == "" || made.Created.IsZero() || made.Status.Phase != casebook.Proposed {
		t.Errorf("created %+v, want a version, a time and phase Proposed", made)
	}
	if _, err := s.Remediations.Create(ctx, Remediation("rem-1")); !errors.Is(err, casebook.ErrExists) {
		t.Errorf("create again: %v, want ErrExists", err)
	}
	got, err := s.Remediations.Get(ctx, "rem-1")
	if diff := cmp.Diff(made, got); err != nil || diff != "" {
		t.Errorf("get what was created: error %v, diff (-created +got):\n%s", err, diff)
	}
	if _, err := s.Investigations.Get(ctx, "rem-1"); !errors.Is(err, casebook.ErrNotFound) {
		t.Errorf("an investigation of that name: %v, want ErrNotFound: the two kinds are apart", err)
	}
	names := map[string]bool{}
	for i := range 250 {
		if _, err := s.Investigations.Create(ctx, Investigation(fmt.Sprintf("inv-%d", i))); err != nil {
			t.Fatalf("create: %v", err)
		}
	}
	l, err := s.Investigations.List(ctx)
	for _, i := range l {
		names[i.Name] = true
	}
	if err != nil || len(names) != 250 || len(l) != 250 {
		t.Errorf("list: %d entries, %d names, error %v; want 250", len(l), len(names), err)
	}
}

func testUpdate(t *testing.T, s casebook.Store) {
	ctx := begin(t)
	first, err := s.Remediations.Create(ctx, Remediation("rem-1"))
	if err != nil {
		t.Fatal(err)
	}
	next := first
	next.Status.Phase, next.Status.Nonce = casebook.AwaitingApproval, "00"
	next, err = s.Remediations.Update(ctx, next)
	if err != nil || next.Version == first.Version || next.Status.Nonce != "00" {
		t.Fatalf("update: %+v, error %v", next, err)
	}
	late := first
	late.Status.Phase, late.Status.Nonce = casebook.AwaitingApproval, "11"
	if _, err := s.Remediations.Update(ctx, late); !errors.Is(err, casebook.ErrConflict) {
		t.Errorf("update of a version that is gone: %v, want ErrConflict", err)
	}
	got, err := s.Remediations.Get(ctx, "rem-1")
	if diff := cmp.Diff(next, got); err != nil || diff != "" {
		t.Errorf("after both: error %v, diff (-updated +got):\n%s", err, diff)
	}
	if _, err := s.Remediations.Update(ctx, Remediation("rem-2")); !errors.Is(err, casebook.ErrNotFound) {
		t.Errorf("update of what isn't there: %v, want ErrNotFound", err)
	}
}

func testDelete(t *testing.T, s casebook.Store) {
	ctx := begin(t)
	first, err := s.Remediations.Create(ctx, Remediation("rem-1"))
	if err != nil {
		t.Fatal(err)
	}
	next := first
	next.Status.Phase, next.Status.Nonce = casebook.AwaitingApproval, "00"
	if next, err = s.Remediations.Update(ctx, next); err != nil {
		t.Fatal(err)
	}
	if err := s.Remediations.Delete(ctx, first); !errors.Is(err, casebook.ErrConflict) {
		t.Errorf("delete of a version that is gone: %v, want ErrConflict", err)
	}
	if err := s.Remediations.Delete(ctx, next); err != nil {
		t.Errorf("delete: %v", err)
	}
	if _, err := s.Remediations.Get(ctx, "rem-1"); !errors.Is(err, casebook.ErrNotFound) {
		t.Errorf("get what was deleted: %v, want ErrNotFound", err)
	}
	if err := s.Remediations.Delete(ctx, next); !errors.Is(err, casebook.ErrNotFound) {
		t.Errorf("delete again: %v, want ErrNotFound", err)
	}
}

func testIllegal(t *testing.T, s casebook.Store) {
	ctx := begin(t)
	for name, spoil := range map[string]func(*casebook.Remediation){
		"created approved":           func(r *casebook.Remediation) { r.Status.Phase = casebook.Approved },
		"created with another hash":  func(r *casebook.Remediation) { r.Plan.Hash = "0" },
		"created without a question": func(r *casebook.Remediation) { r.Plan.Question = casebook.Question{} },
	} {
		r := Remediation("rem-1")
		spoil(&r)
		if _, err := s.Remediations.Create(ctx, r); !errors.Is(err, casebook.ErrIllegal) {
			t.Errorf("%s: %v, want ErrIllegal", name, err)
		}
	}
	made, err := s.Remediations.Create(ctx, Remediation("rem-1"))
	if err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*casebook.Remediation){
		"a phase skipped":    func(r *casebook.Remediation) { r.Status.Phase = casebook.Approved },
		"the plan changed":   func(r *casebook.Remediation) { r.Plan.Approvals = 2 },
		"decided too early":  func(r *casebook.Remediation) { r.Status.Decisions = []casebook.Decision{{User: "U1"}} },
		"claim without turn": func(r *casebook.Remediation) { r.Status.Claim.Holder = "executor-1" },
	} {
		r := made
		spoil(&r)
		if _, err := s.Remediations.Update(ctx, r); !errors.Is(err, casebook.ErrIllegal) {
			t.Errorf("%s: %v, want ErrIllegal", name, err)
		}
	}
	got, err := s.Remediations.Get(ctx, "rem-1")
	if diff := cmp.Diff(made, got); err != nil || diff != "" {
		t.Errorf("after refused changes: error %v, diff:\n%s", err, diff)
	}
	inv, err := s.Investigations.Create(ctx, Investigation("inv-1"))
	if err != nil {
		t.Fatal(err)
	}
	inv.Status.Phase = casebook.Reported
	if _, err := s.Investigations.Update(ctx, inv); !errors.Is(err, casebook.ErrIllegal) {
		t.Errorf("reported without a report: %v, want ErrIllegal", err)
	}
}

// testSurvives takes a remediation through a whole life, with every field set, and reads it back.
func testSurvives(t *testing.T, s casebook.Store) {
	ctx := begin(t)
	r, err := s.Remediations.Create(ctx, Remediation("rem-1"))
	if err != nil {
		t.Fatal(err)
	}
	at := question().At
	undo := remedy.Action{RevokeIngress: &remedy.RevokeIngress{Group: "sg-1", Rule: "sgr-1", Source: "sg-2", Port: 8080}}
	for _, step := range []func(*casebook.RemediationStatus){
		func(s *casebook.RemediationStatus) { s.Trial = &casebook.Trial{At: at} },
		func(s *casebook.RemediationStatus) { s.Phase, s.Nonce = casebook.AwaitingApproval, "00" },
		func(s *casebook.RemediationStatus) {
			s.Card, s.Posted, s.Shown = casebook.Message{Channel: "C1", TS: "1.1"}, map[string]string{"card": "1.1"}, "0d1g"
			s.Delivery = casebook.Claim{Holder: "serve-1", Epoch: 1, Renewed: at, TTL: 30 * time.Second}
		},
		func(s *casebook.RemediationStatus) {
			s.Phase = casebook.Approved
			s.Decisions = []casebook.Decision{{Team: "T0TEAM", User: "U0APPROVER", Verdict: casebook.Approve, Hash: r.Plan.Hash, At: at, Reason: "\"go\" <&>"}}
		},
		func(s *casebook.RemediationStatus) {
			s.Phase, s.Claim = casebook.Preflight, casebook.Claim{Holder: "executor-1", Epoch: 1, Renewed: at, TTL: 30 * time.Second}
		},
		func(s *casebook.RemediationStatus) {
			s.Phase, s.Step, s.Attempts, s.Started = casebook.Applying, casebook.StepInFlight, 1, at
		},
		func(s *casebook.RemediationStatus) {
			s.Phase, s.Step, s.Applied, s.Deadline = casebook.Verifying, casebook.StepApplied, at, at.Add(time.Minute)
			s.Receipt = &remedy.Receipt{ID: "sgr-1", Owned: true, Undo: &undo}
		},
		func(s *casebook.RemediationStatus) {
			s.Phase, s.Step, s.Outcome, s.Finished = casebook.Succeeded, casebook.StepVerified, "Done.", at.Add(time.Minute)
			s.Notes = []casebook.Note{{Key: "outcome", At: at, Text: "Done."}}
			s.Watch = &casebook.Watch{Until: at.Add(time.Hour), State: casebook.Watching, At: at}
		},
		func(s *casebook.RemediationStatus) {
			s.Watch = &casebook.Watch{Until: at.Add(time.Hour), State: casebook.Held, At: at.Add(time.Hour)}
		},
	} {
		want := r
		step(&want.Status)
		if r, err = s.Remediations.Update(ctx, want); err != nil {
			t.Fatalf("update: %v", err)
		}
		want.Version = r.Version
		if diff := cmp.Diff(want, r); diff != "" {
			t.Fatalf("stored otherwise (-want +got):\n%s", diff)
		}
		if got, err := s.Remediations.Get(ctx, "rem-1"); err != nil || cmp.Diff(want, got) != "" {
			t.Fatalf("read otherwise: error %v (-want +got):\n%s", err, cmp.Diff(want, got))
		}
	}
}

func testRace(t *testing.T, s casebook.Store) {
	ctx := begin(t)
	const racers = 16
	race := func(f func(i int) error) (won int) {
		barrier := make(chan struct{})
		var wg sync.WaitGroup
		errs := make([]error, racers)
		for i := range racers {
			wg.Go(func() {
				<-barrier
				errs[i] = f(i)
			})
		}
		close(barrier)
		wg.Wait()
		for _, err := range errs {
			switch {
			case err == nil:
				won++
			case !errors.Is(err, casebook.ErrExists) && !errors.Is(err, casebook.ErrConflict):
				t.Errorf("lost with %v, want ErrExists or ErrConflict", err)
			}
		}
		return won
	}
	if won := race(func(int) error {
		_, err := s.Remediations.Create(ctx, Remediation("rem-1"))
		return err
	}); won != 1 {
		t.Errorf("%d created the same record", won)
	}
	for round := range 10 {
		r, err := s.Remediations.Get(ctx, "rem-1")
		if err != nil {
			t.Fatal(err)
		}
		if won := race(func(i int) error {
			mine := r
			mine.Status.Nonce = fmt.Sprintf("%d-%d", round, i)
			_, err := s.Remediations.Update(ctx, mine)
			return err
		}); won != 1 {
			t.Errorf("round %d: %d updates of the same version were taken", round, won)
		}
	}
}

func testContext(t *testing.T, s casebook.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Remediations.Create(ctx, Remediation("rem-1"))
	if err == nil {
		t.Error("created under a context that had ended")
	}
	if _, err := s.Remediations.List(ctx); err == nil {
		t.Error("listed under a context that had ended")
	}
}
