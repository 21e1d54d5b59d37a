package slack

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// User is a person or a bot. TeamID other than the workspace's makes an outsider in a shared channel.
type User struct {
	ID       string
	Name     string // handle, "maya"
	RealName string // "Maya Lindqvist"
	Title    string // "on call"
	TeamID   string
	Email    string

	Deleted, Bot, Admin                   bool
	Restricted, UltraRestricted, Stranger bool // guests; Stranger is users.info's is_stranger
	WorkflowBot, ConnectorBot, AppUser    bool
	Unconfirmed                           bool // the e-mail address
}

// Channel is a conversation. Nil Members means everyone and the app; a direct message has With set.
type Channel struct {
	ID, Name, Topic string
	Private         bool
	Archived        bool
	ExtShared       bool
	Members         []string
	With            string // the person whom the app talks to in a direct message
}

// UserGroup is a group of people such as @netops.
type UserGroup struct {
	ID, Handle, Name string
	Users            []string
}

// State is what the workspace holds. It is handed out only under the server's lock.
type State struct {
	team      Team
	app       App
	users     []User
	channels  []*Channel
	groups    []UserGroup
	messages  map[string][]*Message // by channel, in the order of ts
	notes     []*Message            // ephemeral ones
	modals    map[string][]*View    // by user: the stack, the last is on top
	homes     map[string]*View      // by user
	suggested map[string][]Block    // by action_id: the last options for an external select
	stray     int
	sockets   int
	lastTS    int64 // microseconds
	version   int
	calls     []Call
	sent      []Envelope
}

func newState(o Options) State {
	st := State{
		team: o.Team, app: o.App, groups: o.Groups,
		messages: map[string][]*Message{}, modals: map[string][]*View{}, homes: map[string]*View{},
		suggested: map[string][]Block{},
	}
	st.users = append(slices.Clone(o.Users), User{ID: o.App.BotUser, Name: o.App.Name, RealName: o.App.Name, Bot: true})
	for i := range st.users {
		st.users[i].TeamID = cmp.Or(st.users[i].TeamID, o.Team.ID)
	}
	for _, c := range o.Channels {
		if c.Members == nil {
			for _, u := range st.users {
				c.Members = append(c.Members, u.ID)
			}
		}
		c.Members = slices.Clone(c.Members)
		st.channels = append(st.channels, &c)
	}
	return st
}

// Messages lists what everyone in the channel sees, oldest first: no thread replies but those sent to the channel as well.
func (st *State) Messages(channel string) []Message {
	var out []Message
	for _, m := range st.messages[channel] {
		if m.ThreadTS == "" || m.ThreadTS == m.TS || m.Subtype == "thread_broadcast" {
			out = append(out, *m)
		}
	}
	return out
}

// Thread lists a root message and its replies, oldest first.
func (st *State) Thread(channel, ts string) []Message {
	var out []Message
	for _, m := range st.messages[channel] {
		if m.TS == ts || m.ThreadTS == ts {
			out = append(out, *m)
		}
	}
	return out
}

// Ephemerals lists what only this person sees in the channel and its threads, oldest first.
func (st *State) Ephemerals(user, channel string) []Message {
	var out []Message
	for _, m := range st.notes {
		if m.To == user && m.Channel == channel {
			out = append(out, *m)
		}
	}
	return out
}

// Message finds a message by its ts.
func (st *State) Message(channel, ts string) (Message, bool) {
	if m := st.message(channel, ts); m != nil {
		return *m, true
	}
	return Message{}, false
}

// Modal is the form that the person has before them.
func (st *State) Modal(user string) (View, bool) {
	if stack := st.modals[user]; len(stack) > 0 {
		return *stack[len(stack)-1], true
	}
	return View{}, false
}

// Home is the person's App Home.
func (st *State) Home(user string) (View, bool) {
	if v := st.homes[user]; v != nil {
		return *v, true
	}
	return View{}, false
}

// Calls lists the requests to the Web API, oldest first.
func (st *State) Calls() []Call { return slices.Clone(st.calls) }

// Envelopes lists what was sent to the app, oldest first.
func (st *State) Envelopes() []Envelope { return slices.Clone(st.sent) }

// Stray is the number of acknowledgements that name no envelope, such as that of a hello.
func (st *State) Stray() int { return st.stray }

// Sockets is the number of open Socket Mode connections.
func (st *State) Sockets() int { return st.sockets }

func (st *State) message(channel, ts string) *Message {
	for _, m := range st.messages[channel] {
		if m.TS == ts {
			return m
		}
	}
	return nil
}

func (st *State) note(user, ts string) *Message {
	for _, m := range st.notes {
		if m.TS == ts && m.To == user {
			return m
		}
	}
	return nil
}

func (st *State) user(id string) (User, bool) {
	i := slices.IndexFunc(st.users, func(u User) bool { return u.ID == id })
	if i < 0 {
		return User{}, false
	}
	return st.users[i], true
}

// channel finds a channel by id, by name with or without #, or the direct message with a person by the person's id.
func (st *State) channel(ref string) *Channel {
	for _, c := range st.channels {
		if c.ID == ref || c.With == "" && c.Name == strings.TrimPrefix(ref, "#") {
			return c
		}
	}
	if u, ok := st.user(ref); ok && !u.Bot {
		return st.direct(u.ID)
	}
	if u, ok := st.user("U" + strings.TrimPrefix(ref, "D")); ok && strings.HasPrefix(ref, "D") && !u.Bot {
		return st.direct(u.ID)
	}
	return nil
}

// direct is the direct message between the app and a person.
func (st *State) direct(user string) *Channel {
	for _, c := range st.channels {
		if c.With == user {
			return c
		}
	}
	c := &Channel{ID: "D" + strings.TrimLeft(user, "UW"), With: user, Private: true, Members: []string{user, st.app.BotUser}}
	st.channels = append(st.channels, c)
	return c
}

func (c *Channel) has(user string) bool { return slices.Contains(c.Members, user) }

// ts makes the next message time: unique in the workspace and never going back.
func (st *State) ts(now time.Time) string {
	st.lastTS = max(st.lastTS+1, now.UnixMicro())
	return fmt.Sprintf("%d.%06d", st.lastTS/1e6, st.lastTS%1e6)
}

// post adds a message and counts it in its thread.
func (st *State) post(m *Message) {
	st.messages[m.Channel] = append(st.messages[m.Channel], m)
	root := st.message(m.Channel, m.ThreadTS)
	if root == nil || root == m {
		return
	}
	root.ThreadTS = root.TS
	root.ReplyCount++
	root.LatestReply = m.TS
	if !slices.Contains(root.ReplyUsers, m.User) {
		root.ReplyUsers = append(slices.Clone(root.ReplyUsers), m.User)
	}
}

// remove deletes a message. A root with replies stays as a tombstone, as in Slack.
func (st *State) remove(m *Message) {
	if m.ReplyCount > 0 {
		*m = Message{
			Channel: m.Channel, Type: "message", Subtype: "tombstone", User: "USLACKBOT", Text: "This message was deleted.",
			TS: m.TS, ThreadTS: m.TS, ReplyCount: m.ReplyCount, ReplyUsers: m.ReplyUsers, LatestReply: m.LatestReply,
		}
		return
	}
	st.messages[m.Channel] = slices.DeleteFunc(st.messages[m.Channel], func(o *Message) bool { return o == m })
	if root := st.message(m.Channel, m.ThreadTS); root != nil {
		root.ReplyCount--
	}
}
