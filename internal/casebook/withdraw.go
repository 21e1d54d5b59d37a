package casebook

import (
	"context"
	"fmt"
	"slices"
)

// Withdraw cancels what was proposed beside r for the same answer, still waits for a decision, and would resolve nothing
// that r has not resolved: a card that can be approved for a trouble that is gone only misleads. Call it whenever r has
// succeeded; called again it does nothing more.
func (b *Book) Withdraw(ctx context.Context, r Remediation) error {
	if r.Status.Phase != Succeeded || r.Plan.Undoes != "" {
		return nil
	}
	all, err := b.Store.Remediations.List(ctx)
	if err != nil {
		return fmt.Errorf("list what was proposed beside %s: %w", r.Name, err)
	}
	for _, o := range all {
		if o.Name == r.Name || o.Plan.Investigation != r.Plan.Investigation || o.Plan.Undoes != "" || !waits(o) || !resolved(o, r) {
			continue
		}
		_, err := change(ctx, b.Store.Remediations, o.Name, func(o *Remediation) error {
			if waits(*o) { // or somebody has decided meanwhile: then the executor looks anew
				o.Status.Phase, o.Status.Finished = Cancelled, b.Now()
				o.Status.Outcome = fmt.Sprintf("Nobody is asked to approve it any more, and nothing of it was changed: the trouble is gone since %s was done (%s).", r.Plan.Fix.ID, r.Name)
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("withdraw %s: %w", o.Name, err)
		}
	}
	return nil
}

func waits(r Remediation) bool {
	return r.Status.Phase == Proposed || r.Status.Phase == AwaitingApproval
}

// resolved reports that all that o would resolve is gone since r.
func resolved(o, r Remediation) bool {
	for _, key := range o.Plan.Fix.Resolves {
		if !slices.Contains(r.Plan.Fix.Resolves, key) {
			return false
		}
	}
	return len(o.Plan.Fix.Resolves) > 0
}
