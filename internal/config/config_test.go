package config_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netdiag/netdiag/internal/config"
	"github.com/netdiag/netdiag/internal/policy"
)

const whole = `
cluster: prod-cluster
region: us-west-2
namespace: diagnosis
fixes: true
slack:
  connections: 3
policy:
  team: T0123ABCD
  askers: ["*"]
  approvers:
  - users: [U0123ABCD, U0456EFGH]
    risks: [low, medium]
    namespaces: [backend]
  - groups: [S0123ABCD]
channels:
  C0123ABCD: {namespace: backend}
  C0456EFGH:
    cluster: staging
clusters:
- name: staging
  context: staging
limits: {workers: 8, diagnosis: 1m}
watch: {channel: C0OPS, ingresses: [backend/api], thresholds: {free: 25}}
health: 127.0.0.1:9000
logLevel: warn
debug: {pprof: "localhost:6060"}
`

func TestParse(t *testing.T) {
	got, err := config.Parse("netdiag.yaml", []byte(whole))
	if err != nil {
		t.Fatal(err)
	}
	want := config.Config{
		Cluster: "prod-cluster", Region: "us-west-2", Namespace: "diagnosis", State: "kubernetes", Fixes: true,
		Slack: config.Slack{Connections: 3},
		Policy: policy.Policy{Team: "T0123ABCD", Askers: []string{"*"}, Approvers: []policy.Grant{
			{Users: []string{"U0123ABCD", "U0456EFGH"}, Risks: []string{"low", "medium"}, Namespaces: []string{"backend"}}, {Groups: []string{"S0123ABCD"}}}},
		Channels:  map[string]config.Channel{"C0123ABCD": {Namespace: "backend"}, "C0456EFGH": {Cluster: "staging"}},
		Clusters:  []config.Cluster{{Name: "staging", Context: "staging"}},
		Limits:    config.Limits{Workers: 8, Queue: 32, Diagnosis: time.Minute},
		Operation: config.Operation{Health: "127.0.0.1:9000", LogLevel: "warn", Debug: config.Debug{Pprof: "localhost:6060"}},
		Watch:     config.Watch{Channel: "C0OPS", Ingresses: []string{"backend/api"}, Interval: 5 * time.Minute, Thresholds: config.Thresholds{Free: 25, Looks: 2, Healthy: 3}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestMistakes(t *testing.T) {
	with := func(lines string) string { return "policy: {team: T0123ABCD}\n" + lines }
	for text, want := range map[string]string{
		"":                                                       `f.yaml: policy.team: "" is no id of a Slack workspace, such as T0123ABCD`,
		"# nothing\n":                                            `f.yaml: policy.team: "" is no id of a Slack workspace, such as T0123ABCD`,
		"policy:\n  team: acme":                                  `f.yaml:2: policy.team: "acme" is no id of a Slack workspace, such as T0123ABCD`,
		with("clutser: prod"):                                    `f.yaml:2: clutser is no setting. Did you mean cluster, clusters?`,
		with("slack:\n  conections: 2"):                          `f.yaml:3: slack.conections is no setting. Did you mean connections?`,
		with("banana: 1"):                                        `f.yaml:2: banana is no setting. The nearest are: slack, state, watch.`,
		with("region: a\nregion: b"):                             `f.yaml:3: region is set twice`,
		with("fixes: yes please"):                                `f.yaml:2: fixes takes true or false, not "yes please"`,
		with("fixes: \"true\""):                                  `f.yaml:2: fixes takes true or false, not "true"`,
		with("region: [a]"):                                      `f.yaml:2: region takes one value, not a list`,
		with("limits: 3"):                                        `f.yaml:2: limits takes settings of its own, not "3"`,
		with("limits: {workers: many}"):                          `f.yaml:2: limits.workers takes a whole number, not "many"`,
		with("limits:\n  workers: 0"):                            `f.yaml:3: limits.workers: 0 is not between 1 and 64`,
		with("limits:\n  diagnosis: 5"):                          `f.yaml:3: limits.diagnosis takes a time such as 30s, not "5"`,
		with("watch: {channel: ops}"):                            `f.yaml:2: watch.channel: "ops" is no channel id such as C0123ABCD; Slack shows it at the end of the channel's details`,
		with("watch: {ingresses: [all]}"):                        `f.yaml:2: watch.ingresses: they are watched for nobody; set watch.channel too, the id of the channel that is warned`,
		with("watch: {channel: C0OPS, ingresses: [api]}"):        `f.yaml:2: watch.ingresses[0]: "api" is no ingress such as backend/api-ingress, and not all`,
		with("watch: {chanel: C0OPS}"):                           `f.yaml:2: watch.chanel is no setting. Did you mean channel?`,
		with("watch: {channel: C0OPS, interval: 10s}"):           `f.yaml:2: watch.interval: 10s is not between 1m and 1h`,
		with("watch: {channel: C0OPS, thresholds: {free: 100}}"): `f.yaml:2: watch.thresholds.free: 100 is not between 1 and 90 percent`,
		with("limits: {diagnosis: 1h}"):                          `f.yaml:2: limits.diagnosis: 1h0m0s is not between 1s and 5m`,
		with("slack: {connections: 9}"):                          `f.yaml:2: slack.connections: 9 is not between 1 and 4: Slack allows an app 10 connections, those of all replicas together`,
		with("slack: {apiURL: slack}"):                           `f.yaml:2: slack.apiURL: "slack" is no URL such as https://slack.com/api/`,
		with("state: etcd"):                                      `f.yaml:2: state: "etcd" is neither kubernetes nor memory`,
		with("state: memory\nfixes: true"):                       `f.yaml:3: fixes: with state: memory nothing can be carried out, for bot execute can't see it; leave fixes out, or use state: kubernetes`,
		with("health: 8080"):                                     `f.yaml:2: health: "8080" is no address such as :8080, and not none`,
		with("logLevel: verbose"):                                `f.yaml:2: logLevel: "verbose" is none of debug, info, warn and error. The nearest are: error, debug, info.`,
		with("logLevel: debg"):                                   `f.yaml:2: logLevel: "debg" is none of debug, info, warn and error. Did you mean debug?`,
		with("debug: {pprof: 6060}"):                             `f.yaml:2: debug.pprof: "6060" is no address such as 127.0.0.1:6060`,
		with("debug:\n  pprof: :6060"):                           `f.yaml:3: debug.pprof: ":6060" can be reached from elsewhere: profiles are for this machine or pod alone, such as 127.0.0.1:6060; kubectl port-forward reaches that`,
		with("debug: {pprof: 10.0.0.1:6060}"):                    `f.yaml:2: debug.pprof: "10.0.0.1:6060" can be reached from elsewhere: profiles are for this machine or pod alone, such as 127.0.0.1:6060; kubectl port-forward reaches that`,
		with("channels: {ops: {namespace: a}}"):                  `f.yaml:2: channels.ops: "ops" is no channel id such as C0123ABCD; Slack shows it at the end of the channel's details`,
		with("channels:\n  C0123:\n    namespace: My NS"):        `f.yaml:4: channels.C0123.namespace: "My NS" can't be a namespace: lower-case letters, digits and -, at most 63`,
		with("cluster: prod\nchannels:\n  C0123: {cluster: stagin}\nclusters: [{name: staging}]"): `f.yaml:4: channels.C0123.cluster: "stagin" is neither cluster nor among clusters. Did you mean staging?`,
		with("cluster: prod\nclusters:\n- name: prod"):                                            `f.yaml:4: clusters[0].name: prod is there twice`,
		"policy:\n  team: T0123ABCD\n  approvers:\n  - users: [U0123ABCD]\n  - users:\n    - bob": `f.yaml:5: policy.approvers[1].users: "bob" is no user id, such as U0123ABCD; a name can be taken over by somebody else`,
		"policy:\n  team: T0123ABCD\n  approvers:\n  - groups: ['@netops']":                       `f.yaml:4: policy.approvers[0].groups: "@netops" is no id of a user group, such as S0123ABCD; a handle can be taken over by another group`,
		"policy:\n  team: T0123ABCD\n  askers: everybody":                                         `f.yaml:3: policy.askers takes a list, such as [everybody], not "everybody"`,
		"a: [":                      `f.yaml:1: this is no YAML: did not find expected node content`,
		"- a":                       `f.yaml:1: the file takes settings of its own, not a list`,
		with("---\nregion: a"):      `f.yaml:2: there is a second document after ---; one file holds one configuration`,
		"policy: {team: T1AB}\n\tx": `f.yaml:2: this is no YAML: found character that cannot start any token`,
	} {
		_, err := config.Parse("f.yaml", []byte(text))
		if got := ""; err != nil {
			if got = err.Error(); got != want {
				t.Errorf("%q:\ngot  %s\nwant %s", text, got, want)
			}
		} else {
			t.Errorf("%q was taken", text)
		}
	}
}

// The example that the documentation shows is a valid file.
func TestExample(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "deploy", "netdiag.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	// What is commented out is valid too.
	all := regexp.MustCompile(`(?m)^#( *[-a-zC])`).ReplaceAllString(string(text), "$1")
	for _, text := range []string{string(text), all} {
		if _, err := config.Parse("netdiag.yaml", []byte(text)); err != nil {
			t.Errorf("%v in\n%s", err, text)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(whole))
	f.Add([]byte("a: &a [*a]"))
	f.Add([]byte("policy: &p {team: T0123}\n<<: *p\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if _, err := config.Parse("f", text); err != nil && strings.Contains(err.Error(), "\n") {
			t.Errorf("more than a line: %q", err)
		}
	})
}
