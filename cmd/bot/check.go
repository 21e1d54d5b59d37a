package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/diagnostics/all"
	"github.com/netdiag/netdiag/handlers"
	"github.com/netdiag/netdiag/internal/program"
)

// inspection is what bot serve --check has found so far.
type inspection struct {
	out     io.Writer
	missing int
}

func (i *inspection) title(format string, args ...any) { fmt.Fprintf(i.out, format+"\n", args...) }

func (i *inspection) ok(format string, args ...any) {
	fmt.Fprintf(i.out, "  ok       "+format+"\n", args...)
}

// miss says what does not work, and what to do.
func (i *inspection) miss(format string, args ...any) {
	i.missing++
	fmt.Fprintf(i.out, "  missing  "+format+"\n", args...)
}

// check tries everything that serving needs, and says what is missing.
func (s settings) check(ctx context.Context, out io.Writer) error {
	i := &inspection{out: out}
	s.checkSlack(ctx, i)
	conn, err := s.access.connect(ctx, nil)
	if err != nil {
		return err
	}
	aws, kubernetes := all.Reads()
	if conn.checkKubernetes(ctx, i, kubernetes) && s.State == "kubernetes" {
		s.checkRecords(ctx, i, conn)
	}
	conn.checkAWS(ctx, i, aws)
	switch i.missing {
	case 0:
		fmt.Fprintln(out, "All is well.")
		return nil
	case 1:
		fmt.Fprintln(out, "One thing is missing.")
	default:
		fmt.Fprintf(out, "%d things are missing.\n", i.missing)
	}
	return &program.Exit{Status: program.Open}
}

func (s settings) checkSlack(ctx context.Context, i *inspection) {
	i.title("Slack")
	at := handlers.Check(ctx, handlers.Config{AppToken: s.app, BotToken: s.bot, APIURL: s.Slack.APIURL}, s.Policy.Groups()...)
	if at.App != nil {
		i.miss("%v", at.App)
	} else {
		i.ok("the app token opens Socket Mode connections")
	}
	if at.Bot != nil {
		i.miss("%v", at.Bot)
		return
	}
	i.ok("the bot token is that of %s in workspace %s (%s)", at.User, at.Team, at.TeamID)
	if at.TeamID != s.Policy.Team {
		i.miss("policy.team is %s: nobody of %s would be answered", s.Policy.Team, at.TeamID)
	}
	for _, scope := range at.Missing {
		i.miss("scope %s, for %s: add it under OAuth & Permissions and install the app again", scope.Name, scope.For)
	}
	if len(at.Missing) == 0 {
		i.ok("all %d scopes are granted", len(handlers.Scopes()))
	}
	for _, g := range at.Groups {
		switch {
		case g.Err != nil:
			i.miss("user group %s can't be read: %v; none of its members could approve", g.ID, g.Err)
		case g.Members == 0:
			i.miss("user group %s has no members: nobody could approve as one of them", g.ID)
		default:
			i.ok("user group %s has members: %d", g.ID, g.Members)
		}
	}
}

// narrow is the namespace of a permission that the chart grants in one namespace only; empty is everywhere.
func narrow(permission string) string {
	switch permission {
	case "get pods/proxy", "get pods/log", "get configmaps":
		return "kube-system"
	}
	return ""
}

// checkKubernetes reports whether the API server answers.
func (c connection) checkKubernetes(ctx context.Context, i *inspection, permissions []string) bool {
	i.title("Kubernetes")
	version, err := c.source.Kube.Version(ctx)
	if err != nil {
		i.miss("%s", plainly(err))
		return false
	}
	i.ok("API server %s answers, %s", c.source.Kube.Host(), version)
	c.review(ctx, i, permissions, narrow, "the ClusterRole netdiag-read of the chart grants it")
	return true
}

// review asks for each permission, and says which are not granted.
func (c connection) review(ctx context.Context, i *inspection, permissions []string, where func(string) string, remedy string) {
	denied := each(ctx, permissions, func(ctx context.Context, p string) error {
		ok, err := c.source.Kube.May(ctx, p, where(p))
		if err == nil && !ok {
			err = &diagnostics.ReadError{Permission: p, Reason: diagnostics.Denied}
		}
		return err
	})
	granted(i, permissions, denied, remedy)
}

