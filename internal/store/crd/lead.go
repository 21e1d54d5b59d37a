package crd

import (
	"context"
	"fmt"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coordination "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// WatchLease is the Lease whose holder looks for early warnings.
const WatchLease = "netdiag-watch"

// Times of the Lease, those that Kubernetes' own controllers have: a leader that died is followed after 15 s.
const (
	leaseFor   = 15 * time.Second
	leaseRenew = 10 * time.Second
	leaseRetry = 2 * time.Second
)

// Lead is the wish to be the one process of several that does something.
type Lead struct {
	lock resourcelock.Interface
}

// NewLead asks for WatchLease in a namespace; holder names this process. It makes no call.
func NewLead(cfg *rest.Config, namespace, holder string) (*Lead, error) {
	client, err := coordination.NewForConfig(cfg)
	if err != nil {
		return nil, fmt.Errorf("client of leases: %w", err)
	}
	return &Lead{&resourcelock.LeaseLock{
		LeaseMeta: metav1.ObjectMeta{Namespace: namespace, Name: WatchLease}, Client: client,
		LockConfig: resourcelock.ResourceLockConfig{Identity: holder},
	}}, nil
}

// Run does do while this process leads, again whenever it leads anew, until ctx ends. do has to return soon once its context
// has ended: only then the Lease is given up.
func (l *Lead) Run(ctx context.Context, do func(context.Context)) error {
	for ctx.Err() == nil {
		if err := l.term(ctx, do); err != nil {
			return err
		}
	}
	return nil
}

// term is one time of leading, and the waiting for it.
func (l *Lead) term(ctx context.Context, do func(context.Context)) error {
	election, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	t := &term{done: make(chan struct{})}
	defer context.AfterFunc(ctx, func() {
		if t.close() { // nobody leads here; else the one who does ends it when do has returned
			end()
		}
	})()
	e, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock: l.lock, LeaseDuration: leaseFor, RenewDeadline: leaseRenew, RetryPeriod: leaseRetry, ReleaseOnCancel: true, Name: WatchLease,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(held context.Context) {
				if !t.open() {
					end()
					return
				}
				defer close(t.done)
				leading, stop := context.WithCancel(ctx)
				defer context.AfterFunc(held, stop)()
				defer stop()
				do(leading)
				if ctx.Err() != nil {
					end()
				}
			},
			OnStoppedLeading: func() {},
		},
	})
	if err != nil {
		return fmt.Errorf("ask for Lease %s: %w", WatchLease, err)
	}
	e.Run(election)
	if !t.close() {
		<-t.done
	}
	return nil
}

// term tells whether do may begin, and whether it has: client-go begins it by the side.
type term struct {
	mu          sync.Mutex
	begun, over bool
	done        chan struct{} // closed once do has returned
}

// open begins; false where it is too late.
func (t *term) open() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.begun = !t.over
	return t.begun
}

// close lets nothing begin any more, and reports that nothing has.
func (t *term) close() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.over = true
	return !t.begun
}
