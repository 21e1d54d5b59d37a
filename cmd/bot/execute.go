package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/diagnostics/all"
	"github.com/netdiag/netdiag/internal/awsnet"
	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/config"
	"github.com/netdiag/netdiag/internal/live"
	"github.com/netdiag/netdiag/internal/meters"
	"github.com/netdiag/netdiag/internal/program"
	"github.com/netdiag/netdiag/internal/remedy"
)

func executeCommand() *cobra.Command {
	var a access
	var namespace, file, fixRole string
	var given config.Operation
	var poll, perTarget time.Duration
	var kinds []string
	var check bool
	c := &cobra.Command{
		Use:   "execute",
		Short: "Carry out approved fixes",
		Long: `Carry out approved fixes. It takes each approved Remediation, diagnoses again and goes on only if the very same fix is still
proposed, applies it, and diagnoses until the trouble is gone. It holds no Slack token; custom resources are all that it
shares with bot serve.

With --fix-role it assumes that role anew for each change to AWS, in a session that names the remediation, who asked and
who approved: CloudTrail shows them.

Of those it believes no more than it has to. Risk and number of approvals come from its own catalogue, and with --config
whose approvals count from a file of its own, which has only this:

  approvers:
  - users: [U0123ABCD]      # ids of Slack users; by risks, fixes and namespaces as in the settings of bot serve
    risks: [low, medium]
  health: :8080             # /healthz, /readyz and /metrics; none switches them off
  logLevel: info            # debug, info, warn or error
  debug: {pprof: ""}        # profiles and the log's level, at an address such as 127.0.0.1:6060

With --check it asks for every permission that it will need, in the cluster and in AWS, prints the lines that are missing
from the policies of IAM, and ends. It makes no change; with --fix-role it assumes the role once, as remediation rem-check.

Exit status: 0 stopped by a signal, or all is well with --check; 1 a fault, which the log names; 2 wrong command line;
3 something is missing, with --check.`,
		Example: `  bot execute --namespace netdiag --check       # what may it do, and what is missing?
  bot execute --namespace netdiag`,
		Args: program.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if fixRole != "" && !awsnet.IsRole(fixRole) {
				return program.Misuse("%q is no ARN of an IAM role, such as arn:aws:iam::111122223333:role/netdiag-fix", fixRole)
			}
			for _, k := range kinds {
				if !slices.Contains(remedy.Kinds(), k) {
					return program.Misuse("--kinds: %q is none of %s", k, strings.Join(remedy.Kinds(), ", "))
				}
			}
			own, err := executorSettings(file, given, c.Flags().Changed)
			if err != nil {
				return err
			}
			level := levelOf(own.Operation)
			log, err := logger(level)
			if err != nil {
				return err
			}
			defer listening(c.Context(), level, log)()
			m := meters.New(program.Version())
			economise(plenty)
			conn, err := a.connect(c.Context(), metering(m, log))
			if err != nil {
				return err
			}
			if check {
				return hands{conn, namespace, fixRole, kinds}.check(c.Context(), c.OutOrStdout())
			}
			store, err := conn.store(namespace, func(err error) { log.Warn("store trouble", zap.Error(err)) })
			if err != nil {
				return err
			}
			holder, err := holder()
			if err != nil {
				return err
			}
			counts := m.Executor()
			e := &casebook.Executor{
				Store:    store,
				Hands:    remedy.Split{AWS: conn.source.AWS.HandsAs(fixRole), Kubernetes: conn.source.Kube.Hands(), Kinds: append([]string{}, kinds...)},
				Diagnose: diagnoseFor(conn.source, m), Cluster: conn.target.Cluster,
				Now: time.Now, After: time.After, Holder: holder, Poll: poll, Trusts: own.trusts, PerTarget: perTarget, Meter: counts,
				Fault: func(remediation string, err error) {
					counts.Fault()
					log.Error("remediation fault", zap.String("remediation", remediation), zap.Error(err))
				},
			}
			ledger, err := conn.ledger(namespace, holder)
			if err != nil {
				return err
			}
			defer audit(c.Context(), store, ledger, log)()
			log.Info("executing", zap.String("holder", holder), zap.String("namespace", namespace))
			if err := beside(c.Context(), log, e.Run, health(own.Health, m.Handler(e.Ready)), debugging(own.Debug.Pprof, level)); err != nil && c.Context().Err() == nil {
				return err
			}
			return nil
		},
	}
	a.flags(c)
	namespaced(c, &namespace)
	c.Flags().StringVar(&fixRole, "fix-role", "", "ARN of the IAM role that is assumed for each change to AWS (default: none, the own identity makes them)")
	c.Flags().StringVar(&file, "config", os.Getenv("NETDIAG_EXECUTOR_CONFIG"), "file that says whose approvals count (default: $NETDIAG_EXECUTOR_CONFIG, or else everybody's whom bot serve let approve)")
	c.Flags().StringVar(&given.Health, "health", ":8080", "address of /healthz, /readyz and /metrics, before that of the settings; none switches them off")
	c.Flags().StringVar(&given.LogLevel, "log-level", "info", "debug, info, warn or error, before that of the settings; SIGUSR1 makes it debug, SIGUSR2 what it was")
	c.Flags().StringVar(&given.Debug.Pprof, "pprof", "", "address of profiles and of the log's level, of this machine alone, such as 127.0.0.1:6060 (default: none)")
	c.Flags().DurationVar(&perTarget, "per-target", 30*time.Minute, "least time between two changes of one thing, undos excepted; below 0 none")
	c.Flags().DurationVar(&poll, "poll", 5*time.Second, "time between two diagnoses while a change is watched")
	c.Flags().BoolVar(&check, "check", false, "ask for every permission in the cluster and in AWS, say what is missing, and end")
	c.Flags().StringSliceVar(&kinds, "kinds", remedy.Kinds(), "kinds of change that may be made; all others are refused")
	return program.Graceful(c)
}

