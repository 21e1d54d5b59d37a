package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/netdiag/netdiag/internal/diagtest"
	"github.com/netdiag/netdiag/internal/sim/fleet"
	"github.com/netdiag/netdiag/internal/sim/slack"
)

// scene is a running bot serve, and what is around it.
type scene struct {
	pid       int
	workspace *slack.Server
	served    *diagtest.Served
}

// serving runs bot serve on a generated cluster of that many nodes, with more settings as YAML, while do lasts. The context of
// do ends with the program.
func serving(ctx context.Context, bot string, nodes int, more string, do func(context.Context, scene) error) error {
	served, err := diagtest.ServeFleet(fleet.New(nodes, fleetStuck, time.Now()))
	if err != nil {
		return err
	}
	defer served.Close()
	workspace := slack.New(slack.Options{
		AppToken: appToken, BotToken: botToken, Team: slack.Team{ID: team}, Users: []slack.User{{ID: asker, Name: "maya"}},
		Channels: []slack.Channel{{ID: asked, Name: "ops"}, {ID: warned, Name: "oncall"}}, App: slack.App{Commands: []slack.Command{{Name: "/netdiag"}}},
	})
	defer workspace.Close()
	api, stop, err := diagtest.Listen(workspace)
	if err != nil {
		return err
	}
	defer stop()
	dir, err := os.MkdirTemp("", "netdiag-idle-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	c, err := serveCommand(ctx, bot, served, api, dir, more)
	if err != nil {
		return err
	}
	var log bytes.Buffer
	c.Stderr = &log
	if err := c.Start(); err != nil {
		return err
	}
	running, gone := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { // ends with the program
		defer gone()
		ended <- c.Wait()
	}()
	err = do(running, scene{c.Process.Pid, workspace, served})
	if err != nil {
		err = errors.Join(err, c.Process.Kill())
	} else {
		err = c.Process.Signal(syscall.SIGTERM)
	}
	last := <-ended
	switch {
	case err != nil:
		return fmt.Errorf("%s serve: %w: %s", bot, err, bytes.TrimSpace(log.Bytes()))
	case last != nil:
		return fmt.Errorf("%s serve: %w", bot, last)
	}
	return nil
}
