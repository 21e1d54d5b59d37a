package diagnostics

import (
	"context"

	"golang.org/x/sync/errgroup"
)

// readsAtOnce is how many reads of one run are under way at a time.
const readsAtOnce = 8

// ReadGroup runs reads side by side, a few at a time, and keeps what it could not read for the gaps.
type ReadGroup struct {
	group *errgroup.Group
	reads *Reads
}

// Group begins a group of reads. Its context ends with the first error that is no missed read.
func (r *Reads) Group(ctx context.Context) (*ReadGroup, context.Context) {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(readsAtOnce)
	return &ReadGroup{g, r}, ctx
}

// Read runs f, and keeps what it could not read, about what.
func (g *ReadGroup) Read(what string, f func() error) {
	g.group.Go(func() error {
		if err := f(); err != nil && g.reads.Missed(err, what) {
			return g.reads.Fault()
		}
		return nil
	})
}

// Wait gives the first error that is no missed read.
func (g *ReadGroup) Wait() error { return g.group.Wait() }
