package casebook

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Entry is one thing that happened to a record: what was asked, found, decided or done. It follows from the record
// alone, so that whoever reads the record can write the entry.
type Entry struct {
	Kind   string    `json:"kind"`   // Investigation or Remediation
	Record string    `json:"record"` // its name
	Key    string    `json:"key"`    // unique within the record
	At     time.Time `json:"at"`
	Reason string    `json:"reason"` // one word in CamelCase: Asked, Reported, Approve, Applied, Succeeded, …
	By     string    `json:"by,omitempty"`
	Text   string    `json:"text"`
	// Bad is what somebody should look at: no answer could be given, a change failed or needs a person.
	Bad bool `json:"bad,omitempty"`
}

// Entries is the story of an Investigation so far, oldest first.
func (i Investigation) Entries() []Entry {
	q := i.Question
	entry := func(key string, at time.Time, reason, by, text string) Entry {
		return Entry{Kind: "Investigation", Record: i.Name, Key: key, At: at, Reason: reason, By: by, Text: text}
	}
	out := []Entry{entry("asked", cmp.Or(i.Created, q.At), "Asked", q.User, fmt.Sprintf("%s, asked by %s in %s", q.Command, q.User, q.Channel))}
	switch s := i.Status; {
	case s.Phase == Faulted:
		e := entry("answered", s.Claim.Renewed, "Failed", "", s.Error)
		e.Bad = true
		out = append(out, e)
	case s.Phase == Reported && s.Report != nil:
		out = append(out, entry("answered", s.Claim.Renewed, "Reported", "", s.Report.Summary))
	}
	return out
}

// Entries is the story of a Remediation so far, oldest first.
func (r Remediation) Entries() []Entry {
	entry := func(key string, at time.Time, reason, by, text string) Entry {
		return Entry{Kind: "Remediation", Record: r.Name, Key: key, At: at, Reason: reason, By: by, Text: text}
	}
	p, s := r.Plan, r.Status
	out := []Entry{entry("proposed", r.Created, "Proposed", p.Question.User, fmt.Sprintf("%s on %s, risk %s: %s", p.Fix.ID, p.Target, p.Risk, strings.Join(p.Fix.Changes, "; ")))}
	for _, d := range s.Decisions {
		text := fmt.Sprintf("%s by %s of plan %.12s", d.Verdict, d.User, d.Hash)
		if d.Reason != "" {
			text += ": " + d.Reason
		}
		out = append(out, entry("decision-"+d.User, d.At, string(d.Verdict), d.User, text))
	}
	told := false
	for _, n := range s.Notes {
		e := entry("note-"+n.Key, n.At, reasonOf(n.Key), "", n.Text)
		if n.Key == "outcome" {
			e.Reason, e.Bad, told = string(s.Phase), s.Phase == Failed || s.Phase == NeedsHuman, true
		}
		out = append(out, e)
	}
	if !told && s.Outcome != "" && !s.Finished.IsZero() {
		out = append(out, entry("note-outcome", s.Finished, string(s.Phase), "", s.Outcome))
	}
	slices.SortStableFunc(out, func(a, b Entry) int { return a.At.Compare(b.At) })
	return out
}

// reasonOf makes one word in CamelCase of the key of a note: progress-2 is Progress.
func reasonOf(key string) string {
	word := strings.TrimRight(key, "-0123456789")
	if word == "" {
		return "Note"
	}
	return strings.ToUpper(word[:1]) + word[1:]
}

// Ledger keeps entries for good, or as long as such things are kept.
type Ledger interface {
	// Enter stores e. fresh is false where somebody has stored it already.
	Enter(ctx context.Context, e Entry) (fresh bool, err error)
}

// AuditAge is how old an entry may be that is still written: Events are kept for an hour by default (kube-apiserver
// --event-ttl), and what is older would be written once more.
const AuditAge = time.Hour

// Audit writes each entry of each record into a ledger, and logs it where it was the one to write it. Any number of
// processes may do so on one store: each entry is written and logged once. All fields are required.
type Audit struct {
	Store  Store
	Ledger Ledger
	Now    func() time.Time
	After  func(time.Duration) <-chan time.Time // time.After, or the same of another clock
	// Log is told of each entry that this process wrote, and with an error of each that it could not write: that one it
	// goes on trying to write, and doesn't tell again.
	Log func(e Entry, err error)
}

// auditRetry is how long after an entry could not be written it is tried again.
const auditRetry = 10 * time.Second

// Run works until ctx ends, and returns its error; another one where the records can't be watched.
func (a *Audit) Run(ctx context.Context) error {
	investigations, err := a.Store.Investigations.Watch(ctx)
	if err != nil {
		return fmt.Errorf("watch investigations: %w", err)
	}
	remediations, err := a.Store.Remediations.Watch(ctx)
	if err != nil {
		return fmt.Errorf("watch remediations: %w", err)
	}
	b := auditor{a, map[[2]string]Entry{}, map[[2]string]Entry{}}
	retry := a.After(auditRetry)
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case i, ok := <-investigations:
			if !ok {
				return cmp.Or(ctx.Err(), errors.New("watch investigations: ended"))
			}
			b.write(ctx, i.Entries())
		case r, ok := <-remediations:
			if !ok {
				return cmp.Or(ctx.Err(), errors.New("watch remediations: ended"))
			}
			b.write(ctx, r.Entries())
		case <-retry:
			b.again(ctx)
			retry = a.After(auditRetry)
		}
	}
}

// auditor is what one Audit knows of the entries of the last hour, by record and key.
type auditor struct {
	*Audit
	written map[[2]string]Entry // in the ledger
	late    map[[2]string]Entry // logged, but not in the ledger yet
}

func (b auditor) old(e Entry) bool { return b.Now().Sub(e.At) > AuditAge }

// write enters and logs what is new.
func (b auditor) write(ctx context.Context, entries []Entry) {
	for _, e := range entries {
		id := [2]string{e.Record, e.Key}
		_, written := b.written[id]
		_, late := b.late[id]
		if written || late || e.At.IsZero() || b.old(e) {
			continue
		}
		fresh, err := b.enter(ctx, e)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			b.late[id] = e
		default:
			b.written[id] = e
		}
		if fresh || err != nil {
			b.Log(e, err)
		}
	}
}

// again enters what could not be entered before, and forgets what is old.
func (b auditor) again(ctx context.Context) {
	for id, e := range b.late {
		if _, err := b.enter(ctx, e); err == nil {
			b.written[id] = e
			delete(b.late, id)
		}
	}
	for _, known := range []map[[2]string]Entry{b.written, b.late} {
		maps.DeleteFunc(known, func(_ [2]string, e Entry) bool { return b.old(e) })
	}
}

func (b auditor) enter(ctx context.Context, e Entry) (fresh bool, err error) {
	call, done := context.WithTimeout(ctx, callTimeout)
	defer done()
	return b.Ledger.Enter(call, e)
}
