package casebook_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/remedy"
	"github.com/netdiag/netdiag/internal/store/memory"
)

// ports is a world in which several ports of one security group are closed; each change takes a while.
type ports struct {
	mu       sync.Mutex
	open     map[int]int // times opened
	inFlight int
	most     int
}

func (p *ports) diagnose(_ context.Context, _ string, t diagnostics.Target) (diagnostics.Report, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var r diagnostics.Report
	var port int
	_, _ = fmt.Sscanf(t.Name, "web-%d", &port)
	if p.open[port] > 0 {
		return r, nil
	}
	a := remedy.Action{AllowIngress: &remedy.AllowIngress{Group: "sg-1", Source: "sg-2", Port: port}}
	r.Causes = []diagnostics.Finding{{ID: "alb/sg.target-ingress", Subject: t.Name}}
	r.Fixes = []diagnostics.Fix{{ID: "alb/allow-pod-port", Executable: true, Action: &a, Resolves: []string{"alb/sg.target-ingress " + t.Name}}}
	return r, nil
}

func (p *ports) DryRun(context.Context, remedy.Action, remedy.Mark) error { return nil }

func (p *ports) Look(_ context.Context, a remedy.Action, _ remedy.Mark) (bool, remedy.Receipt, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.open[a.AllowIngress.Port] > 0, remedy.Receipt{Owned: true}, nil
}

func (p *ports) Apply(ctx context.Context, a remedy.Action, _ remedy.Mark) (remedy.Receipt, error) {
	p.mu.Lock()
	p.inFlight++
	p.most = max(p.most, p.inFlight)
	p.mu.Unlock()
	<-time.After(3 * time.Second)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.inFlight--
	p.open[a.AllowIngress.Port]++
	return remedy.Receipt{Owned: true}, ctx.Err()
}

// TestOneChangeOfATargetAtATime approves six changes of one security group at the same moment before four executors.
func TestOneChangeOfATargetAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &ports{open: map[int]int{}}
		b := &casebook.Book{Store: memory.New(time.Now), Policy: anyone{}, Now: time.Now, Patience: -1}
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for i := range 4 {
			e := &casebook.Executor{
				Store: b.Store, Hands: p, Diagnose: p.diagnose, PerTarget: -1, Now: time.Now, After: time.After, Holder: fmt.Sprintf("executor-%d", i),
				Fault: func(name string, err error) { t.Errorf("fault of %s: %v", name, err) },
			}
			wg.Go(func() { _ = e.Run(ctx) })
		}
		var rs []casebook.Remediation
		for port := range 6 {
			q := question(time.Now())
			q.Target.Name = fmt.Sprintf("web-%d", port+8000)
			inv, _, err := b.Open(ctx, person(requester), q, q.Target.Name)
			if err != nil {
				t.Fatal(err)
			}
			if inv, err = b.Claim(ctx, inv.Name, "front-1"); err != nil {
				t.Fatal(err)
			}
			report, _ := p.diagnose(ctx, "", q.Target)
			_, proposed, err := b.Report(ctx, inv, report)
			if err != nil || len(proposed) != 1 {
				t.Fatalf("report: %d proposed, error %v", len(proposed), err)
			}
			rs = append(rs, proposed[0])
		}
		barrier := make(chan struct{})
		var clicks sync.WaitGroup
		for _, r := range rs {
			clicks.Go(func() {
				<-barrier
				approve(t, b, r)
			})
		}
		close(barrier)
		clicks.Wait()
		for _, r := range rs {
			if r = await(ctx, t, b.Store, r.Name, final); r.Status.Phase != casebook.Succeeded {
				t.Errorf("%s: phase %s: %s", r.Plan.Question.Target.Name, r.Status.Phase, r.Status.Outcome)
			}
		}
		cancel()
		wg.Wait()
		if p.most != 1 {
			t.Errorf("%d changes of one security group at the same time", p.most)
		}
		for port, n := range p.open {
			if n != 1 || len(p.open) != 6 {
				t.Errorf("port %d opened %d times, %d ports in all", port, n, len(p.open))
			}
		}
	})
}
