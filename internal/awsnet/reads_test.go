package awsnet_test

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/diagtest"
	simaws "github.com/netdiag/netdiag/internal/sim/aws"
	"github.com/netdiag/netdiag/internal/world"
)

type item = map[string]any

// recorded gives a list of aws.json, and whether it was recorded.
func recorded(t *testing.T, w *world.World, service, list string) ([]item, bool) {
	t.Helper()
	raw, ok := w.AWS[service][list]
	if !ok {
		return nil, false
	}
	var out []item
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	return out, true
}

func keyed(t *testing.T, w *world.World, service, list string) map[string][]item {
	t.Helper()
	var out map[string][]item
	if err := json.Unmarshal(w.AWS[service][list], &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func ids(items []item, field string) []string {
	var out []string
	for _, i := range items {
		out = append(out, i[field].(string))
	}
	slices.Sort(out)
	return out
}

func got[T any](t *testing.T, l []T, err error, id func(T) string) []string {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
	var out []string
	for _, v := range l {
		out = append(out, id(v))
	}
	slices.Sort(out)
	return out
}

func same(t *testing.T, what string, want, have any) {
	t.Helper()
	if d := cmp.Diff(want, have); d != "" {
		t.Errorf("%s (-aws.json +read):\n%s", what, d)
	}
}

// TestReadsEveryWorld reads everything of every world through the SDK and compares it with the files.
func TestReadsEveryWorld(t *testing.T) {
	dirs, err := diagtest.All(worlds)
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			t.Parallel()
			w, err := world.Load(dir)
			if err != nil {
				t.Fatal(err)
			}
			readWorld(t, w, simaws.Options{})
		})
	}
}

// TestPages reads some worlds from an AWS that answers in small pages.
func TestPages(t *testing.T) {
	for _, name := range []string{"alb-s01-custom-sg-unmanaged", "alb-s07-drift-removed", "pending-s36-fargate-no-egress", "pending-s23-discovery-bug"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			readWorld(t, load(t, name), simaws.Options{Page: 2})
		})
	}
}

func readWorld(t *testing.T, w *world.World, o simaws.Options) {
	w.Meta.Denied.AWS = nil // what is denied is another test
	r := client(t, simaws.New(w, o), w.Meta.Region).Reader()
	t.Run("ec2", func(t *testing.T) { readEC2(t, w, r) })
	t.Run("elbv2", func(t *testing.T) { readELB(t, w, r) })
	t.Run("eks", func(t *testing.T) { readEKS(t, w, r) })
	t.Run("witnesses", func(t *testing.T) { readWitnesses(t, w, r) })
}

func isAbsent(t *testing.T, permission string, err error) {
	t.Helper()
	var re *diagnostics.ReadError
	if !errors.As(err, &re) || re.Permission != permission || re.Reason != diagnostics.Absent {
		t.Errorf("error %v, want a ReadError of %s with reason absent", err, permission)
	}
}
