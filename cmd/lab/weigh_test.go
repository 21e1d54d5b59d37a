package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestWeigh(t *testing.T) {
	small, err := exec.LookPath("true")
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(small)
	if err != nil {
		t.Fatal(err)
	}
	w, err := weigh(small)
	if err != nil || w.platform != "linux/"+runtime.GOARCH || w.size != info.Size() || w.packed <= 0 || w.packed >= w.size {
		t.Errorf("%+v, %v", w, err)
	}
	text := filepath.Join(t.TempDir(), "bot")
	if err := os.WriteFile(text, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := weigh(text); err == nil || !strings.Contains(err.Error(), "is no program for Linux") {
		t.Error(err)
	}
	if err := tooHeavy([]weight{{"linux/amd64", 200 << 20, 60 << 20}}); err != nil {
		t.Error(err)
	}
	if err := tooHeavy([]weight{{"linux/amd64", 200 << 20, 10 << 20}, {"linux/arm64", 200 << 20, 60<<20 + 1}}); err == nil || !strings.Contains(err.Error(), "linux/arm64") {
		t.Error(err)
	}
}

// Every start is seen to its end; how long it takes is not a test's affair but that of make weigh.
func TestMeasureStarts(t *testing.T) {
	starts, err := measureStarts(t.Context(), build(t), 2)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	tellWeights(&b, []weight{{"linux/arm64", 3 << 20, 1 << 20}}, starts)
	for _, s := range starts {
		if len(s.took) != 2 || s.took[0] <= 0 || s.took[1] < s.took[0] {
			t.Errorf("%s: %v", s.until, s.took)
		}
	}
	for _, want := range []string{"| linux/arm64 | 3.0 MiB | 1.0 MiB |", "| `bot serve` listens to Slack | "} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %s in\n%s", want, b.String())
		}
	}
	if _, err := measureStarts(t.Context(), "/bin/false", 1); err == nil || !strings.Contains(err.Error(), "/bin/false version") {
		t.Error(err)
	}
}
