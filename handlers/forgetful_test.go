package handlers_test

import (
	"context"
	"maps"
	"sync"

	"github.com/netdiag/netdiag/internal/casebook"
)

// forgetful gives a store whose reader doesn't see the ts of messages that others recorded: an ablation.
func forgetful(s casebook.Store) casebook.Store {
	s.Investigations = &amnesia[casebook.Investigation]{Records: s.Investigations, mine: map[string]map[string]string{}, of: func(i *casebook.Investigation) (string, *map[string]string) {
		return i.Name, &i.Status.Posted
	}}
	return s
}

// amnesia shows of Posted what was written through it, and keeps the rest as it is stored.
type amnesia[T any] struct {
	casebook.Records[T]
	of func(*T) (name string, posted *map[string]string)

	mu   sync.Mutex
	mine map[string]map[string]string
}

func (a *amnesia[T]) blind(r T) T {
	name, posted := a.of(&r)
	a.mu.Lock()
	defer a.mu.Unlock()
	*posted = maps.Clone(a.mine[name])
	return r
}

func (a *amnesia[T]) Get(ctx context.Context, name string) (T, error) {
	r, err := a.Records.Get(ctx, name)
	return a.blind(r), err
}

func (a *amnesia[T]) Update(ctx context.Context, r T) (T, error) {
	name, posted := a.of(&r)
	a.mu.Lock()
	a.mine[name] = maps.Clone(*posted)
	a.mu.Unlock()
	stored, err := a.Records.Get(ctx, name)
	if err != nil {
		return r, err
	}
	_, kept := a.of(&stored)
	all := maps.Clone(*posted)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, *kept)
	*posted = all
	out, err := a.Records.Update(ctx, r)
	return a.blind(out), err
}

func (a *amnesia[T]) Watch(ctx context.Context) (<-chan T, error) {
	in, err := a.Records.Watch(ctx)
	if err != nil {
		return nil, err
	}
	out := make(chan T)
	go func() { // ends with in, as ctx does
		defer close(out)
		for r := range in {
			select {
			case out <- a.blind(r):
			case <-ctx.Done():
			}
		}
	}()
	return out, nil
}
