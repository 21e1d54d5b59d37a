package handlers

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/netdiag/netdiag/internal/casebook"
)

// Grouped is a policy that asks for user groups. Of a casebook.Policy that doesn't nobody's groups are looked up.
type Grouped interface {
	Groups() []string // ids
}

// grouped adds to a person which of the policy's user groups they are in. A group whose look-up fails stays unknown, which
// gives nobody a right; the error says why, for the log.
func (b *Bot) grouped(ctx context.Context, by casebook.Person) (_ casebook.Person, unknown error) {
	if p, ok := b.Book.Policy.(Grouped); ok {
		by.Groups, unknown = b.people.memberships(ctx, by.User, p.Groups())
	}
	return by, unknown
}

// memberships says of each group whether the user is a member. The error is of those that are left out.
func (p *people) memberships(ctx context.Context, user string, groups []string) (map[string]casebook.Membership, error) {
	out := map[string]casebook.Membership{}
	var errs []error
	for _, id := range groups {
		members, err := p.group(ctx, id)
		switch {
		case err != nil:
			errs = append(errs, err)
		case slices.Contains(members, user):
			out[id] = casebook.Member
		default:
			out[id] = casebook.NoMember
		}
	}
	return out, errors.Join(errs...)
}

func (p *people) group(ctx context.Context, id string) ([]string, error) {
	p.mu.Lock()
	k, ok := p.groups[id]
	asked := p.regroups
	p.mu.Unlock()
	if ok && p.now().Before(k.until) {
		return k.value, nil
	}
	at := p.now() // the answer is as old as the question
	members, err := p.web.api.GetUserGroupMembersContext(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("usergroups.users.list %s: %w", id, clean(err))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.regroups == asked { // an answer from before a change must not outlive the news of it
		if p.groups == nil {
			p.groups = map[string]known[[]string]{}
		}
		p.groups[id] = known[[]string]{members, at.Add(remembered)}
	}
	return members, nil
}

// regroup forgets who is in which user group. Slack tells one connection of the app only: other replicas learn of a change
// within a minute.
func (p *people) regroup() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.regroups++
	p.groups = nil
}
