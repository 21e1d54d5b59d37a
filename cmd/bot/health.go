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

// site is what a program serves beside its work.
type site struct {
	name    string // for the log
	address string // empty or none: it is not served
	handler http.Handler
	limit   time.Duration // of an answer
}

// health serves /healthz, /readyz and /metrics.
func health(address string, h http.Handler) site {
	return site{"health checks", address, h, 10 * time.Second}
}

// beside does run, and serves sites beside it, to its very end.
func beside(ctx context.Context, log *zap.Logger, run func(context.Context) error, sites ...site) error {
	g, ctx := errgroup.WithContext(ctx) // whoever can't be scraped ends, and is started anew
	var servers []*http.Server
	defer func() {
		for _, s := range servers { // where another site could not listen
			_ = s.Close()
		}
		_ = g.Wait()
	}()
	for _, s := range sites {
		if s.address == "" || s.address == "none" {
			continue
		}
		listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.address)
		if err != nil {
			return fmt.Errorf("listen for %s: %w", s.name, err)
		}
		server := &http.Server{Handler: s.handler, ReadTimeout: 10 * time.Second, WriteTimeout: s.limit, IdleTimeout: time.Minute, ErrorLog: zap.NewStdLog(log)}
		servers = append(servers, server)
		log.Info(s.name, zap.Stringer("address", listener.Addr()))
		g.Go(func() error {
			if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
				return fmt.Errorf("serve %s: %w", s.name, err)
			}
			return nil
		})
	}
	g.Go(func() error {
		defer func() {
			for _, s := range servers {
				_ = s.Close() // there is nothing left to lose
			}
		}()
		return run(ctx)
	})
	return g.Wait()
}
