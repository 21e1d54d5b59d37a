package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netdiag/netdiag/internal/world"
)

// A world that rests on another is, written out, the same world and needs no base.
func TestFlatten(t *testing.T) {
	to := filepath.Join(t.TempDir(), "complete")
	dirs, err := world.Find("../../testdata/worlds/own/pending")
	if err != nil {
		t.Fatal(err)
	}
	var from string
	for _, d := range dirs { // the first that has a base
		m, err := world.LoadMeta(d)
		if err != nil {
			t.Fatal(err)
		}
		if m.Base != "" {
			from = d
			break
		}
	}
	if from == "" {
		t.Fatal("no world rests on another one")
	}
	c := root()
	c.SetArgs([]string{"flatten", from, "-o", to})
	if err := c.Execute(); err != nil {
		t.Fatal(err)
	}
	flat := filepath.Join(to, filepath.Base(from))
	for _, f := range []string{"world.yaml", "cluster.yaml", "aws.json"} {
		if _, err := os.Stat(filepath.Join(flat, f)); err != nil {
			t.Error(err)
		}
	}
	parts := func(dir string) string {
		w, err := world.Load(dir)
		if err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal([]any{w.Objects, w.AWS, w.Logs, w.Metrics, w.Meta.Ask, w.Meta.Now, w.Meta.Want})
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	if diff := cmp.Diff(parts(from), parts(flat)); diff != "" {
		t.Errorf("(-resting on its base +complete):\n%s", diff)
	}
	if c.SetArgs([]string{"flatten", from, "-o", to}); c.Execute() == nil {
		t.Error("a folder that is not empty was written to")
	}
}
