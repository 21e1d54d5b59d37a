package kube

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/watch"
)

// keep is how many changes a watch may lag behind before it must list again, as etcd's compaction would force it to.
const keep = 20000

// store keeps objects and the recent changes to them. An object is never modified once it is stored: a change puts
// another in its place, so that readers need no copy.
type store struct {
	mu      sync.RWMutex
	rv      uint64
	objects map[string]map[string]*unstructured.Unstructured // by resource.storage, then by key
	log     []change
	lost    uint64        // resourceVersion of the last change that the log no longer has
	changed chan struct{} // closed by the next change
}

// change is one step of the history.
type change struct {
	rv       uint64
	storage  string
	kind     watch.EventType
	now, old *unstructured.Unstructured // now is the last state where kind is Deleted; old is nil where it is Added
}

func newStore() *store {
	return &store{objects: map[string]map[string]*unstructured.Unstructured{}, changed: make(chan struct{})}
}

// key orders objects as etcd does: by namespace, then by name.
func key(namespace, name string) string { return namespace + "/" + name }

// load puts an object that was there from the beginning. Objects without a resourceVersion get one from seal.
func (s *store) load(storage string, o *unstructured.Unstructured) error {
	if s.objects[storage] == nil {
		s.objects[storage] = map[string]*unstructured.Unstructured{}
	}
	k := key(o.GetNamespace(), o.GetName())
	if s.objects[storage][k] != nil {
		return fmt.Errorf("%s %s is there twice", storage, strings.TrimPrefix(k, "/"))
	}
	s.objects[storage][k] = o
	if v := o.GetResourceVersion(); v != "" {
		n, err := strconv.ParseUint(v, 10, 64)
		if err != nil {
			return fmt.Errorf("%s %s: resourceVersion %q is no number", storage, strings.TrimPrefix(k, "/"), v)
		}
		s.rv = max(s.rv, n)
	}
	return nil
}

// seal ends loading: history starts here.
func (s *store) seal() {
	var without []string
	for storage, objects := range s.objects {
		for k, o := range objects {
			if o.GetResourceVersion() == "" {
				without = append(without, storage+"\x00"+k)
			}
		}
	}
	slices.Sort(without) // the same world always gets the same versions
	for _, w := range without {
		storage, k, _ := strings.Cut(w, "\x00")
		s.rv++
		s.objects[storage][k].SetResourceVersion(strconv.FormatUint(s.rv, 10))
	}
	if s.rv == 0 {
		s.rv = 1 // 0 has a meaning of its own in queries
	}
	s.lost = s.rv
}

// get finds an object; nil where there is none.
func (s *store) get(storage, namespace, name string) *unstructured.Unstructured {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.objects[storage][key(namespace, name)]
}

// list gives the objects of a namespace, or of all for "", in order, and the version of the whole.
func (s *store) list(storage, namespace string) ([]*unstructured.Unstructured, uint64) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var keys []string
	for k := range s.objects[storage] {
		if namespace == "" || strings.HasPrefix(k, namespace+"/") {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	out := make([]*unstructured.Unstructured, len(keys))
	for i, k := range keys {
		out[i] = s.objects[storage][k]
	}
	return out, s.rv
}

// put changes one object: update gets what is stored (nil for nothing) and returns what shall be (nil to remove it).
// It runs alone, so that it can compare and swap. The result carries its resourceVersion; where update returns the
// stored object itself, nothing happened.
func (s *store) put(storage, namespace, name string, update func(old *unstructured.Unstructured) (*unstructured.Unstructured, error)) (*unstructured.Unstructured, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := key(namespace, name)
	old := s.objects[storage][k]
	now, err := update(old)
	if err != nil || now == old {
		return now, err
	}
	s.rv++
	c := change{rv: s.rv, storage: storage, kind: watch.Modified, now: now, old: old}
	version := strconv.FormatUint(s.rv, 10)
	switch {
	case now == nil:
		c.kind, c.now = watch.Deleted, old.DeepCopy()
		c.now.SetResourceVersion(version)
		delete(s.objects[storage], k)
	default:
		if old == nil {
			c.kind = watch.Added
		}
		now.SetResourceVersion(version)
		if s.objects[storage] == nil {
			s.objects[storage] = map[string]*unstructured.Unstructured{}
		}
		s.objects[storage][k] = now
	}
	s.log = append(s.log, c)
	if over := len(s.log) - keep; over > keep/10 {
		s.lost = s.log[over-1].rv
		s.log = slices.Clone(s.log[over:])
	}
	close(s.changed)
	s.changed = make(chan struct{})
	return c.now, nil
}

// since gives the changes after rv and a channel that the next change closes; ok is false where rv is too old.
func (s *store) since(rv uint64) (changes []change, next <-chan struct{}, ok bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if rv < s.lost {
		return nil, nil, false
	}
	i, _ := slices.BinarySearchFunc(s.log, rv+1, func(c change, v uint64) int { return int(int64(c.rv) - int64(v)) })
	return s.log[i:len(s.log):len(s.log)], s.changed, true
}

// compact forgets the history: what was asked of an earlier version can't be gone on with.
func (s *store) compact() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lost, s.log = s.rv, nil
}

// forgot reports that a version is too old to be read.
func (s *store) forgot(rv uint64) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return rv < s.lost
}

func (s *store) version() uint64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.rv
}
