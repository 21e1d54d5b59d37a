package casebook

import (
	"cmp"
	"context"
	"fmt"
	"slices"
)

// Case is a question with the fixes that were proposed for it.
type Case struct {
	Investigation Investigation `json:"investigation"`
	Remediations  []Remediation `json:"remediations,omitempty"` // oldest first
}

// Entries is the story of the question and its fixes together, oldest first.
func (c Case) Entries() []Entry {
	out := c.Investigation.Entries()
	for _, r := range c.Remediations {
		out = append(out, r.Entries()...)
	}
	slices.SortStableFunc(out, func(a, b Entry) int { return a.At.Compare(b.At) })
	return out
}

// History lists the newest n questions with their fixes, newest first; all where n is 0.
func History(ctx context.Context, s Store, n int) ([]Case, error) {
	all, err := s.Investigations.List(ctx)
	if err != nil {
		return nil, fmt.Errorf("list investigations: %w", err)
	}
	fixes, err := s.Remediations.List(ctx)
	if err != nil {
		return nil, fmt.Errorf("list remediations: %w", err)
	}
	slices.SortFunc(all, func(a, b Investigation) int { return cmp.Or(b.Created.Compare(a.Created), cmp.Compare(a.Name, b.Name)) })
	if n > 0 && len(all) > n {
		all = all[:n]
	}
	slices.SortFunc(fixes, older)
	of := map[string][]Remediation{}
	for _, r := range fixes {
		r.Status.Nonce = "" // of the buttons of its card: nobody needs it to know what happened
		of[r.Plan.Investigation] = append(of[r.Plan.Investigation], r)
	}
	out := make([]Case, 0, len(all))
	for _, i := range all {
		out = append(out, Case{i, of[i.Name]})
	}
	return out, nil
}
