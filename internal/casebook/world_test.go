package casebook_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/remedy"
)

const (
	requester = "U0ASKER"
	approver  = "U0APPROVER"
	second    = "U0SECOND"
	team      = "T0TEAM"
)

// anyone lets everybody do everything: who may is the policy's matter and tested there.
type anyone struct{}

func (anyone) MayAsk(casebook.Person, casebook.Question) error { return nil }
func (anyone) MayDecide(casebook.Person, casebook.Verdict, casebook.Remediation) error {
	return nil
}

func (anyone) MayResume(casebook.Person) error { return nil }

func person(user string) casebook.Person { return casebook.Person{Team: team, Home: team, User: user} }

// cluster is a world with one trouble: target group tg times out until the rule is there, and for a while after.
type cluster struct {
	mu      sync.Mutex
	now     func() time.Time
	rule    bool
	since   time.Time     // of the rule
	heals   time.Duration // from the rule until targets are healthy
	applied int           // calls that made the rule
	foreign bool          // the rule was there already
	lag     time.Duration // from the rule until Look shows it
	lose    int           // answers to Apply that get lost, after the rule was made
	refuse  error         // what Apply answers instead of doing anything
	drift   int           // port that the fix proposes instead; 0: the approved one
	healthy bool          // the trouble went away by itself
	more    int           // further things that the fix resolves
	mild    bool          // all that is found only contributes, and there is more of it than the fix is for
	latent  bool          // nobody is hurt, and no fix is known, but what was found is still there
	deny    error         // of DryRun
	next    string        // a cause that shows once the first is gone
	dark    time.Duration // from the rule, while targets are unhealthy still and no cause can be named
	blind   bool          // the deciding read is denied
	outage  int           // diagnoses that fail
	lookErr error
	looks   int
	tables  []diagnostics.Table
	runs    int
	revoked int           // calls that took the rule back
	changed bool          // somebody changed the rule since it was made: it is nobody's to take back
	parts   []string      // what Look says of a change that is not done
	alarm   []alarm       // further findings, once the rule is there
	gone    time.Time     // of the rule: when it was taken back
	fails   time.Duration // from a change until the service says that it has failed; 0 where it doesn't
	deaf    int           // questions after that which get no answer
	rolls   time.Duration // from a change until the service has carried it out
}

// Follow implements remedy.Follower.
func (c *cluster) Follow(ctx context.Context, _ remedy.Action, _ remedy.Mark, r remedy.Receipt) (remedy.Fate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return remedy.Fate{}, err
	}
	if c.deaf > 0 {
		c.deaf--
		return remedy.Fate{}, errors.New("describe update: throttled")
	}
	since := c.since
	if !c.rule {
		since = c.gone
	}
	if c.fails == 0 || c.now().Before(since.Add(c.fails)) {
		return remedy.Fate{Open: c.now().Before(since.Add(c.rolls))}, nil
	}
	return remedy.Fate{Failed: "update " + r.ID + " is Failed (Conflict: somebody else)."}, nil
}

// alarm is trouble that a change makes.
type alarm struct {
	after, until time.Duration // from the rule
	cause        diagnostics.Finding
}

const trouble = "alb/sg.target-ingress sg-1"

func (c *cluster) action() remedy.Action {
	port := 8080
	if c.drift != 0 {
		port = c.drift
	}
	return remedy.Action{AllowIngress: &remedy.AllowIngress{Group: "sg-1", Source: "sg-2", Port: port}}
}

func (c *cluster) Diagnose(ctx context.Context, diagnosis string, t diagnostics.Target) (diagnostics.Report, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return diagnostics.Report{}, err
	}
	c.runs++
	r := diagnostics.Report{Diagnosis: diagnosis, Target: t, At: c.now(), Summary: "all 3 targets are healthy", Tables: c.tables}
	if c.outage > 0 {
		c.outage--
		return r, errors.New("describe target health: connection reset")
	}
	if c.rule && c.now().Before(c.since.Add(c.dark)) {
		r.Severity, r.Summary = "P2", "the cause is not known: 1 of 3 targets is healthy"
		return r, nil
	}
	add := func(id, subject string) {
		r.Causes = append(r.Causes, diagnostics.Finding{ID: id, Subject: subject, Confidence: diagnostics.Confirmed})
	}
	for _, x := range c.alarm {
		if on := c.now().Sub(c.since); c.rule && on >= x.after && on < x.until {
			r.Causes = append(r.Causes, x.cause)
		}
	}
	if c.blind {
		r.Gaps = []diagnostics.Gap{{Permission: "ec2:DescribeSecurityGroupRules", Reason: diagnostics.Denied, Caps: []string{"alb/sg.target-ingress"}}}
		r.Summary = "the rules can't be read"
		return r, nil
	}
	switch {
	case c.healthy:
	case c.latent:
		add("alb/sg.target-ingress", "sg-1")
		r.Causes, r.Contributing, r.Summary = nil, r.Causes, "sg-1 will let nothing in"
	case !c.rule:
		a := c.action()
		add("alb/sg.target-ingress", "sg-1")
		r.Summary, r.Impact = "sg-1 lets nothing in from the load balancer", "3 of 3 targets time out"
		r.Fixes = []diagnostics.Fix{{
			ID: "alb/allow-pod-port", Title: "Allow the port", Risk: "medium", Executable: true, Action: &a, SettlesIn: "1m",
			Changes: []string{fmt.Sprintf("sg-1: allow tcp %d from sg-2", a.AllowIngress.Port)}, Undo: "revoke the rule", Resolves: []string{trouble},
		}}
		for n := range c.more {
			subject := fmt.Sprintf("tg-%d", n)
			add("alb/health.timeout", subject)
			r.Fixes[0].Resolves = append(r.Fixes[0].Resolves, "alb/health.timeout "+subject)
		}
	case c.now().Sub(c.since) < c.heals:
		r.Summary, r.Impact = "targets are being checked", "1 of 3 targets times out"
		add("alb/lb.initializing", "tg-1")
	case c.next != "":
		r.Summary, r.Impact = "targets answer 404 on /health", "3 of 3 targets answer 404"
		add(c.next, "tg-1")
	}
	if c.mild {
		add("alb/lb.fail-open", "tg-1")
		r.Causes, r.Contributing, r.Severity = nil, r.Causes, "P3"
	}
	return r, nil
}

