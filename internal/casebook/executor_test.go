package casebook_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/remedy"
	"github.com/netdiag/netdiag/internal/store/memory"
)

func newExecutor(s casebook.Store, c *cluster, holder string) *casebook.Executor {
	return &casebook.Executor{Store: s, Hands: c, Diagnose: c.Diagnose, Now: time.Now, After: time.After, Holder: holder}
}

// run carries out the one fix of c that was approved, with the given number of executors, and returns what became of it.
func run(t *testing.T, c *cluster, executors int, disturb func(*casebook.Book, casebook.Remediation)) casebook.Remediation {
	t.Helper()
	c.now = time.Now
	b := &casebook.Book{Store: memory.New(time.Now), Policy: anyone{}, Now: time.Now, Patience: -1}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for i := range executors {
		wg.Go(func() {
			if err := newExecutor(b.Store, c, fmt.Sprintf("executor-%d", i)).Run(ctx); !errors.Is(err, context.Canceled) {
				t.Errorf("Run: %v", err)
			}
		})
	}
	r := ask(t, b, c, "k")
	if disturb != nil {
		disturb(b, r)
	}
	r = approve(t, b, r)
	r = await(ctx, t, b.Store, r.Name, final)
	cancel()
	wg.Wait()
	return r
}

func notes(r casebook.Remediation) string {
	var b strings.Builder
	for _, n := range r.Status.Notes {
		fmt.Fprintf(&b, "%s: %s\n", n.Key, n.Text)
	}
	return b.String()
}

func TestApprovedIsAppliedOnceAndVerified(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cluster{heals: 40 * time.Second}
		r := run(t, c, 2, nil)
		if r.Status.Phase != casebook.Succeeded || c.applied != 1 || r.Status.Step != casebook.StepVerified || r.Status.Receipt.ID != "sgr-1" {
			t.Errorf("phase %s, applied %d times, step %s, receipt %+v", r.Status.Phase, c.applied, r.Status.Step, r.Status.Receipt)
		}
		if r.Status.Claim.Epoch != 1 {
			t.Errorf("the claim changed hands: epoch %d with a holder that lived", r.Status.Claim.Epoch)
		}
		if took := r.Status.Finished.Sub(r.Status.Applied); took < 40*time.Second || took > time.Minute {
			t.Errorf("verified %s after the change, want not before the targets are healthy and soon after", took)
		}
		want := []string{"applying: Diagnosed again", "applied: Applied.", "progress-1: 1 of 3 targets times out", "progress-2: all 3 targets", "outcome: Done: " + trouble + " is gone"}
		got := strings.Split(strings.TrimSpace(notes(r)), "\n")
		for i, line := range want {
			if len(got) != len(want) || !strings.HasPrefix(got[i], line) {
				t.Fatalf("notes\n%s\nwant them to start with\n%s", notes(r), strings.Join(want, "\n"))
			}
		}
	})
}

// Of much that a fix resolves three are named, and the others counted.
func TestWhatIsGoneIsCounted(t *testing.T) {
	for more, want := range map[int]string{
		0: "Done: " + trouble + " is gone ",
		1: "Done: " + trouble + ", alb/health.timeout tg-0 are gone ",
		4: "Done: " + trouble + ", alb/health.timeout tg-0, alb/health.timeout tg-1 and 2 more are gone ",
	} {
		synctest.Test(t, func(t *testing.T) {
			if r := run(t, &cluster{more: more}, 1, nil); !strings.HasPrefix(r.Status.Outcome, want) {
				t.Errorf("%d more: %s", more, r.Status.Outcome)
			}
		})
	}
}

// Where nothing that was found is a cause, what is left of it is nothing new: success doesn't wait for that to go.
func TestWhatOnlyContributesIsResolvedToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, &cluster{mild: true}, 1, nil)
		if took := r.Status.Finished.Sub(r.Status.Applied); r.Status.Phase != casebook.Succeeded || took > 30*time.Second || strings.Contains(r.Status.Outcome, "something else") {
			t.Errorf("%s %s after the change: %s", r.Status.Phase, took, r.Status.Outcome)
		}
	})
}

