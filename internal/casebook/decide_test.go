package casebook_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/store/memory"
)

// hand is a clock that is set by hand.
type hand struct {
	mu sync.Mutex
	t  time.Time
}

func newHand() *hand { return &hand{t: time.Date(2026, 11, 22, 10, 30, 0, 0, time.UTC)} }

func (h *hand) now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.t
}

func (h *hand) pass(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.t = h.t.Add(d)
}

func newBook(now func() time.Time) *casebook.Book {
	return &casebook.Book{Store: memory.New(now), Policy: anyone{}, Now: now, Patience: -1}
}

func refusal(err error) string {
	var r diagnostics.Refusal
	if !errors.As(err, &r) {
		return ""
	}
	return string(r)
}

func TestARepeatOfAQuestionIsTheSameQuestion(t *testing.T) {
	h := newHand()
	b := newBook(h.now)
	first, created, err := b.Open(t.Context(), person(requester), question(h.now()), "T|C|U|1")
	if err != nil || !created {
		t.Fatalf("first: created %v, error %v", created, err)
	}
	again, created, err := b.Open(t.Context(), person(requester), question(h.now()), "T|C|U|1")
	if err != nil || created || again.Name != first.Name {
		t.Errorf("repeat: created %v, name %s, error %v; want %s found", created, again.Name, err, first.Name)
	}
	other, created, err := b.Open(t.Context(), person(requester), question(h.now()), "T|C|U|2")
	if err != nil || !created || other.Name == first.Name {
		t.Errorf("another cause: created %v, name %s, error %v", created, other.Name, err)
	}
}

// A question that follows another gets its answer, and no fixes of its own from that.
func TestShare(t *testing.T) {
	h := newHand()
	b := newBook(h.now)
	q := question(h.now())
	for i, end := range []func(casebook.Investigation) error{
		func(inv casebook.Investigation) error {
			_, _, err := b.Report(t.Context(), inv, diagnostics.Report{Summary: "all is well"})
			return err
		},
		func(inv casebook.Investigation) error {
			_, err := b.Fail(t.Context(), inv, "The cluster is gone.")
			return err
		},
	} {
		leader, _, err := b.Open(t.Context(), person(requester), q, fmt.Sprint("leader", i))
		if err != nil {
			t.Fatal(err)
		}
		follows := q
		follows.Follows = leader.Name
		inv, _, err := b.Open(t.Context(), person(second), follows, fmt.Sprint("follower", i))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.Share(t.Context(), inv, leader, "front-1"); !errors.Is(err, casebook.ErrHeld) {
			t.Errorf("before there is an answer: %v, want ErrHeld", err)
		}
		claimed, err := b.Claim(t.Context(), leader.Name, "front-1")
		if err != nil {
			t.Fatal(err)
		}
		if err := end(claimed); err != nil {
			t.Fatal(err)
		}
		if leader, err = b.Store.Investigations.Get(t.Context(), leader.Name); err != nil {
			t.Fatal(err)
		}
		got, err := b.Share(t.Context(), inv, leader, "front-1")
		if err != nil || got.Status.Phase != leader.Status.Phase || got.Status.Error != leader.Status.Error {
			t.Errorf("shared: %+v, %v", got.Status, err)
		}
		if r := got.Status.Report; leader.Status.Report != nil && (r == nil || r.Summary != "all is well") {
			t.Errorf("the report is %+v", r)
		}
		if _, err := b.Share(t.Context(), got, leader, "front-2"); !errors.Is(err, casebook.ErrHeld) {
			t.Errorf("shared twice: %v, want ErrHeld", err)
		}
		stranger, _, err := b.Open(t.Context(), person(second), q, fmt.Sprint("stranger", i))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.Share(t.Context(), stranger, leader, "front-1"); !errors.Is(err, casebook.ErrHeld) {
			t.Errorf("shared with who doesn't follow: %v, want ErrHeld", err)
		}
	}
}

