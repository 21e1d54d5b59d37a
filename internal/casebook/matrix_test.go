package casebook_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/page"
)

// drama is what an executor is at while something goes wrong.
type drama struct {
	name string
	// good is the phase in which it ends where nothing is hidden.
	good  casebook.Phase
	world func() *cluster
	undo  bool // what was made before is undone on request
}

func dramas() []drama {
	slow := func() *cluster { return &cluster{heals: 40 * time.Second, lag: 6 * time.Second} }
	return []drama{
		{name: "a fix", good: casebook.Succeeded, world: slow},
		{name: "an undo", good: casebook.Succeeded, world: slow, undo: true},
		{name: "a change taken back", good: casebook.RolledBack, world: func() *cluster { return &cluster{lag: 6 * time.Second, alarm: down(3*time.Second, 10*time.Hour)} }},
	}
}

// ablation takes one rule away, to see that the matrix notices.
type ablation struct {
	name    string
	blind   bool // no looking before acting
	unfence bool // acting though the claim may have ended
}

// tally of one kind of fault in one drama.
type tally struct {
	cases, good, nothing, person int
	wrong                        []string
}

func (s *tally) add(b tally) {
	s.cases, s.good, s.nothing, s.person = s.cases+b.cases, s.good+b.good, s.nothing+b.nothing, s.person+b.person
	s.wrong = append(s.wrong, b.wrong...)
}

// all plays one kind of fault at each place where it can strike; at every eighth under the race detector, which is ten times slower.
func all(t *testing.T, d drama, m mischief, a ablation) (sum tally) {
	step := 1
	if raceDetector && a == (ablation{}) {
		step = 8
	}
	for n := 1; n < 200; n += step {
		struck := false
		synctest.Test(t, func(t *testing.T) {
			var one tally
			if one, struck = play(t, d, m, n, a); struck {
				sum.add(one)
			}
		})
		if !struck {
			break
		}
	}
	return sum
}

// play lets one executor run into the fault, and another one take over half a minute later.
func play(t *testing.T, d drama, m mischief, n int, a ablation) (sum tally, struck bool) {
	u := newTown(t, d.world(), 0)
	defer u.stop()
	r := approve(t, u.b, ask(t, u.b, u.c, "k"))
	if d.undo {
		done := u.background(newExecutor(u.b.Store, u.c, "executor-0"))
		await(u.ctx, t, u.b.Store, r.Name, final)
		done()
		undo, _ := u.undo(r.Name, second)
		r = approve(t, u.b, undo)
	}
	if a.blind { // where looking shows nothing, the world must not show late either
		u.c.lag = 0
	}
	ctx, kill := context.WithCancel(u.ctx)
	g := newGremlin(u.b.Store.Remediations, u.c, m, n)
	g.kill, g.blind = kill, a.blind
	var wg sync.WaitGroup
	executor := func(ctx context.Context, holder string, g *gremlin) {
		e := newExecutor(casebook.Store{Halt: u.b.Store.Halt, Investigations: u.b.Store.Investigations, Remediations: g}, u.c, holder)
		e.Hands = g
		if a.unfence {
			e.Unfence()
		}
		wg.Go(func() { _ = e.Run(ctx) })
	}
	executor(ctx, "executor-1", g)
	wg.Go(func() {
		select {
		case <-g.struck:
		case <-u.ctx.Done():
			return
		}
		heir := newGremlin(u.b.Store.Remediations, u.c, mischief{}, 0)
		heir.blind = a.blind
		executor(u.ctx, "executor-2", heir)
	})
	r = await(u.ctx, t, u.b.Store, r.Name, final)
	select {
	case <-g.struck:
		struck = true
	default:
	}
	time.Sleep(10 * time.Minute) // of the bubble: whatever a frozen process still meant to do is done by now
	after := get(t, u.b.Store, r.Name)
	kill()
	u.stop()
	wg.Wait()
	sum.cases = 1
	if wrong := sum.judge(d, m, after, u.c); wrong != "" {
		sum.wrong = append(sum.wrong, fmt.Sprintf("%s, %s %d: %s: %s (%s, made %d times, taken back %d times)\n%s",
			d.name, m.on, n, m.name, wrong, after.Status.Phase, u.c.applied, u.c.revoked, notes(after)))
	}
	return sum, struck
}

// background runs an executor until the function that it returns is called, which waits.
func (u *town) background(e *casebook.Executor) (stop func()) {
	ctx, cancel := context.WithCancel(u.ctx)
	var wg sync.WaitGroup
	wg.Go(func() { _ = e.Run(ctx) })
	return func() { cancel(); wg.Wait() }
}

