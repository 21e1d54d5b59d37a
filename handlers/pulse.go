package handlers

import (
	"errors"
	"sync"
	"time"
)

// aliveWithin is how old the last word of Slack over a connection may be for the connection to count as live.
const aliveWithin = 60 * time.Second

// pulse knows which connections to Slack are live, and how long there was none: then the bot is deaf. It counts by the
// monotonic clock of the machine.
type pulse struct {
	mu       sync.Mutex
	last     map[int]time.Time // the last word on each connection, from its dialing
	live     map[int]bool      // those that said hello and have not ended
	since    time.Time         // of the present deafness; zero while something is live
	total    time.Duration     // of those before
	longest  time.Duration     // of those before
	stopping bool
	began    time.Time // of the present hearing; zero before the first
}

func newPulse() *pulse {
	return &pulse{last: map[int]time.Time{}, live: map[int]bool{}, since: time.Now()}
}

// heard notes that something came over a connection.
func (p *pulse) heard(id int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last[id] = time.Now()
}

// hearing is how many connections are live, and since when there was always one.
func (p *pulse) hearing() (connections int, since time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.count(), p.began
}

// quiet is how long nothing came over a connection.
func (p *pulse) quiet(id int) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Since(p.last[id])
}

// up notes a hello.
func (p *pulse) up(id int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.since.IsZero() && time.Since(p.newest()) >= pingWithin { // the others are half open, though nobody has noticed yet
		p.since = p.newest()
	}
	p.live[id], p.last[id] = true, time.Now()
	if !p.since.IsZero() {
		deaf := time.Since(p.since)
		p.total, p.longest, p.since, p.began = p.total+deaf, max(p.longest, deaf), time.Time{}, time.Now()
	}
}

// newest is when the last word came over any live connection; the lock is held.
func (p *pulse) newest() time.Time {
	var t time.Time
	for id := range p.live {
		if p.last[id].After(t) {
			t = p.last[id]
		}
	}
	return t
}

// down notes the end of a connection; nothing could be heard over a silent one since its last word.
func (p *pulse) down(id int, silent bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.live[id] {
		return
	}
	delete(p.live, id)
	if len(p.live) > 0 {
		return
	}
	p.since = time.Now()
	if silent {
		p.since = p.last[id]
	}
}

// stop says that the bot takes nothing more.
func (p *pulse) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopping = true
}

// connections counts the live ones.
func (p *pulse) connections() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.count()
}

// count is connections; the lock is held.
func (p *pulse) count() int {
	n := 0
	for id := range p.live {
		if time.Since(p.last[id]) < aliveWithin {
			n++
		}
	}
	return n
}

// deaf tells whether nothing is heard now, and for how long nothing was: in all, and at the longest.
func (p *pulse) deaf() (now bool, total, longest time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.since.IsZero() {
		return false, p.total, p.longest
	}
	d := time.Since(p.since)
	return true, p.total + d, max(p.longest, d)
}

// ready gives the reason why no question could be taken now, or nil.
func (p *pulse) ready() error {
	p.mu.Lock()
	stopping := p.stopping
	p.mu.Unlock()
	switch {
	case stopping:
		return errors.New("stopping")
	case p.connections() == 0:
		return errors.New("no live connection to Slack")
	}
	return nil
}
