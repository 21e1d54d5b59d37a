// Package memory keeps records in the memory of one process. It behaves as the store in Kubernetes does, versions,
// conflicts and the rules of the machine included, and forgets everything at the end.
package memory

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/store"
)

// New makes an empty Store; now is the clock of creation times.
func New(now func() time.Time) casebook.Store {
	return casebook.Store{
		Investigations: &records[casebook.Investigation]{now: now, check: casebook.CheckInvestigation, meta: func(i *casebook.Investigation) meta {
			return meta{&i.Name, &i.Version, &i.Created}
		}},
		Remediations: &records[casebook.Remediation]{now: now, check: casebook.Check, meta: func(r *casebook.Remediation) meta {
			return meta{&r.Name, &r.Version, &r.Created}
		}},
		Halt: &brake{}, Memos: &memos{kept: map[string]casebook.Memo{}},
	}
}

// meta points to what a store gives to every record.
type meta struct {
	name, version *string
	created       *time.Time
}

// records keeps each record as JSON, so that nothing is shared with callers and nothing is kept that couldn't be stored elsewhere.
type records[T any] struct {
	now   func() time.Time
	check func(old, new T) error
	meta  func(*T) meta

	mu       sync.Mutex
	version  int
	stored   map[string][]byte
	watchers map[*store.Feed[T]]bool
}

// Create stores a new record.
func (s *records[T]) Create(ctx context.Context, r T) (T, error) {
	m := s.meta(&r)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return r, err
	}
	if _, taken := s.stored[*m.name]; taken {
		return r, fmt.Errorf("create %s: %w", *m.name, casebook.ErrExists)
	}
	var none T
	if err := s.check(none, r); err != nil {
		return r, fmt.Errorf("create %s: %w", *m.name, err)
	}
	*m.created = s.now().UTC()
	return s.put(r)
}

// Get reads a record.
func (s *records[T]) Get(ctx context.Context, name string) (T, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.get(ctx, name)
}

func (s *records[T]) get(ctx context.Context, name string) (r T, err error) {
	if err := ctx.Err(); err != nil {
		return r, err
	}
	text, ok := s.stored[name]
	if !ok {
		return r, fmt.Errorf("get %s: %w", name, casebook.ErrNotFound)
	}
	return r, json.Unmarshal(text, &r)
}

// Update replaces a record that is still as it was read.
func (s *records[T]) Update(ctx context.Context, r T) (T, error) {
	m := s.meta(&r)
	s.mu.Lock()
	defer s.mu.Unlock()
	old, err := s.get(ctx, *m.name)
	if err != nil {
		return r, err
	}
	was := s.meta(&old)
	if *was.version != *m.version {
		return r, fmt.Errorf("update %s: %w", *m.name, casebook.ErrConflict)
	}
	if err := s.check(old, r); err != nil {
		return r, fmt.Errorf("update %s: %w", *m.name, err)
	}
	*m.created = *was.created
	return s.put(r)
}

func (s *records[T]) put(r T) (T, error) {
	m := s.meta(&r)
	s.version++
	*m.version = strconv.Itoa(s.version)
	text, err := json.Marshal(r)
	if err != nil {
		return r, fmt.Errorf("store %s: %w", *m.name, err)
	}
	if s.stored == nil {
		s.stored = map[string][]byte{}
	}
	s.stored[*m.name] = text
	for f := range s.watchers {
		f.Put(*m.name, decode[T](text))
	}
	return decode[T](text), nil
}

// decode reads what put wrote, each time anew.
func decode[T any](text []byte) (r T) {
	if err := json.Unmarshal(text, &r); err != nil {
		panic(err) // it was encoded from the same type
	}
	return r
}

// Delete removes a record that is still as it was read.
func (s *records[T]) Delete(ctx context.Context, r T) error {
	m := s.meta(&r)
	s.mu.Lock()
	defer s.mu.Unlock()
	old, err := s.get(ctx, *m.name)
	if err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	if *s.meta(&old).version != *m.version {
		return fmt.Errorf("delete %s: %w", *m.name, casebook.ErrConflict)
	}
	delete(s.stored, *m.name)
	return nil
}

// List reads all records, by name.
func (s *records[T]) List(ctx context.Context) ([]T, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return s.list(), nil
}

func (s *records[T]) list() []T {
	var names []string
	for name := range s.stored {
		names = append(names, name)
	}
	slices.Sort(names)
	out := make([]T, 0, len(names))
	for _, name := range names {
		out = append(out, decode[T](s.stored[name]))
	}
	return out
}

// Watch sends every record, and then each that changes.
func (s *records[T]) Watch(ctx context.Context) (<-chan T, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	f := &store.Feed[T]{}
	for _, r := range s.list() {
		f.Put(*s.meta(&r).name, r)
	}
	if s.watchers == nil {
		s.watchers = map[*store.Feed[T]]bool{}
	}
	s.watchers[f] = true
	out := make(chan T)
	go func() { // ends with ctx, and closes the channel to say so
		defer close(out)
		f.Run(ctx, out)
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.watchers, f)
	}()
	return out, nil
}
