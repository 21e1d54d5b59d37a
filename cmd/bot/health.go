package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"
)

// beside does run, and beside it, to its very end, serves /healthz, /readyz and /metrics at address; none serves nothing.
func beside(ctx context.Context, address string, health http.Handler, log *zap.Logger, run func(context.Context) error) error {
	if address == "" || address == "none" {
		return run(ctx)
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("listen for health checks: %w", err)
	}
	const limit = 10 * time.Second
	server := &http.Server{Handler: health, ReadTimeout: limit, WriteTimeout: limit, IdleTimeout: time.Minute, ErrorLog: zap.NewStdLog(log)}
	log.Info("health checks", zap.Stringer("address", listener.Addr()))
	g, ctx := errgroup.WithContext(ctx) // whoever can't be scraped ends, and is started anew
	g.Go(func() error {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve health checks: %w", err)
		}
		return nil
	})
	g.Go(func() error {
		defer server.Close() //nolint:errcheck // there is nothing left to lose
		return run(ctx)
	})
	return g.Wait()
}
