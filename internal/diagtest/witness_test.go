package diagtest_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/diagtest"
	"github.com/netdiag/netdiag/internal/world"
)

// The facts of EC2 and Kubernetes decide by themselves where they can: without counters, logs and events the same causes are
// found. Without the read that decides, a cause is none: it stands in the gap.
func TestWhatDecidesAndWhatOnlyBearsWitness(t *testing.T) {
	if diagtest.Race {
		t.Skip("nothing here is about races; it runs without the race detector")
	}
	mute := func(w *world.World) { w.Metrics, w.Logs = map[string]string{}, map[string]string{} }
	deaf := func(w *world.World) { w.Meta.Denied.Kubernetes = append(w.Meta.Denied.Kubernetes, "list events") }
	without := func(calls ...string) func(*world.World) {
		return func(w *world.World) { w.Meta.Denied.AWS = append(w.Meta.Denied.AWS, calls...) }
	}
	blind := without("ec2:DescribeSubnets", "ec2:DescribeNetworkInterfaces")
	for _, c := range []struct {
		world  string
		change map[string]func(*world.World)
		want   string // causes with their confidence
		open   string // a cause that a gap must keep open
	}{
		{"subnet-full", map[string]func(*world.World){"mute": mute, "deaf": deaf}, "subnet-exhausted confirmed", ""},
		{"subnet-full", map[string]func(*world.World){"blind": blind, "no subnets": without("ec2:DescribeSubnets"), "no interfaces": without("ec2:DescribeNetworkInterfaces")}, "", "subnet-exhausted"},
		{"interface-all-or-nothing", map[string]func(*world.World){"mute": mute, "deaf": deaf, "no types": without("ec2:DescribeInstanceTypes")}, "eni-all-or-nothing confirmed", ""},
		{"interface-all-or-nothing", map[string]func(*world.World){"blind": blind}, "", "eni-all-or-nothing"},
		{"prefix-blocks-scattered", map[string]func(*world.World){"mute": mute, "deaf": deaf}, "no-free-prefix confirmed", ""},
		{"prefix-blocks-scattered", map[string]func(*world.World){"no reservations": without("ec2:GetSubnetCidrReservations")}, "no-free-prefix likely", ""},
		{"prefix-blocks-scattered", map[string]func(*world.World){"blind": blind}, "", "no-free-prefix"},
		{"slots-full-subnet-full", map[string]func(*world.World){"mute": mute, "deaf": deaf, "no subnets": without("ec2:DescribeSubnets")}, "eni-slots-full confirmed", ""},
		{"slots-full-subnet-full", map[string]func(*world.World){"blind": blind}, "", "eni-slots-full"},
		{"minimum-caps-node", map[string]func(*world.World){"mute": mute, "deaf": deaf}, "warm-target-cap confirmed", ""},
		{"minimum-caps-node", map[string]func(*world.World){"blind": blind}, "", "warm-target-cap"},
		{"quarantine-after-batch", map[string]func(*world.World){"mute": mute}, "ip-cooldown likely", ""},
		{"quarantine-after-batch", map[string]func(*world.World){"blind": blind}, "", "ip-cooldown"},
		{"subnet-full-room-again", map[string]func(*world.World){"no audit log": without("cloudtrail:LookupEvents")}, "insufficiency-backoff possible", ""},
		{"throttled-churn", map[string]func(*world.World){"deaf": deaf}, "api-throttled confirmed", ""},
		{"throttled-churn", map[string]func(*world.World){"mute": mute}, "", "api-throttled"},
		{"cni-never-up", map[string]func(*world.World){"mute": mute, "deaf": deaf, "blind": blind}, "cni-not-initialized confirmed", ""},
		{"custom-network-full-new-node", map[string]func(*world.World){"mute": mute, "deaf": deaf}, "subnet-exhausted confirmed", ""},
		{"ipamd-out-of-memory", map[string]func(*world.World){"mute": mute, "blind": blind, "deaf": deaf}, "ipamd-down confirmed", ""},
		{"branch-refused", map[string]func(*world.World){"mute": mute, "blind": blind}, "branch-eni-failed confirmed", ""},
		{"branch-refused", map[string]func(*world.World){"deaf": deaf}, "", "branch-eni-failed"},
		{"warm-pools-hold-it", map[string]func(*world.World){"mute": mute, "deaf": deaf}, "subnet-exhausted confirmed", ""},
		{"prefixes-reserved-and-off", map[string]func(*world.World){"mute": mute, "deaf": deaf}, "subnet-exhausted confirmed", ""},
	} {
		for name, change := range c.change {
			t.Run(c.world+" "+name, func(t *testing.T) {
				t.Parallel()
				w := load(t, filepath.Join(worlds, "own/pending", c.world))
				change(w)
				r := diagnose(t, w)
				var got []string
				for _, f := range r.Causes {
					got = append(got, strings.TrimPrefix(f.ID, "pending/")+" "+string(f.Confidence))
				}
				if causes := strings.Join(slices.Compact(got), ", "); causes != c.want {
					t.Fatalf("causes %q, want %q: %s", causes, c.want, r.Summary)
				}
				if c.open == "" {
					return
				}
				if !r.Open() || !slices.ContainsFunc(r.Gaps, func(g diagnostics.Gap) bool { return slices.Contains(g.Caps, "pending/"+c.open) }) {
					t.Errorf("%s should stay open: %s", c.open, fmt.Sprint(r.Gaps))
				}
				for _, f := range r.Fixes {
					if f.Executable {
						t.Errorf("%s is offered for a cause that is not known", f.ID)
					}
				}
			})
		}
	}
}
