package handlers_test

import (
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/sim/slack"
)

// attempt is a click, or the submission of a modal, that must not count.
type attempt struct {
	name  string
	since func(b *bubble) // what has become of the workspace since the button was posted, or the modal opened
	forge func(p object)  // what is not as Slack would say it
	want  string          // of the sentence, a regular expression; empty: there is nobody of ours who could be told
	only  []string        // buttons that this is about; all where there are none
}

const (
	notMine  = "none of mine"
	noMember = "Only full members"
	stale    = "out of date|none of mine" // of a decision, of an undo
)

// somebodyElse are attempts by who may not, or who isn't who Slack says.
var somebodyElse = []attempt{
	{name: "guest", since: is(slack.User{Restricted: true}), want: noMember},
	{name: "single-channel guest", since: is(slack.User{Restricted: true, UltraRestricted: true}), want: noMember},
	{name: "guest by the second flag alone", since: is(slack.User{UltraRestricted: true}), want: noMember},
	{name: "bot", since: is(slack.User{Bot: true}), want: noMember},
	{name: "bot of a workflow", since: is(slack.User{WorkflowBot: true}), want: noMember},
	{name: "bot of a connector", since: is(slack.User{ConnectorBot: true}), want: noMember},
	{name: "user of an app", since: is(slack.User{AppUser: true}), want: noMember},
	{name: "deleted user", since: is(slack.User{Deleted: true}), want: noMember},
	{name: "stranger", since: is(slack.User{Stranger: true}), want: noMember},
	{name: "e-mail not confirmed", since: is(slack.User{Unconfirmed: true}), want: noMember},
	{name: "of another team by Slack's word", since: is(slack.User{TeamID: "T0EVIL"}), want: "not the workspace"},
	{name: "of another team by the payload", forge: set("T0EVIL", "user", "team_id"), want: noMember},
	{name: "of no team", forge: unset("user", "team_id"), want: noMember},
	{name: "another workspace", forge: set("T0EVIL", "team", "id"), want: notMine},
	{name: "no workspace", forge: unset("team"), want: notMine},
	{name: "a user that Slack doesn't know", forge: set("U0NOBODY", "user", "id"), want: "did not tell me who you are"},
	{name: "no user", forge: unset("user", "id"), want: notMine},
	{name: "no app", forge: unset("api_app_id"), want: notMine},
	{name: "channel shared after the card was posted", since: func(b *bubble) { b.SetShared(ops, true) }, want: "shared with another organisation"},
	{name: "channel not to be looked up", since: fails("conversations.info"), want: "did not tell me who you are"},
	{name: "person not to be looked up", since: fails("users.info"), want: "did not tell me who you are"},
	// Whoever may ask may ask for an undo: no group is looked up for that.
	{name: "user group not to be looked up", since: fails("usergroups.users.list"), want: "did not tell me who is in user group", only: []string{"Approve", "Reject"}},
	{name: "no record any more", since: func(b *bubble) {
		for _, f := range b.fixes() {
			err := b.book.Store.Remediations.Delete(b.context(), f)
			for errors.Is(err, casebook.ErrConflict) { // the bot has noted something meanwhile, such as what it posted
				f, err = b.book.Store.Remediations.Get(b.context(), f.Name)
				b.must(err)
				err = b.book.Store.Remediations.Delete(b.context(), f)
			}
			b.must(err)
		}
	}, want: "button"},
	{name: "expired", since: func(*bubble) { time.Sleep(casebook.ApprovalTTL) }, want: "This fix expired", only: []string{"Approve", "Reject"}},
}