func TestOneReplicaAnswers(t *testing.T) {
	h := newHand()
	b := newBook(h.now)
	inv, _, err := b.Open(t.Context(), person(requester), question(h.now()), "k")
	if err != nil {
		t.Fatal(err)
	}
	mine, err := b.Claim(t.Context(), inv.Name, "front-1")
	if err != nil {
		t.Fatal(err)
	}
	other := &casebook.Book{Store: b.Store, Policy: anyone{}, Now: h.now}
	for range 3 { // a live holder keeps it, however often the other asks
		if _, err := other.Claim(t.Context(), inv.Name, "front-2"); !errors.Is(err, casebook.ErrHeld) {
			t.Fatalf("claim of a held one: %v, want ErrHeld", err)
		}
		h.pass(20 * time.Second)
		if mine, err = b.Renew(t.Context(), mine); err != nil {
			t.Fatalf("renew: %v", err)
		}
	}
	if _, err := other.Claim(t.Context(), inv.Name, "front-2"); !errors.Is(err, casebook.ErrHeld) {
		t.Fatalf("claim just after a renewal: %v, want ErrHeld", err)
	}
	h.pass(time.Minute)
	if _, err := other.Claim(t.Context(), inv.Name, "front-2"); err != nil {
		t.Fatalf("claim of a holder that is gone: %v", err)
	}
	if _, _, err := b.Report(t.Context(), mine, diagnostics.Report{}); !errors.Is(err, casebook.ErrLost) {
		t.Errorf("report of the one that was gone: %v, want ErrLost", err)
	}
}

func TestProposeMakesOnlyWhatIsMissing(t *testing.T) {
	h := newHand()
	b := newBook(h.now)
	r := ask(t, b, &cluster{now: h.now}, "k")
	if r.Status.Phase != casebook.AwaitingApproval || len(r.Status.Nonce) != 32 || !r.Plan.Expires.Equal(h.now().Add(30*time.Minute)) {
		t.Errorf("proposed %+v", r)
	}
	inv, err := b.Store.Investigations.Get(t.Context(), r.Plan.Investigation)
	if err != nil || inv.Status.Phase != casebook.Reported {
		t.Fatalf("investigation %+v, error %v", inv.Status, err)
	}
	again, err := b.Propose(t.Context(), inv)
	if err != nil || len(again) != 1 || again[0].Status.Nonce != r.Status.Nonce {
		t.Errorf("again: %+v, error %v; want the one that is there", again, err)
	}
}

func TestRequesterCannotApproveMediumRisk(t *testing.T) {
	h := newHand()
	b := newBook(h.now)
	r := ask(t, b, &cluster{now: h.now}, "k")
	_, err := b.Decide(t.Context(), r.Name, casebook.Click{Nonce: r.Status.Nonce, By: person(requester), Verdict: casebook.Approve})
	if got := refusal(err); !strings.Contains(got, "somebody else") {
		t.Errorf("self-approval: %v, want a refusal that asks for somebody else", err)
	}
	r, err = b.Store.Remediations.Get(t.Context(), r.Name)
	if err != nil || len(r.Status.Decisions) != 0 || r.Status.Phase != casebook.AwaitingApproval {
		t.Errorf("after a refused self-approval: %+v, error %v", r.Status, err)
	}
	if r = approve(t, b, r); r.Status.Phase != casebook.Approved {
		t.Errorf("approved by another: phase %s", r.Status.Phase)
	}
}

func TestRequesterMayApproveLowRisk(t *testing.T) {
	h := newHand()
	b := newBook(h.now)
	r := plan(t, b, "alb/reconcile-kick")
	r, err := b.Decide(t.Context(), r.Name, casebook.Click{Nonce: r.Status.Nonce, By: person(requester), Verdict: casebook.Approve})
	if err != nil || r.Status.Phase != casebook.Approved {
		t.Errorf("phase %s, error %v", r.Status.Phase, err)
	}
}

func TestHighRiskNeedsTwo(t *testing.T) {
	h := newHand()
	b := newBook(h.now)
	r := plan(t, b, "pending/enable-prefix-delegation")
	click := func(user string) error {
		var err error
		r, err = b.Decide(t.Context(), r.Name, casebook.Click{Nonce: r.Status.Nonce, By: person(user), Verdict: casebook.Approve})
		return err
	}
	if err := click(approver); err != nil || r.Status.Phase != casebook.AwaitingApproval {
		t.Fatalf("first approval: phase %s, error %v", r.Status.Phase, err)
	}
	if err := click(approver); !strings.Contains(refusal(err), "has 1") {
		t.Errorf("the same person again: %v, want the state of the vote", err)
	}
	if err := click(requester); refusal(err) == "" {
		t.Errorf("the requester: %v, want a refusal", err)
	}
	if err := click(second); err != nil || r.Status.Phase != casebook.Approved {
		t.Errorf("second approval: phase %s, error %v", r.Status.Phase, err)
	}
}

