package remedy

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// ErrRefused marks an error of DryRun or Apply after which it is certain that nothing was changed: the service answered,
// and said no (no permission, a value it doesn't take, a precondition that no longer holds). Without it an error of
// Apply means that the change may have been made all the same.
var ErrRefused = errors.New("refused")

// Split sends each action to the half that can carry it out: AWS takes add-on settings, security group rules, network
// interfaces and tags, Kubernetes takes DaemonSets, annotations, pods and nodes. A half that is nil refuses everything.
type Split struct {
	AWS        Hands
	Kubernetes Hands
	// Kinds are the kinds of action that may be carried out, as Action.Kind names them; nil is all.
	Kinds []string
}

func (s Split) half(a Action) (Hands, error) {
	if err := a.Validate(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	if s.Kinds != nil && !slices.Contains(s.Kinds, a.Kind()) {
		return nil, fmt.Errorf("%w: changes of the kind %s are switched off here (fixes.kinds in the values of the chart)", ErrRefused, a.Kind())
	}
	h, side := s.AWS, "AWS"
	if a.parts()[0].kubernetes() {
		h, side = s.Kubernetes, "Kubernetes"
	}
	if h == nil {
		return nil, fmt.Errorf("%w: changes to %s are switched off (%s of %s)", ErrRefused, side, a.Kind(), a.Target())
	}
	return h, nil
}

// DryRun asks the half that a belongs to.
func (s Split) DryRun(ctx context.Context, a Action, m Mark) error {
	h, err := s.half(a)
	if err != nil {
		return err
	}
	return h.DryRun(ctx, a, m)
}

// Look asks the half that a belongs to.
func (s Split) Look(ctx context.Context, a Action, m Mark) (bool, Receipt, error) {
	h, err := s.half(a)
	if err != nil {
		return false, Receipt{}, err
	}
	return h.Look(ctx, a, m)
}

// Apply lets the half that a belongs to make the change.
func (s Split) Apply(ctx context.Context, a Action, m Mark) (Receipt, error) {
	h, err := s.half(a)
	if err != nil {
		return Receipt{}, err
	}
	return h.Apply(ctx, a, m)
}

// Follow implements Follower: it asks the half that a belongs to, where that one hears of failures.
func (s Split) Follow(ctx context.Context, a Action, m Mark, r Receipt) (Fate, error) {
	h, err := s.half(a)
	if err != nil {
		return Fate{}, err
	}
	if f, ok := h.(Follower); ok {
		return f.Follow(ctx, a, m, r)
	}
	return Fate{}, nil
}
