package slack

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

func (s *Server) authTest(c *call) (object, error) {
	return object{
		"url": cmp.Or(strings.TrimSuffix(s.o.Page, "/"), c.base) + "/", "team": s.o.Team.Name, "user": s.o.App.Name, "team_id": s.o.Team.ID,
		"user_id": s.o.App.BotUser, "bot_id": s.o.App.BotID, "is_enterprise_install": false,
	}, nil
}

func (s *Server) userInfo(c *call) (object, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u, ok := s.state.user(c.str("user"))
	if !ok {
		return nil, fail("user_not_found")
	}
	return object{"user": s.userObject(u)}, nil
}

func (s *Server) userByEmail(c *call) (object, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, u := range s.state.users {
		if email := c.str("email"); email != "" && strings.EqualFold(u.Email, email) && !u.Deleted {
			return object{"user": s.userObject(u)}, nil
		}
	}
	return nil, fail("users_not_found")
}

func (s *Server) userList(*call) (object, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	members := []any{}
	for _, u := range s.state.users {
		members = append(members, s.userObject(u))
	}
	return object{"members": members, "cache_ts": s.o.Now().Unix(), "response_metadata": object{"next_cursor": ""}}, nil
}

func (s *Server) userObject(u User) object {
	profile := object{"real_name": u.RealName, "display_name": u.Name, "title": u.Title, "team": u.TeamID}
	if slices.Contains(s.o.App.Scopes, "users:read.email") {
		profile["email"] = u.Email
	}
	return object{
		"id": u.ID, "team_id": u.TeamID, "name": u.Name, "real_name": u.RealName, "deleted": u.Deleted, "profile": profile,
		"is_bot": u.Bot, "is_app_user": u.AppUser, "is_admin": u.Admin, "is_owner": false, "is_restricted": u.Restricted,
		"is_ultra_restricted": u.UltraRestricted, "is_stranger": u.Stranger, "is_workflow_bot": u.WorkflowBot,
		"is_connector_bot": u.ConnectorBot, "is_email_confirmed": !u.Unconfirmed, "tz": "UTC", "tz_offset": 0, "updated": 0,
	}
}

func (s *Server) groupList(*call) (object, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []any{}
	for _, g := range s.state.groups {
		out = append(out, object{
			"id": g.ID, "team_id": s.o.Team.ID, "is_usergroup": true, "name": g.Name, "handle": g.Handle, "users": g.Users,
			"user_count": len(g.Users), "date_delete": 0, "prefs": object{"channels": []any{}, "groups": []any{}},
		})
	}
	return object{"usergroups": out}, nil
}

func (s *Server) groupUsers(c *call) (object, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, g := range s.state.groups {
		if g.ID == c.str("usergroup") {
			return object{"users": append([]string{}, g.Users...)}, nil
		}
	}
	return nil, fail("no_such_subteam")
}

// visible is the channel of the call, if the app can see it.
func (s *Server) visible(c *call) (*Channel, error) {
	ch := s.state.channel(c.str("channel"))
	if ch == nil || ch.Private && !ch.has(s.o.App.BotUser) {
		return nil, fail("channel_not_found")
	}
	need := "channels"
	switch {
	case ch.With != "":
		need = "im"
	case ch.Private:
		need = "groups"
	}
	kind := ":read"
	if c.method == "conversations.history" || c.method == "conversations.replies" {
		kind = ":history"
	}
	if need == "im" && kind == ":read" && slices.Contains(s.o.App.Scopes, "im:write") {
		return ch, nil
	}
	if !slices.Contains(s.o.App.Scopes, need+kind) {
		return nil, &apiError{code: "missing_scope", extra: object{"needed": need + kind, "provided": strings.Join(s.o.App.Scopes, ",")}}
	}
	return ch, nil
}