// plan proposes a fix of the catalogue that the cluster of these tests doesn't have.
func plan(t *testing.T, b *casebook.Book, fix string) casebook.Remediation {
	t.Helper()
	inv, _, err := b.Open(t.Context(), person(requester), question(b.Now()), fix)
	if err != nil {
		t.Fatal(err)
	}
	if inv, err = b.Claim(t.Context(), inv.Name, "front-1"); err != nil {
		t.Fatal(err)
	}
	a := (&cluster{}).action()
	_, rs, err := b.Report(t.Context(), inv, diagnostics.Report{Fixes: []diagnostics.Fix{{ID: fix, Executable: true, Action: &a}}})
	if err != nil || len(rs) != 1 {
		t.Fatalf("report: %d remediations, error %v", len(rs), err)
	}
	return rs[0]
}

func TestLateAndWrongClicksAreAnswered(t *testing.T) {
	for name, c := range map[string]struct {
		before func(*testing.T, *hand, *casebook.Book, casebook.Remediation)
		click  func(*casebook.Click)
		want   string
		phase  casebook.Phase
	}{
		"wrong nonce": {click: func(c *casebook.Click) { c.Nonce = strings.Repeat("0", 32) }, want: "out of date", phase: casebook.AwaitingApproval},
		"no nonce":    {click: func(c *casebook.Click) { c.Nonce = "" }, want: "out of date", phase: casebook.AwaitingApproval},
		"another message": {before: func(t *testing.T, _ *hand, b *casebook.Book, r casebook.Remediation) {
			if _, err := b.ChangeRemediation(t.Context(), r.Name, func(s *casebook.RemediationStatus) error {
				s.Card = casebook.Message{Channel: "C1", TS: "1.1"}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
		}, click: func(c *casebook.Click) { c.Card = casebook.Message{Channel: "C1", TS: "2.2"} }, want: "out of date", phase: casebook.AwaitingApproval},
		"no verdict": {click: func(c *casebook.Click) { c.Verdict = "Maybe" }, want: "no fix", phase: casebook.AwaitingApproval},
		"expired at the click": {before: func(_ *testing.T, h *hand, _ *casebook.Book, _ casebook.Remediation) {
			h.pass(31 * time.Minute)
		}, want: "expired", phase: casebook.Expired},
		"expired by the timer": {before: func(t *testing.T, h *hand, b *casebook.Book, _ casebook.Remediation) {
			h.pass(31 * time.Minute)
			if err := b.Tend(t.Context()); err != nil {
				t.Fatal(err)
			}
		}, want: "expired", phase: casebook.Expired},
		"decided by another": {before: func(t *testing.T, _ *hand, b *casebook.Book, r casebook.Remediation) {
			if _, err := b.Decide(t.Context(), r.Name, casebook.Click{Nonce: r.Status.Nonce, By: person(second), Verdict: casebook.Reject, Reason: "not now"}); err != nil {
				t.Fatal(err)
			}
		}, want: "rejected by <@" + second + "> at 10:30:00 UTC", phase: casebook.Rejected},
		"decided by oneself": {before: func(t *testing.T, _ *hand, b *casebook.Book, r casebook.Remediation) { approve(t, b, r) },
			want: "approved by <@" + approver + "> at 10:30:00 UTC", phase: casebook.Approved},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHand()
			b := newBook(h.now)
			r := ask(t, b, &cluster{now: h.now}, "k")
			if c.before != nil {
				c.before(t, h, b, r)
			}
			click := casebook.Click{Nonce: r.Status.Nonce, By: person(approver), Verdict: casebook.Approve}
			if c.click != nil {
				c.click(&click)
			}
			got, err := b.Decide(t.Context(), r.Name, click)
			if !strings.Contains(refusal(err), c.want) {
				t.Errorf("answer %v, want a refusal with %q", err, c.want)
			}
			if got.Status.Phase != c.phase {
				t.Errorf("phase %s, want %s", got.Status.Phase, c.phase)
			}
		})
	}
	_, err := newBook(newHand().now).Decide(t.Context(), "rem-forged", casebook.Click{Nonce: "x", By: person(approver), Verdict: casebook.Approve})
	if !strings.Contains(refusal(err), "no fix that I know") {
		t.Errorf("a forged name: %v, want a refusal", err)
	}
}

