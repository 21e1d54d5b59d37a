package alb

import (
	"time"

	"github.com/netdiag/netdiag/internal/trail"
)

// series finds a metric of the whole load balancer; nil where it was not readable.
func (m *model) series(name, statistic string) []trail.Point {
	for _, s := range m.s.Series {
		if s.Metric == name && s.Statistic == statistic {
			return s.Points
		}
	}
	return nil
}

// measured reports whether the metrics were readable and any counter counted something.
func (m *model) measured() bool {
	from, to := m.span()
	return from.Before(to)
}

// silent reports that the metrics were readable and no counter has a single point in the whole window: as CloudWatch
// hears nothing of a load balancer that nothing flows through, no request came.
func (m *model) silent() bool { return len(m.s.Series) > 0 && !m.measured() }

// span is the time that the counters tell of: from the first minute that any of them has to the end of the last. The others
// then stood still where they have no point.
func (m *model) span() (from, to time.Time) {
	for _, s := range m.s.Series {
		if s.Statistic != statisticSum {
			continue
		}
		for _, p := range s.Points {
			if from.IsZero() || p.At.Before(from) {
				from = p.At
			}
			if end := p.At.Add(time.Minute); end.After(to) {
				to = end
			}
		}
	}
	return from, to
}

// counts is the sum of counters, minute by minute.
func (m *model) counts(names ...string) trail.Counts {
	from, to := m.span()
	sum := trail.Fill(nil, from, to)
	for _, name := range names {
		sum = sum.Plus(trail.Fill(m.series(name, statisticSum), from, to))
	}
	return sum
}

// minutes is how many minutes the counters tell of.
func (m *model) minutes() int { return len(m.counts().Values) }

// total is the sum of counters over the window.
func (m *model) total(names ...string) float64 { return m.since(m.s.Now.Add(-window), names...) }

// lately is the sum of counters over the last five minutes.
func (m *model) lately(names ...string) float64 {
	return m.since(m.s.Now.Add(-6*time.Minute), names...)
}

func (m *model) since(from time.Time, names ...string) float64 {
	var sum float64
	for _, name := range names {
		for _, p := range m.series(name, statisticSum) {
			if !p.At.Before(from) {
				sum += p.Value
			}
		}
	}
	return sum
}

// asked is how many requests there were, by total or lately. RequestCount leaves out those for which no target was chosen, which
// get 503, 464 or an answer of the load balancer's own, so that it may be less than the errors.
func asked(count func(...string) float64) float64 {
	return max(count(requests), count(elb502, elb503, elb504, target5xx))
}

// peak is the highest value of a metric of durations, in seconds.
func (m *model) peak(name string) float64 {
	highest := 0.0
	for _, statistic := range []string{percentile99, statisticMax} {
		for _, p := range m.series(name, statistic) {
			highest = max(highest, p.Value)
		}
	}
	return highest
}

// began is the first minute in which one of the counters counted something after a minute in which none did; zero where
// there is no such minute.
func (m *model) began(names ...string) time.Time {
	c := m.counts(names...)
	for i, v := range c.Values {
		if v > 0 {
			if i == 0 {
				break // it was so from the beginning of what was read
			}
			return c.From.Add(time.Duration(i) * time.Minute)
		}
	}
	return time.Time{}
}
