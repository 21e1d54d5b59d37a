package vpc

import (
	"cmp"
	"slices"
	"time"
)

// Sample is how many addresses of a subnet were available at a moment.
type Sample struct {
	At        time.Time `json:"at"`
	Available int       `json:"available"`
}

// What a trend rests on at least, and how far back it goes: what happened before is not recent.
const (
	trendLooks = 4
	trendSpan  = time.Hour
	trendBack  = 7 * 24 * time.Hour
)

// Trend is how the available addresses of a subnet have moved lately: the straight line that is nearest to what was seen.
type Trend struct {
	PerHour  float64 // addresses that an hour brings; below zero where they get fewer
	Looks    int     // that it rests on
	From, To time.Time
}

// NewTrend draws the line through what was seen within a week before now. ok is false where that is too little to tell:
// fewer than four looks, or less than an hour between the first and the last.
func NewTrend(samples []Sample, now time.Time) (t Trend, ok bool) {
	recent := slices.DeleteFunc(slices.Clone(samples), func(s Sample) bool { return now.Sub(s.At) > trendBack || s.At.After(now) })
	slices.SortFunc(recent, func(a, b Sample) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Available, b.Available)) })
	if len(recent) < trendLooks {
		return t, false
	}
	t = Trend{Looks: len(recent), From: recent[0].At, To: recent[len(recent)-1].At}
	if t.To.Sub(t.From) < trendSpan {
		return t, false
	}
	var x, y, xx, xy float64
	for _, s := range recent {
		at, have := s.At.Sub(t.From).Hours(), float64(s.Available)
		x, y, xx, xy = x+at, y+have, xx+at*at, xy+at*have
	}
	n := float64(len(recent))
	t.PerHour = (n*xy - x*y) / (n*xx - x*x)
	return t, true
}

// Lasts is how long so many addresses last at this trend. ok is false where they don't get fewer, or last for over a year.
func (t Trend) Lasts(available int) (left time.Duration, ok bool) {
	const year = 365 * 24
	hours := float64(available) / -t.PerHour
	if t.PerHour >= 0 || hours > year {
		return 0, false
	}
	return time.Duration(hours * float64(time.Hour)), true
}

// Remember adds a look to those that are kept, oldest first, and forgets what nobody needs any more: what is older than a
// week, and of the rest the more the older, so that some hundred looks cover the week however often somebody looks.
func Remember(kept []Sample, s Sample) []Sample {
	var out []Sample
	for _, old := range append(slices.Clone(kept), s) {
		age := s.At.Sub(old.At)
		if age < 0 || age > trendBack || len(out) > 0 && old.At != s.At && old.At.Sub(out[len(out)-1].At) < age/16 {
			continue
		}
		out = append(out, old)
	}
	return out
}
