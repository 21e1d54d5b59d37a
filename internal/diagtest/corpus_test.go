package diagtest_test

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/world"
)

// The look-alikes of these causes rest on worlds of other causes, which they change so that they look like this one.
var apart = []string{"pending/node-disk", "pending/other-cni", "pending/runtime", "alb/app.crashloop"}

func baseOf(dir string, m world.Meta) string { return filepath.Join(dir, filepath.FromSlash(m.Base)) }

// Every cause of the catalogue is wanted by a world, and has a twin: a world that changes that one, or the one that it changes
// too, so that the cause is not true, and in which it must not be reported. (That the worlds are judged so is the other tests' matter; what only contributes is looked for here.)
func TestEveryCauseHasAWorldAndATwin(t *testing.T) {
	dirs, err := world.Find(worlds)
	if err != nil {
		t.Fatal(err)
	}
	wanted, twins := map[string][]string{}, map[string][]string{}
	metas := map[string]world.Meta{}
	for _, dir := range dirs {
		m, err := world.LoadMeta(dir)
		if err != nil {
			t.Fatal(err)
		}
		metas[dir] = m
		for _, id := range slices.Concat(m.Want.Causes, m.Want.Contributing) {
			wanted[id] = append(wanted[id], dir)
		}
	}
	for dir, m := range metas {
		if m.Base == "" {
			continue
		}
		base := baseOf(dir, m)
		for _, id := range m.Want.Forbid {
			for _, other := range wanted[id] {
				if o := metas[other]; base == other || o.Base != "" && base == baseOf(other, o) || slices.Contains(apart, id) {
					twins[id] = append(twins[id], dir)
					break
				}
			}
		}
	}
	for _, c := range slices.Concat(diagnostics.CausesOf("pending"), diagnostics.CausesOf("alb"), diagnostics.CausesOf("ip")) {
		if len(wanted[c.ID]) == 0 {
			t.Errorf("%s is wanted by no world", c.ID)
		}
		if len(twins[c.ID]) == 0 {
			t.Errorf("%s has no twin: a world that changes one in which it is true, and forbids it", c.ID)
		}
		if !c.Contributing {
			continue
		}
		for _, dir := range twins[c.ID] {
			if r := diagnose(t, load(t, dir)); slices.ContainsFunc(slices.Concat(r.Causes, r.Contributing), func(f diagnostics.Finding) bool { return f.ID == c.ID }) {
				t.Errorf("%s is reported in its twin %s", c.ID, filepath.Base(dir))
			}
		}
	}
}
