package e2e

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/page"
)

// everyWrite kills after every single write of the machine, one in each story and a few stories at a time, and writes into a
// page what came of it. With NETDIAG_E2E_KILLS=first it is only the first write in each phase.
func everyWrite(t *testing.T, file string) {
	l := &ledger{rows: map[place]*tally{}, began: time.Now(), firsts: os.Getenv("NETDIAG_E2E_KILLS") == "first"}
	for _, s := range seeds {
		var plain fate
		if !t.Run(s.world, func(t *testing.T) { plain = kill{seed: s}.run(t) }) {
			return
		}
		for _, victim := range []string{"serve", "execute"} {
			for m := range maps.Keys(plain.writes) {
				if l.firsts && m.nth > 1 {
					continue
				}
				t.Run(strings.Join([]string{s.world, victim, m.of, m.phase, fmt.Sprint(m.nth)}, "/"), func(t *testing.T) {
					t.Parallel()
					var f fate
					defer func() {
						l.add(place{s.world, victim, m.of, m.phase}, f, s)
						if err := l.write(file); err != nil {
							t.Error(err)
						}
					}()
					f = kill{s, victim, []moment{m}}.run(t)
				})
			}
		}
	}
}

// place is where in the machine a program was killed.
type place struct{ world, victim, of, phase string }

// tally is what came of the stories with a kill at one place.
type tally struct {
	runs, never               int // never: the write didn't come in that story
	succeeded, once, toldOnce int
	slowest                   time.Duration
}

// ledger collects the fates of stories that run beside one another.
type ledger struct {
	firsts bool // only the first write in each phase

	mu    sync.Mutex
	rows  map[place]*tally
	began time.Time
}

func (l *ledger) add(at place, f fate, s seed) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.rows[at]
	if r == nil {
		r = &tally{}
		l.rows[at] = r
	}
	want := 0
	for _, n := range s.calls {
		want += n
	}
	r.runs++
	r.never += len(f.left)
	if f.phase == casebook.Succeeded {
		r.succeeded++
	}
	if f.calls == want {
		r.once++
	}
	if f.phase != "" && f.twice == 0 {
		r.toldOnce++
	}
	r.slowest = max(r.slowest, f.took)
}

// write writes what is known so far.
func (l *ledger) write(file string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return page.WriteSection(file, "e2e-kills", l.text())
}

// text is the section of the page; the lock is held.
func (l *ledger) text() string {
	var b strings.Builder
	which := "every write that the story without a kill has"
	if l.firsts {
		which = "the first write in each phase"
	}
	total := 0
	for _, r := range l.rows {
		total += r.runs
	}
	fmt.Fprintf(&b, `## Killed on a real control plane

Recorded worlds are played to the verified fix, as the package documentation of e2e describes it: %s of Kubernetes with its controllers, two
replicas of bot serve and two of bot execute under the chart's service accounts. In each story one program is killed by SIGKILL right after one
write of the machine that a watch of the API server sees, of two replicas the one that holds the record, and started again at once. It is
done for %s: %d stories in %s on %d cores. *Not reached* are stories in which that write never came,
because the machine got along with fewer. The bot may read the channel's history here, an optional scope: without it a message that was posted
but not yet noted is posted again. A claim of a program that was killed lapses after half a minute.

| world | killed | while | stories | not reached | succeeded | change made once | told once | slowest |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |
`, version, which, total, time.Since(l.began).Round(time.Minute), runtime.NumCPU())
	for _, at := range slices.SortedFunc(maps.Keys(l.rows), func(a, b place) int {
		return cmp.Or(cmp.Compare(a.world, b.world), -cmp.Compare(a.victim, b.victim), -cmp.Compare(a.of, b.of), cmp.Compare(order(a.phase), order(b.phase)))
	}) {
		r := l.rows[at]
		fmt.Fprintf(&b, "| %s | %s | %s %s | %d | %d | %d | %d | %d | %.0f s |\n", at.world, at.victim, at.of, at.phase, r.runs, r.never, r.succeeded, r.once, r.toldOnce, r.slowest.Seconds())
	}
	return b.String()
}

// order is that of the story.
func order(phase string) int {
	return slices.Index([]string{"Received", "Diagnosing", "Reported", "Proposed", "AwaitingApproval", "Approved", "Preflight", "Applying", "Verifying", "Succeeded"}, phase)
}
