package watch

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/vpc"
)

// State is what the watch has to know after a restart, or when another process leads. Its JSON is kept as a memo.
type State struct {
	Cluster  string    `json:"cluster"`
	Looked   time.Time `json:"looked,omitzero"` // the last look
	Warnings []Warning `json:"warnings,omitempty"`
	// Gaps are the reads that the last look missed, but for those of what isn't there, such as "ec2:DescribeSubnets (denied)", sorted.
	Gaps []string `json:"gaps,omitempty"`
	// Past is how many addresses subnets had available, by id.
	Past map[string][]vpc.Sample `json:"past,omitempty"`
}

// Warning is a condition that was seen, from the first look that found it until it is over and the thread was told so.
type Warning struct {
	Condition
	Seen  int `json:"seen"`            // looks in a row that found it
	Clear int `json:"clear,omitempty"` // looks in a row that did not
	// Opened is when it was warned of; zero while it is not, because it may pass or is silenced.
	Opened time.Time `json:"opened,omitzero"`
	// Investigation is the name of the one that tells it, from Opened on. Several warnings of one question share one.
	Investigation string `json:"investigation,omitempty"`
	// Told means that the thread has the message that says what is wrong.
	Told bool `json:"told,omitempty"`
	// Over is when it was healthy again; zero before. Once the thread was told so too, nothing is kept of it.
	Over time.Time `json:"over,omitzero"`
}

// Open reports a warning that people were told of, and that is not over.
func (w Warning) Open() bool { return !w.Opened.IsZero() && w.Over.IsZero() }

// What a State keeps at most: it has to fit in one memo.
const (
	mostWarnings = 200
	mostSubnets  = 64
)

// Parse reads a State that String wrote; text that can't be read, or is of another cluster, gives an empty one and an error.
func Parse(text, cluster string) (State, error) {
	s := State{Cluster: cluster}
	if text == "" {
		return s, nil
	}
	var read State
	if err := json.Unmarshal([]byte(text), &read); err != nil {
		return s, fmt.Errorf("read what the watch has seen: %w", err)
	}
	if read.Cluster != cluster {
		return s, fmt.Errorf("read what the watch has seen: it is of cluster %q, not of %q", read.Cluster, cluster)
	}
	return read, nil
}

// String is the State as it is kept.
func (s State) String() string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(fmt.Sprintf("encode what the watch has seen: %v", err)) // plain values always have JSON
	}
	return string(b)
}

// Look is what one look found: a Finding for each question that was asked, by the objects that it is about.
type Look struct {
	At       time.Time
	Findings []Finding
	// Asked tells of a condition whether this look would have found it.
	Asked func(Condition) bool
}

// Take makes of a State what it is after a look. It opens a warning that was seen often enough and is not silenced, and ends
// one that was not seen for long enough. What a look could not tell stays as it was.
func (s State) Take(l Look, rules Rules, silenced func(Condition) bool) State {
	found, near, blind := map[string]Condition{}, map[string]bool{}, map[string]bool{}
	var order []string // of what was found: reports name the worst first
	out := State{Cluster: s.Cluster, Looked: l.At, Past: s.remember(l)}
	gaps := map[string]bool{}
	for _, f := range l.Findings {
		for _, g := range f.Gaps {
			if g.Reason != diagnostics.Absent { // nobody can grant what isn't there
				gaps[g.Permission+" ("+g.Reason+")"] = true
			}
		}
		for _, c := range f.Conditions {
			if _, twice := found[c.Key()]; !twice {
				order = append(order, c.Key())
			}
			found[c.Key()] = c
		}
		for _, c := range f.Near {
			near[c.Key()] = true
		}
		for _, id := range f.Blind {
			blind[id] = true
		}
	}
	out.Gaps = sortedKeys(gaps)
	known := map[string]bool{}
	for _, w := range s.Warnings {
		if !w.Over.IsZero() { // the thread is still to be told
			out.Warnings = append(out.Warnings, w)
			continue
		}
		c, is := found[w.Key()]
		known[w.Key()] = true
		switch {
		case is:
			if !w.Opened.IsZero() {
				c.Question = w.Question // that its thread asks
			}
			w.Condition, w.Seen, w.Clear = c, w.Seen+1, 0
		case near[w.Key()] || blind[w.ID] || !l.Asked(w.Condition):
		case w.Opened.IsZero():
			continue // it has passed before anybody was told
		default:
			w.Clear++
			w.Seen = 0
		}
		if w.Clear >= rules.Healthy {
			w.Over = l.At
		}
		out.Warnings = append(out.Warnings, w)
	}
	for _, key := range order {
		if !known[key] && len(out.Warnings) < mostWarnings {
			out.Warnings = append(out.Warnings, Warning{Condition: found[key], Seen: 1})
		}
	}
	out.open(l.At, func(w Warning) bool {
		return w.Opened.IsZero() && w.Over.IsZero() && w.Seen >= rules.Looks && !silenced(w.Condition)
	})
	return out
}

// mostThreads is how many threads about subnets and zones one look opens. Where more would be, one asks about all of them.
const mostThreads = 3

// open opens the warnings that are due.
func (s *State) open(at time.Time, due func(Warning) bool) {
	rooms := map[string]bool{} // questions about a subnet or a zone that have no thread yet
	for _, w := range s.Warnings {
		if due(w) && strings.HasPrefix(w.Question, everything+" ") && s.thread(w.Question) == "" {
			rooms[w.Question] = true
		}
	}
	for n := range s.Warnings {
		w := &s.Warnings[n]
		if !due(*w) {
			continue
		}
		if len(rooms) > mostThreads && rooms[w.Question] {
			w.Question = everything
		}
		w.Opened = at
		if w.Investigation = s.thread(w.Question); w.Investigation == "" {
			w.Investigation = casebook.InvestigationName(w.Cause(s.Cluster))
		}
	}
}

// thread is the investigation of an open warning with the same question, which tells this one too; empty where there is none.
func (s State) thread(question string) string {
	for _, w := range s.Warnings {
		if w.Open() && w.Question == question && w.Investigation != "" {
			return w.Investigation
		}
	}
	return ""
}

// remember adds what a look saw of subnets; those that are gone are forgotten after a while.
func (s State) remember(l Look) map[string][]vpc.Sample {
	past := map[string][]vpc.Sample{}
	for id, kept := range s.Past {
		if n := len(kept); n > 0 && l.At.Sub(kept[n-1].At) < 24*time.Hour {
			past[id] = kept
		}
	}
	for _, f := range l.Findings {
		for _, v := range f.Subnets {
			if _, known := past[v.ID]; known || len(past) < mostSubnets {
				past[v.ID] = vpc.Remember(past[v.ID], vpc.Sample{At: l.At.UTC().Truncate(time.Second), Available: v.Available})
			}
		}
	}
	return past
}

// Cause names what an investigation of a warning was opened for: the same on every replica and after every restart, and
// another one when the same condition comes again.
func (w Warning) Cause(cluster string) string {
	return strings.Join([]string{"watch", cluster, w.ID, w.Object, w.Opened.UTC().Format(time.RFC3339)}, "|")
}

// OpenNow counts the open warnings by condition.
func (s State) OpenNow() map[string]int {
	out := map[string]int{}
	for _, w := range s.Warnings {
		if w.Open() {
			out[w.ID]++
		}
	}
	return out
}

func sortedKeys[T any](m map[string]T) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
