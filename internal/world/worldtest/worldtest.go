// Package worldtest loads recorded worlds for tests. Parsing one is most of what a small test of it would cost, tenfold under
// the race detector.
package worldtest

import (
	"path/filepath"
	"sync"
	"testing"

	"github.com/netdiag/netdiag/internal/world"
)

// loads has a function for each folder, which reads it once in the life of the test binary.
var loads sync.Map

// Load gives the caller a copy of its own of the world in dir, and fails the test where it can't be read.
func Load(t testing.TB, dir string) *world.World {
	t.Helper()
	dir, err := filepath.Abs(dir)
	if err != nil {
		t.Fatal(err)
	}
	load, _ := loads.LoadOrStore(dir, sync.OnceValues(func() (*world.World, error) { return world.Load(dir) }))
	w, err := load.(func() (*world.World, error))()
	if err != nil {
		t.Fatal(err)
	}
	return w.Clone()
}
