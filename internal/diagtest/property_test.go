package diagtest_test

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/diagtest"
	"github.com/netdiag/netdiag/internal/world"
	"github.com/netdiag/netdiag/internal/world/worldtest"
)

// A verdict rests on facts alone: not on names, ids and times, not on pods that have nothing to do with it. That it does
// not rest on the order of an answer either is shown by TestWorlds.
func TestVerdictRestsOnFactsAlone(t *testing.T) {
	if diagtest.Race {
		t.Skip("nothing here is about races; it runs without the race detector")
	}
	dirs, err := diagtest.Third(worlds)
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			t.Parallel()
			first := verdictOf(t, load(t, dir))
			for name, vary := range map[string]func(w *world.World) func(string) string{
				"shifted": func(w *world.World) func(string) string { w.Shift(1000*time.Hour + 7*time.Second); return nil },
				"crowded": func(w *world.World) func(string) string { crowd(w); return withoutFrees },
				"renamed": func(w *world.World) func(string) string { return rename(t, w).undo },
			} {
				w := load(t, dir)
				same := vary(w)
				if same == nil {
					same = func(s string) string { return s }
				}
				want, got := sorted(same(first)), sorted(same(verdictOf(t, w)))
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s (-as it is +%s):\n%s", name, name, diff)
				}
			}
		})
	}
}

var frees = regexp.MustCompile(`frees \d+`)

func withoutFrees(text string) string { return frees.ReplaceAllString(text, "frees") }

func load(t *testing.T, dir string) *world.World {
	t.Helper()
	return worldtest.Load(t, dir)
}

// verdictOf is what a report decides: causes with subject, confidence and whom they affect, gaps, and the fixes in their order.
func verdictOf(t *testing.T, w *world.World) string {
	t.Helper()
	r := diagnose(t, w)
	var b strings.Builder
	fmt.Fprintf(&b, "severity %s layer %s\n", r.Severity, r.Layer)
	for _, part := range []struct {
		name     string
		findings []diagnostics.Finding
	}{{"cause", r.Causes}, {"contributing", r.Contributing}, {"symptom", r.Symptoms}} {
		for _, f := range part.findings {
			affects := slices.Sorted(slices.Values(f.Affects))
			fmt.Fprintf(&b, "%s %s %s %s affects %s\n", part.name, f.Key(), f.Reason, f.Confidence, strings.Join(affects, " "))
		}
	}
	for _, g := range r.Gaps {
		fmt.Fprintf(&b, "gap %s %s %s\n", g.Permission, g.Reason, strings.Join(g.Caps, " "))
	}
	for i, f := range r.Fixes {
		fmt.Fprintf(&b, "fix %02d %s frees %d needs %d executable %t\n", i, f.ID, f.Frees, f.Needs, f.Executable)
	}
	for _, f := range r.Refused {
		fmt.Fprintf(&b, "refused %s\n", f.ID)
	}
	return b.String()
}

// sorted makes the order of lines nothing that counts: names decide it between equals.
func sorted(text string) []string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for i, l := range lines {
		words := strings.Fields(l)
		if at := slices.Index(words, "affects"); at >= 0 {
			slices.Sort(words[at:])
			lines[i] = strings.Join(words, " ")
		}
	}
	slices.Sort(lines)
	return lines
}
