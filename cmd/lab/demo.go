package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/program"
)

// demo is how the demo is run.
type demo struct {
	address string   // of the page
	bot     string   // the bot program
	worlds  []choice // the first is shown first
	speed   float64  // of what nature does about a change: 1 is real
	log     io.Writer
}

func demoCommand() *cobra.Command {
	var d demo
	var verbose bool
	c := &cobra.Command{
		Use:   "demo [WORLD…]",
		Short: "Show netdiag in a browser: simulated cluster, AWS and Slack, the real bot",
		Long: `Show netdiag in a browser, without an account of any kind. One page offers several worlds; each gets a simulated cluster,
AWS account and Slack workspace on loopback, and a real bot serve and bot execute, once somebody looks at it. Nature runs faster than in
life (--speed), so that a fix can be seen to work.`,
		Example: "  lab demo\n  lab demo testdata/worlds/seeds/seed-alb-502 --speed 30",
		RunE: func(c *cobra.Command, worlds []string) error {
			d.worlds = menu()
			if len(worlds) > 0 {
				d.worlds = named(worlds)
			}
			if err := findBot(&d.bot); err != nil {
				return err
			}
			d.log = io.Discard
			if verbose {
				d.log = os.Stderr
			}
			return d.run(c.Context(), func(url string) {
				fmt.Printf("\n  netdiag demo: open %s\n\n  Type what the page proposes, read the thread, switch to the other person to approve a fix. The list on the left\n  has other worlds. Ctrl-C ends it.\n\n", url)
			})
		},
	}
	c.Flags().StringVar(&d.address, "listen", "127.0.0.1:8321", "address of the page")
	c.Flags().StringVar(&d.bot, "bot", "", "the bot program (default: beside this one)")
	c.Flags().Float64Var(&d.speed, "speed", 10, "how much faster than life the cluster and AWS react to a change")
	c.Flags().BoolVarP(&verbose, "verbose", "v", false, "show the logs of the bot and the cluster")
	return program.Graceful(c)
}

// findBot finds the bot program beside this one, where it isn't named.
func findBot(bot *string) error {
	if *bot == "" {
		self, err := os.Executable()
		if err != nil {
			return err
		}
		*bot = filepath.Join(filepath.Dir(self), "bot")
	}
	if _, err := exec.LookPath(*bot); err != nil {
		return diagnostics.Refusal("there is no bot program at " + *bot + ": build it (make build), or name it with --bot")
	}
	return nil
}

// run serves the demo until ctx ends; ready is told the URL of the page once the bot of the first world is connected.
func (d demo) run(ctx context.Context, ready func(url string)) error {
	l, err := net.Listen("tcp", d.address)
	if err != nil {
		return diagnostics.Refusal(fmt.Sprintf("the page can't be served on %s: %v; choose another address with --listen", d.address, err))
	}
	defer l.Close()
	g, ctx := errgroup.WithContext(ctx)
	origin := "http://" + l.Addr().String()
	h := newHouse(ctx, d, origin, g)
	defer h.close()
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	g.Go(func() error { return ignoreClosed(srv.Serve(l)) })
	g.Go(func() error {
		<-ctx.Done()
		h.shutdown()
		return ignoreClosed(srv.Close())
	})
	g.Go(func() error {
		s, err := h.story(ctx, h.flats[0])
		if err != nil {
			return err
		}
		if err := s.connected(ctx); err != nil {
			return err
		}
		ready(origin + "/")
		return nil
	})
	if err := g.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

func ignoreClosed(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
