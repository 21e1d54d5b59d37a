package handlers_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap/zaptest/observer"

	"github.com/netdiag/netdiag/internal/sim/slack"
)

// Whatever is wrong with a click or a modal, whoever it comes from is told one sentence that reveals nothing of the plan,
// nothing is decided, and one line of the log says so.
func TestRefused(t *testing.T) {
	n := 0
	play := func(button string, modal bool, forged []attempt) {
		for _, a := range slices.Concat(somebodyElse, forged) {
			if n++; !racing || n%12 == 0 { // all the rest is run without the race detector
				a.play(t, button, modal)
			}
		}
	}
	for _, button := range []string{"Approve", "Reject", "Undo"} {
		play(button, false, forgedButtons)
		play(button, true, forgedModals)
	}
}

// play has jonas, who may, press the button, or that of its modal, where nothing but the attempt is in the way.
func (a attempt) play(t *testing.T, button string, modal bool) {
	if len(a.only) > 0 && !slices.Contains(a.only, button) {
		return
	}
	where := map[bool]string{false: "click", true: "modal"}[modal]
	t.Run(button+"/"+where+"/"+a.name, func(t *testing.T) {
		inBubble(t, func(t *testing.T, b *bubble) {
			b.book.Policy = byGroup
			defer b.connect(b.config())()
			m := b.pressable(button)
			if modal {
				b.must(b.Click(b.context(), jonas, ops, m.TS, button))
				b.modal(jonas, anyForm)
			}
			if a.since != nil {
				a.since(b)
			}
			time.Sleep(2 * time.Minute) // the bubble's: what was known of people and channels is forgotten
			before := b.picture()
			b.Forge(a.forge)
			if modal {
				_, err := b.Submit(b.context(), jonas, nil)
				b.must(err)
			} else {
				b.act(m, button)
			}
			time.Sleep(time.Minute)
			after := b.picture()
			a.judge(b, modal, before, after)
		})
	})
}

// pressable gives a message with the button, and nothing in the way of jonas pressing it.
func (b *bubble) pressable(button string) slack.Message {
	if button != "Undo" {
		b.ask(maya, ops, "/netdiag pending backend")
		return b.card(b.root(0, "root cause found"))
	}
	_, result := fixed(b.t, b)
	return result
}

// act presses the button as it was posted, though its message may show it no more: a client can be late.
func (b *bubble) act(m slack.Message, button string) {
	b.t.Helper()
	for _, now := range b.Thread(ops, m.ThreadTS) {
		if now.TS == m.TS && len(now.Buttons()) > 0 {
			b.must(b.Click(b.context(), jonas, ops, m.TS, button))
			return
		}
	}
	p := payload(m, jonas)
	for _, e := range m.Buttons() {
		if e.Label == button {
			set(e.ActionID, "actions", "action_id")(p)
		}
	}
	b.deliver(1, p)
}

// picture is what may not change by an attempt, and what is said of it.
type picture struct {
	decided []string        // of the store
	posted  []string        // for everybody
	told    []slack.Message // to jonas alone
	modal   string
	logged  []observer.LoggedEntry
}

func (b *bubble) picture() (p picture) {
	for _, f := range b.fixes() {
		p.decided = append(p.decided, fmt.Sprint(f.Name, f.Status.Phase, f.Status.Decisions))
	}
	for _, m := range b.Messages(ops) {
		for _, r := range b.Thread(ops, m.TS) {
			p.posted = append(p.posted, r.Plain())
		}
	}
	p.told, p.logged = b.Ephemerals(jonas, ops), b.logs.All()
	if v, ok := b.Modal(jonas); ok {
		p.modal = v.Plain()
	}
	return p
}

func (a attempt) judge(b *bubble, modal bool, before, after picture) {
	t := b.t
	t.Helper()
	if d := cmp.Diff(before.decided, after.decided); d != "" {
		t.Errorf("something was decided: %s", d)
	}
	if d := cmp.Diff(before.posted, after.posted); d != "" {
		t.Errorf("everybody sees something: %s", d)
	}
	var told []string
	for _, m := range after.told[len(before.told):] {
		told = append(told, m.Plain())
	}
	if modal {
		if len(told) > 0 {
			t.Errorf("told beside the modal: %q", told)
		}
		told = nil
		if after.modal != "" {
			told = []string{after.modal}
		}
	} else if after.modal != "" {
		t.Errorf("a modal was opened:\n%s", after.modal)
	}
	switch {
	case a.want == "" && len(told) > 0:
		t.Errorf("somebody is told %q", told)
	case a.want == "":
	case len(told) != 1:
		t.Errorf("told %q, want one message", told)
	case !regexp.MustCompile(a.want).MatchString(told[0]) || len(told[0]) > 220:
		t.Errorf("told %q, want %q", told[0], a.want)
	}
	secrets := []string{"WARM_IP_TARGET", "vpc-cni", "prod-cluster", "backend", "pending/"}
	for _, s := range append(secrets, "medium") {
		if strings.Contains(strings.Join(told, " "), s) {
			t.Errorf("%q reveals %q", told, s)
		}
	}
	lines := after.logged[len(before.logged):]
	if len(lines) != 1 {
		t.Errorf("%d lines in the log, want one: %+v", len(lines), lines)
	}
	for _, f := range b.fixes() {
		secrets = append(secrets, f.Status.Nonce)
	}
	for _, e := range lines {
		line, err := json.Marshal(e.ContextMap())
		b.must(err)
		for _, s := range append(secrets, "!channel", strings.Repeat("0", 32), "private_metadata") {
			if strings.Contains(string(line), s) {
				t.Errorf("the log holds %q: %s", s, line)
			}
		}
		for _, id := range []string{"user", "team", "channel", "app"} {
			if _, there := e.ContextMap()[id]; !there {
				t.Errorf("the log lacks the id %q: %s %s", id, e.Message, line)
			}
		}
	}
}
