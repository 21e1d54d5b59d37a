package handlers_test

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/remedy"
)

// world is a cluster with a full subnet, until its warm pool is tuned; and the Hands that can tune it.
type world struct {
	t *testing.T

	mu       sync.Mutex
	tuned    bool
	applied  int
	asked    int
	quick    bool                                                  // reports are small
	name     string                                                // of another report than that of the full subnet
	snapshot string                                                // JSON
	secret   string                                                // that somebody put into a label
	anyone   bool                                                  // may have approved it
	denied   string                                                // why nothing may be changed
	only     *diagnostics.Fix                                      // that is proposed, in place of all others
	extra    []string                                              // ids of further fixes that can be carried out
	before   func(ctx context.Context, t diagnostics.Target) error // of each diagnosis that somebody asked for
}

func action() *remedy.Action {
	return &remedy.Action{AddonConfig: &remedy.AddonConfig{
		Cluster: "prod-cluster", Addon: "vpc-cni", Version: "v1.19.0-eksbuild.1", Set: map[string]string{"WARM_IP_TARGET": "2", "MINIMUM_IP_TARGET": "10"},
	}}
}

// undoing is what takes action back.
func undoing() *remedy.Action {
	a := *action().AddonConfig
	a.Set, a.Unset = map[string]string{}, []string{"MINIMUM_IP_TARGET", "WARM_IP_TARGET"}
	return &remedy.Action{AddonConfig: &a}
}

func receipt() remedy.Receipt { return remedy.Receipt{ID: "update-1", Owned: true, Undo: undoing()} }

func (w *world) report(diagnosis string, t diagnostics.Target) diagnostics.Report {
	w.mu.Lock()
	tuned, quick := w.tuned, w.quick
	w.mu.Unlock()
	if quick {
		return quickReport(diagnosis, t)
	}
	name := cmp.Or(w.name, "full")
	switch {
	case diagnosis == "alb":
		name = "contradictions"
	case tuned:
		name = "healthy"
	}
	r := report(w.t, name)
	r.Diagnosis, r.Target = diagnosis, t
	r.Summary += w.secret
	for i, id := range w.extra {
		r.Fixes = append(r.Fixes, diagnostics.Fix{ID: id, Title: "further fix " + id, Executable: true, Action: &remedy.Action{
			DaemonSetEnv: &remedy.DaemonSetEnv{Namespace: "kube-system", Name: "aws-node", Set: map[string]string{"N": string(rune('0' + i))}},
		}})
	}
	if w.only != nil {
		r.Fixes = []diagnostics.Fix{*w.only}
	}
	for i := range r.Fixes {
		if r.Fixes[i].Action != nil {
			continue
		}
		if r.Fixes[i].Executable {
			r.Fixes[i].Action = action()
			r.Fixes[i].Resolves = []string{r.Causes[0].Key()}
		}
	}
	return r
}

func (w *world) diagnose(ctx context.Context, d diagnostics.Diagnosis, t diagnostics.Target, progress func(string)) (diagnostics.Outcome, error) {
	w.mu.Lock()
	w.asked++
	before := w.before
	w.mu.Unlock()
	progress("reading pods of " + t.Namespace)
	if before != nil {
		if err := before(ctx, t); err != nil {
			return diagnostics.Outcome{}, err
		}
	}
	progress("reading subnets")
	return diagnostics.Outcome{Report: w.report(d.Name, t), Snapshot: []byte(w.snapshot)}, nil
}

// meanwhile has f run in the middle of every diagnosis from now on.
func (w *world) meanwhile(f func(ctx context.Context, t diagnostics.Target) error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.before = f
}

// blocked waits until the channel is closed, as a cluster that doesn't answer.
func blocked(until chan struct{}) func(context.Context, diagnostics.Target) error {
	return func(ctx context.Context, _ diagnostics.Target) error {
		select {
		case <-until:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (w *world) questions() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.asked
}

func (w *world) DryRun(context.Context, remedy.Action, remedy.Mark) error {
	if w.denied != "" {
		return fmt.Errorf("%w: %s", remedy.ErrRefused, w.denied)
	}
	return nil
}

func (w *world) Look(_ context.Context, a remedy.Action, _ remedy.Mark) (bool, remedy.Receipt, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if a.Hash() == undoing().Hash() {
		return !w.tuned, remedy.Receipt{ID: "update-2", Owned: true}, nil
	}
	return w.tuned, receipt(), nil
}

func (w *world) Apply(_ context.Context, a remedy.Action, m remedy.Mark) (remedy.Receipt, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if a.Hash() == undoing().Hash() && m.Requester == jonas && m.Approver == aisha {
		w.tuned = false
		return remedy.Receipt{ID: "update-2", Owned: true}, nil
	}
	if a.Hash() != action().Hash() || !strings.HasPrefix(m.Remediation, "rem-") || m.Requester != maya || m.Approver != jonas && !w.anyone {
		w.t.Errorf("applied %+v for %+v", a, m)
	}
	w.tuned = true
	w.applied++
	return receipt(), nil
}
