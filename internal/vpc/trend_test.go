package vpc

import (
	"math"
	"testing"
	"time"
)

// hourly are looks an hour apart, the last one at noon.
func hourly(available ...int) []Sample {
	var out []Sample
	for n, a := range available {
		out = append(out, Sample{noon.Add(-time.Duration(len(available)-1-n) * time.Hour), a})
	}
	return out
}

func TestTrend(t *testing.T) {
	for name, tc := range map[string]struct {
		samples []Sample
		perHour float64
		lasts   time.Duration // of 120 addresses; 0: no end in sight
		unknown bool
	}{
		"ten an hour":             {hourly(160, 150, 140, 130, 120), -10, 12 * time.Hour, false},
		"up and down, all in all": {hourly(140, 150, 120, 130), -6, 20 * time.Hour, false},
		"more and more":           {hourly(100, 110, 120, 130), 10, 0, false},
		"nothing happens":         {hourly(120, 120, 120, 120), 0, 0, false},
		"three looks":             {hourly(160, 140, 120), 0, 0, true},
		"never looked":            {nil, 0, 0, true},
		"within minutes": {[]Sample{{noon.Add(-9 * time.Minute), 150}, {noon.Add(-6 * time.Minute), 140}, {noon.Add(-3 * time.Minute), 130}, {noon, 120}},
			0, 0, true},
		"what is long past does not count": {append([]Sample{{noon.Add(-9 * 24 * time.Hour), 9000}}, hourly(160, 150, 140, 130, 120)...), -10, 12 * time.Hour, false},
	} {
		got, ok := NewTrend(tc.samples, noon)
		if ok == tc.unknown {
			t.Errorf("%s: known %t", name, ok)
			continue
		}
		if !ok {
			continue
		}
		if math.Abs(got.PerHour-tc.perHour) > 1e-9 {
			t.Errorf("%s: %v an hour, want %v", name, got.PerHour, tc.perHour)
		}
		left, ends := got.Lasts(120)
		if ends != (tc.lasts > 0) || (left-tc.lasts).Abs() > time.Second {
			t.Errorf("%s: lasts %v, want %v", name, left, tc.lasts)
		}
	}
}

// A look every five minutes for three weeks: a week is kept, in not many more than a hundred looks, the recent ones closest together.
func TestRemember(t *testing.T) {
	var kept []Sample
	for at := noon.Add(-3 * 7 * 24 * time.Hour); !at.After(noon); at = at.Add(5 * time.Minute) {
		kept = Remember(kept, Sample{at, 100})
	}
	if first := noon.Sub(kept[0].At); first > trendBack || first < trendBack-12*time.Hour {
		t.Errorf("the oldest look is %v old", first)
	}
	if len(kept) < 60 || len(kept) > 150 {
		t.Errorf("%d looks are kept", len(kept))
	}
	if last := kept[len(kept)-1]; !last.At.Equal(noon) {
		t.Errorf("the newest look kept is of %v", last.At)
	}
	for n := 1; n < len(kept); n++ {
		if gap := kept[n].At.Sub(kept[n-1].At); gap > max(15*time.Minute, noon.Sub(kept[n-1].At)/4) {
			t.Errorf("nothing is kept for %v before %v", gap, kept[n].At)
		}
	}
}
