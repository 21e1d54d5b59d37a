package handlers

import (
	"encoding/json"
	"maps"
	"slices"
	"sync"

	"github.com/netdiag/netdiag/internal/casebook"
)

// same knows which questions are being looked into, so that one which is asked again meanwhile follows the first instead
// of being looked into once more. It is filled from the store, and by questions before they are stored: two processes
// that are asked the same within moments may both look.
type same struct {
	mu        sync.Mutex
	leaders   map[string]string          // by question: who leads
	leads     map[string]lead            // by leader
	followers map[string]map[string]bool // by leader: who follows it, and whether they need nothing more
	told      map[string]bool            // leaders that need nothing more
}

// lead is that of one investigation.
type lead struct {
	question string
	stored   chan struct{} // closed once its record is there, or it leads no longer
}

func newSame() *same {
	return &same{leaders: map[string]string{}, leads: map[string]lead{}, followers: map[string]map[string]bool{}, told: map[string]bool{}}
}

func sameKey(q casebook.Question) string {
	b, err := json.Marshal([]any{q.Team, q.Diagnosis, q.Target})
	if err != nil { // strings always have JSON
		return ""
	}
	return string(b)
}

// lead gives the investigation that answers q already, and what is closed once its record is there; empty where there is
// none, and then name, which asks it, is the one: say stored or over of it.
func (s *same) lead(q casebook.Question, name string) (follows string, stored <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := sameKey(q)
	if leader := s.leaders[key]; leader != "" && leader != name {
		return leader, s.leads[leader].stored
	}
	if _, known := s.leads[name]; !known {
		s.leaders[key], s.leads[name] = name, lead{key, make(chan struct{})}
	}
	return "", nil
}

// stored says that the record of name is there.
func (s *same) stored(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leads[name].settle()
}

func (l lead) settle() {
	select {
	case <-l.stored:
	default:
		if l.stored != nil {
			close(l.stored)
		}
	}
}

// over says that name leads no longer.
func (s *same) over(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.leads[name]
	if s.leaders[l.question] == name {
		delete(s.leaders, l.question)
	}
	l.settle()
	delete(s.leads, name)
}

// see takes note of a record as it is stored, and lists the investigations for which that may matter: those that follow it.
func (s *same) see(inv casebook.Investigation) []string {
	leader := inv.Question.Follows
	if leader == "" {
		if over(inv) {
			s.over(inv.Name)
		} else {
			s.lead(inv.Question, inv.Name)
			s.stored(inv.Name)
		}
		leader = inv.Name
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if leader != inv.Name {
		if s.followers[leader] == nil {
			s.followers[leader] = map[string]bool{}
		}
		s.followers[leader][inv.Name] = complete(inv)
	} else if complete(inv) && s.followers[leader] != nil {
		s.told[leader] = true
	}
	waiting := s.followers[leader]
	if s.told[leader] && !slices.Contains(slices.Collect(maps.Values(waiting)), false) {
		delete(s.followers, leader)
		delete(s.told, leader)
	}
	if leader != inv.Name {
		return nil
	}
	return slices.Sorted(maps.Keys(waiting))
}

// of lists the followers of an investigation.
func (s *same) of(leader string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.followers[leader]))
}
