package diagnostics_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netdiag/netdiag/diagnostics"
)

// run gives the report of a diagnosis that finds just r.
func run(t *testing.T, r diagnostics.Result) diagnostics.Report {
	t.Helper()
	d := diagnostics.Define(diagnostics.Spec[struct{}]{
		Name: "pending", Doc: "# test",
		Collect: func(context.Context, diagnostics.Inputs, diagnostics.Target) (struct{}, error) {
			return struct{}{}, nil
		},
		Analyze: func(struct{}) diagnostics.Result { return r },
	})
	out, err := d.Run(context.Background(), diagnostics.Inputs{Now: time.Unix(0, 0)}, diagnostics.Target{Namespace: "backend"})
	if err != nil {
		t.Fatal(err)
	}
	return out.Report
}

func keys(fs []diagnostics.Finding) string {
	var out []string
	for _, f := range fs {
		out = append(out, strings.TrimPrefix(f.Key(), "pending/"))
	}
	return strings.Join(out, ", ")
}

func TestRootCauses(t *testing.T) {
	f := func(id, subject string, because ...string) diagnostics.Finding {
		return diagnostics.Finding{ID: "pending/" + id, Subject: subject, Confidence: diagnostics.Confirmed, Because: because}
	}
	latent := f("subnet-exhausted", "subnet-1")
	latent.Latent = true
	for name, c := range map[string]struct {
		findings                  []diagnostics.Finding
		causes, contrib, symptoms string
	}{
		"a cause that another explains is a symptom": {
			[]diagnostics.Finding{f("node-not-ready", "n1", "pending/cni-iam role"), f("cni-iam", "role")},
			"cni-iam role", "", "node-not-ready n1",
		},
		"through a chain": {
			[]diagnostics.Finding{f("taint", "n1", "pending/node-not-ready n1"), f("node-not-ready", "n1", "pending/cni-iam role"), f("cni-iam", "role")},
			"cni-iam role", "", "node-not-ready n1, taint n1",
		},
		"a circle hides nothing": {
			[]diagnostics.Finding{f("taint", "n1", "pending/ipamd-down n1"), f("ipamd-down", "n1", "pending/taint n1")},
			"ipamd-down n1, taint n1", "", "",
		},
		"what a circle explains is a symptom": {
			[]diagnostics.Finding{f("taint", "n1", "pending/ipamd-down n1"), f("ipamd-down", "n1", "pending/taint n1"), f("node-not-ready", "n1", "pending/taint n1")},
			"ipamd-down n1, taint n1", "", "node-not-ready n1",
		},
		"a contributing finding never demotes a cause": {
			[]diagnostics.Finding{f("subnet-exhausted", "subnet-1", "pending/warm-pool-overheld subnet-1"), f("warm-pool-overheld", "subnet-1")},
			"subnet-exhausted subnet-1", "warm-pool-overheld subnet-1", "",
		},
		"a latent cause stands under contributing and explains nothing": {
			[]diagnostics.Finding{latent, f("missing-config", "pod/a", "pending/subnet-exhausted subnet-1")},
			"missing-config pod/a", "subnet-exhausted subnet-1", "",
		},
		"the same trouble elsewhere explains nothing": {
			[]diagnostics.Finding{f("node-not-ready", "n1", "pending/cni-iam other"), f("cni-iam", "role")},
			"cni-iam role, node-not-ready n1", "", "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := run(t, diagnostics.Result{Findings: c.findings})
			got := [3]string{keys(r.Causes), keys(r.Contributing), keys(r.Symptoms)}
			if diff := cmp.Diff([3]string{c.causes, c.contrib, c.symptoms}, got); diff != "" {
				t.Errorf("causes, contributing, symptoms (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOpenAndHealthy(t *testing.T) {
	gap := diagnostics.Gap{Permission: "ec2:DescribeSubnets", Reason: diagnostics.Denied, Caps: []string{"pending/subnet-exhausted"}}
	finding := func(c diagnostics.Confidence) []diagnostics.Finding {
		return []diagnostics.Finding{{ID: "pending/taint", Confidence: c}}
	}
	for name, c := range map[string]struct {
		result        diagnostics.Result
		open, healthy bool
	}{
		"nothing found, everything read":  {diagnostics.Result{}, false, true},
		"nothing found, a deciding gap":   {diagnostics.Result{Gaps: []diagnostics.Gap{gap}}, true, false},
		"a gap that decides nothing":      {diagnostics.Result{Gaps: []diagnostics.Gap{{Permission: "get pods/proxy"}}}, false, true},
		"a sure cause beside the gap":     {diagnostics.Result{Findings: finding(diagnostics.Likely), Gaps: []diagnostics.Gap{gap}}, false, false},
		"a possible cause beside the gap": {diagnostics.Result{Findings: finding(diagnostics.Possible), Gaps: []diagnostics.Gap{gap}}, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := run(t, c.result)
			if r.Open() != c.open || r.Healthy() != c.healthy {
				t.Errorf("Open %t, Healthy %t; want %t, %t", r.Open(), r.Healthy(), c.open, c.healthy)
			}
		})
	}
}

func TestGapsOfOnePermissionAreNamedOnce(t *testing.T) {
	r := run(t, diagnostics.Result{Gaps: []diagnostics.Gap{
		{Permission: "b", Reason: diagnostics.Denied, Summary: "one", Caps: []string{"y", "x"}},
		{Permission: "a", Reason: diagnostics.Throttled, Summary: "three"},
		{Permission: "b", Reason: diagnostics.Denied, Summary: "two", Caps: []string{"x"}},
	}})
	want := []diagnostics.Gap{
		{Permission: "a", Reason: diagnostics.Throttled, Summary: "three"},
		{Permission: "b", Reason: diagnostics.Denied, Summary: "one; two", Caps: []string{"x", "y"}},
	}
	if diff := cmp.Diff(want, r.Gaps); diff != "" {
		t.Errorf("gaps (-want +got):\n%s", diff)
	}
}

func TestListsAreNeverNull(t *testing.T) {
	text, err := json.Marshal(run(t, diagnostics.Result{Findings: []diagnostics.Finding{{ID: "pending/taint"}}, Fixes: []diagnostics.Fix{{}}}))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "null") {
		t.Errorf("null in the report:\n%s", text)
	}
}

func TestCatalogueIsGenerated(t *testing.T) {
	before, err := os.ReadFile("catalogue_gen.go")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, f := range []string{"catalogue.yaml"} {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, f), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	here, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(dir, "catalogue")
	build := exec.Command("go", "build", "-o", bin, "./internal/catalogue")
	build.Dir = here
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	gen := exec.Command(bin)
	gen.Dir = dir
	if out, err := gen.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	after, err := os.ReadFile(filepath.Join(dir, "catalogue_gen.go"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(before), string(after)); diff != "" {
		t.Errorf("catalogue_gen.go is stale: run go generate ./diagnostics (-have +generated):\n%s", diff)
	}
}
