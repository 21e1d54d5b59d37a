package slack

import (
	"context"
	"fmt"
	"maps"
	"strings"
)

// Action is a person's hand on an element of a message, a modal or the Home tab. Which element: every one of BlockID,
// ActionID, Value and Label that is set must match, and only one element may.
type Action struct {
	User    string `json:"user"`
	Channel string `json:"channel"`
	TS      string `json:"ts"`   // of the message
	View    string `json:"view"` // or the id of the view

	BlockID  string `json:"block_id"`
	ActionID string `json:"action_id"`
	Value    string `json:"value"` // of a button
	Label    string `json:"label"`

	Picks []string `json:"picks"` // what is chosen or typed: option values or labels, ids, text
}

// Click has a person press a button of a message, given by its label or its action id, and waits for the
// acknowledgement. A confirm dialog counts as confirmed. Act says more precisely which element.
func (s *Server) Click(ctx context.Context, user, channel, ts, button string) error {
	a := Action{User: user, Channel: channel, TS: ts, Label: button}
	if s.has(a) == 0 {
		a.Label, a.ActionID = "", button
	}
	return s.Act(ctx, a)
}

// has counts the elements that an action could mean.
func (s *Server) has(a Action) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	src, err := s.source(a)
	if err != nil {
		return 0
	}
	return len(a.find(src.blocks))
}

// Act has a person use an element, and waits for the acknowledgement.
func (s *Server) Act(ctx context.Context, a Action) error {
	s.mu.Lock()
	src, err := s.source(a)
	if err != nil {
		s.mu.Unlock()
		return err
	}
	found := a.find(src.blocks)
	if len(found) != 1 {
		s.mu.Unlock()
		return fmt.Errorf("act on %q %q %q %q: %d elements match; there are %v", a.BlockID, a.ActionID, a.Label, a.Value, len(found), buttons(src.blocks))
	}
	block, e := found[0].block, found[0].element
	value, err := chosen(s.state.withSuggestions(e), a.Picks)
	if err != nil {
		s.mu.Unlock()
		return err
	}
	if src.view != nil && e["type"] != "button" {
		src.view.set(str(block["block_id"]), str(e["action_id"]), value)
		s.wake()
	}
	action := object{"action_id": e["action_id"], "block_id": block["block_id"], "action_ts": s.state.ts(s.o.Now())}
	maps.Copy(action, value)
	for _, k := range []string{"text", "style"} {
		if e["type"] == "button" && e[k] != nil {
			action[k] = e[k]
		}
	}
	s.mu.Unlock()
	_, err = s.deliver(ctx, "interactive", 0, func(base string) object {
		s.mu.Lock()
		defer s.mu.Unlock()
		p := s.interaction("block_actions", a.User, src.channel())
		p["actions"] = []any{action}
		maps.Copy(p, src.payload(s, base))
		if src.view == nil && e["type"] != "button" {
			p["state"] = object{"values": object{str(block["block_id"]): object{str(e["action_id"]): value}}}
		}
		return p
	})
	return err
}

// source is where an element stands.
type source struct {
	blocks  []Block
	message *Message
	view    *View
	user    string
}

// source finds the message or view of an action; the lock is held.
func (s *Server) source(a Action) (source, error) {
	if _, ok := s.state.user(a.User); !ok {
		return source{}, fmt.Errorf("act: no person %q", a.User)
	}
	if a.View != "" {
		v := s.findView(a.View)
		if v == nil {
			return source{}, fmt.Errorf("act: no view %q is open", a.View)
		}
		return source{blocks: v.Blocks, view: v, user: a.User}, nil
	}
	ch := s.state.channel(a.Channel)
	if ch == nil {
		return source{}, fmt.Errorf("act: no channel %q", a.Channel)
	}
	m := s.state.message(ch.ID, a.TS)
	if m == nil {
		m = s.state.note(a.User, a.TS)
	}
	if m == nil {
		return source{}, fmt.Errorf("act: no message %s in %s that %s sees", a.TS, a.Channel, a.User)
	}
	return source{blocks: m.Blocks, message: m, user: a.User}, nil
}

// payload is what an interaction says about its source; the lock is held.
func (src source) payload(s *Server, base string) object {
	if v := src.view; v != nil {
		return object{"container": object{"type": "view", "view_id": v.ID}, "view": *v}
	}
	m := src.message
	ch := s.state.channel(m.Channel)
	container := object{
		"type": "message", "message_ts": m.TS, "channel_id": m.Channel, "is_ephemeral": m.To != "", "is_app_unfurl": false,
	}
	if m.ThreadTS != "" {
		container["thread_ts"] = m.ThreadTS
	}
	p := object{
		"container": container, "channel": object{"id": ch.ID, "name": ch.label()}, "state": object{"values": object{}},
		"response_url": s.newURL(base, &responseURL{channel: m.Channel, user: src.user, ts: m.TS, ephemeral: m.To != "", thread: m.ThreadTS}),
	}
	if m.To == "" {
		p["message"] = *m
	}
	return p
}

// channel is where the source stands, as far as a modal opened from there can know it.
func (src source) channel() string {
	if src.message != nil {
		return src.message.Channel
	}
	return src.view.from
}

// interaction is what every interactive payload has; channel is where the person is. The lock is held.
func (s *Server) interaction(kind, user, channel string) object {
	u, _ := s.state.user(user)
	return object{
		"type": kind, "token": "sim", "api_app_id": s.o.App.ID, "trigger_id": s.newTrigger(user, channel),
		"team":       object{"id": s.o.Team.ID, "domain": s.o.Team.Domain},
		"user":       object{"id": u.ID, "username": u.Name, "name": u.Name, "team_id": u.TeamID},
		"enterprise": nil, "is_enterprise_install": false,
	}
}

type place struct{ block, element Block }

// find lists the elements that the action could mean.
func (a Action) find(blocks []Block) []place {
	var out []place
	eachElement(blocks, func(block, e Block) {
		switch {
		case str(e["action_id"]) == "",
			a.BlockID != "" && a.BlockID != block["block_id"],
			a.ActionID != "" && a.ActionID != e["action_id"],
			a.Value != "" && a.Value != str(e["value"]),
			a.Label != "" && !strings.EqualFold(a.Label, textOf(e["text"])):
			return
		}
		out = append(out, place{block, e})
	})
	return out
}
