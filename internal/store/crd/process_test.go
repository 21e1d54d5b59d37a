package crd_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/policy"
	"github.com/netdiag/netdiag/internal/remedy"
	simkube "github.com/netdiag/netdiag/internal/sim/kube"
)

// door is a world with one closed port.
type door struct {
	mu     sync.Mutex
	opened int
}

func (d *door) diagnose(_ context.Context, _ string, t diagnostics.Target) (diagnostics.Report, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	r := diagnostics.Report{Diagnosis: "alb", Target: t, At: time.Now(), Summary: "all is well"}
	if d.opened == 0 {
		a := remedy.Action{AllowIngress: &remedy.AllowIngress{Group: "sg-1", Source: "sg-2", Port: 8080}}
		r.Summary = "port 8080 is closed"
		r.Causes = []diagnostics.Finding{{ID: "alb/sg.target-ingress", Subject: "sg-1", Confidence: diagnostics.Confirmed}}
		r.Fixes = []diagnostics.Fix{{ID: "alb/allow-pod-port", Risk: "medium", Executable: true, Action: &a, SettlesIn: "1s", Resolves: []string{"alb/sg.target-ingress sg-1"}}}
	}
	return r, nil
}

func (d *door) DryRun(context.Context, remedy.Action, remedy.Mark) error { return nil }

func (d *door) Look(context.Context, remedy.Action, remedy.Mark) (bool, remedy.Receipt, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.opened > 0, remedy.Receipt{ID: "sgr-1", Owned: true}, nil
}

func (d *door) Apply(context.Context, remedy.Action, remedy.Mark) (remedy.Receipt, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.opened++
	return remedy.Receipt{ID: "sgr-1", Owned: true}, nil
}

// TestFromQuestionToVerifiedFix plays a whole story between processes that share nothing but the API server, which
// loses answers and refuses writes now and then: 20 people decide through two front ends, two executors compete.
func TestFromQuestionToVerifiedFix(t *testing.T) {
	s, cfg := serve(t)
	var writes atomic.Int32
	s.SetFault(func(r *http.Request) *simkube.Fault {
		if r.Method != http.MethodPut {
			return nil
		}
		switch n := writes.Add(1); {
		case n%7 == 0:
			return &simkube.Fault{Drop: true, After: true} // made, and the answer lost
		case n%5 == 0:
			return &simkube.Fault{Status: http.StatusInternalServerError}
		}
		return nil
	})
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	world := &door{}
	rules := policy.Policy{Team: "T0TEAM", Askers: []string{policy.Anyone}, Approvers: []policy.Grant{{}}}
	for i := range 20 {
		rules.Approvers[0].Users = append(rules.Approvers[0].Users, fmt.Sprintf("U0P%02d", i))
	}
	person := func(user string) casebook.Person { return casebook.Person{Team: "T0TEAM", Home: "T0TEAM", User: user} }
	fronts := []*casebook.Book{{Store: open(t, cfg), Policy: rules, Now: time.Now}, {Store: open(t, cfg), Policy: rules, Now: time.Now}}

	var executors sync.WaitGroup
	defer executors.Wait()
	working, stop := context.WithCancel(ctx)
	defer stop()
	for i := range 2 {
		e := &casebook.Executor{
			Store: open(t, cfg), Hands: world, Diagnose: world.diagnose, Now: time.Now, After: time.After,
			Holder: fmt.Sprintf("executor-%d", i), Poll: 50 * time.Millisecond,
		}
		executors.Go(func() {
			if err := e.Run(working); !errors.Is(err, context.Canceled) {
				t.Errorf("executor: %v", err)
			}
		})
	}

	// insist repeats what an answer was lost for, as a person or a redelivery would.
	insist := func(f func() error) {
		t.Helper()
		for {
			var refusal diagnostics.Refusal
			err := f()
			if err == nil || errors.As(err, &refusal) {
				return
			}
			if ctx.Err() != nil {
				t.Fatalf("never got through: %v", err)
			}
		}
	}
	q := casebook.Question{Command: "alb web", Diagnosis: "alb", Target: diagnostics.Target{Cluster: "prod", Namespace: "shop", Name: "web"}, Team: "T0TEAM", User: "U0P00", Channel: "C1"}
	var inv casebook.Investigation
	insist(func() (err error) { inv, _, err = fronts[0].Open(ctx, person("U0P00"), q, "k"); return err })
	insist(func() error {
		got, err := fronts[0].Claim(ctx, inv.Name, "front-0")
		if errors.Is(err, casebook.ErrHeld) && got.Status.Claim.Holder == "front-0" {
			inv, err = got, nil // the claim was made and its answer lost
		} else if err == nil {
			inv = got
		}
		return err
	})
	report, _ := world.diagnose(ctx, "alb", q.Target)
	var rs []casebook.Remediation
	insist(func() (err error) {
		if _, rs, err = fronts[0].Report(ctx, inv, report); err != nil && strings.Contains(err.Error(), "Reported") {
			t.Fatal(err)
		}
		return err
	})
	if len(rs) != 1 {
		t.Fatalf("%d fixes proposed", len(rs))
	}
	insist(func() (err error) { // asked once an executor has tried it
		if rs[0], err = fronts[0].Ask(ctx, rs[0].Name); err == nil && rs[0].Status.Phase == casebook.Proposed {
			err = errors.New("not tried yet")
		}
		return err
	})
	if rs[0].Status.Trial == nil || rs[0].Status.Phase != casebook.AwaitingApproval {
		t.Fatalf("phase %s, trial %+v", rs[0].Status.Phase, rs[0].Status.Trial)
	}

	barrier := make(chan struct{})
	var clicks sync.WaitGroup
	for i := range 20 {
		for n := range 2 {
			clicks.Go(func() {
				<-barrier
				insist(func() error {
					_, err := fronts[n].Decide(ctx, rs[0].Name, casebook.Click{Nonce: rs[0].Status.Nonce, By: person(fmt.Sprintf("U0P%02d", i)), Verdict: casebook.Approve})
					return err
				})
			})
		}
	}
	close(barrier)
	clicks.Wait()

	changes, err := fronts[1].Store.Remediations.Watch(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for r := range changes {
		if r.Status.Phase != casebook.NeedsHuman && !r.Status.Phase.Terminal() {
			continue
		}
		if r.Status.Phase != casebook.Succeeded || len(r.Status.Decisions) != 1 || r.Status.Decisions[0].User == "U0P00" {
			t.Errorf("phase %s, decisions %+v: %s", r.Status.Phase, r.Status.Decisions, r.Status.Outcome)
		}
		break
	}
	stop()
	executors.Wait()
	if world.opened != 1 {
		t.Errorf("the change was made %d times", world.opened)
	}
}
