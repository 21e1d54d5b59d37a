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
	// Past is what earlier looks saw; nil where nobody keeps it.
	Past diagnostics.Past
}

// Inputs gives the readers of one run: each question is asked once.
func (s Source) Inputs(progress func(string)) diagnostics.Inputs {
	in, _, _ := s.inputs(progress)
	return in
}

func (s Source) inputs(progress func(string)) (diagnostics.Inputs, *awsnet.Reader, *kube.Reader) {
	in := diagnostics.Inputs{Now: s.Now(), Clock: s.Clock, Progress: progress, Past: s.Past}
	a, k := s.AWS.Reader(), s.Kube.Reader()
	a.Fill(&in)
	k.Fill(&in)
	return in, a, k
}

// Diagnose runs one diagnosis within the limit; each question is asked once. It refuses, in one line that says what to do,
// where nothing could be read or where AWS and Kubernetes would speak of different clusters.
func (s Source) Diagnose(ctx context.Context, d diagnostics.Diagnosis, t diagnostics.Target, progress func(string)) (diagnostics.Outcome, error) {
	limit := s.Limit
	if limit == 0 {
		limit = 30 * time.Second
	}
	bounded, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	in, a, k := s.inputs(progress)
	out, err := d.Run(bounded, in, t)
	if ctx.Err() != nil {
		return out, err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return out, unreachable("The cluster and AWS did not answer within %v: nothing could be read. Check that the API server and the AWS endpoints can be reached, then ask again.", limit)
	}
	if err := s.refuse(bounded, a, k, t, err); err != nil {
		return out, err
	}
	if c, err := a.Cluster(bounded, t.Cluster); err == nil && t.Account == "" { // the run has asked before
		out.Report.Target.Account = c.Account()
	}
	return out, nil
}
