package meters

import (
	"cmp"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/netdiag/netdiag/internal/awsnet"
	"github.com/netdiag/netdiag/internal/kube"
)

// seconds are the buckets of what takes milliseconds to a minute.
func seconds() []float64 { return []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60} }

// calls are those to AWS and to API servers.
type calls struct {
	aws, kube         *prometheus.CounterVec
	awsTook, kubeTook *prometheus.HistogramVec
	throttled         *prometheus.CounterVec
}

func newCalls(r prometheus.Registerer) calls {
	c := calls{
		aws: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "netdiag_aws_calls_total", Help: "Calls to AWS, retries included in each, by the error code of AWS; OK where there is none, or timeout.",
		}, []string{"service", "operation", "code"}),
		awsTook: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "netdiag_aws_call_seconds", Help: "How long calls to AWS took, retries included.", Buckets: seconds(),
		}, []string{"service"}),
		throttled: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "netdiag_aws_throttled_total", Help: "Calls that AWS throttled at least once, whatever became of them.",
		}, []string{"service", "operation"}),
		kube: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "netdiag_kubernetes_calls_total", Help: "Requests to API servers, by status code; cancelled, timeout or error where there is none.",
		}, []string{"verb", "resource", "code"}),
		kubeTook: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "netdiag_kubernetes_call_seconds", Help: "How long API servers took to answer, watches aside.", Buckets: seconds(),
		}, []string{"verb"}),
	}
	r.MustRegister(c.aws, c.awsTook, c.throttled, c.kube, c.kubeTook)
	return c
}

// AWS counts a call to AWS; it is for awsnet.Options.Observe.
func (m *Meters) AWS(a awsnet.Answer) {
	code := cmp.Or(a.Code, a.Reason, "OK")
	m.calls.aws.WithLabelValues(a.Service, a.Action, code).Inc()
	m.calls.awsTook.WithLabelValues(a.Service).Observe(a.Took.Seconds())
	if a.Throttled {
		m.calls.throttled.WithLabelValues(a.Service, a.Action).Inc()
	}
}

// Kubernetes counts a request to an API server; it is for kube.Observed.
func (m *Meters) Kubernetes(c kube.Call) {
	m.calls.kube.WithLabelValues(c.Verb, c.Resource, c.Code).Inc()
	if c.Verb != "watch" {
		m.calls.kubeTook.WithLabelValues(c.Verb).Observe(c.Took.Seconds())
	}
}
