package casebook

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/netdiag/netdiag/diagnostics"
)

// Halt says whether changes are stopped. Its zero value is that they are not.
type Halt struct {
	On      bool
	By      string    // user id of who stopped them, or of who let them go on; empty where it isn't known
	Since   time.Time // zero where it isn't known
	Version string    // of the store, for compare-and-swap; empty where nobody ever stopped anything
}

// Brake keeps the one Halt that all processes obey. Whoever changes something treats an error of Get as a halt.
type Brake interface {
	// Get is the halt as it is; an error where what is stored can't be understood, too.
	Get(ctx context.Context) (Halt, error)
	// Set stores h if its Version is still the stored one, else ErrConflict.
	Set(ctx context.Context, h Halt) (Halt, error)
}

// Stop halts all changes until Resume. Whoever may ask may stop. Where they are stopped already, that halt stays as it is.
func (b *Book) Stop(ctx context.Context, by Person) (Halt, error) {
	if err := b.Policy.MayAsk(by, Question{Team: by.Team, User: by.User, At: b.Now()}); err != nil {
		return Halt{}, err
	}
	for {
		h, err := b.Store.Halt.Get(ctx)
		var odd *OddHalt
		switch {
		case errors.As(err, &odd):
			h = Halt{Version: odd.Version} // whatever it was: now it is a halt
		case err != nil:
			return Halt{}, err
		case h.On:
			return h, nil
		}
		h.On, h.By, h.Since = true, by.User, b.Now()
		if h, err = b.Store.Halt.Set(ctx, h); !errors.Is(err, ErrConflict) || ctx.Err() != nil {
			return h, err
		}
	}
}

// Resume lets changes be made again; only approvers may. was is the halt that it ended, On false where there was none. A
// halt that came meanwhile stays: that one nobody has seen.
func (b *Book) Resume(ctx context.Context, by Person) (was Halt, err error) {
	if err := b.Policy.MayResume(by); err != nil {
		return was, err
	}
	for {
		h, err := b.Store.Halt.Get(ctx)
		var odd *OddHalt
		switch {
		case errors.As(err, &odd):
			h = Halt{On: true, Version: odd.Version}
		case err != nil || !h.On:
			return h, err
		}
		if was.On && (h.By != was.By || !h.Since.Equal(was.Since)) {
			return was, diagnostics.Refusal("Somebody stopped changes anew at this moment; they stay stopped. Look at status, then resume again.")
		}
		was = h
		h.On, h.By, h.Since = false, by.User, b.Now()
		if _, err = b.Store.Halt.Set(ctx, h); !errors.Is(err, ErrConflict) || ctx.Err() != nil {
			return was, err
		}
	}
}

// OddHalt says that what is stored of the halt can't be understood. It counts as a halt; Stop and Resume write it anew.
type OddHalt struct {
	Version string
	Why     string
}

// Error says what can't be understood.
func (o *OddHalt) Error() string { return "read the halt: " + o.Why }

// patience with a halt that can't be read: so often is it tried, so long apart.
const (
	haltTries = 5
	haltPause = 2 * time.Second
)

// HaltedKey is the key of the note that says why an approved fix doesn't start. Its text may mention a user as <@U…>, and
// holds no text from the cluster.
const HaltedKey = "halted"

// halted says why nothing may be changed now, in words for people; empty where changes may be made. What can't be read,
// after some tries, is a halt.
func (e *Executor) halted(ctx context.Context) string {
	for n := 1; ; n++ {
		var h Halt
		err := errors.New("nowhere to read it")
		if e.Store.Halt != nil {
			call, done := context.WithTimeout(ctx, callTimeout)
			h, err = e.Store.Halt.Get(call)
			done()
		}
		switch _, odd := errors.AsType[*OddHalt](err); {
		case err == nil && h.On:
			e.meter().Halted(true)
			return h.String()
		case err == nil:
			e.meter().Halted(false)
			return ""
		case odd || n == haltTries || e.pause(ctx, haltPause) != nil:
			if ctx.Err() == nil {
				e.meter().Halted(true)
				e.fault("all", fmt.Errorf("read the halt: %w", err))
			}
			return "It can't be read whether changes are stopped, so they count as stopped."
		}
	}
}

// String says since when and by whom changes are stopped. It mentions the user as <@U…>.
func (h Halt) String() string {
	s := "Changes are stopped"
	if h.By != "" {
		s += " by <@" + h.By + ">"
	}
	if !h.Since.IsZero() {
		s += " since " + h.Since.UTC().Format("2 January 15:04:05 UTC")
	}
	return s + "."
}

// wait tells the thread why an approved fix doesn't start, and gives it back.
func (h *hold) wait(ctx context.Context, why string) error {
	now := h.e.Now()
	err := h.change(ctx, func(s *RemediationStatus) {
		s.note(HaltedKey, now, why+" This starts if they are resumed within 5 minutes of its approval; otherwise it expires.")
	})
	if err != nil {
		return err
	}
	return h.release(ctx)
}

// stopped ends a fix that a halt kept from being applied. Who stopped it stands in a note alone, where they can be named.
func (h *hold) stopped(ctx context.Context, p Phase, why string) error {
	const outcome = "Not applied, nothing was changed: changes are stopped. Ask again once they are resumed."
	return h.finish(ctx, p, outcome, func(s *RemediationStatus) { s.note(HaltedKey, s.Finished, why) })
}
