package casebook_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/store/memory"
)

// sick is a ledger that may be out of order.
type sick struct {
	memory.Ledger
	mu  sync.Mutex
	err error
}

func (s *sick) set(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

func (s *sick) Enter(ctx context.Context, e casebook.Entry) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return false, s.err
	}
	return s.Ledger.Enter(ctx, e)
}

// diary is what several processes log together.
type diary struct {
	mu    sync.Mutex
	lines []string
}

func (d *diary) log(e casebook.Entry, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, fmt.Sprintf("%s %s %v", e.Reason, e.By, err))
}

func (d *diary) sorted() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Sorted(slices.Values(d.lines))
}

// audits runs n audits on one store and ledger until the function that it returns is called.
func audits(t *testing.T, n int, store casebook.Store, l casebook.Ledger, d *diary) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for range n {
		a := &casebook.Audit{Store: store, Ledger: l, Now: time.Now, After: time.After, Log: d.log}
		wg.Go(func() {
			if err := a.Run(ctx); !errors.Is(err, context.Canceled) {
				t.Errorf("audit: %v", err)
			}
		})
	}
	return func() { cancel(); wg.Wait() }
}

func TestEachEntryIsWrittenAndLoggedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory.New(time.Now)
		b := &casebook.Book{Store: store, Policy: anyone{}, Now: time.Now}
		q := casebook.Question{Command: "alb web", Diagnosis: "alb", Team: team, User: requester, Channel: "C0OPS", At: time.Now()}
		if _, _, err := b.Open(t.Context(), person(requester), q, "old"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(casebook.AuditAge + time.Minute) // of the bubble: what is older than Events are kept is not written again
		d, l := &diary{}, &sick{}
		stop := audits(t, 4, store, l, d)
		inv, _, err := b.Open(t.Context(), person(requester), q, "new")
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		l.set(errors.New("the API server is away"))
		inv, err = b.Claim(t.Context(), inv.Name, "pod")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.Fail(t.Context(), inv, "It could not be read."); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		stop()
		d.lines = slices.Compact(d.sorted()) // each process says that it could not write
		want := []string{"Asked U0ASKER <nil>", "Failed  the API server is away"}
		if diff := cmp.Diff(want, d.lines); diff != "" {
			t.Error(diff)
		}

		d = &diary{}
		stop = audits(t, 2, store, l, d)
		synctest.Wait()
		l.set(nil)
		time.Sleep(time.Minute)
		synctest.Wait()
		stop()
		// Both logged that they could not; neither logs once more that it could at last.
		if diff := cmp.Diff([]string{"Asked U0ASKER the API server is away", "Failed  the API server is away"}, slices.Compact(d.sorted())); diff != "" {
			t.Error(diff)
		}
		fresh, err := l.Enter(t.Context(), casebook.Entry{Record: inv.Name, Key: "answered"})
		if err != nil || fresh {
			t.Errorf("what was late is not in the ledger: fresh %t, error %v", fresh, err)
		}
	})
}

func TestEntriesTellTheWholeStory(t *testing.T) {
	at := time.Date(2026, 11, 26, 3, 0, 0, 0, time.UTC)
	after := func(s int) time.Time { return at.Add(time.Duration(s) * time.Second) }
	r := casebook.Remediation{Name: "rem-1", Created: at}
	r.Plan.Fix.ID, r.Plan.Fix.Changes, r.Plan.Target, r.Plan.Risk, r.Plan.Hash = "alb/allow-pod-port", []string{"sg-1: tcp 8080 from sg-2"}, "security-group/sg-1", "medium", "0123456789abcdef"
	r.Plan.Question.User = requester
	r.Status = casebook.RemediationStatus{
		Phase: casebook.NeedsHuman, Outcome: "It did not help.", Finished: after(60),
		Decisions: []casebook.Decision{{User: approver, Verdict: casebook.Approve, Hash: r.Plan.Hash, At: after(10)}},
		Notes:     []casebook.Note{{Key: "applied", At: after(20), Text: "Applied."}, {Key: "progress-1", At: after(30), Text: "1 of 3"}, {Key: "outcome", At: after(60), Text: "It did not help."}},
	}
	var got []string
	for _, e := range r.Entries() {
		got = append(got, fmt.Sprintf("%s %s %s %t: %s", e.Key, e.Reason, e.By, e.Bad, e.Text))
	}
	want := []string{
		"proposed Proposed U0ASKER false: alb/allow-pod-port on security-group/sg-1, risk medium: sg-1: tcp 8080 from sg-2",
		"decision-U0APPROVER Approve U0APPROVER false: Approve by U0APPROVER of plan 0123456789ab",
		"note-applied Applied  false: Applied.",
		"note-progress-1 Progress  false: 1 of 3",
		"note-outcome NeedsHuman  true: It did not help.",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}
