package handlers_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/policy"
)

// From stop to resume: who may do what, and what everybody sees meanwhile.
func TestStopAndResume(t *testing.T) { inBubble(t, stopAndResume) }

func stopAndResume(t *testing.T, r *bubble) {
	r.book.Policy = policy.Policy{Team: team, Askers: []string{policy.Anyone}, Approvers: []policy.Grant{{Groups: []string{netops}}}}
	defer r.connect(r.config())()
	r.execute()
	r.ask(maya, ops, "/netdiag pending backend")
	root := r.root(0, "root cause found")
	card := r.card(root)

	for _, c := range []struct{ user, line, want string }{
		{maya, "/netdiag resume", "Only approvers can resume changes"},
		{jonas, "/netdiag resume", "there is nothing to resume"},
		{guest, "/netdiag stop", "Only full members"},
		{maya, "/netdiag stop", "Changes are stopped by <@U0MAYA> since 1 January 00:00:"},
		{aisha, "/netdiag stop", "Changes are stopped by <@U0MAYA> since"},
		{aisha, "/netdiag resume", "Only approvers can resume changes"},
		{aisha, "/netdiag status", "Stopped: Changes are stopped by <@U0MAYA> since"},
	} {
		if got := r.ask(c.user, ops, c.line); !strings.Contains(got, c.want) {
			t.Errorf("%s by %s: %q, want %q", c.line, c.user, got, c.want)
		}
	}
	r.home(aisha, "Stopped: Changes are stopped by <@U0MAYA> since")
	r.decide(jonas, card, "Approve", nil)
	r.whisper(jonas, ops, "Your approval is recorded, but nothing starts now. Changes are stopped by <@U0MAYA> since")
	r.reply(root, says("UTC. This starts if they are resumed within 5 minutes"))
	if f := r.fixes()[0]; f.Status.Phase != casebook.Approved {
		t.Errorf("stored: %+v", f.Status)
	}

	// Messages come more than once: they may stop, and not resume.
	r.say(jonas, ops, "", "@netdiag resume")
	r.whisper(jonas, ops, "by the slash command alone")
	if got := r.ask(jonas, ops, "/netdiag resume"); !strings.Contains(got, "Changes go on") || !strings.Contains(got, "They were stopped by <@U0MAYA> at 00:00:") {
		t.Errorf("resumed: %q", got)
	}
	r.reply(root, says("Done"))
	if got := r.ask(aisha, ops, "/netdiag status"); strings.Contains(got, "Stopped:") {
		t.Errorf("status: %q", got)
	}
}

// deaf is a brake that can't be reached.
type deaf struct{ casebook.Brake }

func (deaf) Get(context.Context) (casebook.Halt, error) {
	return casebook.Halt{}, errors.New("connection refused")
}

// What can't be read counts as stopped, and whoever wants to stop is told how else.
func TestHaltThatCanNotBeRead(t *testing.T) {
	r, _, card := asked(t)
	r.book.Store.Halt = deaf{}
	if got := r.ask(maya, ops, "/netdiag status"); !strings.Contains(got, "Stopped: It can't be read whether changes are stopped") {
		t.Errorf("status: %q", got)
	}
	for _, line := range []string{"/netdiag stop", "/netdiag resume"} {
		if got := r.ask(jonas, ops, line); !strings.Contains(got, "kubectl create configmap netdiag-halt") {
			t.Errorf("%s: %q", line, got)
		}
	}
	r.decide(jonas, card, "Approve", nil)
	r.whisper(jonas, ops, "Your approval is recorded, but nothing starts now. It can't be read")
}

func TestNothingToStop(t *testing.T) {
	r := newRig(t)
	c := r.config()
	c.Fixes = false
	r.start(c)
	if got := r.ask(maya, ops, "/netdiag stop"); !strings.Contains(got, "I am read-only here") {
		t.Errorf("stop: %q", got)
	}
	if h, err := r.book.Store.Halt.Get(context.Background()); err != nil || h != (casebook.Halt{}) {
		t.Errorf("stored: %+v, %v", h, err)
	}
}
