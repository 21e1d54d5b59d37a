package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/netdiag/netdiag/internal/page"
	"github.com/netdiag/netdiag/internal/sim/slack"
	"github.com/netdiag/netdiag/internal/store/crd"
)

// rounds is how often each of the 50 people asks.
const rounds = 10

// TestAcknowledged has 50 people ask at once, and each again as soon as their question is acknowledged: of one process of bot
// serve, over slack-go's real sockets, each question stored in the real API server first. Slack gives up after three seconds, and
// so does the simulated one. One is allowed for the 99th percentile; that is held where it is measured to be published, on a
// machine that does nothing else.
func TestAcknowledged(t *testing.T) {
	c := bring(t, "../testdata/worlds/seeds/"+seeds[0].world, map[string]any{"limits": map[string]any{"queue": 1000}})
	c.pod("netdiag", "serve-1")
	if err := c.slack.Wait(c.within(patience), func(s *slack.State) bool { return s.Sockets() > 0 }); err != nil {
		t.Fatal(err)
	}
	g, ctx := errgroup.WithContext(c.within(patience))
	for _, p := range crowd() {
		g.Go(func() error {
			for i := range rounds {
				// Each question is another one: who asks the same again while it is looked into is answered by the first.
				reply, err := c.slack.Slash(ctx, p.ID, oncall, fmt.Sprintf("/netdiag alb web-%d -n %s", i, p.Name))
				if err == nil && reply.Message != nil {
					err = fmt.Errorf("answered %q", reply.Message.Plain())
				}
				if err != nil {
					return fmt.Errorf("question %d of %s: %w", i, p.Name, err)
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	store, err := crd.New(c.admin, crd.Options{Namespace: "netdiag"})
	if err != nil {
		t.Fatal(err)
	}
	stored, err := store.Investigations.List(t.Context())
	if err != nil || len(stored) != rounds*len(crowd()) {
		t.Errorf("%d questions are stored of %d that were acknowledged, error %v", len(stored), rounds*len(crowd()), err)
	}
	var took []time.Duration
	for _, e := range c.slack.Envelopes() {
		took = append(took, e.Took)
	}
	slices.Sort(took)
	p50, p99, most := took[len(took)/2], took[len(took)*99/100], took[len(took)-1]
	t.Logf("%d envelopes, 50 in flight: median %s, 99th percentile %s, slowest %s", len(took), p50, p99, most)
	if took[0] < 0 {
		t.Error("an envelope was never acknowledged")
	}
	if docs := os.Getenv("NETDIAG_E2E_DOCS"); docs != "" {
		if p99 > time.Second {
			t.Errorf("99th percentile %s, more than a second", p99)
		}
		ms := func(d time.Duration) string { return fmt.Sprintf("%d ms", d.Milliseconds()) }
		err := page.WriteSection(filepath.Join(docs, "performance.md"), "e2e-acknowledged", fmt.Sprintf(`## Acknowledgements with the records in Kubernetes

From an envelope's sending to its acknowledgement, as above, but with one process of bot serve, the store in a real API server (%s, etcd and
all controllers on the same %d cores), and every question looked into meanwhile. 50 are in flight all the time; a second is allowed for the
99th percentile.

| commands | number | median | 99th percentile | slowest |
| --- | --- | --- | --- | --- |
| while 49 others wait for their acknowledgement | %d | %s | %s | %s |
`, version, runtime.NumCPU(), len(took), ms(p50), ms(p99), ms(most)))
		if err != nil {
			t.Error(err)
		}
	}
}