// executing are the settings of bot execute.
type executing struct {
	config.Executor
	trusts func(string, casebook.Remediation) bool // nil without a file: whom bot serve let approve
}

// executorSettings reads the file, if there is one. What was given on the command line counts before it.
func executorSettings(file string, flags config.Operation, given func(flag string) bool) (executing, error) {
	out := executing{Executor: config.DefaultExecutor()}
	if file != "" {
		c, err := config.ReadExecutor(file)
		if err != nil {
			return out, program.Misuse("%v", err)
		}
		out = executing{c, c.Approvers.Trusts}
	}
	for _, f := range []struct {
		flag     string
		from, to *string
	}{{"health", &flags.Health, &out.Health}, {"log-level", &flags.LogLevel, &out.LogLevel}, {"pprof", &flags.Debug.Pprof, &out.Debug.Pprof}} {
		if given(f.flag) {
			*f.to = *f.from
		}
	}
	if setting, err := out.Check(); err != nil {
		return out, program.Misuse("--%s: %v", map[string]string{"health": "health", "logLevel": "log-level", "debug.pprof": "pprof"}[setting], err)
	}
	return out, nil
}

// diagnoseFor diagnoses anew: every call reads everything again.
func diagnoseFor(src live.Source, m *meters.Meters) func(context.Context, string, diagnostics.Target) (diagnostics.Report, error) {
	rest := newResting()
	return func(ctx context.Context, name string, t diagnostics.Target) (diagnostics.Report, error) {
		defer rest.begin()()
		d, ok := all.Find(name)
		if !ok {
			return diagnostics.Report{}, fmt.Errorf("diagnose %s: this version has no such diagnosis", name)
		}
		out, err := src.Diagnose(ctx, d, t, nil)
		m.Diagnosed(d, out, err)
		return out.Report, err
	}
}

// holder names this process since its start: a restarted one is another.
func holder() (string, error) {
	name := os.Getenv("POD_NAME")
	if name == "" {
		host, err := os.Hostname()
		if err != nil {
			return "", err
		}
		name = host
	}
	b := make([]byte, 4)
	if _, err := rand.Read(b); err != nil {
		return "", err
	}
	return name + "-" + hex.EncodeToString(b), nil
}
