package crd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/netdiag/netdiag/internal/store"
)

const (
	listTimeout = 30 * time.Second
	// watchSeconds ends a watch from time to time, so that one whose connection died unnoticed loses little.
	watchSeconds = 240
)

// Watch sends every record, and then each that changes. What is missed while no watch can be had comes with the list
// that precedes the next one. Its error is that of the first list.
func (s *records[T]) Watch(ctx context.Context) (<-chan T, error) {
	feed := &store.Feed[T]{}
	version, err := s.relist(ctx, feed)
	if err != nil {
		return nil, err
	}
	out := make(chan T)
	go func() { // ends with ctx, and closes the channel to say so
		defer close(out)
		var wg sync.WaitGroup
		defer wg.Wait()
		wg.Go(func() { s.follow(ctx, feed, version) })
		feed.Run(ctx, out)
	}()
	return out, nil
}

func (s *records[T]) relist(ctx context.Context, feed *store.Feed[T]) (version string, err error) {
	call, done := context.WithTimeout(ctx, listTimeout)
	defer done()
	all, version, err := s.list(call)
	for _, r := range all {
		feed.Put(*s.split(&r).name, r)
	}
	return version, err
}

// follow watches from version on until ctx ends. After any trouble, or a version that the server has forgotten, it lists again.
func (s *records[T]) follow(ctx context.Context, feed *store.Feed[T], version string) {
	fresh := wait.Backoff{Duration: 200 * time.Millisecond, Factor: 2, Jitter: 0.5, Steps: 8, Cap: 20 * time.Second}
	backoff := fresh
	for ctx.Err() == nil {
		began := time.Now()
		err := s.watch(ctx, feed, &version)
		lasted := time.Since(began)
		if err == nil && lasted >= time.Second { // the server ended it in good order: go on from where it was
			continue
		}
		if lasted > time.Minute {
			backoff = fresh
		}
		err = cmp.Or(err, errSilent)
		for err != nil && ctx.Err() == nil {
			if s.fault != nil {
				s.fault(fmt.Errorf("watch %ss: %w", s.kind, err))
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(backoff.Step()):
			}
			version, err = s.relist(ctx, feed)
		}
	}
}

var errSilent = errors.New("ended at once, without a word")

// watch feeds one watch and keeps version at what was seen last. Its error means that something may have been missed.
func (s *records[T]) watch(ctx context.Context, feed *store.Feed[T], version *string) error {
	seconds := int64(watchSeconds)
	w, err := s.api.Watch(ctx, metav1.ListOptions{ResourceVersion: *version, TimeoutSeconds: &seconds, AllowWatchBookmarks: true})
	if err != nil {
		return err
	}
	defer w.Stop()
	for e := range w.ResultChan() {
		u, ok := e.Object.(*unstructured.Unstructured)
		if e.Type == watch.Error || !ok {
			return apierrors.FromObject(e.Object)
		}
		*version = u.GetResourceVersion()
		if e.Type == watch.Bookmark || e.Type == watch.Deleted {
			continue
		}
		r, err := s.decode(u)
		if err != nil {
			return err
		}
		feed.Put(u.GetName(), r)
	}
	return nil
}
