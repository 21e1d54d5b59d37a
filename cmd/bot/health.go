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

	"github.com/netdiag/netdiag/handlers"
)

// run runs the bot, and beside it, to its very end, /healthz, /readyz and /metrics at the address of the settings.
func (s settings) run(ctx context.Context, b *handlers.Bot, log *zap.Logger) error {
	if s.Health == "" || s.Health == "none" {
		return b.Run(ctx)
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.Health)
	if err != nil {
		return fmt.Errorf("listen for health checks: %w", err)
	}
	const limit = 10 * time.Second
	server := &http.Server{Handler: b.Health(), ReadTimeout: limit, WriteTimeout: limit, IdleTimeout: time.Minute, ErrorLog: zap.NewStdLog(log)}
	log.Info("health checks", zap.Stringer("address", listener.Addr()))
	var g errgroup.Group
	g.Go(func() error {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve health checks: %w", err)
		}
		return nil
	})
	g.Go(func() error {
		defer server.Close() //nolint:errcheck // there is nothing left to lose
		return b.Run(ctx)
	})
	return g.Wait()
}
