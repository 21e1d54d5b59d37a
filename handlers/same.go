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
	questions map[string]string          // by leader: its question
	followers map[string]map[string]bool // by leader: who follows it, and whether they need nothing more
	told      map[string]bool            // leaders that need nothing more
}

func newSame() *same {
	return &same{leaders: map[string]string{}, questions: map[string]string{}, followers: map[string]map[string]bool{}, told: map[string]bool{}}
}

func sameKey(q casebook.Question) string {
	b, err := json.Marshal([]any{q.Team, q.Diagnosis, q.Target})
	if err != nil { // strings always have JSON
		return ""
	}
	return string(b)
}

// lead gives the investigation that answers q already; empty where there is none, and then name, which asks it, is the one.
func (s *same) lead(q casebook.Question, name string) (follows string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := sameKey(q)
	if leader := s.leaders[key]; leader != "" && leader != name {
		return leader
	}
	s.leaders[key], s.questions[name] = name, key
	return ""
}

// over says that name leads no longer.
func (s *same) over(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if key := s.questions[name]; s.leaders[key] == name {
		delete(s.leaders, key)
	}
	delete(s.questions, name)
}

// see takes note of a record as it is stored, and lists the investigations for which that may matter: those that follow it.
func (s *same) see(inv casebook.Investigation) []string {
	leader := inv.Question.Follows
	if leader == "" {
		if over(inv) {
			s.over(inv.Name)
		} else {
			s.lead(inv.Question, inv.Name)
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
