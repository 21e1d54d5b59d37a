package casebook

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/netdiag/netdiag/diagnostics"
)

// ApprovalTTL is how long a proposed fix can be decided on.
const ApprovalTTL = 30 * time.Minute

// Book opens questions, keeps their reports, proposes the fixes that can be carried out and takes decisions. Any number
// of replicas may work on one Store. Store, Policy and Now are required.
type Book struct {
	Store  Store
	Policy Policy
	Now    func() time.Time
	// Patience is how long people are not asked while no executor has tried a proposed change; 10 s where it is 0, and
	// where it is negative people are asked at once.
	Patience time.Duration

	mu        sync.Mutex
	seen      sightings
	undecided map[string]Remediation // as Note was told; nil while it never was
}

// Open stores a question. key names what caused it (see InvestigationName); created is false where the question is in
// the book already: it was asked before, or delivered twice. The error is a diagnostics.Refusal where by may not ask.
func (b *Book) Open(ctx context.Context, by Person, q Question, key string) (inv Investigation, created bool, err error) {
	if err := b.Policy.MayAsk(by, q); err != nil {
		return Investigation{}, false, err
	}
	name := InvestigationName(key)
	inv, err = b.Store.Investigations.Create(ctx, Investigation{
		Name: name, Created: b.Now(), Question: q, Status: InvestigationStatus{Phase: Received},
	})
	if errors.Is(err, ErrExists) {
		inv, err = b.Store.Investigations.Get(ctx, name)
		return inv, false, err
	}
	return inv, err == nil, err
}

// Claim makes holder, a name of one process since its start, the one who answers the question. ErrHeld where another
// does and was seen alive, or where it is answered; ask again later, for a holder that has gone is only noticed by
// asking twice.
func (b *Book) Claim(ctx context.Context, name, holder string) (Investigation, error) {
	inv, err := b.Store.Investigations.Get(ctx, name)
	if err != nil {
		return Investigation{}, err
	}
	if inv.Status.Phase == Reported || inv.Status.Phase == Faulted || !b.stale(name, inv.Status.Claim) {
		return inv, fmt.Errorf("claim %s: %w", name, ErrHeld)
	}
	inv.Status.Phase = Diagnosing
	inv.Status.Claim = inv.Status.Claim.take(holder, b.Now())
	inv, err = b.Store.Investigations.Update(ctx, inv)
	if errors.Is(err, ErrConflict) {
		return inv, fmt.Errorf("claim %s: %w", name, ErrHeld)
	}
	return inv, err
}

func (b *Book) stale(name string, c Claim) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.seen == nil {
		b.seen = sightings{}
	}
	return b.seen.stale(name, c, b.Now())
}

// Renew keeps the claim of inv alive; call it every ten seconds. ErrLost where another has it: stop.
func (b *Book) Renew(ctx context.Context, inv Investigation) (Investigation, error) {
	return b.underClaim(ctx, inv, func(*InvestigationStatus) {})
}

// Report stores the answer to inv, which the caller has claimed, and proposes each executable fix of it: one
// Remediation each, Proposed until Ask puts it to people. ErrLost where another has the claim by now.
func (b *Book) Report(ctx context.Context, inv Investigation, r diagnostics.Report) (Investigation, []Remediation, error) {
	inv, err := b.Answer(ctx, inv, r)
	if err != nil {
		return inv, nil, err
	}
	rs, err := b.Propose(ctx, inv)
	return inv, rs, err
}

// Answer is Report where no fix is to be proposed. What of the answer is too long to be stored is left out; see Fit.
func (b *Book) Answer(ctx context.Context, inv Investigation, r diagnostics.Report) (Investigation, error) {
	r = Fit(r)
	return b.underClaim(ctx, inv, func(s *InvestigationStatus) { s.Phase, s.Report = Reported, &r })
}

// Share gives inv the answer of the investigation that it follows, once that one has it: its report, or why there is
// none. It proposes no fixes. ErrHeld where the leader is not over yet, or where inv has an answer already.
func (b *Book) Share(ctx context.Context, inv, leader Investigation, holder string) (Investigation, error) {
	if inv.Question.Follows != leader.Name || leader.Status.Phase != Reported && leader.Status.Phase != Faulted {
		return inv, fmt.Errorf("share %s with %s: %w", leader.Name, inv.Name, ErrHeld)
	}
	claimed, err := b.Claim(ctx, inv.Name, holder)
	if err != nil {
		return inv, err
	}
	if leader.Status.Phase == Faulted {
		return b.Fail(ctx, claimed, leader.Status.Error)
	}
	return b.underClaim(ctx, claimed, func(s *InvestigationStatus) { s.Phase, s.Report = Reported, leader.Status.Report })
}

// Fail closes inv, which the caller has claimed, with a sentence for who asked: what happened and what to do.
func (b *Book) Fail(ctx context.Context, inv Investigation, sentence string) (Investigation, error) {
	return b.underClaim(ctx, inv, func(s *InvestigationStatus) { s.Phase, s.Error = Faulted, sentence })
}

