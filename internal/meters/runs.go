package meters

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/netdiag/netdiag/diagnostics"
)

// The steps of a diagnosis.
const (
	StepReads  = "reads"  // what AWS and Kubernetes were asked
	StepJudge  = "judge"  // what that means
	StepRender = "render" // the messages of the answer, made of the report
)

// runs are those of diagnoses.
type runs struct {
	ended *prometheus.CounterVec
	took  *prometheus.HistogramVec
	gaps  *prometheus.CounterVec
}

func newRuns(r prometheus.Registerer) runs {
	x := runs{
		ended: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "netdiag_diagnoses_total", Help: "Diagnoses, by how they ended: cause, healthy, or open for want of a read; refused, fault, or cancelled.",
		}, []string{"diagnosis", "end"}),
		took: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "netdiag_diagnosis_seconds", Help: "How long diagnoses took, by step: reads of AWS and Kubernetes, judge, render into messages.",
			Buckets: append([]float64{.001}, seconds()...),
		}, []string{"diagnosis", "step"}),
		gaps: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "netdiag_gaps_total", Help: "Reads that diagnoses had to do without, by permission and reason.",
		}, []string{"diagnosis", "permission", "reason"}),
	}
	r.MustRegister(x.ended, x.took, x.gaps)
	return x
}

// Diagnosed meters a run of d that gave out and err.
func (m *Meters) Diagnosed(d diagnostics.Diagnosis, out diagnostics.Outcome, err error) {
	m.runs.ended.WithLabelValues(d.Name, end(out.Report, err)).Inc()
	if err != nil {
		return
	}
	m.step(d.Name, StepReads, out.Read)
	m.step(d.Name, StepJudge, out.Judged)
	for _, g := range out.Report.Gaps {
		permission := g.Permission
		if !slices.Contains(d.Reads, permission) { // of what people name, such as a kind of the cluster's own
			permission = "other"
		}
		m.runs.gaps.WithLabelValues(d.Name, permission, g.Reason).Inc()
	}
}

func end(r diagnostics.Report, err error) string {
	var refusal diagnostics.Refusal
	switch {
	case errors.Is(err, context.Canceled):
		return "cancelled"
	case errors.As(err, &refusal):
		return "refused"
	case err != nil:
		return "fault"
	case r.Open():
		return "open"
	case len(r.Causes) > 0:
		return "cause"
	}
	return "healthy"
}

// Rendered meters how long it took to make messages of a report.
func (m *Meters) Rendered(r diagnostics.Report, took time.Duration) {
	if len(diagnostics.CausesOf(r.Diagnosis)) > 0 { // a record could hold any text
		m.step(r.Diagnosis, StepRender, took)
	}
}

func (m *Meters) step(diagnosis, step string, took time.Duration) {
	m.runs.took.WithLabelValues(diagnosis, step).Observe(took.Seconds())
}
