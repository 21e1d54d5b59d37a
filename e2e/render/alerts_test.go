package main

import (
	"maps"
	"slices"
	"strings"
	"testing"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
)

// watched are values of who is warned early, with more of them.
func watched(more map[string]any) map[string]any {
	w := map[string]any{"channel": "C0123ABCD"}
	maps.Copy(w, more)
	return set("settings.watch", w)
}

// alerts are the expressions of the alerts of a rendering, by name.
func alerts(t *testing.T, values map[string]any) map[string]string {
	t.Helper()
	r, err := render(load(t), "diagnosis", values)
	if err != nil {
		t.Fatal(err)
	}
	out, read := map[string]string{}, newReader()
	for _, doc := range documents(r.manifests) {
		o, err := read.object(doc)
		if err != nil {
			t.Fatal(err)
		}
		if p, ok := o.(*monitoring.PrometheusRule); ok {
			for _, g := range p.Spec.Groups {
				for _, rule := range g.Rules {
					out[rule.Alert] = rule.Expr.String()
				}
			}
		}
	}
	return out
}

// TestAlertsOfTheWatch: alerts on early warning are there where somebody is warned, alone, and follow how often is looked.
func TestAlertsOfTheWatch(t *testing.T) {
	on := set("alerts.enabled", true)
	always := []string{"NetdiagDeaf", "NetdiagNeedsPerson", "NetdiagPermissionMissing", "NetdiagUnacknowledged"}
	watch := []string{"NetdiagNotWatching", "NetdiagWatchBlind", "NetdiagWatchFails"}
	for _, x := range []struct {
		name   string
		values map[string]any
		more   []string // alerts
		says   map[string]string
	}{
		{"no watch", nil, nil, nil},
		{"no channel", set("settings.watch", map[string]any{"interval": "5m"}), nil, nil},
		{"as it comes", watched(nil), watch, map[string]string{
			"NetdiagNotWatching": `sum(netdiag_watch_leader{namespace="diagnosis"}) < 1 or max(netdiag_watch_last_look_seconds{namespace="diagnosis"}) > 900`,
			"NetdiagWatchFails":  "[1800s]", "NetdiagWatchBlind": "[1800s]",
		}},
		{"often", watched(map[string]any{"interval": "90s"}), watch, map[string]string{"NetdiagNotWatching": "> 900", "NetdiagWatchFails": "[1800s]"}},
		{"seldom", watched(map[string]any{"interval": "0.5h10m30s"}), watch, map[string]string{
			"NetdiagNotWatching": "> 7290", "NetdiagWatchFails": "[14580s]", "NetdiagWatchBlind": "[14580s]",
		}},
		{"capacity", least(watched(nil), set("alerts.capacity", 12)), append(watch, "NetdiagSubnetLow"), map[string]string{
			"NetdiagSubnetLow": `100 * min by (subnet, zone) (netdiag_subnet_free_addresses{namespace="diagnosis"} / netdiag_subnet_usable_addresses{namespace="diagnosis"}) < 12`,
		}},
	} {
		got := alerts(t, least(on, x.values))
		if want, names := slices.Sorted(slices.Values(slices.Concat(x.more, always))), slices.Sorted(maps.Keys(got)); !slices.Equal(want, names) {
			t.Errorf("%s: alerts %v, want %v", x.name, names, want)
		}
		for name, part := range x.says {
			if !strings.Contains(got[name], part) {
				t.Errorf("%s: %s has no %s: %s", x.name, name, part, got[name])
			}
		}
	}
	if _, err := render(load(t), "netdiag", least(on, set("alerts.capacity", 10))); err == nil || !strings.Contains(err.Error(), "alerts.capacity: nothing looks at subnets without settings.watch.channel") {
		t.Errorf("capacity that nobody looks at: %v", err)
	}
}
