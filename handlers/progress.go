package handlers

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"
)

// progress gathers what a diagnosis says it is doing.
type progress struct {
	changed chan struct{} // holds one

	mu   sync.Mutex
	said []string
}

func (p *progress) say(what string) {
	p.mu.Lock()
	p.said = append(p.said, what)
	p.mu.Unlock()
	p.signal()
}

func (p *progress) signal() {
	select {
	case p.changed <- struct{}{}:
	default:
	}
}

func (p *progress) all() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.said...)
}

// show edits the root message as the diagnosis goes on, never more often than EditEvery, until ctx ends. The final state
// is not its affair.
func (b *Bot) show(ctx context.Context, name string, p *progress) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.changed:
		}
		pause := b.EditEvery
		shown, err := b.showOnce(ctx, name, p.all())
		if err != nil && ctx.Err() == nil {
			b.Log.Debug("show progress", zap.String("investigation", name), zap.Error(err))
		}
		if !shown || err != nil {
			p.signal()
		}
		if !shown && err == nil { // the root message is being written
			pause = min(pause, 200*time.Millisecond)
		}
		if !sleep(ctx, pause) {
			return
		}
	}
}

func (b *Bot) showOnce(ctx context.Context, name string, said []string) (shown bool, err error) {
	inv, err := b.Book.Store.Investigations.Get(ctx, name)
	if err != nil || inv.Status.Root.TS == "" {
		return false, err
	}
	// An edit that was cut off could still arrive, after the one that shows the verdict: it is waited for instead.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
	defer cancel()
	return b.out.edits.glimpse(ctx, inv.Status.Root.Channel, inv.Status.Root.TS, b.root(inv, said))
}