func (c *cluster) DryRun(_ context.Context, a remedy.Action, _ remedy.Mark) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if a.RevokeIngress != nil && (c.changed || !c.rule) {
		return fmt.Errorf("%w: rule sgr-1 is not the one that was made", remedy.ErrRefused)
	}
	return c.deny
}

// receipt is what a change that is in effect left behind.
func (c *cluster) receipt(a remedy.Action) remedy.Receipt {
	if a.RevokeIngress != nil {
		return remedy.Receipt{ID: "sgr-1", Owned: c.revoked > 0}
	}
	if c.foreign {
		return remedy.Receipt{ID: "sgr-1"}
	}
	return remedy.Receipt{ID: "sgr-1", Owned: true, Undo: &remedy.Action{RevokeIngress: &remedy.RevokeIngress{Group: "sg-1", Rule: "sgr-1", Source: "sg-2", Port: 8080}}}
}

func (c *cluster) Look(ctx context.Context, a remedy.Action, _ remedy.Mark) (bool, remedy.Receipt, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.looks++
	if err := errors.Join(ctx.Err(), c.lookErr); err != nil {
		return false, remedy.Receipt{}, err
	}
	shows, since := c.rule, c.since
	if a.RevokeIngress != nil {
		shows, since = !c.rule, c.gone
	}
	if !shows || c.now().Sub(since) < c.lag {
		return false, remedy.Receipt{Did: c.parts}, nil
	}
	return true, c.receipt(a), nil
}

func (c *cluster) Apply(ctx context.Context, a remedy.Action, m remedy.Mark) (remedy.Receipt, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return remedy.Receipt{}, err
	}
	if m.Requester == "" || m.Approver == "" || m.Remediation == "" {
		return remedy.Receipt{}, fmt.Errorf("%w: unmarked %+v", remedy.ErrRefused, m)
	}
	if c.refuse != nil {
		return remedy.Receipt{}, c.refuse
	}
	if a.RevokeIngress != nil {
		if c.changed || !c.rule {
			return remedy.Receipt{}, fmt.Errorf("%w: rule sgr-1 is not the one that was made", remedy.ErrRefused)
		}
		c.revoked++
		c.rule, c.gone = false, c.now()
	} else {
		c.applied++
		c.rule, c.since = true, c.now()
	}
	if c.lose > 0 {
		c.lose--
		return remedy.Receipt{}, errors.New("change of sg-1: connection reset")
	}
	return c.receipt(a), nil
}

// question is what all tests ask.
func question(at time.Time) casebook.Question {
	return casebook.Question{
		Command: "alb web", Diagnosis: "alb", Target: diagnostics.Target{Cluster: "prod", Namespace: "shop", Name: "web"},
		Team: team, User: requester, Channel: "C0CHANNEL", At: at,
	}
}

// ask takes a question through to its report, and returns the one proposed fix.
func ask(t *testing.T, b *casebook.Book, c *cluster, key string) casebook.Remediation {
	t.Helper()
	inv, created, err := b.Open(t.Context(), person(requester), question(b.Now()), key)
	if err != nil || !created {
		t.Fatalf("Open: created %v, error %v", created, err)
	}
	if inv, err = b.Claim(t.Context(), inv.Name, "front-1"); err != nil {
		t.Fatalf("Claim: %v", err)
	}
	report, err := c.Diagnose(t.Context(), inv.Question.Diagnosis, inv.Question.Target)
	if err != nil {
		t.Fatalf("Diagnose: %v", err)
	}
	_, rs, err := b.Report(t.Context(), inv, report)
	if err != nil || len(rs) != 1 {
		t.Fatalf("Report: %d remediations, error %v", len(rs), err)
	}
	return rs[0]
}

func approve(t *testing.T, b *casebook.Book, r casebook.Remediation) casebook.Remediation {
	t.Helper()
	r, err := b.Decide(t.Context(), r.Name, casebook.Click{Nonce: r.Status.Nonce, By: person(approver), Verdict: casebook.Approve})
	if err != nil {
		t.Fatalf("Decide: %v", err)
	}
	return r
}

// await follows a remediation until stop says so, and returns it as it then was.
func await(ctx context.Context, t *testing.T, s casebook.Store, name string, stop func(casebook.Remediation) bool) casebook.Remediation {
	t.Helper()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ch, err := s.Remediations.Watch(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var last casebook.Remediation
	for r := range ch {
		if r.Name != name {
			continue
		}
		if last = r; stop(r) {
			return r
		}
	}
	t.Fatalf("%s stayed %s: %+v", name, last.Status.Phase, last.Status)
	return last
}

func get(t *testing.T, s casebook.Store, name string) casebook.Remediation {
	t.Helper()
	r, err := s.Remediations.Get(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// final reports whether an executor is done with r.
func final(r casebook.Remediation) bool {
	return r.Status.Phase.Terminal() || r.Status.Phase == casebook.NeedsHuman
}
