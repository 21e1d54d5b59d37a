package meters

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/casebook"
)

// Executor meters what an executor does. It is a casebook.Meter.
type Executor struct {
	claims *prometheus.CounterVec
	phases *prometheus.CounterVec
	steps  *prometheus.HistogramVec
	faults prometheus.Counter
	halted prometheus.Gauge
}

var _ casebook.Meter = (*Executor)(nil)

// Executor adds the meters of an executor; once.
func (m *Meters) Executor() *Executor {
	e := &Executor{
		claims: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "netdiag_executor_claims_total", Help: "Claims on approved fixes, by what became of them: taken, takenOver from an executor that has gone, held by another, lost.",
		}, []string{"end"}),
		phases: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "netdiag_executor_phases_total", Help: "Phases that this executor took fixes to, outcomes included, by fix and whether it is an undo.",
		}, []string{"fix", "undo", "phase"}),
		steps: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "netdiag_executor_phase_seconds", Help: "How long this executor worked on a fix in a phase before the next one.",
			Buckets: []float64{.1, .5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800},
		}, []string{"phase"}),
		faults: prometheus.NewCounter(prometheus.CounterOpts{Name: "netdiag_executor_faults_total", Help: "Errors of carrying out fixes that nobody else sees; the log has each."}),
		halted: prometheus.NewGauge(prometheus.GaugeOpts{Name: "netdiag_halted", Help: "1 while changes are stopped (/netdiag stop), or it can't be read whether they are."}),
	}
	m.Registry.MustRegister(e.claims, e.phases, e.steps, e.faults, e.halted)
	for _, end := range casebook.ClaimEnds() { // known from the start, so that a rate over them is
		e.claims.WithLabelValues(string(end))
	}
	return e
}

// Claimed implements casebook.Meter.
func (e *Executor) Claimed(end casebook.ClaimEnd) { e.claims.WithLabelValues(string(end)).Inc() }

// Moved implements casebook.Meter.
func (e *Executor) Moved(p casebook.Plan, from, to casebook.Phase, took time.Duration) {
	e.phases.WithLabelValues(FixLabel(p.Fix.ID), strconv.FormatBool(p.Undoes != ""), string(to)).Inc()
	e.steps.WithLabelValues(string(from)).Observe(took.Seconds())
}

// Halted implements casebook.Meter.
func (e *Executor) Halted(on bool) {
	if on {
		e.halted.Set(1)
	} else {
		e.halted.Set(0)
	}
}

// Fault counts an error that nobody else sees.
func (e *Executor) Fault() { e.faults.Inc() }

// FixLabel is the id of a fix of the catalogue. A record could hold any other text.
func FixLabel(id string) string {
	if diagnostics.FixByID(id).ID == "" {
		return "unknown"
	}
	return id
}
