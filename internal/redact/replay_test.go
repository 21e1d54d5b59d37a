package redact_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/diagnostics/all"
	"github.com/netdiag/netdiag/internal/diagtest"
	"github.com/netdiag/netdiag/internal/redact"
)

// A snapshot without its secrets is judged as the whole one was.
func TestRedactedSnapshotsAreJudgedTheSame(t *testing.T) {
	for _, world := range []string{"seed-ip-exhaustion", "seed-alb-502"} {
		_, out, _, err := diagtest.Run(t.Context(), "../../testdata/worlds/seeds/"+world)
		if err != nil {
			t.Fatal(err)
		}
		file, err := out.Save("test")
		if err != nil {
			t.Fatal(err)
		}
		if file, err = redact.JSON(file); err != nil {
			t.Fatal(err)
		}
		saved, err := diagnostics.ReadSaved(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range all.Diagnoses() {
			if d.Name != saved.Diagnosis {
				continue
			}
			again, err := d.ReplaySaved(saved)
			if err != nil {
				t.Fatal(err)
			}
			again.Report.Target.Account = out.Report.Target.Account
			if d := cmp.Diff(out.Report, again.Report); d != "" {
				t.Errorf("%s: %s", world, d)
			}
		}
	}
}
