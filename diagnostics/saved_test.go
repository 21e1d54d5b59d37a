package diagnostics_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netdiag/netdiag/diagnostics"
)

type counted struct{ Pods int }

var counting = diagnostics.Define(diagnostics.Spec[counted]{
	Name: "count", Doc: "# Count",
	Collect: func(context.Context, diagnostics.Inputs, diagnostics.Target) (counted, error) { return counted{3}, nil },
	Analyze: func(s counted) diagnostics.Result {
		return diagnostics.Result{Summary: strings.Repeat("pod ", s.Pods)}
	},
})

func TestSavedSaysTheSameAgain(t *testing.T) {
	at := time.Date(2026, 11, 22, 10, 30, 0, 123, time.UTC)
	clock := at
	in := diagnostics.Inputs{Now: at, Clock: func() time.Time { clock = clock.Add(time.Second); return clock }}
	out, err := counting.Run(t.Context(), in, diagnostics.Target{Cluster: "prod", Region: "us-west-2", Namespace: "backend"})
	if err != nil {
		t.Fatal(err)
	}
	text, err := out.Save("v1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	saved, err := diagnostics.ReadSaved(text)
	if err != nil {
		t.Fatal(err)
	}
	again, err := counting.ReplaySaved(saved)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(out.Report, again.Report); diff != "" || out.Report.TookSeconds != 2 || out.Read != time.Second || out.Judged != time.Second {
		t.Errorf("took %v, read %v, judged %v (-run +replayed):\n%s", out.Report.TookSeconds, out.Read, out.Judged, diff)
	}
	report, err := json.Marshal(out.Report)
	if err != nil {
		t.Fatal(err)
	}
	whole := string(text)
	for name, c := range map[string]struct{ text, want string }{
		"empty":      {"", "line 1 is no JSON"},
		"cut":        {whole[:len(whole)/2], "is the file whole?"},
		"a list":     {"[]", "no snapshot of netdiag: json: cannot unmarshal array"},
		"foreign":    {`{"kind": "Pod", "apiVersion": "v1"}`, "it is no snapshot of netdiag"},
		"a report":   {string(report), "it is a report"},
		"newer":      {strings.Replace(whole, `"version": 1`, `"version": 2`, 1), "version 2, written by netdiag v1.2.3; this netdiag reads version 1"},
		"incomplete": {strings.Replace(whole, `"snapshot": {`, `"other": {`, 1), "incomplete"},
	} {
		_, err := diagnostics.ReadSaved([]byte(c.text))
		var refusal diagnostics.Refusal
		if !errors.As(err, &refusal) || !strings.Contains(string(refusal), c.want) || strings.Contains(string(refusal), "\n") {
			t.Errorf("%s: %v; want one line with %q", name, err, c.want)
		}
	}
}
