package world_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/netdiag/netdiag/internal/world"
)

// A broken world is refused with a file and what was expected there; one that loads can be moved in time.
func FuzzLoad(f *testing.F) {
	f.Add(meta, "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n", `{"ec2": {"Subnets": [{"SubnetId": "subnet-1"}]}}`)
	f.Add("base: .\nwant: {}\nchanges: [{object: Pod a, merge: {x: null}}]\n", "", "{}")
	f.Add(meta+"changes: [3]\n", "---\n---\n- a\n", `{"elbv2": {"Tags": {"arn": [1]}}}`)
	f.Add("now: 2026-11-22T10:30:00Z\n<<: *a\n", "kind: {kind: [}\n", `{"ec2": null}`)
	f.Fuzz(func(t *testing.T, metaText, cluster, aws string) {
		dir := t.TempDir()
		for name, text := range map[string]string{"world.yaml": metaText, "cluster.yaml": cluster, "aws.json": aws} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		w, err := world.Load(dir)
		if err == nil {
			w.Shift(time.Hour)
			return
		}
		p, ok := errors.AsType[*world.Problem](err)
		if !ok {
			t.Fatalf("Load: %v, want a *Problem", err)
		}
		if p.File == "" || p.Want == "" || p.Line < 0 {
			t.Errorf("%+v names no file, or not what was expected", p)
		}
	})
}
