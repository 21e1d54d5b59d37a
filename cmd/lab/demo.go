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
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/program"
	"github.com/netdiag/netdiag/internal/sim/slack"
)

// demo is how the demo is run.
type demo struct {
	address string   // of the page
	bot     string   // the bot program
	worlds  []string // folders; the first is shown first
	speed   float64  // of what nature does about a change: 1 is real
	log     io.Writer
}

func demoCommand() *cobra.Command {
	var d demo
	var verbose bool
	c := &cobra.Command{
		Use:   "demo [WORLD…]",
		Short: "Show netdiag in a browser: simulated cluster, AWS and Slack, the real bot",
		Long: `Show netdiag in a browser, without an account of any kind. Each world gets a simulated cluster, AWS account and Slack
workspace on loopback, and a real bot serve and bot execute. Nature runs faster than in life (--speed), so that a fix can be seen to work.`,
		Example: "  lab demo\n  lab demo testdata/worlds/seeds/seed-alb-502 --speed 30",
		RunE: func(c *cobra.Command, worlds []string) error {
			d.worlds = worlds
			if len(worlds) == 0 {
				d.worlds = []string{"testdata/worlds/seeds/seed-ip-exhaustion", "testdata/worlds/seeds/seed-alb-502"}
			}
			if err := findBot(&d.bot); err != nil {
				return err
			}
			d.log = io.Discard
			if verbose {
				d.log = os.Stderr
			}
			return d.run(c.Context(), func(url string) {
				fmt.Printf("\n  netdiag demo: open %s\n\n  Type /netdiag pending backend in the first story, /netdiag alb api-ingress in the second;\n  switch to the other person to approve. Ctrl-C ends it.\n\n", url)
			})
		},
	}
	c.Flags().StringVar(&d.address, "listen", "127.0.0.1:8321", "address of the first story's page; each further story takes the next port")
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

// run serves the demo until ctx ends; ready is told the URL of the first story once every bot is connected.
func (d demo) run(ctx context.Context, ready func(url string)) error {
	listeners, places, err := d.listen()
	if err != nil {
		return err
	}
	var stories []*story
	for i, dir := range d.worlds {
		defer listeners[i].Close()
		here := slices.Clone(places)
		here[i].Here = true
		s, err := d.open(dir, here)
		if err != nil {
			return err
		}
		defer s.close()
		stories = append(stories, s)
	}
	g, ctx := errgroup.WithContext(ctx)
	for i, s := range stories {
		srv := &http.Server{Handler: s.slack, ReadHeaderTimeout: 10 * time.Second}
		g.Go(func() error { return ignoreClosed(srv.Serve(listeners[i])) })
		g.Go(func() error {
			<-ctx.Done()
			return ignoreClosed(srv.Close())
		})
		s.start(ctx, g)
	}
	g.Go(func() error {
		for _, s := range stories {
			if err := s.connected(ctx); err != nil {
				return err
			}
		}
		ready(places[0].URL)
		return nil
	})
	if err := g.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// listen opens the port of each story's page: the address, and the ports after it.
func (d demo) listen() ([]net.Listener, []slack.Place, error) {
	host, port, err := net.SplitHostPort(d.address)
	first, perr := strconv.Atoi(port)
	if err != nil || perr != nil {
		return nil, nil, diagnostics.Refusal("--listen takes an address such as 127.0.0.1:8321, not " + d.address)
	}
	var listeners []net.Listener
	var places []slack.Place
	for i, dir := range d.worlds {
		port := 0
		if first != 0 {
			port = first + i
		}
		l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
		if err != nil {
			for _, l := range listeners {
				l.Close()
			}
			return nil, nil, diagnostics.Refusal(fmt.Sprintf("the page can't be served on port %d of %s: %v; choose another address with --listen", port, host, err))
		}
		listeners = append(listeners, l)
		places = append(places, slack.Place{Title: title(dir), URL: "http://" + l.Addr().String() + "/"})
	}
	return listeners, places, nil
}

// title is the name of a story on the page: that of its world.
func title(dir string) string {
	name := strings.ReplaceAll(strings.TrimPrefix(filepath.Base(dir), "seed-"), "-", " ")
	return strings.NewReplacer("ip exhaustion", "IP exhaustion", "alb 502", "ALB 502").Replace(name)
}

func ignoreClosed(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
