package e2e

import (
	"context"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/netdiag/netdiag/internal/sim/slack"
	"github.com/netdiag/netdiag/internal/store/crd"
	"github.com/netdiag/netdiag/internal/watch"
)

// TestEarlyWarning has two replicas watch a recorded world on a real API server, with the role that the chart gives them: one
// leads and opens a thread, it is killed, and the other goes on where it was. People silence the watch, and stop and resume
// changes. Everything that both roles grant is used, and nothing else is asked for.
func TestEarlyWarning(t *testing.T) {
	need(t)
	log, flags := audited(t)
	c := raise(t, "../testdata/worlds/seeds/seed-alb-502", flags...)
	if err := c.install(t.Context(), c.values(map[string]any{"watch": map[string]any{
		"channel": warned, "ingresses": []string{"all"}, "interval": "1m", "thresholds": map[string]any{"looks": 1},
	}})); err != nil {
		t.Fatal(err)
	}
	first := c.pod("netdiag", "serve-1")
	c.warning("Early warning, nobody asked:")
	c.leads("serve-1-")
	c.pod("netdiag", "serve-2")
	if err := c.slack.Wait(c.within(patience), func(s *slack.State) bool { return s.Sockets() == 4 }); err != nil { // two each
		t.Fatal(err)
	}
	c.types("/netdiag status", "2 open; last look at")
	c.types("/netdiag snooze 2h", "all warnings are silenced by")
	c.types("/netdiag stop", "nothing new starts")
	c.types("/netdiag resume", "Changes go on")

	first.kill() // its Lease runs out
	looked := c.leads("serve-2-").Looked
	if err := first.start(); err != nil {
		t.Fatal(err)
	}
	c.types("/netdiag status", "all warnings are silenced by")
	c.types("/netdiag snooze off", "no longer silenced")
	c.types("/netdiag stop", "nothing new starts") // anew, what was resumed
	eventually(t, "the other one looks", func() bool { return c.seen().Looked.After(looked) })
	if s := c.seen(); len(s.Gaps) > 0 || len(s.Warnings) != 2 || !s.Warnings[0].Told || s.Warnings[0].Investigation != s.Warnings[1].Investigation {
		t.Errorf("seen: gaps %v, warnings %+v", s.Gaps, s.Warnings)
	}
	told := 0
	for _, m := range c.slack.Messages(warned) {
		for _, m := range c.slack.Thread(warned, m.TS) {
			if strings.HasPrefix(m.Plain(), "Early warning, nobody asked") {
				told++
			}
		}
	}
	if told != 1 {
		t.Errorf("warned %d times:\n%s", told, c.slack.Transcript())
	}
	log.check(t, "netdiag-watch", "netdiag-halt")
}

// warning waits for a message in a thread of the channel that is warned.
func (c *cluster) warning(says string) {
	c.t.Helper()
	if err := c.slack.Wait(c.within(patience), func(s *slack.State) bool {
		for _, root := range s.Messages(warned) {
			for _, m := range s.Thread(warned, root.TS) {
				if strings.Contains(m.Plain(), says) {
					return true
				}
			}
		}
		return false
	}); err != nil {
		c.t.Fatalf("%s: %v\n%s", says, err, c.slack.Transcript())
	}
}

// types has the person who may approve type a command, again where nobody listened, until the answer says something.
func (c *cluster) types(line, says string) {
	c.t.Helper()
	ctx := c.within(patience)
	before := len(c.slack.Ephemerals(approver, oncall))
	reply, err := c.slack.Slash(ctx, approver, oncall, line)
	for err != nil && ctx.Err() == nil { // a connection of who was killed
		reply, err = c.slack.Slash(ctx, approver, oncall, line)
	}
	if err == nil && reply.Message != nil && strings.Contains(reply.Message.Plain(), says) {
		return
	}
	var told string
	if err == nil {
		err = c.slack.Wait(ctx, func(s *slack.State) bool {
			for _, m := range s.Ephemerals(approver, oncall)[before:] {
				told = m.Plain()
			}
			return strings.Contains(told, says)
		})
	}
	if err != nil {
		c.t.Fatalf("%s: %v, told %q", line, err, told)
	}
}

// leads waits until a pod holds the Lease of the watch, and gives what the watch has seen by then.
func (c *cluster) leads(pod string) watch.State {
	c.t.Helper()
	client, err := kubernetes.NewForConfig(c.admin)
	if err != nil {
		c.t.Fatal(err)
	}
	eventually(c.t, pod+" leads", func() bool {
		l, err := client.CoordinationV1().Leases("netdiag").Get(c.t.Context(), crd.WatchLease, metav1.GetOptions{})
		return err == nil && l.Spec.HolderIdentity != nil && strings.HasPrefix(*l.Spec.HolderIdentity, pod)
	})
	return c.seen()
}

// seen is what the watch has seen so far.
func (c *cluster) seen() watch.State {
	c.t.Helper()
	store, err := crd.New(c.admin, crd.Options{Namespace: "netdiag"})
	if err != nil {
		c.t.Fatal(err)
	}
	m, err := store.Memos.Get(context.WithoutCancel(c.t.Context()), watch.Memo)
	if err != nil {
		c.t.Fatal(err)
	}
	s, err := watch.Parse(m.Text, c.world.Meta.Cluster)
	if err != nil {
		c.t.Fatal(err)
	}
	return s
}