// forgedButtons are clicks on what is no card of ours, or not the one.
var forgedButtons = []attempt{
	{name: "another app", forge: set("A0EVIL", "api_app_id"), want: notMine},
	{name: "copied message", forge: func(p object) {
		set("1.000001", "container", "message_ts")(p)
		p["message"] = object{"ts": "1.000001", "attachments": []any{object{"is_share": true, "message_blocks": []any{}}}}
	}, want: stale},
	{name: "forwarded message", forge: func(p object) {
		set("message_attachment", "container", "type")(p)
		set("1", "container", "attachment_id")(p)
	}, want: notMine},
	{name: "no message", forge: set("", "container", "message_ts"), want: notMine},
	{name: "ephemeral message", forge: set(true, "container", "is_ephemeral"), want: notMine},
	{name: "unfurled message", forge: set(true, "container", "is_app_unfurl"), want: notMine},
	{name: "view", forge: set("view", "container", "type"), want: notMine},
	{name: "another channel", forge: set(quiet, "channel", "id"), want: notMine},
	{name: "copied into another channel", forge: both(set(quiet, "channel", "id"), set(quiet, "container", "channel_id")), want: stale},
	{name: "forged id", forge: set("v1:rem-none:"+strings.Repeat("0", 32), "actions", "value"), want: "button"},
	{name: "id that is none", forge: set("v1:<!channel>:"+strings.Repeat("0", 32), "actions", "value"), want: notMine},
	{name: "wrong nonce", forge: change(another, "actions", "value"), want: stale},
	{name: "wrong nonce of who may not decide", since: func(b *bubble) { b.SetGroup(netops, aisha) }, forge: change(another, "actions", "value"), want: stale},
	{name: "no nonce", forge: change(func(v string) string { return v[:strings.LastIndex(v, ":")+1] }, "actions", "value"), want: notMine},
	{name: "nonsense", forge: set("<!channel>", "actions", "value"), want: notMine},
	{name: "another version", forge: change(func(v string) string { return "v2" + v[2:] }, "actions", "value"), want: notMine},
	{name: "another button", forge: set("approve_all", "actions", "action_id"), want: notMine},
	{name: "nobody to be told", forge: both(unset("user", "id"), unset("response_url"))},
	{name: "another block", forge: set("x", "actions", "block_id"), want: notMine},
	{name: "two buttons", forge: func(p object) { p["actions"] = append(p["actions"].([]any), p["actions"].([]any)[0]) }, want: notMine},
}

// forgedModals are submissions of a modal that isn't the one that was opened.
var forgedModals = []attempt{
	{name: "another app", forge: set("A0EVIL", "api_app_id")}, // whose modal is not ours to write into
	{name: "another message", forge: metadata("ts", "1.000001"), want: stale},
	{name: "no message", forge: metadata("ts", ""), want: notMine},
	{name: "another channel", forge: metadata("channel", quiet), want: stale},
	{name: "no channel", forge: metadata("channel", ""), want: notMine},
	{name: "forged id", forge: metadata("value", "v1:rem-none:"+strings.Repeat("0", 32)), want: "button"},
	{name: "id that is none", forge: metadata("value", "v1:<!channel>:"+strings.Repeat("0", 32)), want: notMine},
	{name: "wrong nonce", forge: metadata("value", another), want: stale},
	{name: "wrong nonce of who may not decide", since: func(b *bubble) { b.SetGroup(netops, aisha) }, forge: metadata("value", another), want: stale},
	{name: "another version", forge: metadata("v", 2), want: notMine},
	{name: "another verdict", forge: metadata("verdict", "ApproveAll"), want: "button", only: []string{"Approve", "Reject"}},
	{name: "nonsense", forge: set("<!channel>", "view", "private_metadata"), want: notMine},
	{name: "nothing", forge: unset("view", "private_metadata"), want: notMine},
}

// is makes jonas somebody else.
func is(u slack.User) func(*bubble) {
	u.ID = jonas
	return func(b *bubble) { b.SetUser(u) }
}

func fails(method string) func(*bubble) {
	return func(b *bubble) { b.Fault(method, slack.Fault{Error: "internal_error", Times: 100}) }
}

func both(f, g func(object)) func(object) { return func(p object) { f(p); g(p) } }

// at is the object that holds the last key of a path; of a list, its first element is meant.
func at(p object, path []string) object {
	for _, k := range path[:len(path)-1] {
		if list, ok := p[k].([]any); ok {
			p = list[0].(object)
		} else {
			p = p[k].(object)
		}
	}
	return p
}

func set(v any, path ...string) func(object) {
	return func(p object) { at(p, path)[path[len(path)-1]] = v }
}

func unset(path ...string) func(object) {
	return func(p object) { delete(at(p, path), path[len(path)-1]) }
}

func change(f func(string) string, path ...string) func(object) {
	return func(p object) {
		in, k := at(p, path), path[len(path)-1]
		in[k] = f(in[k].(string))
	}
}

// another is a button's value with another nonce.
func another(value string) string { return value[:len(value)-1] + "x" }

// metadata changes one thing of what a modal brings back; v may be a function of what it was.
func metadata(key string, v any) func(object) {
	return change(func(was string) string {
		var m object
		if err := json.Unmarshal([]byte(was), &m); err != nil {
			panic(err)
		}
		if _, there := m[key]; !there {
			panic(key + " is not in " + was)
		}
		if f, ok := v.(func(string) string); ok {
			v = f(m[key].(string))
		}
		m[key] = v
		b, err := json.Marshal(m)
		if err != nil {
			panic(err)
		}
		return string(b)
	}, "view", "private_metadata")
}
