package crd_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/netdiag/netdiag/internal/store/crd"
)

// Of two processes one leads, and the other follows once that one has stopped, not before what it did has ended.
func TestOneLeads(t *testing.T) {
	_, cfg := serve(t)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var leading atomic.Int32
	type turn struct{ holder string }
	turns := make(chan turn)
	run := func(holder string) (stop func()) {
		l, err := crd.NewLead(cfg, "netdiag", holder)
		if err != nil {
			t.Fatal(err)
		}
		mine, cancel := context.WithCancel(ctx)
		ended := make(chan error, 1)
		go func() {
			ended <- l.Run(mine, func(ctx context.Context) {
				if n := leading.Add(1); n != 1 {
					t.Errorf("%d lead at once", n)
				}
				select {
				case turns <- turn{holder}:
				case <-ctx.Done():
				}
				<-ctx.Done()
				leading.Add(-1)
			})
		}()
		return func() {
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
	}
	stop := map[string]func(){"a": run("a"), "b": run("b")}
	first := <-turns
	client, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		t.Fatal(err)
	}
	lease, err := client.CoordinationV1().Leases("netdiag").Get(ctx, crd.WatchLease, metav1.GetOptions{})
	if err != nil || lease.Spec.HolderIdentity == nil || *lease.Spec.HolderIdentity != first.holder {
		t.Errorf("the Lease while %s leads: %+v, %v", first.holder, lease.Spec, err)
	}
	stop[first.holder]()
	delete(stop, first.holder)
	select {
	case second := <-turns:
		if second.holder == first.holder {
			t.Errorf("%s leads again", second.holder)
		}
	case <-ctx.Done():
		t.Fatal("nobody followed")
	}
	for _, f := range stop {
		f()
	}
	if leading.Load() != 0 {
		t.Error("somebody leads though all have stopped")
	}
}
