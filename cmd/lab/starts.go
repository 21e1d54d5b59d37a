package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/netdiag/netdiag/internal/diagtest"
	"github.com/netdiag/netdiag/internal/sim/fleet"
	"github.com/netdiag/netdiag/internal/sim/slack"
)

// startRuns is how often each start is measured for the table.
const startRuns = 20

// startup is how long a program took until something, sorted.
type startup struct {
	until string
	took  []time.Duration
}

// measureStarts starts the bot program so many times for each way to use it.
func measureStarts(ctx context.Context, bot string, runs int) ([]startup, error) {
	out := []startup{{until: "`bot version` has ended"}, {until: "`bot --help` has ended"}, {until: "`bot serve` answers a health check"}, {until: "`bot serve` listens to Slack"}}
	for range runs {
		for i, arg := range []string{"version", "--help"} {
			began := time.Now()
			if text, err := exec.CommandContext(ctx, bot, arg).CombinedOutput(); err != nil {
				return nil, fmt.Errorf("%s %s: %w: %s", bot, arg, err, bytes.TrimSpace(text))
			}
			out[i].took = append(out[i].took, time.Since(began))
		}
	}
	served, err := diagtest.ServeFleet(fleet.New(50, fleetStuck, time.Now()))
	if err != nil {
		return nil, err
	}
	defer served.Close()
	for range runs {
		healthy, listening, err := startServe(ctx, bot, served)
		if err != nil {
			return nil, fmt.Errorf("%s serve: %w", bot, err)
		}
		out[2].took, out[3].took = append(out[2].took, healthy), append(out[3].took, listening)
	}
	for _, s := range out {
		slices.Sort(s.took)
	}
	return out, nil
}

// startServe starts bot serve once, and says how long it took until a health check was answered, and until Slack had a
// connection; a minute at most.
func startServe(ctx context.Context, bot string, served *diagtest.Served) (healthy, listening time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	workspace := slack.New(slack.Options{AppToken: appToken, BotToken: botToken, Team: slack.Team{ID: team}})
	defer workspace.Close()
	api, stop, err := diagtest.Listen(workspace)
	if err != nil {
		return 0, 0, err
	}
	defer stop()
	dir, err := os.MkdirTemp("", "netdiag-start-")
	if err != nil {
		return 0, 0, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	c, err := serveCommand(ctx, bot, served, api, dir, "")
	if err != nil {
		return 0, 0, err
	}
	c.Cancel = func() error { return c.Process.Signal(syscall.SIGTERM) }
	log, err := c.StderrPipe()
	if err != nil {
		return 0, 0, err
	}
	began := time.Now()
	if err := c.Start(); err != nil {
		return 0, 0, err
	}
	connected := make(chan error, 1)
	go func() {
		err := workspace.Wait(ctx, func(s *slack.State) bool { return s.Sockets() > 0 })
		listening = time.Since(began)
		connected <- err
	}()
	lines := bufio.NewReader(log)
	err = probe(ctx, lines)
	healthy = time.Since(began)
	if err != nil {
		cancel()
	}
	err = errors.Join(err, <-connected)
	cancel()
	_, _ = io.Copy(io.Discard, lines) // until it has ended
	if ended := c.Wait(); err == nil && ended != nil && !errors.Is(ended, context.Canceled) {
		err = ended
	}
	return healthy, listening, err
}

// serveCommand is bot serve on a served cluster and a Slack workspace, with its files in a folder, and more settings as YAML.
func serveCommand(ctx context.Context, bot string, served *diagtest.Served, api, dir, more string) (*exec.Cmd, error) {
	settings := filepath.Join(dir, "netdiag.yaml")
	text := fmt.Sprintf("cluster: %s\nregion: %s\nhealth: 127.0.0.1:0\nslack: {apiURL: %q}\npolicy: {team: %s, askers: [\"*\"]}\n%s", served.World.Meta.Cluster, served.World.Meta.Region, api+"/api/", team, more)
	if err := os.WriteFile(settings, []byte(text), 0o600); err != nil {
		return nil, err
	}
	env, err := served.Environment(dir)
	if err != nil {
		return nil, err
	}
	c := exec.CommandContext(ctx, bot, "serve", "--config", settings)
	c.Env = append(env, "SLACK_APP_TOKEN="+appToken, "SLACK_BOT_TOKEN="+botToken)
	return c, nil
}

// probe reads in the log of bot serve where it answers health checks, and asks there.
func probe(ctx context.Context, log *bufio.Reader) error {
	for {
		text, err := log.ReadBytes('\n')
		if err != nil {
			return fmt.Errorf("it ended: %s", bytes.TrimSpace(text))
		}
		var line struct{ Msg, Address string }
		if json.Unmarshal(text, &line) != nil || line.Msg != "health checks" {
			continue
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+line.Address+"/healthz", nil)
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("health check: %s", resp.Status)
		}
		return nil
	}
}