func TestTheWorldMovedOn(t *testing.T) {
	for name, c := range map[string]struct {
		disturb func(*cluster)
		want    string
	}{
		"another port":    {func(c *cluster) { c.drift = 9090 }, "Right is now: sg-1: allow tcp 9090"},
		"trouble is gone": {func(c *cluster) { c.healthy = true }, "the trouble is gone: all 3 targets"},
		"latent trouble":  {func(c *cluster) { c.latent = true }, "isn't proposed any more: sg-1 will let nothing in"},
		"another cause":   {func(c *cluster) { c.rule, c.next = true, "alb/hc.path" }, "isn't proposed any more: targets answer 404"},
		"can't be read":   {func(c *cluster) { c.blind = true }, "ec2:DescribeSecurityGroupRules denied"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &cluster{}
				r := run(t, w, 1, func(*casebook.Book, casebook.Remediation) {
					w.mu.Lock()
					defer w.mu.Unlock()
					c.disturb(w)
				})
				if r.Status.Phase != casebook.Superseded || w.applied != 0 || !strings.Contains(r.Status.Outcome, c.want) {
					t.Errorf("phase %s, applied %d times: %s\nwant Superseded with %q", r.Status.Phase, w.applied, r.Status.Outcome, c.want)
				}
			})
		})
	}
}

func TestWhatCanGoWrong(t *testing.T) {
	for name, c := range map[string]struct {
		world   *cluster
		phase   casebook.Phase
		applied int
		want    string // in the outcome
	}{
		"diagnosis fails for a while":      {&cluster{}, casebook.Succeeded, 1, "is gone"},
		"dry run refused":                  {&cluster{}, casebook.Failed, 0, "dry run was refused"},
		"change refused":                   {&cluster{refuse: fmt.Errorf("%w: RulesPerSecurityGroupLimitExceeded", remedy.ErrRefused)}, casebook.Failed, 0, "nothing was changed"},
		"change never arrives":             {&cluster{refuse: errors.New("dial: connection refused")}, casebook.Failed, 0, "tried 3 times and is not there"},
		"answer lost":                      {&cluster{lose: 1}, casebook.Succeeded, 1, "is gone"},
		"can't look before the change":     {&cluster{lookErr: errors.New("describe: throttled")}, casebook.Failed, 0, "could not be looked at before"},
		"does not help":                    {&cluster{heals: time.Hour}, casebook.Succeeded, 1, "What is left is something else: targets are being checked"},
		"next cause shows":                 {&cluster{heals: 20 * time.Second, next: "alb/hc.path"}, casebook.Succeeded, 1, "What is left is something else: targets answer 404"},
		"targets take their time":          {&cluster{dark: 30 * time.Second}, casebook.Succeeded, 1, "all 3 targets are healthy"},
		"trouble without a name is left":   {&cluster{dark: time.Hour}, casebook.Succeeded, 1, "What is left is something else: the cause is not known"},
		"verification can't be read":       {&cluster{}, casebook.NeedsHuman, 1, "ec2:DescribeSecurityGroupRules"},
		"verification can't be run at all": {&cluster{}, casebook.NeedsHuman, 1, "connection reset"},
		"rule is taken away again":         {&cluster{}, casebook.NeedsHuman, 1, "Still there: " + trouble},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := c.world
				var wg sync.WaitGroup
				r := run(t, w, 1, func(b *casebook.Book, r casebook.Remediation) {
					set := func(f func()) {
						w.mu.Lock()
						defer w.mu.Unlock()
						f()
					}
					verifying := func(f func()) {
						wg.Go(func() {
							await(t.Context(), t, b.Store, r.Name, func(r casebook.Remediation) bool { return r.Status.Phase == casebook.Verifying || final(r) })
							set(f)
						})
					}
					switch name {
					case "dry run refused":
						synctest.Wait() // the trial is over
						set(func() { w.deny = fmt.Errorf("%w: UnauthorizedOperation", remedy.ErrRefused) })
					case "diagnosis fails for a while":
						set(func() { w.outage = 5 })
						verifying(func() { w.outage = 5 })
					case "verification can't be read":
						verifying(func() { w.blind = true })
					case "verification can't be run at all":
						verifying(func() { w.outage = 1e6 })
					case "rule is taken away again":
						verifying(func() { w.rule = false })
					}
				})
				wg.Wait()
				if r.Status.Phase != c.phase || w.applied != c.applied || !strings.Contains(r.Status.Outcome, c.want) {
					t.Errorf("phase %s, applied %d times: %s\nwant %s, %d, %q", r.Status.Phase, w.applied, r.Status.Outcome, c.phase, c.applied, c.want)
				}
				if r.Status.Phase == casebook.NeedsHuman && !strings.Contains(r.Status.Outcome, "To undo it: revoke the rule") {
					t.Errorf("outcome without a way back: %s", r.Status.Outcome)
				}
			})
		})
	}
}