func TestExpireLeavesTheRest(t *testing.T) {
	h := newHand()
	b := newBook(h.now)
	waiting := ask(t, b, &cluster{now: h.now}, "1")
	approved := approve(t, b, ask(t, b, &cluster{now: h.now}, "2"))
	phases := func() string {
		t.Helper()
		if err := b.Tend(t.Context()); err != nil {
			t.Fatal(err)
		}
		w, err1 := b.Store.Remediations.Get(t.Context(), waiting.Name)
		a, err2 := b.Store.Remediations.Get(t.Context(), approved.Name)
		return fmt.Sprint(w.Status.Phase, a.Status.Phase, errors.Join(err1, err2))
	}
	if got, want := phases(), "AwaitingApprovalApproved<nil>"; got != want {
		t.Errorf("at once: %s, want %s", got, want)
	}
	h.pass(6 * time.Minute)
	if got, want := phases(), "AwaitingApprovalExpired<nil>"; got != want {
		t.Errorf("after 6 minutes: %s, want %s", got, want)
	}
	h.pass(25 * time.Minute)
	if got, want := phases(), "ExpiredExpired<nil>"; got != want {
		t.Errorf("after 31 minutes: %s, want %s", got, want)
	}
}

// unlisted refuses to list all there are.
type unlisted struct {
	casebook.Records[casebook.Remediation]
}

func (unlisted) List(context.Context) ([]casebook.Remediation, error) {
	return nil, errors.New("all that there ever were")
}

// TestTendReadsNothingThatItWasToldOf expires what a watch has shown, without reading any record, and forgets what is gone.
func TestTendReadsNothingThatItWasToldOf(t *testing.T) {
	h := newHand()
	b := newBook(h.now)
	waiting := ask(t, b, &cluster{now: h.now}, "1")
	b.Note(waiting)
	gone := waiting
	gone.Name = "rem-gone"
	b.Note(gone)
	h.pass(31 * time.Minute)
	b.Store.Remediations = unlisted{b.Store.Remediations}
	if err := b.Tend(t.Context()); err != nil {
		t.Fatal(err)
	}
	r, err := b.Store.Remediations.Get(t.Context(), waiting.Name)
	if err != nil || r.Status.Phase != casebook.Expired {
		t.Errorf("%s, error %v", r.Status.Phase, err)
	}
	b.Note(r)
	b.Store.Remediations = nil // nothing is left to be done with it
	if err := b.Tend(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestManyDecideAtOnce(t *testing.T) {
	const clicks = 32
	for round := range 20 {
		h := newHand()
		books := []*casebook.Book{newBook(h.now), {}, {}} // three replicas, one store
		for _, b := range books[1:] {
			b.Store, b.Policy, b.Now = books[0].Store, anyone{}, h.now
		}
		r := ask(t, books[0], &cluster{now: h.now}, "k")
		barrier := make(chan struct{})
		var wg sync.WaitGroup
		errs := make([]error, clicks)
		for i := range clicks { // 16 people, each clicks twice through different replicas; every fourth rejects
			wg.Go(func() {
				c := casebook.Click{Nonce: r.Status.Nonce, By: person(fmt.Sprintf("U%03d", i/2)), Verdict: casebook.Approve}
				if (i/2)%4 == 0 {
					c.Verdict = casebook.Reject
				}
				<-barrier
				_, errs[i] = books[i%3].Decide(t.Context(), r.Name, c)
			})
		}
		close(barrier)
		wg.Wait()
		recorded := 0
		for i, err := range errs {
			var settled *casebook.Settled
			switch {
			case err == nil:
				recorded++
			case !errors.As(err, &settled) || len(settled.Decisions) != 1:
				t.Errorf("round %d, click %d: %v, want who decided", round, i, err)
			}
		}
		r, err := books[0].Store.Remediations.Get(t.Context(), r.Name)
		if err != nil || recorded != 1 || len(r.Status.Decisions) != 1 {
			t.Fatalf("round %d: %d clicks recorded, decisions %+v, error %v; want exactly one", round, recorded, r.Status.Decisions, err)
		}
		want := casebook.Approved
		if r.Status.Decisions[0].Verdict == casebook.Reject {
			want = casebook.Rejected
		}
		if r.Status.Phase != want {
			t.Errorf("round %d: phase %s after %s", round, r.Status.Phase, r.Status.Decisions[0].Verdict)
		}
	}
}
