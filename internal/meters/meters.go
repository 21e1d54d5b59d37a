// Package meters is what Prometheus reads of both programs. Labels have few values, all known from the code or from an
// API: nothing in them is a name from a cluster, an account or Slack.
package meters

import (
	"fmt"
	"net/http"
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Meters are those of one process.
type Meters struct {
	Registry *prometheus.Registry
	calls    calls
	runs     runs
}

// New makes the meters that every process has. version is that of the program.
func New(version string) *Meters {
	m := &Meters{Registry: prometheus.NewRegistry()}
	build := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "netdiag_build_info", Help: "1, with the version of netdiag and of Go."}, []string{"version", "go"})
	build.WithLabelValues(version, runtime.Version()).Set(1)
	m.Registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), build)
	m.calls, m.runs = newCalls(m.Registry), newRuns(m.Registry)
	return m
}

// Handler serves /healthz, /readyz and /metrics. Alive is whoever answers: a restart mends neither Slack nor the API
// server. ready gives the reason why nothing would be done now, or nil.
func (m *Meters) Handler(ready func() error) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprintln(w, "alive") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if err := ready(); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		_, _ = fmt.Fprintln(w, "ready")
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.Registry, promhttp.HandlerOpts{}))
	return mux
}
