package main

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/netdiag/netdiag/internal/casebook"
)

// audit writes what happens to the records as Events and as one line each of the log, until the function that it returns
// is called, which waits. Trouble with it is logged, and never keeps a question from being answered or a fix from being made.
func audit(ctx context.Context, store casebook.Store, ledger casebook.Ledger, log *zap.Logger) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	a := &casebook.Audit{Store: store, Ledger: ledger, Now: time.Now, After: time.After, Log: func(e casebook.Entry, err error) {
		fields := []zap.Field{
			zap.String("kind", e.Kind), zap.String("record", e.Record), zap.String("reason", e.Reason), zap.Time("at", e.At), zap.String("text", e.Text),
		}
		if e.By != "" {
			fields = append(fields, zap.String("user", e.By))
		}
		if err != nil {
			fields = append(fields, zap.Error(err))
		}
		log.Info("audit", fields...)
	}}
	var wg sync.WaitGroup
	wg.Go(func() {
		for ctx.Err() == nil {
			if err := a.Run(ctx); ctx.Err() == nil {
				log.Warn("audit trouble", zap.Error(err))
			}
			select {
			case <-ctx.Done():
			case <-time.After(10 * time.Second):
			}
		}
	})
	return func() {
		cancel()
		wg.Wait()
	}
}
