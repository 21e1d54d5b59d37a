package handlers

import (
	"context"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/netdiag/netdiag/internal/casebook"
)

// slackMeters are what Prometheus reads of the connection to Slack and of the questions.
type slackMeters struct {
	envelopes      *prometheus.CounterVec
	redelivered    prometheus.Counter
	shed           prometheus.Counter
	acknowledged   prometheus.Histogram
	unacknowledged prometheus.Counter
	ended          *prometheus.CounterVec
	waited         prometheus.Histogram
	busy           prometheus.Counter
	decisions      *prometheus.CounterVec
	outcomes       *prometheus.CounterVec
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
		waited: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "netdiag_question_waiting_seconds", Help: "How long questions waited for a worker.", Buckets: []float64{.01, .1, .5, 1, 2.5, 5, 10, 30, 60, 120, 300},
		}),
		busy: count("netdiag_questions_turned_away_total", "Questions that were refused because too many waited."),
		decisions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "netdiag_decisions_total", Help: "Clicks on cards, by what they were for (approve, reject, undo) and what became of them: recorded, refused, late, fault.",
		}, []string{"verdict", "end"}),
		outcomes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "netdiag_fixes_ended_total", Help: "Fixes that ended, by fix and last phase, whoever ended them. Every replica sees all: take the maximum, not the sum.",
		}, []string{"fix", "phase"}),
	}
	gauge := func(name, help string, f func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, f)
	}
	b.Meters.Registry.MustRegister(
		m.envelopes, m.redelivered, m.shed, m.acknowledged, m.unacknowledged, m.ended, m.waited, m.busy, m.decisions, m.outcomes, open{b},
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
	for _, verdict := range []string{"approve", "reject", "undo"} {
		for _, end := range []string{"recorded", "refused", "late", "fault"} {
			m.decisions.WithLabelValues(verdict, end)
		}
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

// undoing stands for the verdict where somebody asks for an undo.
const undoing casebook.Verdict = "Undo"

// decided counts what became of a click. What a payload names could be any text.
func (m *slackMeters) decided(v casebook.Verdict, end string) {
	verdict := "unknown"
	switch v {
	case casebook.Approve, casebook.Reject, undoing:
		verdict = strings.ToLower(string(v))
	}
	m.decisions.WithLabelValues(verdict, end).Inc()
}

// open collects how many fixes are in each phase that isn't the last.
type open struct{ *Bot }

func openFixes() *prometheus.Desc {
	return prometheus.NewDesc("netdiag_fixes", "Fixes that are not over, by phase. Every replica sees all: take the maximum, not the sum.", []string{"phase"}, nil)
}

// Describe implements prometheus.Collector.
func (o open) Describe(ch chan<- *prometheus.Desc) { ch <- openFixes() }

// Collect implements prometheus.Collector.
func (o open) Collect(ch chan<- prometheus.Metric) {
	n := o.index.phases()
	for _, p := range casebook.OpenPhases() {
		ch <- prometheus.MustNewConstMetric(openFixes(), prometheus.GaugeValue, float64(n[p]), string(p))
	}
}
