package handlers

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/slack-go/slack"

	render "github.com/netdiag/netdiag/internal/render/slack"
)

// calls is chat.update: it notes what it is called with, and takes a second for each call.
type calls struct {
	mu    sync.Mutex
	texts []string
	at    []time.Time
	errs  []error // of the next calls
	open  map[string]int
	most  int // calls for one message at a time
}

func (c *calls) update(_ context.Context, _, ts string, m render.Message) error {
	c.mu.Lock()
	c.texts, c.at = append(c.texts, m.Text), append(c.at, time.Now())
	var err error
	if len(c.errs) > 0 {
		err, c.errs = c.errs[0], c.errs[1:]
	}
	if c.open == nil {
		c.open = map[string]int{}
	}
	c.open[ts]++
	c.most = max(c.most, c.open[ts])
	c.mu.Unlock()
	time.Sleep(time.Second)
	c.mu.Lock()
	c.open[ts]--
	c.mu.Unlock()
	return err
}

// While Slack is waited for only the newest text of a message counts, and everybody who asked hears that it is there.
func TestEditsAreCoalesced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &calls{errs: []error{&slack.RateLimitedError{RetryAfter: 30 * time.Second}}}
		e := newEdits(c.update, time.Second)
		start := time.Now()
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				time.Sleep(time.Duration(i) * time.Second)
				if err := e.update(t.Context(), "C", "1", render.Message{Text: fmt.Sprint("state ", i)}); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if d := cmp.Diff([]string{"state 0", "state 19"}, c.texts); d != "" {
			t.Error(d)
		}
		if waited := c.at[1].Sub(start); waited < 30*time.Second || c.most != 1 {
			t.Errorf("Slack was asked again after %v, at most %d times at once", waited, c.most)
		}
		if len(e.drafts) != 0 {
			t.Errorf("%d drafts are kept", len(e.drafts))
		}
	})
}

// Slack's limit on edits holds for the workspace: progress stays away from it, final states wait for their turn.
func TestEditsKeepThePaceOfTheWorkspace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &calls{}
		e := newEdits(c.update, time.Second)
		shown := 0
		for i := range 60 { // one minute of 60 threads
			if ok, err := e.glimpse(t.Context(), "C", fmt.Sprint(i), render.Message{Text: "progress"}); ok && err == nil {
				shown++
			} else {
				time.Sleep(time.Second)
			}
		}
		var wg sync.WaitGroup
		for i := range 60 {
			wg.Go(func() {
				if err := e.update(t.Context(), "C", fmt.Sprint(i), render.Message{Text: "verdict"}); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		for i, at := range c.at {
			n := 0
			for _, other := range c.at[i:] {
				if other.Sub(at) < time.Minute {
					n++
				}
			}
			if n > 50 {
				t.Errorf("%d calls within a minute", n)
			}
		}
		if shown == 0 || len(c.texts) != shown+60 {
			t.Errorf("%d calls, %d of them progress", len(c.texts), shown)
		}
	})
}

func TestGlimpseGivesWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &calls{errs: []error{&slack.RateLimitedError{RetryAfter: 30 * time.Second}}}
		e := newEdits(c.update, time.Second)
		var wg sync.WaitGroup
		wg.Go(func() {
			if ok, err := e.glimpse(t.Context(), "C", "1", render.Message{Text: "progress"}); !ok || err == nil {
				t.Errorf("glimpse: %v, %v", ok, err)
			}
		})
		synctest.Wait()
		wg.Go(func() { // comes while the glimpse is on its way, and must not be overtaken by it
			if err := e.update(t.Context(), "C", "1", render.Message{Text: "verdict"}); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		for _, ts := range []string{"1", "2"} { // one is being edited, and 429 holds for all of them
			time.Sleep(2 * time.Second)
			if ok, err := e.glimpse(t.Context(), "C", ts, render.Message{Text: "late"}); ok || err != nil {
				t.Errorf("glimpse of %s: %v, %v", ts, ok, err)
			}
		}
		wg.Wait()
		if d := cmp.Diff([]string{"progress", "verdict"}, c.texts); d != "" || c.most != 1 {
			t.Errorf("%d at once, %s", c.most, d)
		}
	})
}

// Progress never waits for an edit of the same message: it would be out of date, and come after the verdict.
func TestGlimpseNeverWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &calls{}
		e := newEdits(c.update, time.Second)
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := e.update(t.Context(), "C", "1", render.Message{Text: "verdict"}); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		if ok, err := e.glimpse(t.Context(), "C", "1", render.Message{Text: "progress"}); ok || err != nil {
			t.Errorf("glimpse: %v, %v", ok, err)
		}
		wg.Wait()
		if d := cmp.Diff([]string{"verdict"}, c.texts); d != "" {
			t.Error(d)
		}
	})
}

// An edit that can't be made says so to everybody, and the next one is tried anew.
func TestEditFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gone := slack.SlackErrorResponse{Err: "message_not_found"}
		c := &calls{errs: []error{gone}}
		e := newEdits(c.update, time.Second)
		if err := e.update(t.Context(), "C", "1", render.Message{Text: "a"}); !errors.Is(err, gone) && codeOf(err) != gone.Err {
			t.Errorf("update: %v", err)
		}
		if err := e.update(t.Context(), "C", "1", render.Message{Text: "b"}); err != nil {
			t.Error(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := e.update(ctx, "C", "1", render.Message{Text: "c"}); !errors.Is(err, context.Canceled) {
			t.Errorf("update after the end: %v", err)
		}
	})
}

func TestTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var q turn
		if err := q.take(t.Context(), rankAnswer); err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		var order []string
		var wg sync.WaitGroup
		wait := func(ctx context.Context, name string, r rank) {
			wg.Go(func() {
				if err := q.take(ctx, r); err != nil {
					return
				}
				mu.Lock()
				order = append(order, name)
				mu.Unlock()
				q.give()
			})
			synctest.Wait()
		}
		impatient, cancel := context.WithCancel(t.Context())
		wait(t.Context(), "answer 1", rankAnswer)
		wait(t.Context(), "root 1", rankRoot)
		wait(impatient, "nobody", rankOutcome)
		wait(t.Context(), "answer 2", rankAnswer)
		wait(t.Context(), "outcome", rankOutcome)
		wait(t.Context(), "root 2", rankRoot)
		cancel()
		synctest.Wait()
		q.give()
		wg.Wait()
		if d := cmp.Diff([]string{"outcome", "root 1", "root 2", "answer 1", "answer 2"}, order); d != "" {
			t.Error(d)
		}
		if err := q.take(t.Context(), rankAnswer); err != nil || !q.held {
			t.Error("the turn is lost")
		}
	})
}
