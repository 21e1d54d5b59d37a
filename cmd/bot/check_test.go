package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netdiag/netdiag/diagnostics/all"
	"github.com/netdiag/netdiag/internal/diagtest"
	"github.com/netdiag/netdiag/internal/sim/slack"
	"github.com/netdiag/netdiag/internal/world"
)

// workspace is a simulated Slack whose bot token has the scopes; nil are those of the manifest.
func workspace(t *testing.T, scopes []string) (s *slack.Server, apiURL string) {
	t.Helper()
	s = slack.New(slack.Options{App: slack.App{Scopes: scopes}})
	url, stop, err := diagtest.Listen(s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(); stop() })
	return s, url + "/api/"
}

// said looks for lines in what a check says.
func said(t *testing.T, got []string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !slices.Contains(got, want) {
			t.Errorf("%q is not said in:\n%s", want, strings.Join(got, "\n"))
		}
	}
}

// check runs bot serve --check with settings on a served world.
func (b bot) check(apiURL, settings string, env ...string) (lines []string, stderr string, code int) {
	b.t.Helper()
	file := filepath.Join(b.t.TempDir(), "netdiag.yaml")
	if err := os.WriteFile(file, []byte("slack: {apiURL: \""+apiURL+"\"}\n"+settings), 0o600); err != nil {
		b.t.Fatal(err)
	}
	out, stderr, code := b.run(append([]string{"SLACK_APP_TOKEN=xapp-sim", "SLACK_BOT_TOKEN=xoxb-sim"}, env...), "serve", "--config", file, "--check")
	// A version and a loopback address differ from run to run.
	out = regexp.MustCompile(`http://\S+ answers, v\S+`).ReplaceAllString(out, "URL answers, VERSION")
	return strings.Split(strings.TrimSpace(out), "\n"), stderr, code
}

const simple = "cluster: prod-cluster\npolicy: {team: T00000001, askers: [\"*\"]}\n"

