package awsnet

import (
	"context"
	"errors"
	"fmt"

	"github.com/netdiag/netdiag/internal/remedy"
)

// Hands carries out the changes that go through AWS: the AWS half of remedy.Hands. The SDK repeats
// only calls that AWS throttled: whoever uses it looks before acting again. An error that wraps remedy.ErrRefused means that nothing was changed.
type Hands struct {
	c    *Client
	own  writer // of the client's own identity
	role string // ARN of the role that is assumed for each change; empty where the client's own identity makes them
}

var (
	_ remedy.Hands    = (*Hands)(nil)
	_ remedy.Follower = (*Hands)(nil)
)

// Hands gives the writing half of the client, which acts as whoever the client is.
func (c *Client) Hands() *Hands { return c.HandsAs("") }

// HandsAs gives a writing half that assumes a role anew for each change, in a session that carries the remediation, who
// asked and who approved. The client's own identity needs only to read, and to assume that role.
func (c *Client) HandsAs(role string) *Hands {
	return &Hands{c: c, own: newWriter(c.cfg, ""), role: role}
}

// hand carries out one kind of action.
type hand interface {
	dryRun(ctx context.Context, m remedy.Mark) error
	look(ctx context.Context, m remedy.Mark) (bool, remedy.Receipt, error)
	apply(ctx context.Context, m remedy.Mark) (remedy.Receipt, error)
}

func (h *Hands) hand(a remedy.Action, m remedy.Mark) (hand, error) {
	if err := a.Validate(); err != nil {
		return nil, refuse("carry out an action", err)
	}
	w := h.writer(m)
	switch {
	case a.AddonConfig != nil:
		return addonHand{h.c, w, *a.AddonConfig}, nil
	case a.AllowIngress != nil:
		return allowHand{h.c, w, *a.AllowIngress}, nil
	case a.RevokeIngress != nil:
		return revokeHand{h.c, w, *a.RevokeIngress}, nil
	case a.DeleteInterfaces != nil:
		return interfacesHand{h.c, w, *a.DeleteInterfaces}, nil
	case a.Tag != nil:
		return tagHand{h.c, w, *a.Tag}, nil
	}
	return nil, refuse("carry out "+a.Kind(), fmt.Errorf("it doesn't go through AWS"))
}

// DryRun implements remedy.Hands: EC2's own dry run, or for an add-on its present state and the schema of its settings.
func (h *Hands) DryRun(ctx context.Context, a remedy.Action, m remedy.Mark) error {
	k, err := h.hand(a, m)
	if err != nil {
		return err
	}
	return k.dryRun(ctx, m)
}

// Look implements remedy.Hands.
func (h *Hands) Look(ctx context.Context, a remedy.Action, m remedy.Mark) (bool, remedy.Receipt, error) {
	k, err := h.hand(a, m)
	if err != nil {
		return false, remedy.Receipt{}, err
	}
	return k.look(ctx, m)
}

// Apply implements remedy.Hands.
func (h *Hands) Apply(ctx context.Context, a remedy.Action, m remedy.Mark) (remedy.Receipt, error) {
	k, err := h.hand(a, m)
	if err != nil {
		return remedy.Receipt{}, err
	}
	return k.apply(ctx, m)
}

// Follow implements remedy.Follower: only the settings of an add-on are carried out after AWS has accepted them.
func (h *Hands) Follow(ctx context.Context, a remedy.Action, m remedy.Mark, r remedy.Receipt) (remedy.Fate, error) {
	k, err := h.hand(a, m)
	if err != nil {
		return remedy.Fate{}, err
	}
	if addon, ok := k.(addonHand); ok {
		return addon.follow(ctx, r.ID)
	}
	return remedy.Fate{}, nil
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

// unchanged gives the error of a write of a resource: refused where AWS answered no, and otherwise one after which the
// change may have been made, or may be made by trying again. A permission that is missing is named.
func unchanged(what, action, resource string, err error) error {
	c := classify(err)
	if role, ok := errors.AsType[*roleError](err); ok {
		action, resource = "sts:AssumeRole", role.role
	}
	switch c {
	case denied:
		return refuse(what, missing(action, resource, err))
	case absent, fault, duplicate, busy:
		return refuse(what, err)
	case noIdentity:
		return refuse(what, noCredentials(what, err))
	}
	return fmt.Errorf("%s: %w", what, err)
}
