package handlers

import (
	"context"
	"sync"
)

// desk does jobs by key: one at a time for a key; what is asked for while its job runs is done once more afterwards.
type desk struct {
	seats chan struct{} // bounds the jobs that run at a time

	mu   sync.Mutex
	jobs map[string]bool // key → again
	gone chan struct{}   // closed and replaced whenever a job is finished
	wg   sync.WaitGroup
}

func newDesk(seats int) *desk {
	return &desk{seats: make(chan struct{}, seats), jobs: map[string]bool{}, gone: make(chan struct{})}
}

// do sees to it that f runs, from its beginning, after this call. It does not wait for that.
func (d *desk) do(key string, f func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, running := d.jobs[key]; running {
		d.jobs[key] = true
		return
	}
	d.jobs[key] = false
	d.wg.Go(func() {
		for again := true; again; again = d.finish(key) {
			d.seats <- struct{}{}
			f()
			<-d.seats
		}
	})
}

// finish reports whether the job is wanted once more.
func (d *desk) finish(key string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.jobs[key] {
		d.jobs[key] = false
		return true
	}
	delete(d.jobs, key)
	close(d.gone)
	d.gone = make(chan struct{})
	return false
}

// idle waits for a moment without any job, though more may be asked for; false where ctx ended first.
func (d *desk) idle(ctx context.Context) bool {
	for {
		d.mu.Lock()
		n, gone := len(d.jobs), d.gone
		d.mu.Unlock()
		if n == 0 {
			return true
		}
		select {
		case <-gone:
		case <-ctx.Done():
			return false
		}
	}
}

// wait waits for all jobs; nobody may ask for more meanwhile.
func (d *desk) wait() { d.wg.Wait() }
