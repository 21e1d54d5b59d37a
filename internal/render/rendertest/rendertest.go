// Package rendertest has the reports that every way to write one is tested with, and compares what is written with a file.
package rendertest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netdiag/netdiag/diagnostics"
)

// Reports lists the files of internal/render/testdata; the test runs in a folder beside it.
func Reports(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("../testdata/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal("no reports", err)
	}
	return files
}

// Report reads the report in a file.
func Report(t *testing.T, file string) diagnostics.Report {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var r diagnostics.Report
	if err := json.Unmarshal(b, &r); err != nil {
		t.Fatal(file, err)
	}
	return r
}

// Golden compares a text with that of testdata/name, or writes it there.
func Golden(t *testing.T, update bool, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s: %s", name, d)
	}
}