func (s *Server) channelObject(ch *Channel) object {
	in := ch.has(s.o.App.BotUser)
	if ch.With != "" {
		return object{"id": ch.ID, "user": ch.With, "is_im": true, "is_open": true, "is_archived": false, "created": 0}
	}
	return object{
		"id": ch.ID, "name": ch.Name, "name_normalized": ch.Name, "is_channel": !ch.Private, "is_group": ch.Private, "is_im": false,
		"is_mpim": false, "is_private": ch.Private, "is_archived": ch.Archived, "is_member": in, "is_general": false,
		"is_shared": ch.ExtShared, "is_ext_shared": ch.ExtShared, "is_org_shared": false, "is_pending_ext_shared": false,
		"context_team_id": s.o.Team.ID, "topic": object{"value": ch.Topic}, "purpose": object{"value": ""},
		"num_members": len(ch.Members), "created": 0, "creator": "U0",
	}
}

func (s *Server) channelInfo(c *call) (object, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch, err := s.visible(c)
	if err != nil {
		return nil, err
	}
	return object{"channel": s.channelObject(ch)}, nil
}

func (s *Server) channelList(*call) (object, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []any{}
	for _, ch := range s.state.channels {
		if ch.With == "" && (!ch.Private || ch.has(s.o.App.BotUser)) {
			out = append(out, s.channelObject(ch))
		}
	}
	return object{"channels": out, "response_metadata": object{"next_cursor": ""}}, nil
}

func (s *Server) channelMembers(c *call) (object, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch, err := s.visible(c)
	if err != nil {
		return nil, err
	}
	return object{"members": ch.Members, "response_metadata": object{"next_cursor": ""}}, nil
}

func (s *Server) joinChannel(c *call) (object, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch := s.state.channel(c.str("channel"))
	switch {
	case ch == nil:
		return nil, fail("channel_not_found")
	case ch.With != "" || ch.Private:
		return nil, fail("method_not_supported_for_channel_type")
	case ch.Archived:
		return nil, fail("is_archived")
	}
	if !ch.has(s.o.App.BotUser) {
		ch.Members = append(slices.Clone(ch.Members), s.o.App.BotUser)
		s.wake()
	}
	return object{"channel": s.channelObject(ch)}, nil
}

func (s *Server) openDirect(c *call) (object, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u, ok := s.state.user(c.str("users"))
	if !ok {
		return nil, fail("user_not_found")
	}
	if u.Bot {
		return nil, fail("cannot_dm_bot")
	}
	ch := s.state.direct(u.ID)
	s.wake()
	return object{"channel": s.channelObject(ch), "no_op": false, "already_open": false}, nil
}

func (s *Server) history(c *call) (object, error) {
	return s.page(c, func(ch *Channel) ([]Message, error) {
		out := s.state.Messages(ch.ID)
		slices.Reverse(out) // newest first
		return out, nil
	})
}

func (s *Server) replies(c *call) (object, error) {
	return s.page(c, func(ch *Channel) ([]Message, error) {
		out := s.state.Thread(ch.ID, c.str("ts"))
		if len(out) == 0 {
			return nil, fail("thread_not_found")
		}
		return out, nil
	})
}

func (s *Server) page(c *call, list func(*Channel) ([]Message, error)) (object, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch, err := s.visible(c)
	if err != nil {
		return nil, err
	}
	if !ch.has(s.o.App.BotUser) {
		return nil, fail("not_in_channel")
	}
	ms, err := list(ch)
	if err != nil {
		return nil, err
	}
	if !c.flag("include_all_metadata") {
		for i := range ms {
			ms[i].Metadata = nil
		}
	}
	limit, err := strconv.Atoi(c.str("limit"))
	if err != nil || limit <= 0 {
		limit = 100
	}
	start, _ := strconv.Atoi(c.str("cursor")) // no cursor is the start
	start = min(max(start, 0), len(ms))
	stop := min(start+limit, len(ms))
	out := object{"messages": ms[start:stop], "has_more": stop < len(ms), "response_metadata": object{"next_cursor": ""}}
	if stop < len(ms) {
		out["response_metadata"] = object{"next_cursor": strconv.Itoa(stop)}
	}
	return out, nil
}
