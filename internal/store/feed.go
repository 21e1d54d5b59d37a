// Package store holds what the implementations of casebook.Store share; each lies in a folder of its own.
package store

import (
	"context"
	"sync"
)

// Feed carries records to one watcher that may be slow: of each name only the latest version waits. The zero Feed is
// ready for use.
type Feed[T any] struct {
	mu     sync.Mutex
	order  []string
	latest map[string]T
	wake   chan struct{}
}

// Put makes r the latest version of name. It never blocks.
func (f *Feed[T]) Put(name string, r T) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.init()
	if _, waits := f.latest[name]; !waits {
		f.order = append(f.order, name)
	}
	f.latest[name] = r
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

func (f *Feed[T]) init() {
	if f.wake == nil {
		f.wake = make(chan struct{}, 1)
		f.latest = map[string]T{}
	}
}

// Run sends what waits to out until ctx ends.
func (f *Feed[T]) Run(ctx context.Context, out chan<- T) {
	f.mu.Lock()
	f.init()
	f.mu.Unlock()
	for {
		r, ok := f.next()
		if !ok {
			select {
			case <-f.wake:
				continue
			case <-ctx.Done():
				return
			}
		}
		select {
		case out <- r:
		case <-ctx.Done():
			return
		}
	}
}

func (f *Feed[T]) next() (r T, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.order) == 0 {
		return r, false
	}
	name := f.order[0]
	f.order = f.order[1:]
	r = f.latest[name]
	delete(f.latest, name)
	return r, true
}
