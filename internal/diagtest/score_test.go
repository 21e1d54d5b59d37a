package diagtest

import (
	"strings"
	"testing"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/world"
)

func TestCompare(t *testing.T) {
	good := diagnostics.Report{
		Causes:  []diagnostics.Finding{{ID: "pending/subnet-exhausted", Subject: "subnet-1", Confidence: diagnostics.Confirmed}},
		Fixes:   []diagnostics.Fix{{ID: "pending/tune-warm-pool", Executable: true}},
		Refused: []diagnostics.Refused{{ID: "pending/enable-prefix-delegation", Why: "0 free /28 blocks"}},
		Gaps:    []diagnostics.Gap{{Permission: "list events"}},
	}
	want := world.Want{
		Causes: []string{"pending/subnet-exhausted"}, Subject: "subnet-1", Fix: []string{"pending/tune-warm-pool"},
		Refused: []string{"pending/enable-prefix-delegation"}, Confidence: "confirmed", Gaps: []string{"list events"}, Facts: []string{"96"},
	}
	for name, c := range map[string]struct {
		change func(*world.Want, *diagnostics.Report)
		text   string
		want   string // start of the first difference; empty: passes
	}{
		"all right":        {func(*world.Want, *diagnostics.Report) {}, "frees 96 addresses", ""},
		"fact within word": {func(*world.Want, *diagnostics.Report) {}, "frees 196 addresses, 960 more", `fact "96"`},
		"missing cause":    {func(w *world.Want, r *diagnostics.Report) { r.Causes = nil; w.Subject = "" }, "96", "cause pending/subnet-exhausted missing"},
		"a cause too many": {func(_ *world.Want, r *diagnostics.Report) {
			r.Causes = append(r.Causes, diagnostics.Finding{ID: "pending/taint", Confidence: diagnostics.Confirmed})
		}, "96", "cause pending/taint is wrong"},
		"forbidden contributing": {func(w *world.Want, r *diagnostics.Report) {
			w.Forbid = []string{"pending/leaked-enis"}
			r.Contributing = []diagnostics.Finding{{ID: "pending/leaked-enis"}}
		}, "96", "contributing pending/leaked-enis is forbidden"},
		"forbidden": {func(w *world.Want, r *diagnostics.Report) {
			w.Forbid = []string{"pending/taint"}
			r.Causes = append(r.Causes, diagnostics.Finding{ID: "pending/taint", Confidence: diagnostics.Confirmed})
		}, "96", "cause pending/taint is forbidden"},
		"one step below is right": {func(_ *world.Want, r *diagnostics.Report) { r.Causes[0].Confidence = diagnostics.Likely }, "96", ""},
		"two steps below":         {func(_ *world.Want, r *diagnostics.Report) { r.Causes[0].Confidence = diagnostics.Possible }, "96", "cause pending/subnet-exhausted claims possible"},
		"claims too much":         {func(w *world.Want, _ *diagnostics.Report) { w.Confidence = "likely" }, "96", "cause pending/subnet-exhausted claims confirmed"},
		"subject in the evidence": {func(w *world.Want, r *diagnostics.Report) {
			w.Subject = "eni-7"
			r.Causes[0].Evidence = []diagnostics.Evidence{{Value: "on eni-7"}}
		}, "96", ""},
		"wrong first fix":          {func(w *world.Want, _ *diagnostics.Report) { w.Fix = []string{"pending/new-node-group"} }, "96", "first fix is pending/tune-warm-pool"},
		"refused fix offered":      {func(w *world.Want, _ *diagnostics.Report) { w.Refuse = []string{"pending/tune-warm-pool"} }, "96", "fix pending/tune-warm-pool must not"},
		"nothing may be offered":   {func(w *world.Want, _ *diagnostics.Report) { w.Fix = []string{"none"} }, "96", "first fix is pending/tune-warm-pool"},
		"advice where none wanted": {func(w *world.Want, r *diagnostics.Report) { w.Fix = []string{"none"}; r.Fixes[0].Executable = false }, "96", ""},
		"refusal without number":   {func(_ *world.Want, r *diagnostics.Report) { r.Refused[0].Why = "it would not help" }, "96", "pending/enable-prefix-delegation is not refused"},
		"gap not named":            {func(_ *world.Want, r *diagnostics.Report) { r.Gaps = nil }, "96", "gap list events"},
	} {
		t.Run(name, func(t *testing.T) {
			w, r := want, good
			r.Causes = append([]diagnostics.Finding(nil), good.Causes...)
			r.Fixes = append([]diagnostics.Fix(nil), good.Fixes...)
			r.Refused = append([]diagnostics.Refused(nil), good.Refused...)
			c.change(&w, &r)
			got := strings.Join(Compare(w, r, c.text).Differs, "\n")
			if (c.want == "") != (got == "") || !strings.HasPrefix(got, c.want) {
				t.Errorf("differs %q, want %q", got, c.want)
			}
		})
	}
}
