package handlers

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/slack-go/slack"

	"github.com/netdiag/netdiag/internal/casebook"
)

// people knows what Slack says about persons and channels, for a short time. A failed look-up is an error: whoever
// judges by these facts must refuse.
type people struct {
	web  *web
	now  func() time.Time
	team string // of the installation

	mu       sync.Mutex
	regroups int // how often members of a user group changed
	groups   map[string]known[[]string]
	users    map[string]known[*slack.User]
	channels map[string]known[bool]
}

type known[T any] struct {
	value T
	until time.Time
}

// remembered is how long a fact counts: who was deactivated can't decide for long.
const remembered = time.Minute

// person gathers the facts about who did something. team and home are the payload's: the workspace of the click, and that
// of the person, empty where the payload has none.
func (p *people) person(ctx context.Context, team, home, user, channel string) (casebook.Person, error) {
	by := casebook.Person{Team: team, User: user}
	u, err := p.user(ctx, user)
	if err != nil {
		return by, err
	}
	by.Home = u.TeamID
	by.Deleted, by.Bot = u.Deleted, u.IsBot || u.IsWorkflowBot || u.IsConnectorBot || u.IsAppUser
	by.Restricted, by.Unconfirmed = u.IsRestricted || u.IsUltraRestricted, !u.IsEmailConfirmed
	// is_stranger is false for people of other organisations who share a channel with the app; the teams tell.
	by.Stranger = u.IsStranger || u.ID != user || u.TeamID != p.team || team != p.team || home != "" && home != p.team
	by.Shared, err = p.shared(ctx, channel)
	return by, err
}

func (p *people) user(ctx context.Context, id string) (*slack.User, error) {
	p.mu.Lock()
	k, ok := p.users[id]
	p.mu.Unlock()
	if ok && p.now().Before(k.until) {
		return k.value, nil
	}
	u, err := p.web.api.GetUserInfoContext(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("users.info %s: %w", id, clean(err))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.users == nil || len(p.users) > 10000 {
		p.users = map[string]known[*slack.User]{}
	}
	p.users[id] = known[*slack.User]{u, p.now().Add(remembered)}
	return u, nil
}

// shared reports whether people of other organisations see the channel. A channel that the bot can't see is not known
// to be shared: there it can answer to nobody but the person.
func (p *people) shared(ctx context.Context, id string) (bool, error) {
	if id == "" || direct(id) { // nobody but the person reads the answer, and who that is is known
		return false, nil
	}
	p.mu.Lock()
	k, ok := p.channels[id]
	p.mu.Unlock()
	if ok && p.now().Before(k.until) {
		return k.value, nil
	}
	ch, err := p.web.api.GetConversationInfoContext(ctx, &slack.GetConversationInfoInput{ChannelID: id})
	if codeOf(err) == "channel_not_found" {
		return false, nil
	}
	if err != nil {
		return true, fmt.Errorf("conversations.info %s: %w", id, clean(err))
	}
	shared := ch.IsExtShared || ch.IsPendingExtShared
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.channels == nil || len(p.channels) > 10000 {
		p.channels = map[string]known[bool]{}
	}
	p.channels[id] = known[bool]{shared, p.now().Add(remembered)}
	return shared, nil
}
