package slack

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// slackbot is the user in whose name Slack itself speaks.
const slackbot = "USLACKBOT"

// Reply is what the app answered to a slash command with its acknowledgement; empty where it only acknowledged.
type Reply struct {
	Message *Message // posted in the channel or shown to the person alone
}

// Slash has a person type a slash command, with its words, in a channel, and waits for the acknowledgement. ErrTimeout
// and ErrUnreachable are what Slack shows where there is none.
func (s *Server) Slash(ctx context.Context, user, channel, line string) (Reply, error) {
	command, text, _ := strings.Cut(strings.TrimSpace(line), " ")
	s.mu.Lock()
	u, known := s.state.user(user)
	ch := s.state.channel(channel)
	s.mu.Unlock()
	switch {
	case !known || ch == nil:
		return Reply{}, fmt.Errorf("slash command by %s in %s: no such person or channel", user, channel)
	case command == "/invite":
		s.invite(ch, user)
		return Reply{}, nil
	case s.o.App.Commands != nil && !slices.ContainsFunc(s.o.App.Commands, func(c Command) bool { return c.Name == command }):
		s.tell(user, ch.ID, fmt.Sprintf("`%s` is not a valid command.", escape(command)))
		return Reply{}, fmt.Errorf("%s is not a valid command", command)
	}
	payload, err := s.deliver(ctx, "slash_commands", 0, func(base string) object {
		s.mu.Lock()
		defer s.mu.Unlock()
		return object{
			"token": "sim", "team_id": s.o.Team.ID, "team_domain": s.o.Team.Domain,
			"channel_id": ch.ID, "channel_name": ch.label(), "user_id": u.ID, "user_name": u.Name,
			"command": command, "text": s.link(strings.TrimSpace(text), true), "api_app_id": s.o.App.ID,
			"is_enterprise_install": "false", "response_url": s.newURL(base, &responseURL{channel: ch.ID, user: u.ID, line: line}),
			"trigger_id": s.newTrigger(u.ID, ch.ID),
		}
	})
	if err != nil {
		s.tell(user, ch.ID, fmt.Sprintf("`%s` failed with the error \"%s\"", escape(command), err))
		return Reply{}, err
	}
	var answer map[string]any
	if len(payload) == 0 || string(payload) == "null" || json.Unmarshal(payload, &answer) != nil || len(answer) == 0 {
		return Reply{}, nil
	}
	m, err := s.respond(&responseURL{channel: ch.ID, user: u.ID, line: line}, answer)
	if err != nil {
		s.tell(user, ch.ID, fmt.Sprintf("`%s` failed with the error \"invalid_command_response\"", escape(command)))
		return Reply{}, err
	}
	return Reply{m}, nil
}

// label is the channel's name as payloads give it.
func (c *Channel) label() string {
	switch {
	case c.With != "":
		return "directmessage"
	case c.Private:
		return "privategroup"
	}
	return c.Name
}

// tell shows a person something from Slackbot.
func (s *Server) tell(user, channel, text string) {
	s.change(func() {
		s.state.notes = append(s.state.notes, &Message{
			Channel: channel, To: user, Type: "message", User: slackbot, TS: s.state.ts(s.o.Now()), Text: text,
		})
	})
}

// Say has a person write a message, in a thread where thread is the ts of its root. A mention of the app and a direct
// message to it become events; Say does not wait for their acknowledgement.
func (s *Server) Say(user, channel, thread, text string) (ts string, err error) {
	s.mu.Lock()
	ch := s.state.channel(channel)
	u, known := s.state.user(user)
	if !known || ch == nil {
		s.mu.Unlock()
		return "", fmt.Errorf("message by %s in %s: no such person or channel", user, channel)
	}
	linked := s.link(text, false)
	m := &Message{
		Channel: ch.ID, Type: "message", User: user, Team: u.TeamID, TS: s.state.ts(s.o.Now()), Text: linked,
	}
	if root := s.state.message(ch.ID, thread); root != nil {
		m.ThreadTS = root.TS
	}
	s.state.post(m)
	s.wake()
	mentioned, in := strings.Contains(linked, "<@"+s.o.App.BotUser+">"), ch.has(s.o.App.BotUser)
	ev := object{"user": user, "text": linked, "ts": m.TS, "channel": ch.ID, "event_ts": m.TS, "team": u.TeamID}
	if ch.ExtShared {
		ev["user_team"], ev["source_team"] = u.TeamID, u.TeamID
	}
	if m.ThreadTS != "" {
		ev["thread_ts"] = m.ThreadTS
	}
	s.mu.Unlock()
	switch {
	case ch.With != "":
		maps.Copy(ev, object{"type": "message", "channel_type": "im"})
		s.event(ev)
	case mentioned && in:
		ev["type"] = "app_mention"
		s.event(ev)
	case mentioned:
		s.tell(user, ch.ID, fmt.Sprintf("You mentioned <@%s>, but they're not in this channel. Type `/invite @%s` to add them.", s.o.App.BotUser, s.o.App.Name))
	}
	return m.TS, nil
}

