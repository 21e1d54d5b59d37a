package main

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/netdiag/netdiag/diagnostics/all"
	"github.com/netdiag/netdiag/handlers"
	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/config"
	"github.com/netdiag/netdiag/internal/meters"
	"github.com/netdiag/netdiag/internal/program"
	"github.com/netdiag/netdiag/internal/store/memory"
)

func serveCommand() *cobra.Command {
	var a access
	var file string
	var check bool
	c := &cobra.Command{
		Use:   "serve",
		Short: "Answer in Slack, and record what people decide",
		Long: `Answer in Slack, and record what people decide. It reads the cluster and AWS, and may change nothing but its own
Investigations and Remediations, and what it keeps of halts, early warnings and who silenced them; approved fixes are carried out by bot execute.

The settings are in one file, see deploy/netdiag.yaml. The tokens come from the environment: SLACK_APP_TOKEN (xapp-…) and
SLACK_BOT_TOKEN (xoxb-…). Two replicas or more work on one store:
each question is answered, and each message posted, by one of them.

With --check it tries everything that it will need, says what works and which permission is missing, and ends.

Exit status: 0 stopped by a signal, or all is well with --check; 1 a fault, which the log names; 2 wrong command line or
settings; 3 something is missing, with --check.`,
		Example: `  bot serve --config netdiag.yaml --check       # what works, and what is missing?
  bot serve --config netdiag.yaml`,
		Args: program.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := a.settings(file, c.Flags().Changed)
			if err != nil {
				return err
			}
			if check {
				return s.check(c.Context(), c.OutOrStdout())
			}
			return s.serve(c.Context())
		},
	}
	a.flags(c)
	c.Flags().StringVar(&file, "config", os.Getenv("NETDIAG_CONFIG"), "file with the settings (default: $NETDIAG_CONFIG)")
	c.Flags().BoolVar(&check, "check", false, "try tokens, scopes, cluster and AWS, say what is missing, and end")
	return program.Graceful(c)
}

// settings are what bot serve works with, before anything is connected.
type settings struct {
	config.Config
	access   access
	app, bot string // tokens
}

// settings reads the file and the environment. What was given on the command line counts before the file.
func (a *access) settings(file string, given func(flag string) bool) (settings, error) {
	if file == "" {
		return settings{}, program.Misuse("which settings? Give their file with --config, or set NETDIAG_CONFIG; deploy/netdiag.yaml is an example")
	}
	c, err := config.Read(file)
	if err != nil {
		return settings{}, program.Misuse("%v", err)
	}
	s := settings{Config: c, access: *a, app: os.Getenv("SLACK_APP_TOKEN"), bot: os.Getenv("SLACK_BOT_TOKEN")}
	for _, token := range []struct{ name, value string }{{"SLACK_APP_TOKEN", s.app}, {"SLACK_BOT_TOKEN", s.bot}} {
		if token.value == "" {
			return settings{}, program.Misuse("%s is not set: the app-level token (xapp-…) and the bot token (xoxb-…) of the Slack app come from the environment", token.name)
		}
	}
	if !given("cluster") && c.Cluster != "" {
		s.access.cluster = c.Cluster
	}
	if !given("region") && c.Region != "" {
		s.access.region = c.Region
	}
	return s, nil
}

func (s settings) serve(ctx context.Context) error {
	economise(plenty)
	level := levelOf(s.Operation)
	log, err := logger(level)
	if err != nil {
		return err
	}
	defer listening(ctx, level, log)()
	m := meters.New(program.Version())
	conn, err := s.access.connect(ctx, metering(m, log))
	if err != nil {
		return err
	}
	store, err := s.store(conn, log)
	if err != nil {
		return err
	}
	reach, err := s.reach(ctx, conn, m, log)
	if err != nil {
		return err
	}
	target := reach.targets[0]
	reach.remember(target.Cluster, store, log)
	if len(s.Policy.Approvers) == 0 && s.Fixes {
		log.Warn("nobody may approve fixes: name people under policy.approvers")
	}
	name, err := holder()
	if err != nil {
		return err
	}
	watch, err := s.watch(conn, name)
	if err != nil {
		return err
	}
	b, err := handlers.New(handlers.Config{
		AppToken: s.app, BotToken: s.bot, APIURL: s.Slack.APIURL, Log: log, Holder: name, Version: program.Version(), Meters: m,
		Book:      &casebook.Book{Store: store, Policy: s.Policy, Now: time.Now},
		Diagnose:  reach.diagnose,
		Diagnoses: all.Diagnoses(),
		Places:    reach.places(),
		Target:    target, Clusters: reach.targets[1:], Channels: usual(s.Channels), Fixes: s.Fixes, Now: time.Now,
		Watch: watch, Workers: s.Limits.Workers, Queue: s.Limits.Queue, Connections: s.Slack.Connections,
	})
	if err != nil {
		return err
	}
	ledger, err := s.ledger(conn, name)
	if err != nil {
		return err
	}
	defer audit(ctx, store, ledger, log)()
	log.Info("serving", zap.String("cluster", target.Cluster), zap.String("region", target.Region), zap.String("state", s.State), zap.Bool("fixes", s.Fixes))
	if err := beside(ctx, log, b.Run, health(s.Health, b.Health()), debugging(s.Debug.Pprof, level)); err != nil && ctx.Err() == nil {
		return err
	}
	return nil
}

// store opens what the state is kept in.
func (s settings) store(conn connection, log *zap.Logger) (casebook.Store, error) {
	switch s.State {
	case "kubernetes":
		return conn.store(s.Namespace, func(err error) { log.Warn("store trouble", zap.Error(err)) })
	case "memory":
		log.Warn("state is kept in memory: it is lost at the next start, and fixes appear as commands only")
		return memory.New(time.Now), nil
	}
	return casebook.Store{}, errors.New("state " + s.State + ": there is no such store")
}

// ledger is what the audit is written to; with the state in memory that is the log alone.
func (s settings) ledger(conn connection, holder string) (casebook.Ledger, error) {
	if s.State == "kubernetes" {
		return conn.ledger(s.Namespace, holder)
	}
	return &memory.Ledger{}, nil
}
