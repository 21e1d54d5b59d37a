package main

import (
	"os"
	"strings"
	"testing"
	"time"
)

// A real bot serve is watched before and after a question; how much it takes is not a test's affair but that of make idle.
func TestMeasureIdle(t *testing.T) {
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("SKIPPED: there is no /proc")
	}
	rests, err := measureIdle(t.Context(), build(t), 10*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rests {
		if r.memory <= 0 || r.busy < 0 {
			t.Errorf("%+v", r)
		}
	}
	var b strings.Builder
	tellIdle(&b, []rest{{"since its start", 40, 1500 * time.Millisecond}}, 5*time.Minute, vigil{nodes: 5000, looks: 3, threads: 2, memory: 190, busy: 6 * time.Second, over: 2 * time.Minute})
	if !strings.Contains(b.String(), "| since its start | 40 MiB | 5.0 m |\n") || len(rests) != 2 || !strings.HasSuffix(b.String(), "| 5000 nodes | 3 | 2 | 190 MiB | 50 m |\n") {
		t.Errorf("%d rests, and\n%s", len(rests), b.String())
	}
	if _, err := measureIdle(t.Context(), "/bin/false", time.Millisecond); err == nil || !strings.Contains(err.Error(), "/bin/false serve: ") {
		t.Error(err)
	}
}

// A real bot serve watches, and answers.
func TestMeasureWatch(t *testing.T) {
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("SKIPPED: there is no /proc")
	}
	v, err := measureWatch(t.Context(), build(t), 50, 1)
	if err != nil || v.looks != 1 || v.memory <= 0 || v.busy <= 0 {
		t.Errorf("%+v, %v", v, err)
	}
}
