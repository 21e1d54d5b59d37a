package handlers

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/netdiag/netdiag/diagnostics"
)

// Places lists what a question can be about, as it is in the cluster now.
type Places interface {
	Namespaces(ctx context.Context) ([]string, error)
	Ingresses(ctx context.Context) ([]Ingress, error)
}

// Ingress is an Ingress of the cluster, with the host names of its load balancers.
type Ingress struct {
	Namespace, Name string
	Hosts           []string
}

func (i Ingress) String() string { return i.Namespace + "/" + i.Name }

// Times of what is known of the cluster for forms.
const (
	placesFor   = time.Minute      // how long it counts
	placesAgain = 5 * time.Second  // after which what could not be read is tried again
	placesLimit = 20 * time.Second // for one reading
)

// places keeps what a cluster said last, since a form can't wait for it. Only what is used is read again.
type places struct {
	namespaces shelf[string]
	ingresses  shelf[Ingress]
}

// newPlaces makes the places of every cluster that questions can be about.
func newPlaces(b *Bot) map[string]*places {
	out := map[string]*places{}
	for _, cluster := range b.clusterNames() {
		p := &places{
			namespaces: shelf[string]{bot: b, what: "namespaces of " + cluster}, ingresses: shelf[Ingress]{bot: b, what: "ingresses of " + cluster},
		}
		if from := b.Places[cluster]; from != nil {
			p.namespaces.read, p.ingresses.read = from.Namespaces, from.Ingresses
		}
		out[cluster] = p
	}
	return out
}

// clusterNames lists the clusters that questions can be about, the usual one first.
func (b *Bot) clusterNames() []string {
	out := []string{b.Target.Cluster}
	for _, t := range b.Clusters {
		out = append(out, t.Cluster)
	}
	return out
}

// shelf keeps one list.
type shelf[T any] struct {
	bot  *Bot
	what string
	read func(context.Context) ([]T, error) // nil: nothing is ever known

	mu      sync.Mutex
	list    []T
	at      time.Time     // when list was read; zero: never
	tried   time.Time     // when reading it failed last
	reading chan struct{} // closed when the reading that goes on is over; nil where none does
}

// get gives the list as it was read last, and has it read anew where that is long ago. Where it never was, it waits until
// wait ends at most; known is false where there is still none. ctx is that of the bot: reading goes on after the call.
func (s *shelf[T]) get(ctx, wait context.Context) (list []T, known bool) {
	if s.read == nil {
		return nil, false
	}
	s.mu.Lock()
	now := s.bot.Now()
	if s.reading == nil && now.Sub(s.at) >= placesFor && now.Sub(s.tried) >= placesAgain {
		s.begin(ctx)
	}
	list, known, reading := s.list, !s.at.IsZero(), s.reading
	s.mu.Unlock()
	if known || reading == nil {
		return list, known
	}
	return s.await(wait, reading)
}

// fresh is get, but waits for a list that is being read at this moment or after it, if the cluster gives one in time.
// Where it doesn't, the list is not known.
func (s *shelf[T]) fresh(ctx, wait context.Context) (list []T, known bool) {
	if s.read == nil {
		return nil, false
	}
	s.mu.Lock()
	if s.reading == nil {
		s.begin(ctx)
	}
	reading := s.reading
	s.mu.Unlock()
	list, known = s.await(wait, reading)
	s.mu.Lock()
	defer s.mu.Unlock()
	return list, known && s.tried.IsZero() && wait.Err() == nil
}

func (s *shelf[T]) await(wait context.Context, reading chan struct{}) ([]T, bool) {
	select {
	case <-reading:
	case <-wait.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.list, !s.at.IsZero()
}

// begin reads the list in the background; the lock is held.
func (s *shelf[T]) begin(ctx context.Context) {
	reading := make(chan struct{})
	s.reading = reading
	s.bot.errands.do("read "+s.what, func() {
		defer s.bot.recovered("read " + s.what)
		limited, cancel := context.WithTimeout(ctx, placesLimit)
		defer cancel()
		list, err := s.read(limited)
		s.mu.Lock()
		defer s.mu.Unlock()
		if err == nil {
			s.list, s.at, s.tried = list, s.bot.Now(), time.Time{}
		} else {
			s.tried = s.bot.Now()
			if ctx.Err() == nil {
				s.bot.Log.Warn("read what forms offer", zap.String("what", s.what), zap.Error(err))
			}
		}
		s.reading = nil
		close(reading)
	})
}

// of gives the ingress that a load balancer serves, by the balancer's name or the first label of its DNS name: the name
// and a number. ok is false where none does, or more than one.
func of(all []Ingress, balancer string) (ingress Ingress, ok bool) {
	for _, i := range all {
		serves := slices.ContainsFunc(i.Hosts, func(host string) bool {
			label, _, _ := strings.Cut(strings.TrimPrefix(strings.ToLower(host), "internal-"), ".")
			return label == balancer || strings.HasPrefix(label, balancer+"-")
		})
		switch {
		case serves && ok: // a group of ingresses shares one
			return Ingress{}, false
		case serves:
			ingress, ok = i, true
		}
	}
	return ingress, ok
}

// matching gives the names that contain what was typed: those that begin with it first, and where none does, those that
// it may be meant for.
func matching(names []string, typed string) []string {
	typed = strings.ToLower(strings.TrimSpace(typed))
	var begin, contain []string
	for _, n := range names {
		_, last, _ := strings.Cut(n, "/") // an ingress may be called without its namespace
		switch {
		case strings.HasPrefix(n, typed) || strings.HasPrefix(last, typed):
			begin = append(begin, n)
		case strings.Contains(n, typed):
			contain = append(contain, n)
		}
	}
	slices.Sort(begin)
	slices.Sort(contain)
	if out := append(begin, contain...); len(out) > 0 {
		return out
	}
	return slices.DeleteFunc(diagnostics.Nearest(typed, names, 5), func(n string) bool { return !diagnostics.Near(typed, n) })
}
