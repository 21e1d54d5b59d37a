package nature_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	"github.com/netdiag/netdiag/internal/diagtest"
	"github.com/netdiag/netdiag/internal/sim/access"
	"github.com/netdiag/netdiag/internal/sim/nature"
	"github.com/netdiag/netdiag/internal/world/worldtest"
)

const worlds = "../../../testdata/worlds"

// speed makes a minute of life 100 ms.
const speed = 600

// lab is a served world with nature in it, and clients of whoever changes something.
type lab struct {
	*diagtest.Served
	kube    kubernetes.Interface
	dynamic dynamic.Interface
	ec2     *ec2.Client
	eks     *eks.Client
	elb     *elb.Client
	revert  time.Duration // of EKS; it never does where it is 0
	resync  time.Duration // of the load balancer controller

	turn chan struct{} // a round of the CNI or the health checks has ended

	mu     sync.Mutex
	rounds map[time.Duration]int // by how long is waited after one
	lines  []string
}

// open serves a world without nature.
func open(t *testing.T, name string) *lab {
	t.Helper()
	w := worldtest.Load(t, filepath.Join(worlds, filepath.FromSlash(name)))
	served, err := diagtest.Serve(w, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(served.Close)
	kube, err := kubernetes.NewForConfig(access.Kubernetes(served.KubeURL, "somebody"))
	if err != nil {
		t.Fatal(err)
	}
	dyn, err := dynamic.NewForConfig(access.Kubernetes(served.KubeURL, "somebody"))
	if err != nil {
		t.Fatal(err)
	}
	sdk := access.SDK(w.Meta.Region, served.AWSURL)
	return &lab{
		Served: served, kube: kube, dynamic: dyn, ec2: ec2.NewFromConfig(sdk), eks: eks.NewFromConfig(sdk), elb: elb.NewFromConfig(sdk),
		turn: make(chan struct{}, 1), rounds: map[time.Duration]int{},
	}
}

// live lets nature in until the test ends.
func (l *lab) live(t *testing.T) {
	t.Helper()
	m := l.World.Meta
	n := nature.New(nature.Options{
		Kube: access.Kubernetes(l.KubeURL, "nature"), AWS: access.SDK(m.Region, l.AWSURL), EKS: l.AWS, Health: l.AWS, Cluster: m.Cluster,
		Now: func() time.Time { return m.Now }, Revert: l.revert, Resync: l.resync, Speed: speed, After: l.after, Log: l.log,
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if t.Failed() {
			lines := l.said()
			for _, line := range lines[:min(len(lines), 40)] {
				t.Log(line)
			}
		}
	})
}

func (l *lab) after(d time.Duration) <-chan time.Time {
	l.mu.Lock()
	l.rounds[d]++
	l.mu.Unlock()
	if d >= 5*time.Second/speed {
		select {
		case l.turn <- struct{}{}:
		default:
		}
	}
	return time.After(d)
}

func (l *lab) log(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, line)
}

func (l *lab) said() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string(nil), l.lines...)
}

// until looks after rounds of nature until what is wanted is so; want says what is missing, nil for nothing.
func (l *lab) until(t *testing.T, want func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute) // for a busy machine
	defer cancel()
	for {
		err := want(ctx)
		if err == nil {
			return
		}
		select {
		case <-l.turn:
		case <-ctx.Done():
			t.Fatalf("still not so: %v", err)
		}
	}
}

// lived waits until every actor has had n rounds more.
func (l *lab) lived(t *testing.T, n int) {
	t.Helper()
	from := map[time.Duration]int{}
	l.mu.Lock()
	for _, every := range []time.Duration{time.Second, 5 * time.Second, 10 * time.Second} { // EKS and DaemonSets, the CNI, health checks
		from[every/speed] = l.rounds[every/speed]
	}
	l.mu.Unlock()
	l.until(t, func(context.Context) error {
		l.mu.Lock()
		defer l.mu.Unlock()
		for d, r := range from {
			if l.rounds[d] < r+n {
				return fmt.Errorf("only these rounds: %v", l.rounds)
			}
		}
		return nil
	})
}
