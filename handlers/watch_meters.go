package handlers

import (
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/netdiag/netdiag/internal/watch"
)

// watchMeters are what Prometheus reads of the early warning. What a look saw is there in the process that looks.
type watchMeters struct {
	failed  prometheus.Counter
	missing *prometheus.CounterVec
	free    *prometheus.GaugeVec
	usable  *prometheus.GaugeVec
	open    *prometheus.GaugeVec

	mu      sync.Mutex
	snoozes []watch.Snooze
}

func newWatchMeters(w *watchman) *watchMeters {
	gauges := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
	}
	m := &watchMeters{
		failed:  prometheus.NewCounter(prometheus.CounterOpts{Name: "netdiag_watch_failed_total", Help: "Looks for early warnings that came to nothing."}),
		missing: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "netdiag_watch_missing_total", Help: "Reads that looks for early warnings missed, by permission and reason."}, []string{"permission", "reason"}),
		free:    gauges("netdiag_subnet_free_addresses", "Addresses that a subnet of pods has available.", "subnet", "zone"),
		usable:  gauges("netdiag_subnet_usable_addresses", "Addresses of a subnet of pods that can be given out at all.", "subnet", "zone"),
		open:    gauges("netdiag_warnings_open", "Early warnings that are open, by condition.", "condition"),
	}
	gauge := func(name, help string, f func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, f)
	}
	w.Meters.Registry.MustRegister(
		m.failed, m.missing, m.free, m.usable, m.open,
		gauge("netdiag_watch_leader", "1 in the process that looks for early warnings.", func() float64 {
			w.mu.Lock()
			defer w.mu.Unlock()
			if w.leads {
				return 1
			}
			return 0
		}),
		gauge("netdiag_watch_last_look_seconds", "Since when the last look is over, or this process looks and has not finished any; 0 in one that does not look.", func() float64 {
			w.mu.Lock()
			defer w.mu.Unlock()
			if !w.leads {
				return 0
			}
			last := w.state.Looked
			if last.IsZero() {
				last = w.since
			}
			return w.Now().Sub(last).Seconds()
		}),
		gauge("netdiag_warnings_snoozed", "Things that are silenced, as this process knows.", func() float64 { return float64(m.silenced(w.Now())) }),
	)
	for _, c := range watch.Conditions() { // known from the start, so that an alert on them is
		m.open.WithLabelValues(c)
	}
	return m
}

// saw shows what a look saw.
func (m *watchMeters) saw(subnets []watch.Subnet, s watch.State) {
	m.free.Reset()
	m.usable.Reset()
	for _, v := range subnets {
		m.free.WithLabelValues(v.ID, v.Zone).Set(float64(v.Available))
		m.usable.WithLabelValues(v.ID, v.Zone).Set(float64(v.Usable))
	}
	for _, g := range s.Gaps {
		permission, reason, _ := strings.Cut(g, " (")
		m.missing.WithLabelValues(permission, strings.TrimSuffix(reason, ")")).Inc()
	}
	m.told(s)
}

// told counts the open warnings.
func (m *watchMeters) told(s watch.State) {
	open := s.OpenNow()
	for _, c := range watch.Conditions() {
		m.open.WithLabelValues(c).Set(float64(open[c]))
	}
}

// left forgets what was seen: another process looks now.
func (m *watchMeters) left() {
	m.free.Reset()
	m.usable.Reset()
	m.told(watch.State{})
}

// noteSnoozes keeps what is silenced.
func (m *watchMeters) noteSnoozes(all []watch.Snooze) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.snoozes = all
}

func (m *watchMeters) silenced(now time.Time) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(watch.Awake(m.snoozes, now))
}
