package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/netdiag/netdiag/deploy/iam"
	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/diagnostics/all"
	"github.com/netdiag/netdiag/handlers"
	"github.com/netdiag/netdiag/internal/kube"
	"github.com/netdiag/netdiag/internal/permissions"
	"github.com/netdiag/netdiag/internal/program"
)

// inspection is what bot serve --check has found so far.
type inspection struct {
	out     io.Writer
	missing int
}

func (i *inspection) title(text string) { fmt.Fprintln(i.out, text) }

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
	conn, err := s.access.connect(ctx, listener{})
	if err != nil {
		return err
	}
	if conn.checkKubernetes(ctx, i) && s.State == "kubernetes" {
		s.checkRecords(ctx, i, conn)
		s.checkWatch(ctx, i, conn)
	}
	conn.checkAWS(ctx, i)
	return i.end()
}

// end says how much is missing.
func (i *inspection) end() error {
	switch i.missing {
	case 0:
		fmt.Fprintln(i.out, "All is well.")
		return nil
	case 1:
		fmt.Fprintln(i.out, "One thing is missing.")
	default:
		fmt.Fprintf(i.out, "%d things are missing.\n", i.missing)
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

// checkKubernetes reports whether the API server answers.
func (c connection) checkKubernetes(ctx context.Context, i *inspection) bool {
	i.title("Kubernetes")
	version, err := c.source.Kube.Version(ctx)
	if err != nil {
		i.miss("%s", plainly(err))
		return false
	}
	i.ok("API server %s answers, %s", c.source.Kube.Host(), version)
	c.review(ctx, i, roles("", "netdiag-read", "netdiag-read-cni"))
	return true
}

// question is whether something is granted.
type question struct {
	kube.Need
	namespace string // empty is all
	remedy    string // what grants it
}

func asked(needs []kube.Need, namespace, remedy string) (out []question) {
	for _, n := range needs {
		out = append(out, question{n, namespace, remedy})
	}
	return out
}

// review asks for each permission, and says which are not granted.
func (c connection) review(ctx context.Context, i *inspection, all []question) {
	errs := each(ctx, all, func(ctx context.Context, q question) error {
		ok, err := c.source.Kube.May(ctx, q.Need, q.namespace)
		if err == nil && !ok {
			err = &diagnostics.ReadError{Permission: q.Permission, Reason: diagnostics.Denied}
		}
		return err
	})
	for n, q := range all {
		i.granted(q.Permission, errs[n], q.remedy)
	}
	i.count(errs)
}

// granted tells the outcome of asking for a permission.
func (i *inspection) granted(permission string, err error, remedy string) {
	var denied *diagnostics.ReadError
	switch {
	case err == nil:
	case errors.As(err, &denied) && denied.Reason == diagnostics.Denied:
		i.miss("%s: %s", permission, remedy)
	default:
		i.miss("%s: it can't be told whether it is granted: %s", permission, plainly(err))
	}
}

// askedBy names the questions that see less without a permission; empty where there are none.
func askedBy(permission string) string {
	questions := permissions.AskedBy(permission)
	if len(questions) == 0 {
		return ""
	}
	return "; without it less is seen by " + strings.Join(questions, ", ")
}

// count tells how many were granted.
func (i *inspection) count(errs []error) {
	n := 0
	for _, err := range errs {
		if err == nil {
			n++
		}
	}
	if n > 0 {
		i.ok("%d of %d permissions are granted", n, len(errs))
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
	c.review(ctx, i, roles(s.Namespace, "netdiag-records"))
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
	c.review(ctx, i, roles(s.Namespace, "netdiag-halt"))
}

// roles asks for what roles of the chart grant, which is installed in a namespace.
func roles(release string, names ...string) (out []question) {
	for _, r := range permissions.Roles() {
		if !slices.Contains(names, r.Name) {
			continue
		}
		namespace, remedy := r.Namespace, "the ClusterRole "+r.Name+" of the chart grants it"
		if namespace == permissions.Release {
			namespace = release
		}
		if namespace != "" {
			remedy = "the Role " + r.Name + " of the chart grants it in namespace " + namespace
		}
		if r.When != "" && r.When != "fixes.enabled" {
			remedy += " with " + r.When
		}
		all := asked(r.Needs, namespace, remedy)
		if r.Name == "netdiag-read" || r.Name == "netdiag-read-cni" { // others are asked for the same verbs, of records
			for n := range all {
				all[n].remedy += askedBy(all[n].Permission)
			}
		}
		out = append(out, all...)
	}
	return out
}

// checkAWS gives the account, empty where AWS doesn't answer.
func (c connection) checkAWS(ctx context.Context, i *inspection) string {
	i.title("AWS")
	account, err := c.source.AWS.Account(ctx)
	if err != nil {
		i.miss("%s", plainly(err))
		return ""
	}
	i.ok("account %s, region %s", account, c.target.Region)
	var refusal diagnostics.Refusal
	if err := c.source.AWS.Known(ctx, c.target.Cluster); errors.As(err, &refusal) {
		i.miss("%s Give its name as cluster, its region as region.", refusal)
	} else if err == nil {
		i.ok("EKS cluster %s", c.target.Cluster)
	}
	reads, _ := all.Reads()
	errs := each(ctx, reads, func(ctx context.Context, p string) error { return c.source.AWS.Try(ctx, p, c.target.Cluster) })
	var wanted []string
	for n, p := range reads {
		i.granted(p, errs[n], "deploy/iam/read.json grants it"+askedBy(p))
		if errs[n] != nil {
			wanted = append(wanted, p)
		}
	}
	i.count(errs)
	i.lines("read.json", func(_, action string) bool { return slices.Contains(wanted, action) }, c.blanks(ctx, account))
	return account
}

// lines prints the statements of a policy that are missing.
func (i *inspection) lines(policy string, keep func(sid, action string) bool, blanks map[string]string) {
	lines, err := iam.Lines(policy, keep, blanks)
	if err != nil {
		i.miss("%v", err)
	}
	if len(lines) > 0 {
		fmt.Fprintf(i.out, "  Missing from the policy (deploy/iam/%s):\n", policy)
	}
	for _, l := range lines {
		fmt.Fprintln(i.out, "    "+l)
	}
}

// blanks are what is known of what the policies leave blank.
func (c connection) blanks(ctx context.Context, account string) map[string]string {
	out := map[string]string{"ACCOUNT": account, "REGION": c.target.Region, "CLUSTER": c.target.Cluster, "PARTITION": partition(c.target.Region)}
	if k, err := c.source.AWS.Reader().Cluster(ctx, c.target.Cluster); err == nil && k != nil {
		out["VPC_ID"] = k.VPC
	}
	if a, err := c.source.AWS.Reader().Addon(ctx, c.target.Cluster, "vpc-cni"); err == nil && a != nil {
		out["VPC_CNI_ROLE_ARN"] = a.RoleARN
	}
	return out
}

// partition is that of AWS which a region is in, as ARNs name it.
func partition(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	}
	return "aws"
}

// each asks all questions, some at a time, and gives the errors in their order.
func each[Q any](ctx context.Context, all []Q, ask func(context.Context, Q) error) []error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	errs := make([]error, len(all))
	var g errgroup.Group
	g.SetLimit(4)
	for n, q := range all {
		g.Go(func() error { errs[n] = ask(ctx, q); return nil })
	}
	_ = g.Wait() // no function has an error
	return errs
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
