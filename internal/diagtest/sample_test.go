package diagtest_test

import (
	"testing"

	"github.com/netdiag/netdiag/internal/diagtest"
	"github.com/netdiag/netdiag/internal/world"
)

// A sample that lost its worlds would leave tests that pass on nothing.
func TestSamples(t *testing.T) {
	all, err := world.Find(worlds)
	if err != nil {
		t.Fatal(err)
	}
	for name, list := range map[string]func(string) ([]string, error){"All": diagtest.All, "Most": diagtest.Most, "Third": diagtest.Third, "Sample": diagtest.Sample} {
		got, err := list(worlds)
		if err != nil {
			t.Fatal(err)
		}
		least := len(all) / 30
		if name == "Most" && !diagtest.Race {
			least = len(all) / 2
		}
		if name == "Most" && diagtest.Race {
			least = 4
		}
		if len(got) < least || len(got) > len(all) {
			t.Errorf("%s lists %d of %d worlds", name, len(got), len(all))
		}
		t.Logf("%s: %d of %d", name, len(got), len(all))
	}
}
