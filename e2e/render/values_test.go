package main

import (
	"strings"
	"testing"
)

// TestWrongValues: what can't be meant is refused before anything is installed, by the name of the value.
func TestWrongValues(t *testing.T) {
	c := load(t)
	role := func(arn string) map[string]any { return map[string]any{"eks.amazonaws.com/role-arn": arn} }
	list := func(of ...any) []any { return of }
	for _, x := range []struct {
		path  string
		value any
		named string // what the error has to name; the path as a JSON pointer where it is empty
	}{
		{"cluster", "", "cluster: the name of the EKS cluster"},
		{"region", "", "region: the AWS region of the cluster"},
		{"slack.team", "", "slack.team: the id of the Slack workspace"},
		{"cluster", "prod cluster", ""},
		{"cluster", "prod --kinds=all", ""},
		{"region", "us-west-2a", ""},
		{"region", "Oregon", ""},
		{"slack.team", "acme", ""},
		{"slack.team", "t0123abcd", ""},
		{"slack.teams", "T0123ABCD", "/slack': additional properties 'teams'"},
		{"slack.existingSecret", "", ""},
		{"slack.existingSecret", "Tokens", ""},
		{"slack.appToken", "xapp-1", "'appToken'"},
		{"slack.askers", "U0123ABCD", ""},
		{"slack.askers", list("alice"), "/slack/askers/0"},
		{"slack.approvers", list(map[string]any{"users": list("@alice")}), "/slack/approvers/0/users/0"},
		{"slack.approvers", list(map[string]any{"groups": list("sre")}), "/slack/approvers/0/groups/0"},
		{"slack.approvers", list(map[string]any{"user": list("U0123ABCD")}), "/slack/approvers/0': additional properties 'user'"},
		{"slack.approvers", list(map[string]any{"users": list("U0123ABCD"), "risks": list("none")}), "/slack/approvers/0/risks/0"},
		{"replicas", 0, ""},
		{"replicas", "2", ""},
		{"replicas", 5, "settings.slack.connections and replicas"},
		{"replica", 2, "'replica'"},
		{"image.repository", "registry.example/Netdiag", ""},
		{"image.repository", "netdiag; rm", ""},
		{"image.tag", "v1:2", ""},
		{"image.tag", 1.2, ""},
		{"image.digest", "0f0f", ""},
		{"image.pullPolicy", "Sometimes", ""},
		{"serviceAccount.annotations", role("netdiag"), "/serviceAccount/annotations/eks.amazonaws.com~1role-arn"},
		{"serviceAccount.annotations", role("arn:aws:iam::1111:role/netdiag"), "role-arn"},
		{"serviceAccount.name", "other", "'name'"},
		{"executor.health", 8080, ""},
		{"executor.logLevel", "loud", ""},
		{"executor.debug.pprof", "0.0.0.0:6060", ""},
		{"executor.fixRole", "netdiag-fix", ""},
		{"executor.fixRole", "arn:aws:iam::111122223333:user/netdiag", ""},
		{"executor.approvers", list(map[string]any{"groups": list("S0123ABCD")}), "/executor/approvers/0': additional properties 'groups'"},
		{"fixes.enabled", "yes", ""},
		{"fixes.kinds.securityGroups", true, "'securityGroups'"},
		{"fixes.kinds.tag", "off", ""},
		{"settings.cluster", "prod", "/settings': additional properties 'cluster'"},
		{"settings.policy", map[string]any{"team": "T0OTHER"}, "'policy'"},
		{"settings.fixes", true, "'fixes'"},
		{"settings.limit", map[string]any{"workers": 4}, "'limit'"},
		{"settings.limits.workers", 0, ""},
		{"settings.limits.diagnosis", "soon", ""},
		{"settings.state", "etcd", ""},
		{"settings.health", "8080", ""},
		{"settings.slack.connections", 5, ""},
		{"settings.channels", map[string]any{"#general": map[string]any{}}, "'#general'"},
		{"settings.clusters", list(map[string]any{"region": "eu-west-1"}), "/settings/clusters/0': missing property 'name'"},
		{"resources.limits.memory", "lots", ""},
		{"env", list(map[string]any{"value": "x"}), "/env/0': missing property 'name'"},
		{"nodeSelector.disk", true, ""},
		{"tolerations", list(map[string]any{"operator": "Equals"}), "/tolerations/0/operator"},
		{"affinity.podAffinities", map[string]any{}, "'podAffinities'"},
		{"topologySpreadConstraints", list(map[string]any{"maxSkew": 1}), "/topologySpreadConstraints/0"},
		{"networkPolicy.enabled", "true", ""},
		{"networkPolicy.apiServerPort", 0, ""},
		{"networkPolicy.httpsTo", list(map[string]any{"cidr": "10.0.0.0/8"}), "/networkPolicy/httpsTo/0"},
		{"podDisruptionBudget.minAvailable", 1, "'minAvailable'"},
		{"alerts.monitor", "Probe", ""},
		{"alerts.labels.release", 1, ""},
		{"alerts.capacity", "10 %", ""},
		{"alerts.capacity", 100, ""},
	} {
		named := x.named
		if named == "" {
			named = "at '/" + strings.ReplaceAll(x.path, ".", "/") + "'"
		}
		if _, err := render(c, "netdiag", least(set(x.path, x.value))); err == nil || !strings.Contains(err.Error(), named) {
			t.Errorf("%s: %v: want an error that names %s, got %v", x.path, x.value, named, err)
		}
	}
	_, err := render(c, "netdiag", least(set("alerts.enabled", true), set("settings.health", "none")))
	if err == nil || !strings.Contains(err.Error(), "alerts.enabled") {
		t.Errorf("alerts without metrics: %v", err)
	}
}
