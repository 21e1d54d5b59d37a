package handlers

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/store/memory"
)

// A question that is asked again follows the first one, once that is stored; one that is over, or came to nothing, leads no more.
func TestLeading(t *testing.T) {
	q := casebook.Question{Team: "T0TEAM", Diagnosis: "pending", Target: diagnostics.Target{Cluster: "prod", Namespace: "backend"}}
	for name, c := range map[string]struct {
		first func(context.Context, *testing.T, *Bot) // what becomes of the first, later
		want  string                                  // that the other follows
	}{
		"stored": {func(ctx context.Context, t *testing.T, b *Bot) {
			put(ctx, t, b, "inv-1", casebook.Received)
			b.same.stored("inv-1")
		}, "inv-1"},
		"never there": {func(_ context.Context, _ *testing.T, b *Bot) { b.same.over("inv-1") }, ""},
		"failed": {func(ctx context.Context, t *testing.T, b *Bot) {
			put(ctx, t, b, "inv-1", casebook.Faulted)
			b.same.stored("inv-1")
		}, ""},
		"gone": {func(_ context.Context, _ *testing.T, b *Bot) { b.same.stored("inv-1") }, ""},
		"slow": {func(context.Context, *testing.T, *Bot) {}, "inv-1"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := &Bot{Config: Config{Book: &casebook.Book{Store: memory.New(time.Now)}}, same: newSame()}
				ctx, cancel := context.WithTimeout(t.Context(), recordLimit)
				defer cancel()
				if follows := b.leading(ctx, q, "inv-1"); follows != "" {
					t.Fatalf("the first follows %q", follows)
				}
				follows := make(chan string, 1)
				go func() { follows <- b.leading(ctx, q, "inv-2") }()
				synctest.Wait()
				select {
				case f := <-follows:
					t.Fatalf("follows %q before that is known", f)
				default:
				}
				c.first(ctx, t, b)
				if f := <-follows; f != c.want {
					t.Errorf("follows %q, want %q", f, c.want)
				}
				other := q
				other.Target.Namespace = "web"
				if follows := b.leading(ctx, other, "inv-3"); follows != "" {
					t.Errorf("another question follows %q", follows)
				}
			})
		})
	}
}

// put stores the record of a question in a phase.
func put(ctx context.Context, t *testing.T, b *Bot, name string, phase casebook.InvestigationPhase) {
	t.Helper()
	all := b.Book.Store.Investigations
	inv, err := all.Create(ctx, casebook.Investigation{
		Name: name, Question: casebook.Question{Team: "T0TEAM", User: "U0MAYA"}, Status: casebook.InvestigationStatus{Phase: casebook.Received},
	})
	if err != nil {
		t.Fatal(err)
	}
	if inv.Status.Phase = phase; phase == casebook.Received {
		return
	}
	if _, err := all.Update(ctx, inv); err != nil {
		t.Fatal(err)
	}
}
