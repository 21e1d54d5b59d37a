package main

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netdiag/netdiag/internal/diagtest"
	"github.com/netdiag/netdiag/internal/sim/fault"
	"github.com/netdiag/netdiag/internal/sim/slack"
)

// serving starts bot serve with its state in memory, and gives where its metrics are.
func (b bot) serving(s *slack.Server, settings string) (p *running, address string) {
	b.t.Helper()
	url, stop, err := diagtest.Listen(s)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { s.Close(); stop() })
	file := filepath.Join(b.t.TempDir(), "netdiag.yaml")
	text := simple + "state: memory\nhealth: 127.0.0.1:0\nslack: {apiURL: \"" + url + "/api/\"}\n" + settings
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		b.t.Fatal(err)
	}
	p = b.background([]string{"SLACK_APP_TOKEN=xapp-sim", "SLACK_BOT_TOKEN=xoxb-sim"}, "serve", "--config", file)
	address = p.until("health checks")["address"].(string)
	if err := s.Wait(b.t.Context(), func(s *slack.State) bool { return s.Sockets() > 0 }); err != nil {
		b.t.Fatal(err)
	}
	return p, address
}

// One question through the real program is seen in its metrics: how long each step took, every call with its code, and what
// could not be read. No label holds a name from the cluster.
func TestMetricsOfAQuestion(t *testing.T) {
	b := serve(t, filepath.Join(worlds, "seeds/seed-alb-502"), nil)
	b.served.AWS.Faults().On("ec2:DescribeNetworkAcls", fault.Fault{Kind: fault.Denied})
	s := slack.New(slack.Options{
		Users: []slack.User{{ID: "U0MAYA", Name: "maya"}}, Channels: []slack.Channel{{ID: "C0OPS", Name: "ops"}},
		App: slack.App{Commands: []slack.Command{{Name: "/netdiag"}}},
	})
	p, address := b.serving(s, "")
	if _, err := s.Slash(t.Context(), "U0MAYA", "C0OPS", "/netdiag alb api-ingress -n backend"); err != nil {
		t.Fatal(err)
	}
	if err := s.Wait(t.Context(), func(s *slack.State) bool {
		all := s.Messages("C0OPS")
		return len(all) > 0 && len(s.Thread("C0OPS", all[0].TS)) > 1
	}); err != nil {
		t.Fatal(err)
	}
	status, body := fetch(t, address, "/metrics")
	if status != http.StatusOK {
		t.Fatal(status, body)
	}
	for _, want := range []string{
		`netdiag_diagnoses_total{diagnosis="alb",end="cause"} 1`,
		`netdiag_diagnosis_seconds_count{diagnosis="alb",step="reads"} 1`,
		`netdiag_diagnosis_seconds_count{diagnosis="alb",step="judge"} 1`,
		`netdiag_diagnosis_seconds_count{diagnosis="alb",step="render"} 1`,
		`netdiag_aws_calls_total{code="OK",operation="DescribeTargetHealth",service="elasticloadbalancing"} 1`,
		`netdiag_aws_calls_total{code="UnauthorizedOperation",operation="DescribeNetworkAcls",service="ec2"} 1`,
		`netdiag_kubernetes_calls_total{code="200",resource="ingresses.networking.k8s.io",verb="list"} 1`,
		`netdiag_gaps_total{diagnosis="alb",permission="ec2:DescribeNetworkAcls",reason="denied"} 1`,
		`netdiag_question_waiting_seconds_count 1`,
		`netdiag_slack_envelopes_total{kind="command"} 1`,
		`netdiag_fixes{phase="AwaitingApproval"} 0`,
		`netdiag_decisions_total{end="refused",verdict="approve"} 0`,
	} {
		if !strings.Contains(body, want+"\n") {
			t.Errorf("no %s", want)
		}
	}
	for _, name := range []string{"api-ingress", "backend", "prod-cluster", "sg-", "subnet-", "U0MAYA", "C0OPS"} {
		for line := range strings.Lines(body) {
			if strings.Contains(line, name) {
				t.Errorf("%s in %s", name, line)
			}
		}
	}
	if t.Failed() {
		t.Logf("%s\n%s", body, p.stop())
		return
	}
	p.stop()
	var families []string
	for _, m := range regexp.MustCompile(`(?m)^# TYPE (netdiag_\w+) `).FindAllStringSubmatch(body, -1) {
		families = append(families, m[1])
	}
	want := []string{
		"netdiag_aws_call_seconds", "netdiag_aws_calls_total", "netdiag_build_info", "netdiag_decisions_total", "netdiag_diagnoses_total",
		"netdiag_diagnosis_seconds", "netdiag_fixes", "netdiag_gaps_total", "netdiag_kubernetes_call_seconds", "netdiag_kubernetes_calls_total",
		"netdiag_question_waiting_seconds", "netdiag_questions_open", "netdiag_questions_turned_away_total", "netdiag_questions_waiting",
		"netdiag_slack_acknowledgement_seconds", "netdiag_slack_connections", "netdiag_slack_connections_ended_total", "netdiag_slack_deaf",
		"netdiag_slack_deaf_longest_seconds", "netdiag_slack_deaf_seconds_total", "netdiag_slack_envelopes_total", "netdiag_slack_redelivered_total",
		"netdiag_slack_shed_total", "netdiag_slack_unacknowledged_total",
	}
	if diff := cmp.Diff(want, slices.Sorted(slices.Values(families))); diff != "" {
		t.Errorf("families -want +got:\n%s", diff)
	}
}
