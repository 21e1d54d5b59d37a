package trail

import (
	"slices"
	"testing"
	"time"
)

var start = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

func counts(values ...float64) Counts { return Counts{start, values} }

func at(minute int) time.Time { return start.Add(time.Duration(minute) * time.Minute) }

func TestFill(t *testing.T) {
	sparse := []Point{{at(-1), 9}, {at(1), 2}, {at(1).Add(30 * time.Second), 1}, {at(3), 4}, {at(5), 9}}
	if got := Fill(sparse, start, at(5)); !slices.Equal(got.Values, []float64{0, 3, 0, 4, 0}) || !got.From.Equal(start) {
		t.Errorf("got %v, want the holes filled and the minutes outside left out", got)
	}
	if got := Fill(sparse, start, start); len(got.Values) != 0 {
		t.Errorf("got %v for no time", got)
	}
}

func TestBetween(t *testing.T) {
	c := counts(1, 2, 4, 8)
	if got := c.Between(at(1).Add(20*time.Second), at(3)); got != 6 {
		t.Errorf("got %v, want the minutes 1 and 2", got)
	}
	if got := c.Plus(counts(1, 1, 1, 1)).Total(); got != 19 || c.Total() != 15 {
		t.Errorf("got %v and %v, want 19 and an untouched 15", got, c.Total())
	}
}

func TestBursts(t *testing.T) {
	for name, tc := range map[string]struct {
		c    Counts
		want []Burst
	}{
		"nothing":          {counts(0, 0, 0, 0, 0), nil},
		"none":             {counts(), nil},
		"one":              {counts(0, 0, 0, 46, 47, 0, 0, 0), []Burst{{at(3), at(5), 93}}},
		"over a gap":       {counts(0, 5, 0, 5, 0, 0, 0, 0), []Burst{{at(1), at(4), 10}}},
		"two":              {counts(0, 5, 0, 0, 5, 0, 0, 0), []Burst{{at(1), at(2), 5}, {at(4), at(5), 5}}},
		"out of a level":   {counts(3, 3, 2, 3, 60, 3, 3, 4), []Burst{{at(4), at(5), 60}}},
		"level with noise": {counts(3, 5, 2, 3, 9, 3, 1, 4), nil},
		"all the time":     {counts(46, 47, 47, 46, 45, 46), nil},
	} {
		if got := tc.c.Bursts(); !slices.Equal(got, tc.want) {
			t.Errorf("%s: got %v, want %v", name, got, tc.want)
		}
	}
	b := Burst{at(3), at(5), 1}
	for minute, want := range map[int]bool{1: false, 2: true, 4: true, 5: true, 6: false} {
		if got := b.Near(at(minute), time.Minute, time.Minute); got != want {
			t.Errorf("near minute %d: %v, want %v", minute, got, want)
		}
	}
}

func TestFlat(t *testing.T) {
	for name, tc := range map[string]struct {
		c    Counts
		want bool
	}{
		"even":               {counts(3, 3, 3, 3, 3, 3, 3, 3), true},
		"noisy":              {counts(3, 0, 5, 2, 4, 0, 3, 6, 2, 3), true},
		"rare but spread":    {counts(0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0), true},
		"one burst":          {counts(0, 0, 0, 46, 47, 0, 0, 0), false},
		"spikes all along":   {counts(0, 40, 0, 0, 0, 40, 0, 0, 0, 40, 0, 0), false},
		"level with a spike": {counts(3, 3, 2, 3, 60, 3, 3, 4), false},
		"too short":          {counts(3, 3, 3), false},
		"nothing":            {counts(0, 0, 0, 0, 0, 0, 0, 0), false},
	} {
		if got := tc.c.Flat(); got != tc.want {
			t.Errorf("%s: got %v, want %v", name, got, tc.want)
		}
	}
}

func TestCeased(t *testing.T) {
	steady := []float64{6000, 6100, 5900, 6000, 6050}
	for name, tc := range map[string]struct {
		c    Counts
		want time.Time
	}{
		"stopped":        {Counts{start, append(slices.Clone(steady), 40, 3, 0, 0, 2)}, at(5)},
		"goes on":        {Counts{start, append(slices.Clone(steady), steady...)}, time.Time{}},
		"for too short":  {Counts{start, append(slices.Clone(steady), 0, 0, 0)}, time.Time{}},
		"back again":     {Counts{start, append(slices.Clone(steady), 0, 0, 0, 0, 0, 6000)}, time.Time{}},
		"halved":         {Counts{start, append(slices.Clone(steady), 3000, 3000, 3000, 3000, 3000)}, time.Time{}},
		"never was much": {counts(1, 0, 1, 0, 1, 0, 0, 0, 0, 0), time.Time{}},
		"nothing":        {counts(), time.Time{}},
	} {
		if got := tc.c.Ceased(); !got.Equal(tc.want) {
			t.Errorf("%s: got %v, want %v", name, got, tc.want)
		}
	}
}

func TestApart(t *testing.T) {
	c := counts(0, 1, 2, 3, 4, 5, 6, 7, 8, 9)
	if got := c.Apart([]time.Time{at(3).Add(10 * time.Second), at(9)}, time.Minute, 2*time.Minute); !slices.Equal(got.Values, []float64{0, 1, 6, 7}) {
		t.Errorf("got %v, want the minutes near 3 and 9 left out", got.Values)
	}
	if got := c.Apart(nil, time.Minute, time.Minute); !slices.Equal(got.Values, c.Values) {
		t.Errorf("got %v, want all", got.Values)
	}
}
