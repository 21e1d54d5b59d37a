package main

import (
	"os"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/netdiag/netdiag/diagnostics/all"
	"github.com/netdiag/netdiag/handlers"
	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/policy"
	"github.com/netdiag/netdiag/internal/program"
	"github.com/netdiag/netdiag/internal/store/memory"
)

func serveCommand() *cobra.Command {
	var a access
	var namespace, team, apiURL, state string
	var askers, approvers []string
	var fixes bool
	c := &cobra.Command{
		Use:   "serve",
		Short: "Answer in Slack, and record what people decide",
		Long: `Answer in Slack, and record what people decide. It reads the cluster and AWS, and may change nothing but its own
Investigations and Remediations; approved fixes are carried out by bot execute.

The tokens come from the environment: SLACK_APP_TOKEN (xapp-…) and SLACK_BOT_TOKEN (xoxb-…). It runs as one replica.

Exit status: 0 stopped by a signal; 1 a fault, which the log names; 2 wrong command line or settings.`,
		Example: `  bot serve --approver U0123 --fixes            # answer, offer fixes; bot execute carries them out
  bot serve --state memory                      # answer only, without the custom resources`,
		Args: program.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			ctx := c.Context()
			log, err := logger()
			if err != nil {
				return err
			}
			app, bot := os.Getenv("SLACK_APP_TOKEN"), os.Getenv("SLACK_BOT_TOKEN")
			for name, token := range map[string]string{"SLACK_APP_TOKEN": app, "SLACK_BOT_TOKEN": bot} {
				if token == "" {
					return program.Misuse("%s is not set: the app-level token (xapp-…) and the bot token (xoxb-…) of the Slack app come from the environment", name)
				}
			}
			conn, err := a.connect(ctx, nil)
			if err != nil {
				return err
			}
			src, target := conn.source, conn.target
			var store casebook.Store
			switch state {
			case "kubernetes":
				if store, err = conn.store(namespace, func(err error) { log.Warn("store trouble", zap.Error(err)) }); err != nil {
					return err
				}
			case "memory":
				store = memory.New(time.Now)
				fixes = false // bot execute can't see the memory of another process
				log.Warn("state is kept in memory: it is lost at the next start, and fixes appear as commands only")
			default:
				return program.Misuse("unknown state %q: use kubernetes or memory", state)
			}
			target.Account, err = src.AWS.Account(ctx)
			if err != nil {
				log.Warn("the AWS account is unknown", zap.Error(err))
			}
			if len(approvers) == 0 && fixes {
				log.Warn("nobody may approve fixes: name people with --approver")
			}
			name, err := holder()
			if err != nil {
				return err
			}
			p := policy.Policy{Team: team, Askers: askers, Approvers: []policy.Grant{{Users: approvers}}}
			if err := p.Validate(); err != nil {
				return program.Misuse("%v", err)
			}
			s, err := handlers.New(handlers.Config{
				AppToken: app, BotToken: bot, APIURL: apiURL, Log: log, Holder: name,
				Book:      &casebook.Book{Store: store, Policy: p, Now: time.Now},
				Diagnose:  src.Diagnose,
				Diagnoses: all.Diagnoses(),
				Target:    target, Fixes: fixes, Now: time.Now,
			})
			if err != nil {
				return err
			}
			log.Info("serving", zap.String("cluster", target.Cluster), zap.String("region", target.Region), zap.String("state", state), zap.Bool("fixes", fixes))
			if err := s.Run(ctx); err != nil && ctx.Err() == nil {
				return err
			}
			return nil
		},
	}
	a.flags(c)
	c.Flags().StringVar(&namespace, "namespace", "netdiag", "namespace of the Investigations and Remediations")
	c.Flags().StringVar(&state, "state", "kubernetes", "where state is kept: kubernetes (custom resources) or memory")
	c.Flags().StringVar(&team, "team", "", "id of the Slack workspace that may ask (T…)")
	c.Flags().StringArrayVar(&askers, "asker", []string{policy.Anyone}, "Slack user id that may ask (U…), or * for every full member of the workspace")
	c.Flags().StringArrayVar(&approvers, "approver", nil, "Slack user id that may approve fixes (U…); may be given more than once")
	c.Flags().BoolVar(&fixes, "fixes", false, "offer fixes with buttons; needs bot execute")
	c.Flags().StringVar(&apiURL, "slack-api-url", "", "base URL of the Slack Web API, for a simulated Slack")
	program.Values(c, "state", "kubernetes", "memory")
	return program.Graceful(c)
}
