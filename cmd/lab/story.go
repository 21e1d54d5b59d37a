package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/netdiag/netdiag/internal/diagtest"
	"github.com/netdiag/netdiag/internal/sim/access"
	"github.com/netdiag/netdiag/internal/sim/kube"
	"github.com/netdiag/netdiag/internal/sim/nature"
	"github.com/netdiag/netdiag/internal/sim/slack"
	"github.com/netdiag/netdiag/internal/world"
)

// story is one world with everything around it: simulators, nature, a Slack workspace and the two real programs.
type story struct {
	demo   demo
	world  *world.World
	served *diagtest.Served
	slack  *slack.Server
	api    string // URL of the workspace for the bot
	dir    string // of the kubeconfig
	panel  *panel
	up     atomic.Bool // the bot has been connected
	closes []func()
}

// open loads a world, moves it to the present and serves it, with a Slack workspace whose page people open at a URL and
// which leads to places.
func (d demo) open(dir, page string, places []slack.Place) (*story, error) {
	w, err := world.Load(dir)
	if err != nil {
		return nil, err
	}
	w.Shift(time.Since(w.Meta.Now))
	s := &story{demo: d, world: w}
	if s.served, err = diagtest.Serve(w, time.Now); err != nil {
		return nil, err
	}
	s.closes = append(s.closes, s.served.Close)
	s.panel = &panel{story: s}
	s.slack = slack.New(s.workspace(page, places))
	if _, err := s.slack.Say(pager, oncall, "", alarm(w.Meta)); err != nil {
		s.close()
		return nil, err
	}
	s.closes = append(s.closes, func() { s.slack.Close() })
	url, stop, err := diagtest.Listen(s.slack)
	if err != nil {
		s.close()
		return nil, err
	}
	s.closes = append(s.closes, stop)
	s.api = url
	if s.dir, err = os.MkdirTemp("", "netdiag-demo-"); err != nil {
		s.close()
		return nil, err
	}
	s.closes = append(s.closes, func() { _ = os.RemoveAll(s.dir) })
	if err := s.configure(); err != nil {
		s.close()
		return nil, err
	}
	for _, user := range []string{"netdiag", "netdiag-executor", "you"} {
		if err := os.WriteFile(s.kubeconfig(user), kube.Kubeconfig(s.served.KubeURL, user), 0o600); err != nil {
			s.close()
			return nil, err
		}
	}
	return s, nil
}

func (s *story) kubeconfig(user string) string { return filepath.Join(s.dir, user+".kubeconfig") }

// settings is the file of bot serve's settings.
func (s *story) settings() string { return filepath.Join(s.dir, "netdiag.yaml") }

// configure writes the settings: both people may approve.
func (s *story) configure() error {
	text := fmt.Sprintf(`fixes: true
health: none
slack: {apiURL: %q}
policy:
  team: %s
  askers: ["*"]
  approvers:
  - users: [%s, %s]
`, s.api+"/api/", team, people[0].ID, people[1].ID)
	return os.WriteFile(s.settings(), []byte(text), 0o600)
}

func (s *story) close() {
	for _, v := range slices.Backward(s.closes) {
		v()
	}
}

// start runs nature and both programs until ctx ends.
func (s *story) start(ctx context.Context, g *errgroup.Group) {
	g.Go(func() error {
		n := nature.New(nature.Options{
			Kube: access.Kubernetes(s.served.KubeURL, "nature"), AWS: access.SDK(s.world.Meta.Region, s.served.AWSURL),
			EKS: s.served.AWS, Health: s.served.AWS, Cluster: s.world.Meta.Cluster, Now: time.Now, Speed: s.demo.speed,
			Log: func(line string) { fmt.Fprintf(s.demo.log, "nature: %s\n", line) },
		})
		return untilCancelled(ctx, n.Run(ctx))
	})
	common := []string{"--cluster", s.world.Meta.Cluster, "--region", s.world.Meta.Region}
	g.Go(func() error {
		if s.connected(ctx) == nil {
			s.up.Store(true)
		}
		return nil
	})
	g.Go(func() error {
		return s.keep(ctx, "netdiag", append([]string{"serve", "--config", s.settings()}, common...))
	})
	g.Go(func() error {
		return s.keep(ctx, "netdiag-executor", append([]string{"execute", "--poll", "1s", "--health", "none"}, common...))
	})
}

func untilCancelled(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// keep runs the bot program as one of its two identities until ctx ends. One that dies after the bot had come up is
// started again, as a cluster would.
func (s *story) keep(ctx context.Context, user string, args []string) error {
	for {
		err := s.program(ctx, user, args)
		if ctx.Err() != nil {
			return nil
		}
		if !s.up.Load() {
			return err
		}
		fmt.Fprintf(s.demo.log, "%v; started again\n", err)
		select {
		case <-time.After(time.Second): // as a kubelet waits
		case <-ctx.Done():
			return nil
		}
	}
}

// program runs the bot program once; when ctx ends, it is asked to stop before it is killed.
func (s *story) program(ctx context.Context, user string, args []string) error {
	c := exec.CommandContext(ctx, s.demo.bot, args...)
	c.Env = append(os.Environ(),
		"KUBECONFIG="+s.kubeconfig(user), "AWS_ENDPOINT_URL="+s.served.AWSURL, "AWS_REGION="+s.world.Meta.Region,
		"AWS_ACCESS_KEY_ID="+access.AccessKeyID, "AWS_SECRET_ACCESS_KEY="+access.SecretAccessKey,
		"AWS_EC2_METADATA_DISABLED=true", "AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null",
	)
	if args[0] == "serve" {
		c.Env = append(c.Env, "SLACK_APP_TOKEN="+appToken, "SLACK_BOT_TOKEN="+botToken)
	}
	c.Cancel = func() error { return c.Process.Signal(syscall.SIGTERM) }
	c.WaitDelay = 5 * time.Second
	var last lastLine
	c.Stdout, c.Stderr = s.demo.log, io.MultiWriter(s.demo.log, &last)
	err := c.Run()
	if err == nil {
		err = errors.New("it ended")
	}
	return fmt.Errorf("bot %s: %w: %s", args[0], err, last.text)
}

// lastLine keeps the last line that was written.
type lastLine struct{ text string }

func (l *lastLine) Write(p []byte) (int, error) {
	for sc := bufio.NewScanner(strings.NewReader(string(p))); sc.Scan(); {
		if t := strings.TrimSpace(sc.Text()); t != "" {
			l.text = t
		}
	}
	return len(p), nil
}

// connected waits until the bot listens to its workspace.
func (s *story) connected(ctx context.Context) error {
	return s.slack.Wait(ctx, func(st *slack.State) bool { return st.Sockets() > 0 })
}