func TestCheck(t *testing.T) {
	b := serve(t, filepath.Join(worlds, "seeds/seed-alb-502"), nil)
	_, url := workspace(t, nil)
	aws, kubernetes := all.Reads()
	want := []string{
		"Slack",
		"  ok       the app token opens Socket Mode connections",
		"  ok       the bot token is that of netdiag in workspace Acme (T00000001)",
		"  ok       all 10 scopes are granted",
		"Kubernetes",
		"  ok       API server URL answers, VERSION",
		"  ok       N of N permissions are granted",
		"  ok       N of N permissions are granted",
		"AWS",
		"  ok       account 111122223333, region us-west-2",
		"  ok       EKS cluster prod-cluster",
		"  ok       N of N permissions are granted",
		"All is well.",
	}
	got, stderr, code := b.check(url, simple)
	if code != 0 || stderr != "" {
		t.Errorf("exit %d: %s", code, stderr)
	}
	counted := regexp.MustCompile(`(\d+) of (\d+) perm`)
	var counts []string
	for i, line := range got {
		if m := counted.FindStringSubmatch(line); m != nil && m[1] == m[2] {
			counts = append(counts, m[1])
			got[i] = counted.ReplaceAllString(line, "N of N perm")
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if len(counts) != 3 || counts[1] != "11" || len(aws) < 25 || len(kubernetes) < 15 {
		t.Errorf("asked for %v permissions; declared are %d of Kubernetes and %d of AWS", counts, len(kubernetes), len(aws))
	}
}

// Each permission that is taken away is named, alone, with what grants it.
func TestCheckNamesWhatIsMissing(t *testing.T) {
	aws, _ := all.Reads()
	b := serve(t, filepath.Join(worlds, "seeds/seed-alb-502"), func(w *world.World) {
		w.Meta.Denied = world.Denied{AWS: aws[:len(aws)-1], Kubernetes: []string{"list pods", "get pods/log", "list ingresses.networking.k8s.io"}}
	})
	_, url := workspace(t, []string{"commands", "chat:write"})
	got, _, code := b.check(url, strings.Replace(simple, "T00000001", "T0OTHER01", 1))
	if code != 3 {
		t.Errorf("exit %d", code)
	}
	for _, p := range aws[:len(aws)-1] {
		if !slices.ContainsFunc(got, func(l string) bool {
			return strings.HasPrefix(l, "  missing  "+p+": deploy/iam/read.json grants it; without it less is seen by ")
		}) {
			t.Errorf("%s is not named", p)
		}
	}
	said(t, got,
		"  missing  policy.team is T0OTHER01: nobody of T00000001 would be answered",
		"  missing  scope files:write, for charts and reports as files: add it under OAuth & Permissions and install the app again",
		"  missing  list pods: the ClusterRole netdiag-read of the chart grants it; without it less is seen by pending, alb, ip",
		"  missing  get pods/log: the Role netdiag-read-cni of the chart grants it in namespace kube-system; without it less is seen by pending, alb",
		"  missing  list ingresses.networking.k8s.io: the ClusterRole netdiag-read of the chart grants it; without it less is seen by alb",
		"  ok       1 of 29 permissions are granted",
		"40 things are missing.",
	)
	// The lines to add, with the account's own names, and in them only what is missing.
	said(t, got,
		"  Missing from the policy (deploy/iam/read.json):",
		`    {"Sid":"ReadNodegroups","Effect":"Allow","Action":["eks:DescribeNodegroup"],"Resource":"arn:aws:eks:us-west-2:111122223333:nodegroup/prod-cluster/*/*"}`,
	)
	if slices.ContainsFunc(got, func(l string) bool { return strings.Contains(l, `"`+aws[len(aws)-1]+`"`) }) {
		t.Errorf("%s is granted, and among the lines to add", aws[len(aws)-1])
	}
	if slices.ContainsFunc(got, func(l string) bool { return strings.Contains(l, "list nodes") }) {
		t.Error("what is granted is called missing")
	}
}

// Where fixes are on: a user group of approvers that can't be read, or that is empty, approves nothing; and a halt is told.
func TestCheckDeciding(t *testing.T) {
	b := serve(t, filepath.Join(worlds, "seeds/seed-alb-502"), nil)
	s := slack.New(slack.Options{Groups: []slack.UserGroup{{ID: "S0OPS", Users: []string{"U0MAYA", "U0JONAS"}}, {ID: "S0EMPTY"}}})
	url, stop, err := diagtest.Listen(s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(); stop() })
	got, _, code := b.check(url+"/api/", "cluster: prod-cluster\npolicy: {team: T00000001, approvers: [{groups: [S0OPS, S0EMPTY]}, {groups: [S0NONE]}]}\nfixes: true\n")
	if code != 3 {
		t.Errorf("exit %d", code)
	}
	said(t, got,
		"  ok       user group S0OPS has members: 2",
		"  missing  user group S0EMPTY has no members: nobody could approve as one of them",
		"  missing  user group S0NONE can't be read: no_such_subteam; none of its members could approve",
		"  ok       changes are not stopped",
		"  ok       3 of 3 permissions are granted",
		"2 things are missing.",
	)
}

func TestCheckOfWhatCanNotBeReached(t *testing.T) {
	b := serve(t, filepath.Join(worlds, "seeds/seed-alb-502"), nil)
	got, _, code := b.check("http://127.0.0.1:9/api/", simple, "SLACK_APP_TOKEN=xapp-other", "AWS_ENDPOINT_URL=http://127.0.0.1:9")
	if code != 3 || !strings.Contains(strings.Join(got, "\n"), "  missing  Slack can't be reached with the bot token (SLACK_BOT_TOKEN)") {
		t.Errorf("exit %d:\n%s", code, strings.Join(got, "\n"))
	}
	s, url := workspace(t, nil)
	s.Fault("auth.test", slack.Fault{Error: "token_revoked"})
	got, _, _ = b.check(url, simple, "SLACK_APP_TOKEN=xapp-other")
	for _, want := range []string{"app token (SLACK_APP_TOKEN): invalid_auth", "bot token (SLACK_BOT_TOKEN): token_revoked"} {
		if !strings.Contains(strings.Join(got, "\n"), "  missing  Slack refuses the "+want) {
			t.Errorf("%q is not said in:\n%s", want, strings.Join(got, "\n"))
		}
	}
}

func TestServeRefusesWrongSettings(t *testing.T) {
	b := bot{t: t}
	for settings, want := range map[string]string{
		"polcy: {}":                 `netdiag\.yaml:2: polcy is no setting\. Did you mean policy\?`,
		"policy: {team: acme}":      `netdiag\.yaml:2: policy\.team: "acme" is no id of a Slack workspace`,
		simple + "slack: {a: b}":    `netdiag\.yaml:4: slack is set twice`,
		simple + "fixes: perhaps\n": `netdiag\.yaml:4: fixes takes true or false, not "perhaps"`,
	} {
		_, stderr, code := b.check("http://127.0.0.1:9/", settings)
		if code != 2 || !regexp.MustCompile(want).MatchString(stderr) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%q: exit %d: %s", settings, code, stderr)
		}
	}
	for _, args := range [][]string{{"serve"}, {"serve", "--config", "nowhere.yaml"}} {
		if _, stderr, code := b.run([]string{"NETDIAG_CONFIG="}, args...); code != 2 || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%v: exit %d: %s", args, code, stderr)
		}
	}
}

// The watch asks for a Lease and for memos of its own; without them it warns of nothing, and that is said.
func TestCheckTheWatch(t *testing.T) {
	for _, c := range []struct {
		denied []string
		want   string
	}{
		{nil, "  ok       8 of 8 permissions are granted"},
		{[]string{"create leases.coordination.k8s.io"}, "  missing  create leases.coordination.k8s.io: the Role netdiag-watch of the chart grants it in namespace netdiag"},
	} {
		b := serve(t, filepath.Join(worlds, "seeds/seed-alb-502"), func(w *world.World) { w.Meta.Denied.Kubernetes = c.denied })
		_, url := workspace(t, nil)
		got, _, _ := b.check(url, simple+"watch: {channel: C0OPS, ingresses: [all]}\n")
		said(t, got, "Early warning")
		said(t, got[max(0, slices.Index(got, "Early warning")):], c.want)
	}
}
