package casebook

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// How long records are kept once they are over: questions for a week, what was decided and done for a quarter, for whoever
// audits it. An answer is of use while the trouble is fresh; who approved a change is asked about much later.
const (
	KeepInvestigation = 7 * 24 * time.Hour
	KeepRemediation   = 90 * 24 * time.Hour
)

// Tidy deletes the records that nobody needs any more, and returns how many. What is open stays, what something open
// follows, undoes or was proposed for too, and what needs a person. It may run any number of times at once. Its error joins
// those of all records that could not be deleted.
func Tidy(ctx context.Context, s Store, now time.Time) (deleted int, err error) {
	// Investigations are listed first: what is proposed for one of them meanwhile is in the second list, and open.
	investigations, err := s.Investigations.List(ctx)
	if err != nil {
		return 0, fmt.Errorf("list investigations: %w", err)
	}
	remediations, err := s.Remediations.List(ctx)
	if err != nil {
		return 0, fmt.Errorf("list remediations: %w", err)
	}
	needed := neededBy(investigations, remediations, now)
	var errs []error
	note := func(kind, name string, err error) {
		switch {
		case err == nil:
			deleted++
		case !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrConflict): // a conflict comes round again
			errs = append(errs, fmt.Errorf("delete %s %s: %w", kind, name, err))
		}
	}
	for _, r := range remediations {
		if ended(r) && !needed[r.Name] && now.Sub(r.Status.Finished) > KeepRemediation {
			note("remediation", r.Name, s.Remediations.Delete(ctx, r))
		}
	}
	for _, i := range investigations {
		if answered(i) && !needed[i.Name] && now.Sub(i.Created) > KeepInvestigation {
			note("investigation", i.Name, s.Investigations.Delete(ctx, i))
		}
	}
	return deleted, errors.Join(errs...)
}

// neededBy names what open records refer to. A change that is still watched is open in this.
func neededBy(investigations []Investigation, remediations []Remediation, now time.Time) map[string]bool {
	needed := map[string]bool{}
	for _, r := range remediations {
		if !ended(r) || watched(r) && now.Before(r.Status.Watch.Until.Add(lookUntil)) {
			needed[r.Name], needed[r.Plan.Investigation], needed[r.Plan.Undoes], needed[r.Plan.Follows] = true, true, true, true
		}
	}
	for _, i := range investigations {
		if !answered(i) {
			needed[i.Question.Follows], needed[i.Question.After] = true, true
		}
	}
	return needed
}

// ended reports whether r is over and says since when.
func ended(r Remediation) bool { return r.Status.Phase.Terminal() && !r.Status.Finished.IsZero() }

func answered(i Investigation) bool { return i.Status.Phase == Reported || i.Status.Phase == Faulted }
