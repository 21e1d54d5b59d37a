package trail

import (
	"slices"
	"time"
)

// Counts is a counter by the minute without holes: CloudWatch leaves out minutes in which a counter stood still.
type Counts struct {
	From   time.Time // start of the first minute
	Values []float64
}

// Fill makes Counts of the minutes from (included) to (excluded) of the points, summed where several lie in one minute.
func Fill(points []Point, from, to time.Time) Counts {
	from, to = from.Truncate(time.Minute), to.Truncate(time.Minute)
	if !from.Before(to) {
		return Counts{From: from}
	}
	c := Counts{From: from, Values: make([]float64, int(to.Sub(from)/time.Minute))}
	for _, p := range points {
		if i := int(p.At.Sub(from) / time.Minute); !p.At.Before(from) && i < len(c.Values) {
			c.Values[i] += p.Value
		}
	}
	return c
}

// Plus adds counters of the same minutes.
func (c Counts) Plus(others ...Counts) Counts {
	sum := Counts{c.From, slices.Clone(c.Values)}
	for _, o := range others {
		for i := range min(len(sum.Values), len(o.Values)) {
			sum.Values[i] += o.Values[i]
		}
	}
	return sum
}

// Total is the sum of all minutes.
func (c Counts) Total() float64 {
	var sum float64
	for _, v := range c.Values {
		sum += v
	}
	return sum
}

// Between is the sum of the minutes that touch from (included) to (excluded).
func (c Counts) Between(from, to time.Time) float64 {
	var sum float64
	for i, v := range c.Values {
		if at := c.minute(i); at.Add(time.Minute).After(from) && at.Before(to) {
			sum += v
		}
	}
	return sum
}

// Apart leaves out the minutes that touch the time from before to after one of the moments. What is left is no longer one stretch of
// time: only its values count.
func (c Counts) Apart(moments []time.Time, before, after time.Duration) Counts {
	out := Counts{From: c.From}
	for i, v := range c.Values {
		at := c.minute(i)
		if !slices.ContainsFunc(moments, func(m time.Time) bool { return at.Add(time.Minute).After(m.Add(-before)) && at.Before(m.Add(after)) }) {
			out.Values = append(out.Values, v)
		}
	}
	return out
}

func (c Counts) minute(i int) time.Time { return c.From.Add(time.Duration(i) * time.Minute) }

// Median is the value that half of the minutes don't exceed; 0 for no minutes.
func (c Counts) Median() float64 {
	if len(c.Values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(c.Values))
	return sorted[(len(sorted)-1)/2]
}

// Burst is a run of minutes that stand out of the others.
type Burst struct {
	Start, End time.Time // End is the end of the last minute
	Sum        float64
}

// Bursts finds the runs of minutes that stand out: minutes with anything where most have nothing, else with well over
// three times the median. A single quiet minute does not part a run. A counter that stands out most of the time has none.
func (c Counts) Bursts() []Burst {
	limit := 0.0
	if m := c.Median(); m > 0 {
		limit = 3*m + 5
	}
	var out []Burst
	for i, v := range c.Values {
		if v <= limit {
			continue
		}
		at := c.minute(i)
		if n := len(out); n > 0 && at.Sub(out[n-1].End) <= time.Minute {
			out[n-1].End, out[n-1].Sum = at.Add(time.Minute), out[n-1].Sum+v
			continue
		}
		out = append(out, Burst{at, at.Add(time.Minute), v})
	}
	return out
}

// Near reports whether t lies in the burst, or no further than before its start or after its end.
func (b Burst) Near(t time.Time, before, after time.Duration) bool {
	return !t.Before(b.Start.Add(-before)) && t.Before(b.End.Add(after))
}

// Flat reports whether the counter goes on evenly: in at least three quarters of the time something, and no minute far above the rest.
// Fewer than eight minutes can't tell.
func (c Counts) Flat() bool {
	n := len(c.Values)
	if n < 8 {
		return false
	}
	quarters := 0
	for q := range 4 {
		if slices.ContainsFunc(c.Values[q*n/4:(q+1)*n/4], func(v float64) bool { return v > 0 }) {
			quarters++
		}
	}
	return quarters >= 3 && slices.Max(c.Values) <= max(3, 5*c.Median())
}

// Ceased is the start of the minute from which on the counter has all but stopped: at most a twentieth of the median
// before, for at least five minutes and up to the end, after at least five minutes of more than one a minute. Zero where it hasn't.
func (c Counts) Ceased() time.Time {
	const least = 5
	for i := least; i+least <= len(c.Values); i++ {
		before := Counts{c.From, c.Values[:i]}.Median()
		if before > 1 && slices.Max(c.Values[i:]) <= before/20 {
			return c.minute(i)
		}
	}
	return time.Time{}
}