// Mention has a person write to the app in a channel or thread: Say with "@app " before the text.
func (s *Server) Mention(user, channel, thread, text string) (ts string, err error) {
	return s.Say(user, channel, thread, "@"+s.o.App.Name+" "+text)
}

// OpenHome has a person open the app's Home tab.
func (s *Server) OpenHome(user string) { s.openTab(user, "home") }

// OpenMessages has a person open the conversation with the app.
func (s *Server) OpenMessages(user string) { s.openTab(user, "messages") }

func (s *Server) openTab(user, tab string) {
	s.mu.Lock()
	ch := s.state.direct(user)
	ev := object{"type": "app_home_opened", "user": user, "channel": ch.ID, "tab": tab, "event_ts": s.state.ts(s.o.Now())}
	if v := s.state.homes[user]; v != nil {
		ev["view"] = *v
	}
	s.wake()
	s.mu.Unlock()
	s.event(ev)
}

// invite has a person add the app to a channel; the app hears of it.
func (s *Server) invite(ch *Channel, by string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	app := s.o.App.BotUser
	if ch.With != "" || ch.has(app) {
		return
	}
	ch.Members = append(slices.Clone(ch.Members), app)
	m := &Message{
		Channel: ch.ID, Type: "message", Subtype: "channel_join", User: app, Inviter: by, Team: s.o.Team.ID,
		TS: s.state.ts(s.o.Now()), Text: "<@" + app + "> has joined the channel",
	}
	s.state.post(m)
	s.wake()
	s.emit(object{
		"type": "member_joined_channel", "user": app, "channel": ch.ID, "channel_type": ch.ID[:1], "team": s.o.Team.ID,
		"inviter": by, "event_ts": m.TS,
	})
}

// SetGroup has an administrator change who is in a user group; the app hears of it.
func (s *Server) SetGroup(id string, users ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.state.groups, func(g UserGroup) bool { return g.ID == id })
	if i < 0 {
		return
	}
	was := s.state.groups[i].Users
	s.state.groups = slices.Clone(s.state.groups)
	s.state.groups[i].Users = slices.Clone(users)
	without := func(all, some []string) []string {
		return slices.DeleteFunc(slices.Clone(all), func(u string) bool { return slices.Contains(some, u) })
	}
	added, removed := without(users, was), without(was, users)
	now := s.o.Now().Unix()
	s.wake()
	s.emit(object{
		"type": "subteam_members_changed", "subteam_id": id, "team_id": s.o.Team.ID, "date_previous_update": now, "date_update": now,
		"added_users": added, "added_users_count": len(added), "removed_users": removed, "removed_users_count": len(removed), "event_ts": s.state.ts(s.o.Now()),
	})
}

// SetUser makes somebody another person than before: a guest, say, or deactivated. The app is not told.
func (s *Server) SetUser(u User) {
	s.change(func() {
		s.state.users = slices.Clone(s.state.users)
		for i, was := range s.state.users {
			if was.ID == u.ID {
				u.Name, u.TeamID = cmp.Or(u.Name, was.Name), cmp.Or(u.TeamID, was.TeamID)
				s.state.users[i] = u
			}
		}
	})
}

// SetShared shares a channel with another organisation, or ends that, without telling anybody.
func (s *Server) SetShared(channel string, shared bool) {
	s.change(func() {
		if c := s.state.channel(channel); c != nil {
			c.ExtShared = shared
		}
	})
}

// Dismiss takes an ephemeral message away, as the person can.
func (s *Server) Dismiss(user, ts string) {
	s.change(func() {
		s.state.notes = slices.DeleteFunc(s.state.notes, func(m *Message) bool { return m.To == user && m.TS == ts })
	})
}

var (
	escaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")
	handles = regexp.MustCompile(`[@#][\p{L}\p{N}._-]+`)
)

func escape(text string) string { return escaper.Replace(text) }

// link does to what a person types what Slack does: escape it, and turn @name and #channel of those that exist into links.
func (s *Server) link(text string, named bool) string {
	return handles.ReplaceAllStringFunc(escape(text), func(h string) string {
		name := h[1:]
		if h[0] == '#' {
			for _, c := range s.state.channels {
				if c.Name == name && c.With == "" {
					return "<#" + c.ID + "|" + name + ">"
				}
			}
			return h
		}
		for _, u := range s.state.users {
			if u.Name == name && named {
				return "<@" + u.ID + "|" + name + ">"
			}
			if u.Name == name {
				return "<@" + u.ID + ">"
			}
		}
		return h
	})
}
