package main

import (
	"os"
	"runtime/debug"
	"sync"
	"time"
)

// plenty is the memory that a program does with that goes on, in a cluster of 5,000 nodes: what Go doesn't count included, that is
// less than the 256 MiB that the chart allows.
const plenty = 160 << 20

// economise has garbage collected more often than usual beyond that many bytes, which is better than to be stopped for want of
// memory. Without garbage there is no limit. GOMEMLIMIT in the environment counts before it.
func economise(limit int64) {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(limit)
	}
}

// restAfter is how long no diagnosis has to run before what the last ones needed is given back: longer than the pause between
// two diagnoses of a change that is watched.
const restAfter = 8 * time.Second

// resting gives memory back to the system once no diagnosis has run for a while. Go keeps for minutes what a diagnosis of a
// large cluster needed, though there may be no other one for hours.
type resting struct {
	free func() // debug.FreeOSMemory

	mu      sync.Mutex
	running int
	timer   *time.Timer
}

func newResting() *resting { return &resting{free: debug.FreeOSMemory} }

// begin says that a diagnosis runs; the function that it returns, that it has ended.
func (r *resting) begin() (end func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.running++
	if r.timer != nil {
		r.timer.Stop()
	}
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.running--; r.running == 0 {
			r.timer = time.AfterFunc(restAfter, r.free)
		}
	}
}