// judge counts how a case ended, and says what is wrong with it: made or taken back more than once, or told otherwise
// than it is.
func (s *tally) judge(d drama, m mischief, r casebook.Remediation, c *cluster) string {
	changes, want := c.applied, 1
	if d.undo {
		changes, want = c.revoked, 1
	}
	switch {
	case c.applied > 1 || c.revoked > 1:
		return "made twice"
	case r.Status.Phase == d.good && changes != want:
		return "said to be made, and is not"
	case r.Status.Phase == casebook.RolledBack && (c.revoked != 1 || c.rule):
		return "said to be taken back, and is not"
	}
	keys := map[string]int{}
	for _, n := range r.Status.Notes {
		keys[n.Key]++
	}
	if keys["outcome"] != 1 {
		return fmt.Sprintf("told %d times how it ended", keys["outcome"])
	}
	switch p := r.Status.Phase; {
	case p == d.good:
		s.good++
	case p == casebook.Failed || p == casebook.Cancelled:
		if s.nothing++; changes != 0 {
			return "said to have changed nothing, and did"
		}
	case p == casebook.NeedsHuman && m.person:
		s.person++
	default:
		return "ended in " + string(p)
	}
	return ""
}

// TestCrashMatrix lets every kind of fault strike at every single write, call to the world and event, while a fix, an undo
// and the taking back of a change are under way: each ends in one final state, made exactly once or not at all, and what
// is told is true.
func TestCrashMatrix(t *testing.T) {
	var rows strings.Builder
	var total tally
	for _, m := range mischiefs() {
		var row []string
		for _, d := range dramas() {
			sum := all(t, d, m, ablation{})
			for _, wrong := range sum.wrong {
				t.Error(wrong)
			}
			if sum.cases < 3 && !raceDetector {
				t.Errorf("%s, %s: struck only %d times", d.name, m.name, sum.cases)
			}
			row = append(row, fmt.Sprintf("%d: %s", sum.cases, sum.ends(d)))
			total.add(sum)
		}
		fmt.Fprintf(&rows, "| %s | %s | %s |\n", m.on, m.name, strings.Join(row, " | "))
	}
	fmt.Fprintf(&rows, "\n%d cases, %d of them wrong.", total.cases, len(total.wrong))
	t.Logf("\n%s", rows.String())
	controls := controls(t)
	if file := os.Getenv("NETDIAG_RELIABILITY"); file != "" && !t.Failed() {
		if err := publish(file, rows.String(), controls); err != nil {
			t.Error(err)
		}
	}
}

// ends says how the cases ended.
func (s tally) ends(d drama) string {
	good := "done once"
	if d.good == casebook.RolledBack {
		good = "made once and taken back once"
	}
	parts := []string{fmt.Sprintf("%d %s", s.good, good)}
	if s.nothing > 0 {
		parts = append(parts, fmt.Sprintf("%d nothing changed", s.nothing))
	}
	if s.person > 0 {
		parts = append(parts, fmt.Sprintf("%d a person", s.person))
	}
	return strings.Join(parts, ", ")
}

// controls takes rules away one by one: the matrix has to notice.
func controls(t *testing.T) string {
	var rows strings.Builder
	for _, c := range []struct {
		ablation
		on    place
		fault string
	}{
		{ablation{name: "nobody looks before acting", blind: true}, call, "killed after it"},
		{ablation{name: "nobody looks before acting", blind: true}, write, "killed before it"},
		{ablation{name: "acts though the claim has ended", unfence: true}, call, "frozen before it for 3 min"},
	} {
		var sum tally
		for _, m := range mischiefs() {
			if m.on == c.on && m.name == c.fault {
				sum = all(t, dramas()[0], m, c.ablation)
			}
		}
		twice := 0
		for _, wrong := range sum.wrong {
			if strings.Contains(wrong, "made twice") {
				twice++
			}
		}
		if twice == 0 {
			t.Errorf("%s, %s %s: nothing is made twice in %d cases, so the matrix proves nothing", c.name, c.on, c.fault, sum.cases)
		}
		fmt.Fprintf(&rows, "| %s | %s | %s | %d | %d |\n", c.name, c.on, c.fault, sum.cases, twice)
	}
	return strings.TrimSpace(rows.String())
}

// publish writes the matrix into its section of docs/reliability.md.
func publish(file, rows, controls string) error {
	prose, err := os.ReadFile("testdata/crashes.md")
	if err != nil {
		return err
	}
	names := make([]string, 0, len(dramas()))
	for _, d := range dramas() {
		names = append(names, d.name)
	}
	return page.WriteSection(file, "crashes", string(prose)+
		"\n| at each | what goes wrong | "+strings.Join(names, " | ")+" |\n| --- | --- |"+strings.Repeat(" --- |", len(names))+"\n"+rows+
		"\n\n| without this rule | at each | what goes wrong | cases | made twice |\n| --- | --- | --- | --- | --- |\n"+controls)
}
