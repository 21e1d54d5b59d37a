package awsnet

import (
	"context"
	"fmt"

	"github.com/netdiag/netdiag/internal/remedy"
)

// Hands carries out the changes that go through AWS: the AWS half of remedy.Hands. Its calls are never repeated by the
// SDK: whoever uses it looks before acting again. An error that wraps remedy.ErrRefused means that nothing was changed.
type Hands struct{ c *Client }

var _ remedy.Hands = (*Hands)(nil)

// Hands gives the writing half of the client.
func (c *Client) Hands() *Hands { return &Hands{c} }

// hand carries out one kind of action.
type hand interface {
	dryRun(ctx context.Context, m remedy.Mark) error
	look(ctx context.Context, m remedy.Mark) (bool, remedy.Receipt, error)
	apply(ctx context.Context, m remedy.Mark) (remedy.Receipt, error)
}

func (h *Hands) hand(a remedy.Action) (hand, error) {
	if err := a.Validate(); err != nil {
		return nil, refuse("carry out an action", err)
	}
	switch {
	case a.AddonConfig != nil:
		return addonHand{h.c, *a.AddonConfig}, nil
	case a.AllowIngress != nil:
		return allowHand{h.c, *a.AllowIngress}, nil
	case a.RevokeIngress != nil:
		return revokeHand{h.c, *a.RevokeIngress}, nil
	case a.DeleteInterfaces != nil:
		return interfacesHand{h.c, *a.DeleteInterfaces}, nil
	case a.Tag != nil:
		return tagHand{h.c, *a.Tag}, nil
	}
	return nil, refuse("carry out "+a.Kind(), fmt.Errorf("it doesn't go through AWS"))
}

// DryRun implements remedy.Hands: EC2's own dry run, or for an add-on its present state and the schema of its settings.
func (h *Hands) DryRun(ctx context.Context, a remedy.Action, m remedy.Mark) error {
	k, err := h.hand(a)
	if err != nil {
		return err
	}
	return k.dryRun(ctx, m)
}

// Look implements remedy.Hands.
func (h *Hands) Look(ctx context.Context, a remedy.Action, m remedy.Mark) (bool, remedy.Receipt, error) {
	k, err := h.hand(a)
	if err != nil {
		return false, remedy.Receipt{}, err
	}
	return k.look(ctx, m)
}

// Apply implements remedy.Hands.
func (h *Hands) Apply(ctx context.Context, a remedy.Action, m remedy.Mark) (remedy.Receipt, error) {
	k, err := h.hand(a)
	if err != nil {
		return remedy.Receipt{}, err
	}
	return k.apply(ctx, m)
}

// Drifted is why a change is refused: what it would change is no longer as it was when the change was planned.
type Drifted struct {
	Target string // what it is about
	Was    string // as the plan has it
	Is     string // as it is now
}

// Error says what differs.
func (d *Drifted) Error() string {
	return fmt.Sprintf("%s has changed since: it was %q and is now %q", d.Target, d.Was, d.Is)
}

// refuse marks an error after which it is certain that nothing was changed.
func refuse(what string, err error) error {
	return fmt.Errorf("%s: %w: %w", what, remedy.ErrRefused, err)
}

// unchanged gives the error of a write: refused where AWS answered no, and otherwise one after which the change may have
// been made, or may be made by trying again.
func unchanged(what string, err error) error {
	switch classify(err) {
	case denied, absent, fault, duplicate, busy:
		return refuse(what, err)
	case noIdentity:
		return refuse(what, noCredentials(what, err))
	}
	return fmt.Errorf("%s: %w", what, err)
}
