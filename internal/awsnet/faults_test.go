package awsnet_test

import (
	"context"
	"maps"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/awsnet"
	simaws "github.com/netdiag/netdiag/internal/sim/aws"
	"github.com/netdiag/netdiag/internal/sim/fault"
	"github.com/netdiag/netdiag/internal/trail"
)

// oneOfEach makes one read of each service, side by side.
func oneOfEach(ctx context.Context, r *awsnet.Reader) map[string]error {
	var mu sync.Mutex
	var wg sync.WaitGroup
	out := map[string]error{}
	for permission, read := range map[string]func() error{
		"ec2:DescribeSubnets":                       func() error { _, err := r.Subnets(ctx, "subnet-1"); return err },
		"elasticloadbalancing:DescribeTargetHealth": func() error { _, err := r.TargetHealth(ctx, "arn:tg"); return err },
		"eks:DescribeCluster":                       func() error { _, err := r.Cluster(ctx, "prod"); return err },
		"autoscaling:DescribeScalingActivities":     func() error { _, err := r.Activities(ctx, "asg"); return err },
		"cloudwatch:GetMetricData": func() error {
			_, err := r.Metrics(ctx, time.Unix(0, 0), time.Unix(60, 0), []trail.Query{{Namespace: "a", Metric: "b", Statistic: "Sum", Period: time.Minute}})
			return err
		},
		"cloudtrail:LookupEvents": func() error {
			_, err := r.Audit(ctx, "sg-1", time.Unix(0, 0), time.Unix(60, 0))
			return err
		},
	} {
		wg.Go(func() {
			err := read()
			mu.Lock()
			defer mu.Unlock()
			out[permission] = err
		})
	}
	wg.Wait()
	return out
}

// Whatever goes wrong with a call is a gap that names the permission, or a refusal where nothing can be read at all.
func TestFaultsAreGapsOrRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		fault  fault.Fault
		reason string // of the gap; empty means a refusal
	}{
		"denied":    {fault.Fault{Kind: fault.Denied}, diagnostics.Denied},
		"throttled": {fault.Fault{Kind: fault.Throttled}, diagnostics.Throttled},
		"broken":    {fault.Fault{Kind: fault.Broken}, diagnostics.Timeout},
		"cut":       {fault.Fault{Kind: fault.Cut}, diagnostics.Timeout},
		"too late":  {fault.Fault{Delay: time.Hour}, diagnostics.Timeout},
		"expired":   {fault.Fault{Kind: fault.Expired}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := simaws.New(load(t, "alb-c01-health-path-404"), simaws.Options{})
			s.Faults().On("*", c.fault)
			limit := 5 * time.Second
			if c.fault.Delay > 0 {
				limit = 50 * time.Millisecond
			}
			r := within(t, s, limit).Reader()
			for permission, err := range oneOfEach(context.Background(), r) {
				if c.reason == "" {
					refuses(t, permission, err)
					continue
				}
				isGap(t, permission, c.reason, err)
			}
		})
	}
}

// within is a client of s whose calls may take so long.
func within(t *testing.T, s *simaws.Server, limit time.Duration) *awsnet.Client {
	t.Helper()
	hs := httptest.NewServer(s)
	t.Cleanup(hs.Close)
	c, err := awsnet.New(context.Background(), awsnet.Options{Region: "us-west-2", BaseEndpoint: hs.URL, Credentials: awsnet.Static("AKIATEST", "secret"), Within: limit})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// What goes wrong for a moment is not told: the call is made again.
func TestMomentaryFaultsAreOvercome(t *testing.T) {
	for name, kind := range map[string]fault.Kind{"throttled": fault.Throttled, "broken": fault.Broken, "cut": fault.Cut} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, c := serve(t, load(t, "alb-c01-health-path-404"))
			s.Faults().On("ec2:DescribeSubnets", fault.Fault{Kind: kind, Calls: 2})
			if _, err := c.Reader().Subnets(context.Background(), "subnet-1"); err != nil || len(s.Requests()) != 3 {
				t.Errorf("%v after %d requests, want an answer after 3", err, len(s.Requests()))
			}
		})
	}
}

// The load balancer API is asked five times a second beyond a burst of twenty, further attempts included. A turn that
// would come after the end of the run is a call that came too late.
func TestLoadBalancersAreAskedInTurn(t *testing.T) {
	t.Parallel()
	s, c := serve(t, load(t, "alb-c01-health-path-404"))
	s.Faults().On("elasticloadbalancing:DescribeTargetHealth", fault.Fault{Kind: fault.Throttled, Calls: 4})
	ctx := context.Background()
	start := time.Now()
	for n := range 26 {
		if n == 20 { // the burst is over; there is no such group: what counts is that it takes five attempts
			_, _ = c.Reader().TargetHealth(ctx, "arn:tg")
		}
		if _, err := c.Reader().LoadBalancers(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if took, least := time.Since(start), 2100*time.Millisecond; took < least {
		t.Errorf("31 attempts took %s, want at least %s: 11 of them after the burst", took, least)
	}
	short, end := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer end()
	_, err := c.Reader().LoadBalancers(short)
	isGap(t, "elasticloadbalancing:DescribeLoadBalancers", diagnostics.Timeout, err)
	if n := len(s.Requests()); n != 26+5 {
		t.Errorf("%d requests, want 31: the last call never had its turn", n)
	}
}

// What was asked together with others is not asked again: of tags only those that aren't known yet.
func TestTagsAreAskedOnce(t *testing.T) {
	w := load(t, "alb-c01-health-path-404")
	s, c := serve(t, w)
	r, ctx := c.Reader(), context.Background()
	arns := slices.Sorted(maps.Keys(keyed(t, w, "elbv2", "Tags")))
	if len(arns) < 2 {
		t.Fatal("the world has tags of one resource only")
	}
	for _, ask := range [][]string{arns[:1], arns, arns[1:], arns} {
		got, err := r.Tags(ctx, ask...)
		if err != nil || len(got) != len(ask) {
			t.Errorf("tags of %d resources: %d, %v", len(ask), len(got), err)
		}
	}
	if n := len(s.Requests()); n != 2 {
		t.Errorf("%d calls, want 2: %v", n, s.Requests())
	}
}
