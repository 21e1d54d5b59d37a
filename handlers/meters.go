package handlers

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// slackMeters are what Prometheus reads of the connection to Slack and of the questions.
type slackMeters struct {
	envelopes      *prometheus.CounterVec
	redelivered    prometheus.Counter
	shed           prometheus.Counter
	acknowledged   prometheus.Histogram
	unacknowledged prometheus.Counter
	ended          *prometheus.CounterVec
}

func newSlackMeters(b *Bot) *slackMeters {
	count := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	byLabel := func(name, help, label string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{label})
	}
	m := &slackMeters{
		envelopes:   byLabel("netdiag_slack_envelopes_total", "What Slack delivered, by kind.", "kind"),
		redelivered: count("netdiag_slack_redelivered_total", "Events that Slack delivered again."),
		shed:        count("netdiag_slack_shed_total", "Envelopes that came while too many were being handled."),
		acknowledged: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "netdiag_slack_acknowledgement_seconds", Help: "From an envelope's coming to its acknowledgement; Slack gives up after 3 s.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2, 3},
		}),
		unacknowledged: count("netdiag_slack_unacknowledged_total", "Envelopes whose acknowledgement did not leave in time."),
		ended:          byLabel("netdiag_slack_connections_ended_total", "Connections that ended or could not be opened, by reason.", "reason"),
	}
	gauge := func(name, help string, f func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, f)
	}
	b.Meters.Registry.MustRegister(
		m.envelopes, m.redelivered, m.shed, m.acknowledged, m.unacknowledged, m.ended,
		gauge("netdiag_slack_connections", "Live connections to Slack.", func() float64 { return float64(b.pulse.connections()) }),
		gauge("netdiag_slack_deaf", "1 while no connection to Slack is live.", func() float64 {
			if now, _, _ := b.pulse.deaf(); now || b.pulse.connections() == 0 {
				return 1
			}
			return 0
		}),
		gauge("netdiag_slack_deaf_longest_seconds", "The longest time without a live connection to Slack since the start.", func() float64 {
			_, _, longest := b.pulse.deaf()
			return longest.Seconds()
		}),
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "netdiag_slack_deaf_seconds_total", Help: "Time without a live connection to Slack."}, func() float64 {
			_, total, _ := b.pulse.deaf()
			return total.Seconds()
		}),
		gauge("netdiag_questions_waiting", "Questions that wait for a worker.", func() float64 { return float64(len(b.jobs)) }),
		gauge("netdiag_questions_open", "Questions that wait or are being answered.", func() float64 { return float64(len(b.slots)) }),
	)
	for _, r := range reasons() { // known from the start, so that a rate over them is
		m.ended.WithLabelValues(r)
	}
	return m
}

// timed wraps the ack of an envelope with its measuring.
func (m *slackMeters) timed(e envelope) envelope {
	m.envelopes.WithLabelValues(e.kind).Inc()
	if e.attempt > 0 {
		m.redelivered.Inc()
	}
	ack := e.ack
	e.ack = func(ctx context.Context, answer any) error {
		err := ack(ctx, answer)
		if err != nil {
			m.unacknowledged.Inc()
			return err
		}
		m.acknowledged.Observe(time.Since(e.at).Seconds())
		return nil
	}
	return e
}