func (b *Book) underClaim(ctx context.Context, inv Investigation, f func(*InvestigationStatus)) (Investigation, error) {
	return b.ChangeInvestigation(ctx, inv.Name, func(s *InvestigationStatus) error {
		if s.Claim.Holder != inv.Status.Claim.Holder || s.Claim.Epoch != inv.Status.Claim.Epoch {
			return fmt.Errorf("%s: %w", inv.Name, ErrLost)
		}
		s.Claim.Renewed = b.Now()
		f(s)
		return nil
	})
}

// Propose makes the Remediations of a reported investigation, and finds those that are there already: a restart calls it
// for every report that may lack some.
func (b *Book) Propose(ctx context.Context, inv Investigation) ([]Remediation, error) {
	if inv.Status.Report == nil {
		return nil, nil
	}
	var out []Remediation
	seen := map[string]bool{}
	for _, fix := range inv.Status.Report.Fixes {
		if !fix.Executable || fix.Action == nil || seen[fix.Action.Hash()] {
			continue
		}
		seen[fix.Action.Hash()] = true
		r, err := b.proposeFix(ctx, inv, fix)
		if err != nil {
			return out, fmt.Errorf("propose %s for %s: %w", fix.ID, inv.Name, err)
		}
		out = append(out, r)
	}
	return out, nil
}

func (b *Book) proposeFix(ctx context.Context, inv Investigation, fix diagnostics.Fix) (Remediation, error) {
	if len(fix.Resolves) == 0 { // then it has to resolve all that was found
		for _, f := range inv.Status.Report.Causes {
			fix.Resolves = append(fix.Resolves, f.Key())
		}
	}
	question := inv.Question
	question.Target.Namespace = cmp.Or(question.Target.Namespace, inv.Status.Report.Target.Namespace) // found by the diagnosis
	plan := planOf(inv.Name, question, fix, b.Now())
	name := RemediationName(inv.Name, plan.Hash)
	if r, err := b.propose(ctx, name, plan); !errors.Is(err, ErrExists) {
		return r, err
	}
	return b.Ask(ctx, name)
}

// propose makes a Remediation, and asks people at once where nobody has to try it first. ErrExists where it is there.
func (b *Book) propose(ctx context.Context, name string, p Plan) (Remediation, error) {
	_, err := b.Store.Remediations.Create(ctx, Remediation{Name: name, Created: b.Now(), Plan: p, Status: RemediationStatus{Phase: Proposed}})
	if err != nil {
		return Remediation{}, err
	}
	return b.Ask(ctx, name)
}

// planOf is the plan to carry out a fix, with what the catalogue asks for.
func planOf(investigation string, q Question, fix diagnostics.Fix, now time.Time) Plan {
	kind := diagnostics.FixByID(fix.ID)
	return Plan{
		Investigation: investigation, Question: q, Fix: fix, Hash: fix.Action.Hash(), Target: fix.Action.Target(),
		Risk: kind.Risk, Approvals: approvals(kind.Risk), SelfApproval: kind.Risk == "low", Expires: now.Add(ApprovalTTL),
		Follows: q.After,
	}
}

// nonce is 128 random bits in hex.
func nonce() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never returns an error
	return hex.EncodeToString(b[:])
}

// ChangeInvestigation reads, lets f change the status, and stores it; where somebody else was faster it does so again
// with what they left. f may be called several times; its error ends the attempt and is returned.
func (b *Book) ChangeInvestigation(ctx context.Context, name string, f func(*InvestigationStatus) error) (Investigation, error) {
	return change(ctx, b.Store.Investigations, name, func(i *Investigation) error { return f(&i.Status) })
}

// ChangeRemediation is ChangeInvestigation for a Remediation.
func (b *Book) ChangeRemediation(ctx context.Context, name string, f func(*RemediationStatus) error) (Remediation, error) {
	return change(ctx, b.Store.Remediations, name, func(r *Remediation) error { return f(&r.Status) })
}

func change[T any](ctx context.Context, records Records[T], name string, f func(*T) error) (T, error) {
	for {
		was, err := records.Get(ctx, name)
		if err != nil {
			return was, err
		}
		is := clone(was)
		if err := f(&is); err != nil {
			return was, err
		}
		if same(was, is) {
			return was, nil
		}
		is, err = records.Update(ctx, is)
		if !errors.Is(err, ErrConflict) {
			return is, err
		}
		if ctx.Err() != nil {
			return was, ctx.Err()
		}
	}
}

// clone is a copy that shares nothing with r. Records always survive JSON: that is how they are stored.
func clone[T any](r T) T {
	var out T
	b, err := json.Marshal(r)
	if err == nil {
		err = json.Unmarshal(b, &out)
	}
	if err != nil {
		panic(fmt.Sprintf("copy %T: %v", r, err))
	}
	return out
}