func TestWhatIsThereAlreadyIsNobodysReceipt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cluster{}
		// Somebody makes the same rule by hand between the diagnosis and the change.
		hands := &meddled{cluster: c}
		c.now = time.Now
		b := &casebook.Book{Store: memory.New(time.Now), Policy: anyone{}, Now: time.Now, Patience: -1}
		r := approve(t, b, ask(t, b, c, "k"))
		e := newExecutor(b.Store, c, "executor-1")
		e.Hands = hands
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { _ = e.Run(ctx) })
		r = await(ctx, t, b.Store, r.Name, final)
		cancel()
		wg.Wait()
		if r.Status.Phase != casebook.Succeeded || c.applied != 0 || r.Status.Receipt.Owned {
			t.Errorf("phase %s, applied %d times, receipt %+v; want success without a change of ours", r.Status.Phase, c.applied, r.Status.Receipt)
		}
		if !strings.Contains(notes(r), "made by somebody else") {
			t.Errorf("notes don't say so:\n%s", notes(r))
		}
	})
}

type meddled struct{ *cluster }

func (m *meddled) DryRun(context.Context, remedy.Action, remedy.Mark) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rule, m.since, m.foreign = true, m.now(), true
	return nil
}

func TestUnapprovedIsNeverCarriedOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cluster{now: time.Now}
		b := &casebook.Book{Store: memory.New(time.Now), Policy: anyone{}, Now: time.Now, Patience: -1}
		r := ask(t, b, c, "k")
		for _, p := range []casebook.Phase{casebook.Approved, casebook.Preflight, casebook.Applying} {
			forged := r
			forged.Status.Phase = p
			if _, err := b.Store.Remediations.Update(t.Context(), forged); !errors.Is(err, casebook.ErrIllegal) {
				t.Errorf("to %s without a decision: %v, want ErrIllegal", p, err)
			}
		}
		run := func(s casebook.Store) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			_ = newExecutor(s, c, "executor-1").Run(ctx)
		}
		run(b.Store)
		// A store without rules, into which somebody wrote what the machine forbids: the executor goes by its own reading.
		for name, forge := range map[string]func(*casebook.Remediation){
			"no decision":      func(*casebook.Remediation) {},
			"by the requester": func(r *casebook.Remediation) { r.Status.Decisions = []casebook.Decision{decision(*r, requester)} },
			"of another plan": func(r *casebook.Remediation) {
				r.Status.Decisions = []casebook.Decision{decision(*r, approver)}
				r.Status.Decisions[0].Hash = "0"
			},
			"of another action": func(r *casebook.Remediation) {
				r.Status.Decisions = []casebook.Decision{decision(*r, approver)}
				r.Plan.Fix.Action.AllowIngress.Port = 22
			},
			"with fewer approvals": func(r *casebook.Remediation) { r.Plan.Approvals = 0 },
		} {
			forged := r
			a := *r.Plan.Fix.Action.AllowIngress
			forged.Plan.Fix.Action = &remedy.Action{AllowIngress: &a}
			forged.Status.Phase = casebook.Approved
			forge(&forged)
			s := casebook.Store{Halt: b.Store.Halt, Investigations: b.Store.Investigations, Remediations: &lawless{r: forged}}
			run(s)
			if got := get(t, s, forged.Name); got.Status.Phase != casebook.Cancelled {
				t.Errorf("%s: phase %s, want Cancelled", name, got.Status.Phase)
			}
		}
		if c.applied != 0 {
			t.Errorf("applied %d times without approval", c.applied)
		}
	})
}

func decision(r casebook.Remediation, user string) casebook.Decision {
	return casebook.Decision{Team: team, User: user, Verdict: casebook.Approve, Hash: r.Plan.Hash, At: time.Now()}
}

// lawless keeps one record and checks nothing.
type lawless struct {
	casebook.Records[casebook.Remediation]
	mu sync.Mutex
	r  casebook.Remediation
}

func (l *lawless) Get(context.Context, string) (casebook.Remediation, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.r, nil
}

func (l *lawless) List(ctx context.Context) ([]casebook.Remediation, error) {
	r, err := l.Get(ctx, "")
	return []casebook.Remediation{r}, err
}

func (l *lawless) Update(_ context.Context, r casebook.Remediation) (casebook.Remediation, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r.Version += "'"
	l.r = r
	return r, nil
}

func (l *lawless) Delete(context.Context, casebook.Remediation) error { return casebook.ErrNotFound }

func (l *lawless) Watch(ctx context.Context) (<-chan casebook.Remediation, error) {
	ch := make(chan casebook.Remediation)
	go func() {
		defer close(ch)
		for {
			r, _ := l.Get(ctx, "")
			select {
			case ch <- r:
			case <-ctx.Done():
				return
			}
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
				return
			}
		}
	}()
	return ch, nil
}
