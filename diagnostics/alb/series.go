package alb

import (
	"time"

	"github.com/netdiag/netdiag/internal/trail"
)

// series finds a metric of the whole load balancer; nil where it was not readable.
func (m *model) series(name string) []trail.Point {
	for _, s := range m.s.Series {
		if s.Metric == name {
			return s.Points
		}
	}
	return nil
}

// measured reports whether the metrics were readable and hold anything at all.
func (m *model) measured() bool { return len(m.series(requests)) > 0 }

// total is the sum of a metric over the window.
func (m *model) total(name string) float64 { return m.since(name, m.s.Now.Add(-window)) }

// lately is the sum of a metric over the last five minutes.
func (m *model) lately(name string) float64 { return m.since(name, m.s.Now.Add(-6*time.Minute)) }

func (m *model) since(name string, from time.Time) float64 {
	var sum float64
	for _, p := range m.series(name) {
		if !p.At.Before(from) {
			sum += p.Value
		}
	}
	return sum
}

// began is the first minute in which one of the metrics counted something after a minute in which none did; zero where
// there is no such minute.
func (m *model) began(names ...string) time.Time {
	var first, quiet time.Time
	for _, name := range names {
		for _, p := range m.series(name) {
			if p.Value > 0 && (first.IsZero() || p.At.Before(first)) {
				first = p.At
			}
			if quiet.IsZero() || p.At.Before(quiet) {
				quiet = p.At
			}
		}
	}
	if !quiet.Before(first) {
		return time.Time{} // it was so from the beginning of what was read
	}
	return first
}