// granted tells the outcome of asking for permissions.
func granted(i *inspection, permissions []string, errs map[string]error, remedy string) {
	for _, p := range permissions {
		var denied *diagnostics.ReadError
		switch err := errs[p]; {
		case err == nil:
		case errors.As(err, &denied) && denied.Reason == diagnostics.Denied:
			i.miss("%s: %s", p, remedy)
		default:
			i.miss("%s: it can't be told whether it is granted: %s", p, plainly(err))
		}
	}
	if n := len(permissions) - len(errs); n > 0 {
		i.ok("%d of %d permissions are granted", n, len(permissions))
	}
}

// checkRecords asks whether the custom resources are there and may be written.
func (s settings) checkRecords(ctx context.Context, i *inspection, c connection) {
	store, err := c.store(s.Namespace, func(error) {})
	if err == nil {
		if _, err = store.Investigations.List(ctx); err == nil {
			_, err = store.Remediations.List(ctx)
		}
	}
	if err != nil {
		i.miss("Investigations and Remediations in namespace %s: %v; kubectl apply -f deploy/helm/netdiag/crds installs the custom resources", s.Namespace, err)
		return
	}
	var wanted []string
	for _, kind := range []string{"investigations.netdiag.io", "remediations.netdiag.io"} {
		wanted = append(wanted, "create "+kind, "get "+kind, "list "+kind, "watch "+kind, "update "+kind+"/status")
	}
	wanted = append(wanted, "create events.events.k8s.io") // the audit
	c.review(ctx, i, wanted, func(string) string { return s.Namespace }, "the Role netdiag-records of the chart grants it in namespace "+s.Namespace)
	if !s.Fixes {
		return
	}
	switch h, err := store.Halt.Get(ctx); {
	case err != nil:
		i.miss("%v; nothing is changed while this can't be read. The Role netdiag-halt of the chart grants it in namespace %s", err, s.Namespace)
	case h.On:
		i.miss("changes are stopped since %s, by %s: /netdiag resume lets them go on", h.Since.Format(time.RFC3339), orSomebody(h.By))
	default:
		i.ok("changes are not stopped")
	}
	c.review(ctx, i, []string{"create configmaps"}, func(string) string { return s.Namespace }, "the Role netdiag-halt of the chart grants it, /netdiag stop needs it")
}

func (c connection) checkAWS(ctx context.Context, i *inspection, permissions []string) {
	i.title("AWS")
	account, err := c.source.AWS.Account(ctx)
	if err != nil {
		i.miss("%s", plainly(err))
		return
	}
	i.ok("account %s, region %s", account, c.target.Region)
	var refusal diagnostics.Refusal
	if err := c.source.AWS.Known(ctx, c.target.Cluster); errors.As(err, &refusal) {
		i.miss("%s Give its name as cluster, its region as region.", refusal)
	} else if err == nil {
		i.ok("EKS cluster %s", c.target.Cluster)
	}
	denied := each(ctx, permissions, func(ctx context.Context, p string) error { return c.source.AWS.Try(ctx, p, c.target.Cluster) })
	granted(i, permissions, denied, "deploy/iam/read.json grants it")
}

// each asks for the permissions, some at a time, and gives the errors.
func each(ctx context.Context, permissions []string, ask func(context.Context, string) error) map[string]error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	errs := make([]error, len(permissions))
	var g errgroup.Group
	g.SetLimit(4)
	for n, p := range permissions {
		g.Go(func() error { errs[n] = ask(ctx, p); return nil })
	}
	_ = g.Wait() // no function has an error
	out := map[string]error{}
	for n, p := range permissions {
		if errs[n] != nil {
			out[p] = errs[n]
		}
	}
	return out
}

// plainly is an error in one sentence for people: a refusal without what is for the log.
func plainly(err error) string {
	if refusal, ok := errors.AsType[diagnostics.Refusal](err); ok {
		return string(refusal)
	}
	return err.Error()
}

func orSomebody(user string) string {
	if user == "" {
		return "somebody"
	}
	return user
}
