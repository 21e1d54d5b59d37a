package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/store/crd"
)

// moment is a write of the machine that a watch of the API sees: the nth of a question or a fix in a phase.
type moment struct {
	of    string // "question" or "fix"
	phase string
	nth   int
}

func (m moment) String() string { return fmt.Sprintf("%s %s, write %d", m.of, m.phase, m.nth) }

// kill says which program is killed, and when: once for each moment.
type kill struct {
	seed   seed
	victim string // serve or execute
	upon   []moment
}

func first(of string, phases ...string) (out []moment) {
	for _, p := range phases {
		out = append(out, moment{of, p, 1})
	}
	return out
}

// kills are those of every run: on the moves of the story. With NETDIAG_E2E_DOCS it is every single write instead, one in each
// story.
var kills = []kill{
	{seeds[0], "execute", first("fix", "Preflight", "Applying")},
	{seeds[0], "serve", append(first("question", "Received", "Diagnosing", "Reported"), first("fix", "Proposed", "AwaitingApproval", "Approved", "Applying", "Succeeded")...)},
	{seeds[1], "execute", first("fix", "Verifying")},
}

// TestKilled kills the programs by SIGKILL while a recorded world is played, starts them again, and finds the same end: the change
// made once, the trouble gone, everything told once.
func TestKilled(t *testing.T) {
	need(t)
	if docs := os.Getenv("NETDIAG_E2E_DOCS"); docs != "" {
		everyWrite(t, filepath.Join(docs, "reliability.md"))
		return
	}
	for _, k := range kills {
		t.Run(k.seed.world+"/"+k.victim, func(t *testing.T) {
			t.Parallel()
			if left := k.run(t).left; len(left) > 0 {
				t.Errorf("these writes never came: %v", left)
			}
		})
	}
}

// fate is what came of a story with kills.
type fate struct {
	left   []moment // that never came
	writes map[moment]bool
	phase  casebook.Phase
	calls  int // that changed the account
	twice  int // messages that stand in the thread twice
	took   time.Duration
}

// run plays the story.
func (k kill) run(t *testing.T) fate {
	t.Helper()
	c := bring(t, "../testdata/worlds/seeds/"+k.seed.world, nil)
	pods := map[string]*program{}
	for name, deployment := range map[string]string{"serve-1": "netdiag", "serve-2": "netdiag", "execute-1": "netdiag-executor", "execute-2": "netdiag-executor"} {
		pods[name] = c.pod(deployment, name)
	}
	began := time.Now()
	w := &reaper{kill: k, pods: pods, cluster: c, seen: map[moment]bool{}, counts: map[moment]int{}, versions: map[string]bool{}}
	w.begin()
	a := c.ask()
	card := a.card("Fix: " + k.seed.fix)
	a.approve(card)
	r := a.settled(card)
	took := time.Since(began)
	w.end()
	a.done(card, r)
	a.once()
	if diff := cmp.Diff(k.seed.calls, c.changes()); diff != "" {
		t.Errorf("calls that change the account (-want +got):\n%s", diff)
	}
	k.seed.well(c)
	calls := 0
	for _, n := range c.changes() {
		calls += n
	}
	t.Logf("%s killed upon %v: %s after %s", k.victim, k.upon, r.Status.Phase, took.Round(time.Second))
	return fate{w.left(), w.seen, r.Status.Phase, calls, len(a.doubled()), took}
}

// reaper watches the records as the administrator, and kills.
type reaper struct {
	kill
	*cluster
	pods map[string]*program
	stop context.CancelFunc
	done sync.WaitGroup

	mu       sync.Mutex
	counts   map[moment]int // by moment with nth 0
	seen     map[moment]bool
	versions map[string]bool
}

func (w *reaper) begin() {
	w.t.Helper()
	store, err := crd.New(w.admin, crd.Options{Namespace: "netdiag"})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(w.t.Context())
	w.stop = cancel
	questions, err := store.Investigations.Watch(ctx)
	if err != nil {
		w.t.Fatal(err)
	}
	fixes, err := store.Remediations.Watch(ctx)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(w.end) // before the programs are ended
	w.done.Go(func() {
		for q := range questions {
			w.write(q.Name+q.Version, moment{of: "question", phase: string(q.Status.Phase)}, q.Status.Delivery.Holder)
		}
	})
	w.done.Go(func() {
		for r := range fixes {
			if r.Plan.Fix.ID == w.seed.id {
				w.write(r.Name+r.Version, moment{of: "fix", phase: string(r.Status.Phase)}, r.Status.Claim.Holder, r.Status.Delivery.Holder)
			}
		}
	})
}

// end stops the watch.
func (w *reaper) end() {
	w.stop()
	w.done.Wait()
}

// write counts a write, and kills where its moment has come: of two programs the one that holds the record.
func (w *reaper) write(version string, m moment, holders ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.versions[version] {
		return
	}
	w.versions[version] = true
	w.counts[m]++
	m.nth = w.counts[m]
	w.seen[m] = true
	if !slices.Contains(w.upon, m) {
		return
	}
	name := w.victim + "-1"
	for _, holder := range holders {
		for pod := range w.pods {
			if strings.HasPrefix(pod, w.victim) && strings.HasPrefix(holder, pod) {
				name = pod
			}
		}
	}
	w.pods[name].kill()
	if err := w.pods[name].start(); err != nil {
		w.t.Error(err)
	}
}

// left are the moments that haven't come.
func (w *reaper) left() []moment {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(w.upon), func(m moment) bool { return w.seen[m] })
}
