package e2e

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netdiag/netdiag/internal/sim/slack"
)

// TestClicks has 20 people press the button of one card five times each, all at once, with four replicas of bot serve and two
// of bot execute: one decision counts, and the change is made once.
func TestClicks(t *testing.T) {
	c := bring(t, "../testdata/worlds/seeds/"+seeds[0].world, nil)
	for _, name := range []string{"serve-1", "serve-2", "serve-3", "serve-4"} {
		c.pod("netdiag", name)
	}
	for _, name := range []string{"execute-1", "execute-2"} {
		c.pod("netdiag-executor", name)
	}
	if err := c.slack.Wait(c.within(patience), func(s *slack.State) bool { return s.Sockets() >= 4 }); err != nil {
		t.Fatal(err)
	}
	a := c.ask()
	card := a.card("Fix: " + seeds[0].fix)
	people := crowd()[:20]
	at := make(chan struct{})
	var clicks sync.WaitGroup
	for _, p := range people {
		for range 5 {
			clicks.Go(func() {
				<-at
				// Some meet a card that was just decided: their button is gone, as it may be in Slack.
				if _, err := a.press(t.Context(), p.ID, card, "Approve"); err != nil && !strings.Contains(err.Error(), "0 elements match") {
					t.Errorf("%s: %v", p.ID, err)
				}
			})
		}
	}
	close(at)
	clicks.Wait()
	at = make(chan struct{})
	forms := 0
	for _, p := range people {
		if _, open := c.slack.Modal(p.ID); !open {
			continue
		}
		forms++
		clicks.Go(func() {
			<-at
			if problems, err := c.slack.Submit(context.WithoutCancel(t.Context()), p.ID, nil); err != nil || len(problems) > 0 {
				t.Errorf("%s: %v, error %v", p.ID, problems, err)
			}
		})
	}
	if forms != len(people) {
		t.Errorf("%d of %d people have the form before them", forms, len(people))
	}
	close(at)
	clicks.Wait()
	r := a.settled(card)
	if len(r.Status.Decisions) != 1 || !strings.HasPrefix(r.Status.Decisions[0].User, "U0P") {
		t.Errorf("decisions: %+v", r.Status.Decisions)
	}
	if diff := cmp.Diff(seeds[0].calls, c.changes()); diff != "" {
		t.Errorf("calls that change the account (-want +got):\n%s", diff)
	}
	a.once()
	healthy(c)
}
