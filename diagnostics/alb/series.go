package alb

import (
	"slices"
	"time"

	"github.com/netdiag/netdiag/internal/elb"
	"github.com/netdiag/netdiag/internal/trail"
)

// series finds a metric of the whole load balancer, or the sum of those of our target groups where CloudWatch keeps none; nil where it
// was not readable.
func (m *model) series(name, statistic string) []trail.Point {
	var parts []trail.Point
	for _, s := range m.s.Series {
		switch {
		case s.Metric != name || s.Statistic != statistic:
		case len(s.Dimensions) == 1 && len(s.Points) > 0:
			return s.Points
		case statistic == statisticSum:
			parts = append(parts, s.Points...)
		}
	}
	return parts
}

// seriesOf finds a metric of one target group; nil where CloudWatch has none.
func (g *group) seriesOf(name, statistic string) []trail.Point {
	for _, s := range g.m.s.Series {
		if s.Metric == name && s.Statistic == statistic && s.Dimensions[groupDim] == suffix(g.ARN) {
			return s.Points
		}
	}
	return nil
}

// sum is the sum of a counter of one target group over the window.
func (g *group) sum(name string) float64 {
	var sum float64
	for _, p := range g.seriesOf(name, statisticSum) {
		sum += p.Value
	}
	return sum
}

// most is the serving group with the highest count, the first one where nothing tells them apart; nil where none serves.
func (m *model) most(name string) *group {
	var found *group
	for _, g := range m.groups {
		if len(g.rules) > 0 && (found == nil || g.sum(name) > found.sum(name)) {
			found = g
		}
	}
	return found
}

// shared reports whether the load balancer also serves target groups that are not ours, so that its metrics are not only ours.
func (m *model) shared() bool {
	return slices.ContainsFunc(m.s.Rules, func(r elb.Rule) bool {
		return slices.ContainsFunc(forwards(r), func(arn string) bool {
			return !slices.ContainsFunc(m.groups, func(g *group) bool { return g.ARN == arn })
		})
	})
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

// slowest is the group with the slowest answer and how many seconds that took: as its own metric says, else as that of the
// load balancer does. 0 where CloudWatch has neither.
func (m *model) slowest() (g *group, seconds float64) {
	for _, x := range m.groups {
		for _, p := range x.seriesOf(responseTime, statisticMax) {
			if len(x.rules) > 0 && p.Value > seconds {
				g, seconds = x, p.Value
			}
		}
	}
	if g != nil {
		return g, seconds
	}
	for _, statistic := range []string{percentile99, statisticMax} {
		for _, p := range m.series(responseTime, statistic) {
			seconds = max(seconds, p.Value)
		}
	}
	return m.most(requests), seconds
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
