package handlers

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"
)

// Times of stopping, within Drain.
const (
	ackTime   = 5 * time.Second        // to handle what came before; each envelope has limits of its own below that
	flushTime = 250 * time.Millisecond // for acknowledgements that slack-go has taken to leave
)

// drain ends the bot in order, within Drain: what came is acknowledged, then the connections are closed; what is being
// answered is stored and told. What is left then stands in the store, and whoever comes next takes it up.
func (b *Bot) drain(closeLine func(), workers *sync.WaitGroup) {
	start := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), b.Drain)
	defer cancel()
	b.pulse.stop()
	b.Log.Info("stopping", zap.Duration("within", b.Drain), zap.Int("waiting", len(b.jobs)))
	b.handled(ctx)
	sleep(ctx, flushTime)
	closeLine()
	worked := make(chan struct{})
	go func() { defer close(worked); workers.Wait() }() // Run waits for them too
	select {
	case <-worked:
	case <-ctx.Done():
	}
	finished := b.tell.desk.idle(ctx)
	b.Log.Info("stopped", zap.Bool("finished", finished && ctx.Err() == nil), zap.Duration("took", time.Since(start)))
}

// handled waits until every envelope that came is handled, and leaves no room for another.
func (b *Bot) handled(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, ackTime)
	defer cancel()
	for range cap(b.take) {
		select {
		case b.take <- struct{}{}:
		case <-ctx.Done():
			return
		}
	}
}
