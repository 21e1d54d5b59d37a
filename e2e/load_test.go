package e2e

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/policy"
	"github.com/netdiag/netdiag/internal/store/crd"
)

// BenchmarkOpen stores questions, 50 in flight, as bot serve does before it acknowledges an envelope, and reports the
// 99th percentile in milliseconds: Slack waits 3,000.
func BenchmarkOpen(b *testing.B) {
	if the == nil {
		b.Skip("needs a real control plane: make e2e builds and starts one")
	}
	store, err := crd.New(the.admin, crd.Options{Namespace: "netdiag"})
	if err != nil {
		b.Fatal(err)
	}
	book := &casebook.Book{Store: store, Policy: policy.Policy{Team: "T0TEAM", Askers: []string{policy.Anyone}}, Now: time.Now}
	by := casebook.Person{Team: "T0TEAM", Home: "T0TEAM", User: "U0ASKER"}
	run := time.Now().UnixNano()
	took := make([]time.Duration, b.N)
	inFlight := make(chan struct{}, 50)
	var wg sync.WaitGroup
	b.ResetTimer()
	for i := range b.N {
		inFlight <- struct{}{}
		wg.Go(func() {
			defer func() { <-inFlight }()
			q := casebook.Question{Command: "alb web", Diagnosis: "alb", Team: "T0TEAM", User: "U0ASKER", Channel: "C0CHANNEL", At: time.Now()}
			began := time.Now()
			if _, created, err := book.Open(b.Context(), by, q, fmt.Sprintf("%d-%d", run, i)); err != nil || !created {
				b.Errorf("open: %t, error %v", created, err)
			}
			took[i] = time.Since(began)
		})
	}
	wg.Wait()
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*99/100].Milliseconds()), "p99-ms")
	b.ReportMetric(float64(took[len(took)/2].Milliseconds()), "p50-ms")
}
