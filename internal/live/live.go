// Package live runs diagnoses on a real cluster and account: it fills diagnostics.Inputs with the adapters.
package live

import (
	"context"
	"errors"
	"time"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/awsnet"
	"github.com/netdiag/netdiag/internal/kube"
)

// Source is where a diagnosis reads: one cluster and the account around it.
type Source struct {
	AWS  *awsnet.Client
	Kube *kube.Client
	// Now is the clock that ages are counted from; Clock measures how long a run takes. Both are time.Now outside of tests.
	Now, Clock func() time.Time
	// Limit is how long a run may take; what was not read by then is a gap of reason timeout. 0 means 30 s.
	Limit time.Duration
}

// Inputs gives the readers of one run: each question is asked once.
func (s Source) Inputs(progress func(string)) diagnostics.Inputs {
	in := diagnostics.Inputs{Now: s.Now(), Clock: s.Clock, Progress: progress}
	s.AWS.Reader().Fill(&in)
	s.Kube.Reader().Fill(&in)
	return in
}

// Diagnose runs one diagnosis within the limit.
func (s Source) Diagnose(ctx context.Context, d diagnostics.Diagnosis, t diagnostics.Target, progress func(string)) (diagnostics.Outcome, error) {
	limit := s.Limit
	if limit == 0 {
		limit = 30 * time.Second
	}
	bounded, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	out, err := d.Run(bounded, s.Inputs(progress), t)
	if err != nil && ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		return out, diagnostics.Refusal("the cluster and AWS did not answer within " + limit.String() + ": nothing could be read; check that the API server and the AWS endpoints are reachable, then ask again")
	}
	return out, err
}
