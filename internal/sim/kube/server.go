// Package kube is a Kubernetes API server for a world: its objects over the wire, as kubectl and client-go read, watch
// and change them. It keeps what a real server keeps (resource versions, conflicts, managed fields, the texts of its
// errors) and leaves out what only a real cluster has: nothing runs, no admission webhook is called, no schema is checked.
package kube

import (
	"encoding/json"
	"fmt"
	maps0 "maps"
	"net/http"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/netdiag/netdiag/internal/sim/fault"
	"github.com/netdiag/netdiag/internal/world"
)

// Options are the settings of a Server; the zero value is fine.
type Options struct {
	// Now is the clock of the cluster: ages in tables are counted from it and new objects are stamped by it. Nil means time.Now.
	Now func() time.Time
	// Authorize decides who may do what, on top of the world's denied list; nil allows everything. resource is spelled
	// plural[.group][/subresource], and user is what stands after "sim:" in the bearer token.
	Authorize func(user, verb, resource, namespace, name string) bool
	// Crowd has further objects, which are made when they are asked for; nil has none.
	Crowd Crowd
}

// Server is the API server; it is an http.Handler. Use Close before closing the listener: it ends the watches.
type Server struct {
	options    Options
	kubernetes string // version, such as 1.34
	resources  []*resource
	denied     map[string]bool
	store      *store
	done       chan struct{}
	managers   *managers
	throttled  fault.Switches // of the world

	mu       sync.Mutex
	closed   bool
	fault    func(*http.Request) *Fault
	faults   fault.Switches
	requests []Request
	logs     map[string]string
	metrics  map[string]string
}

// New serves a copy of the world's objects: what is written to the server doesn't reach w. It panics where two objects
// of the world have the same name, or a resourceVersion is no number: such a world is broken.
func New(w *world.World, o Options) *Server {
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Server{
		options: o, kubernetes: clusterVersion(w), resources: append(builtins(), netdiagResources()...),
		denied: map[string]bool{}, store: newStore(), done: make(chan struct{}), managers: newManagers(),
		logs: map[string]string{}, metrics: map[string]string{},
	}
	for _, d := range w.Meta.Denied.Kubernetes {
		s.denied[strings.Join(strings.Fields(d), " ")] = true
	}
	for _, t := range w.Meta.Throttled {
		s.throttled.On(t, fault.Fault{Kind: fault.Throttled, Calls: 2})
	}
	maps0.Copy(s.logs, w.Logs)
	maps0.Copy(s.metrics, w.Metrics)
	s.learn(w)
	for _, o := range w.Objects {
		c, err := normal(o.Object)
		if err != nil {
			panic(fmt.Sprintf("world %s: %v", w.Name(), err))
		}
		gvk := c.GroupVersionKind()
		if gvk.Group == "events.k8s.io" {
			c = toCoreEvent(c)
		}
		r := s.byKind(gvk)
		if r.namespaced && c.GetNamespace() == "" {
			c.SetNamespace("default")
		}
		if err := s.store.load(r.storage, c); err != nil {
			panic(fmt.Sprintf("world %s: %v", w.Name(), err))
		}
	}
	s.store.seal()
	return s
}

// clusterVersion is the Kubernetes version that EKS reports of the world's cluster.
func clusterVersion(w *world.World) string {
	var clusters []struct{ Version string }
	if json.Unmarshal(w.AWS["eks"]["Clusters"], &clusters) == nil && len(clusters) > 0 && strings.HasPrefix(clusters[0].Version, "1.") {
		return clusters[0].Version
	}
	return "1.34"
}

// Close ends every watch that is open and those that come.
func (s *Server) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.closed = true
		close(s.done)
	}
}

// Compact forgets the history, as etcd does every few minutes: a list that goes on from before the last change, and a
// watch from there, is answered 410 Expired.
func (s *Server) Compact() { s.store.compact() }

// normal copies a decoded object into the number types that the Kubernetes libraries expect.
func normal(m map[string]any) (*unstructured.Unstructured, error) {
	b, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	u := &unstructured.Unstructured{}
	if err := utiljson.Unmarshal(b, &u.Object); err != nil {
		return nil, err
	}
	return u, nil
}

// learn adds the custom resources that the world defines, has objects of or denies reading, with those that come along.
func (s *Server) learn(w *world.World) {
	known := wellKnown()
	groups := map[string]bool{}
	add := func(r *resource) {
		groups[r.Group] = true
		if s.byKind(r.GroupVersionKind) == nil {
			s.resources = append(s.resources, r)
		}
	}
	for _, o := range w.Objects {
		for _, r := range defined(o) {
			add(r)
		}
	}
	for _, o := range w.Objects {
		gvk := o.GroupVersionKind()
		if s.byKind(gvk) != nil {
			continue
		}
		r := guess(gvk, o.GetNamespace() != "")
		for _, k := range known {
			if k.Group == gvk.Group && k.Kind == gvk.Kind {
				c := *k
				c.Version = gvk.Version
				r = &c
			}
		}
		add(r)
	}
	for d := range s.denied {
		_, what, _ := strings.Cut(d, " ")
		what, _, _ = strings.Cut(what, " in ")
		what, _, _ = strings.Cut(what, "/")
		gr := schema.ParseGroupResource(what)
		for _, k := range known {
			if k.gr() == gr {
				groups[gr.Group] = true // it must be there to be denied
			}
		}
	}
	for _, k := range known {
		if groups[k.Group] && s.byResource(k.Group, "", k.name) == nil {
			add(k)
		}
	}
}

// byKind finds a resource; nil where it isn't served.
func (s *Server) byKind(gvk schema.GroupVersionKind) *resource {
	for _, r := range s.resources {
		if r.GroupVersionKind == gvk {
			return r
		}
	}
	return nil
}

// byResource finds a resource by its plural; an empty version is any.
func (s *Server) byResource(group, version, plural string) *resource {
	for _, r := range s.resources {
		if r.Group == group && r.name == plural && (version == "" || r.Version == version) {
			return r
		}
	}
	return nil
}

// SetLog replaces the log of a container; an empty text removes it.
func (s *Server) SetLog(namespace, pod, container, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.logs[namespace+"/"+pod+"/"+container] = text
}

// SetMetrics replaces what a pod's metrics endpoint on port 61678 answers.
func (s *Server) SetMetrics(namespace, pod, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.metrics[namespace+"/"+pod] = text
}
