package main

import (
	"runtime/debug"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// Memory is given back once, after the last of several diagnoses, and not while another one runs.
func TestResting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var freed atomic.Int32
		r := &resting{free: func() { freed.Add(1) }}
		check := func(after time.Duration, want int32) {
			t.Helper()
			time.Sleep(after) // of the bubble
			synctest.Wait()
			if n := freed.Load(); n != want {
				t.Errorf("freed %d times, want %d", n, want)
			}
		}
		first, second := r.begin(), r.begin()
		first()
		check(time.Minute, 0) // the second one runs
		second()
		check(restAfter-1, 0)
		third := r.begin()
		check(time.Minute, 0)
		third()
		check(restAfter, 1)
		check(time.Hour, 1)
	})
}

// A limit of memory is ours only where the environment gives none.
func TestEconomise(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	defer debug.SetMemoryLimit(before)
	t.Setenv("GOMEMLIMIT", "")
	economise(1 << 40)
	t.Setenv("GOMEMLIMIT", "2TiB")
	economise(1 << 39)
	if got := debug.SetMemoryLimit(-1); got != 1<<40 {
		t.Errorf("the limit is %d bytes", got)
	}
}
