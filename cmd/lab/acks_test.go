package main

import (
	"strings"
	"testing"
	"time"
)

// Every command is acknowledged once and counted; how fast is not a test's affair but that of lab bench.
func TestMeasureAcks(t *testing.T) {
	a, err := measureAcks(t.Context(), 20, 3, time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	tellAcks(&b, a)
	if len(a.burst) != 20 || len(a.steady) != 40 || at(a.steady, 0) > at(a.steady, 990) || !strings.Contains(b.String(), "| 40 |") {
		t.Error(b.String())
	}
}
