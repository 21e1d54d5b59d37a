package awsnet_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/awsnet"
	simaws "github.com/netdiag/netdiag/internal/sim/aws"
	"github.com/netdiag/netdiag/internal/trail"
)

// reads makes every read that has a permission of its own, as a diagnosis would.
func reads(ctx context.Context, r *awsnet.Reader, cluster string) map[string]error {
	out := map[string]error{}
	_, out["ec2:DescribeVpcs"] = r.VPC(ctx, "vpc-1")
	_, out["ec2:DescribeSubnets"] = r.Subnets(ctx, "subnet-1")
	_, out["ec2:DescribeNetworkInterfaces"] = r.Interfaces(ctx, diagnostics.InterfaceQuery{IDs: []string{"eni-1"}})
	_, out["ec2:DescribeInstances"] = r.Instances(ctx, "i-1")
	_, out["ec2:DescribeInstanceTypes"] = r.InstanceTypes(ctx, "m5.large")
	_, out["ec2:DescribeSecurityGroups"] = r.SecurityGroups(ctx, "sg-1")
	_, out["ec2:DescribeSecurityGroupRules"] = r.SecurityGroupRules(ctx, "sg-1")
	_, out["ec2:DescribeNetworkAcls"] = r.NetworkACLs(ctx, "subnet-1")
	_, out["ec2:DescribeRouteTables"] = r.RouteTables(ctx, "vpc-1")
	_, out["ec2:DescribeVpcEndpoints"] = r.Endpoints(ctx, "vpc-1")
	_, out["ec2:GetSubnetCidrReservations"] = r.Reservations(ctx, "subnet-1")
	_, out["ec2:GetManagedPrefixListEntries"] = r.PrefixList(ctx, "pl-1")
	_, out["elasticloadbalancing:DescribeLoadBalancers"] = r.LoadBalancers(ctx)
	_, out["elasticloadbalancing:DescribeListeners"] = r.Listeners(ctx, "arn:lb")
	_, out["elasticloadbalancing:DescribeRules"] = r.Rules(ctx, "arn:listener")
	_, out["elasticloadbalancing:DescribeTargetGroups"] = r.TargetGroups(ctx, "arn:tg")
	_, out["elasticloadbalancing:DescribeTargetHealth"] = r.TargetHealth(ctx, "arn:tg")
	_, out["elasticloadbalancing:DescribeTags"] = r.Tags(ctx, "arn:tg")
	_, out["elasticloadbalancing:DescribeLoadBalancerAttributes"] = r.LoadBalancerAttributes(ctx, "arn:lb")
	_, out["elasticloadbalancing:DescribeTargetGroupAttributes"] = r.TargetGroupAttributes(ctx, "arn:tg")
	_, out["eks:DescribeCluster"] = r.Cluster(ctx, cluster)
	_, out["eks:DescribeAddon"] = r.Addon(ctx, cluster, "vpc-cni")
	_, out["eks:DescribeAddonConfiguration"] = r.AddonSchema(ctx, "vpc-cni", "v1")
	_, _, out["eks:ListNodegroups"] = r.Nodegroups(ctx, cluster, 10)
	_, out["eks:ListFargateProfiles"] = r.FargateProfiles(ctx, cluster)
	_, out["autoscaling:DescribeScalingActivities"] = r.Activities(ctx, "asg")
	_, out["cloudwatch:GetMetricData"] = r.Metrics(ctx, time.Unix(0, 0), time.Unix(60, 0), []trail.Query{{Namespace: "a", Metric: "b", Statistic: "Sum", Period: time.Minute}})
	_, out["cloudtrail:LookupEvents"] = r.Audit(ctx, "sg-1", time.Unix(0, 0), time.Unix(60, 0))
	return out
}

// TestDenied denies everything: each read is a gap with its own permission.
func TestDenied(t *testing.T) {
	w := load(t, "alb-c01-health-path-404")
	_, open := serve(t, w)
	for permission := range reads(context.Background(), open.Reader(), w.Meta.Cluster) {
		w.Meta.Denied.AWS = append(w.Meta.Denied.AWS, permission)
	}
	s, c := serve(t, w)
	for permission, err := range reads(context.Background(), c.Reader(), w.Meta.Cluster) {
		isGap(t, permission, diagnostics.Denied, err)
	}
	var want = map[string]string{"ec2": "UnauthorizedOperation", "elasticloadbalancing": "AccessDenied", "eks": "AccessDeniedException",
		"cloudwatch": "AccessDenied", "cloudtrail": "AccessDeniedException", "autoscaling": "AccessDenied"}
	for _, r := range s.Requests() {
		if r.Code != want[r.Service] {
			t.Errorf("%s:%s answered %s, want %s", r.Service, r.Action, r.Code, want[r.Service])
		}
	}
}

func mustClient(t *testing.T, region, url string) *awsnet.Client {
	t.Helper()
	c, err := awsnet.New(context.Background(), awsnet.Options{Region: region, BaseEndpoint: url, Credentials: awsnet.Static("AKIATEST", "secret")})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func isGap(t *testing.T, permission, reason string, err error) {
	t.Helper()
	var re *diagnostics.ReadError
	if !errors.As(err, &re) || re.Permission != permission || re.Reason != reason {
		t.Errorf("%s: error %v, want a gap with reason %s", permission, err, reason)
	}
}

// TestThrottledAtFirst: the worlds' throttling is overcome by retries, in every service.
func TestThrottledAtFirst(t *testing.T) {
	w := load(t, "alb-c01-health-path-404")
	actions := []string{
		"ec2:DescribeSubnets", "elasticloadbalancing:DescribeLoadBalancers", "eks:DescribeCluster", "cloudwatch:GetMetricData", "cloudtrail:LookupEvents",
	}
	w.Meta.Throttled = actions
	s, c := serve(t, w)
	all := reads(context.Background(), c.Reader(), w.Meta.Cluster)
	for _, permission := range actions {
		if err := all[permission]; err != nil {
			t.Errorf("%s: %v", permission, err)
		}
		var codes []string
		for _, r := range s.Requests() {
			if r.Service+":"+r.Action == permission {
				codes = append(codes, r.Code)
			}
		}
		if len(codes) != 3 || codes[0] == "" || codes[1] == "" || codes[2] != "" {
			t.Errorf("%s answered %q, want two errors and then success", permission, codes)
		}
	}
}

// TestThrottledForGood: a service that never stops throttling is a gap, not an endless wait.
func TestThrottledForGood(t *testing.T) {
	w := load(t, "alb-c01-health-path-404")
	s, c := serve(t, w)
	s.SetFault(func(service, _ string) *simaws.Fault {
		code := map[string]string{"ec2": "RequestLimitExceeded", "elasticloadbalancing": "Throttling", "eks": "ThrottlingException"}[service]
		return &simaws.Fault{Code: code, Message: "too fast"}
	})
	r := c.Reader()
	_, err := r.Subnets(context.Background(), "subnet-1")
	isGap(t, "ec2:DescribeSubnets", diagnostics.Throttled, err)
	_, err = r.TargetHealth(context.Background(), "arn")
	isGap(t, "elasticloadbalancing:DescribeTargetHealth", diagnostics.Throttled, err)
	_, err = r.Addon(context.Background(), "c", "vpc-cni")
	isGap(t, "eks:DescribeAddon", diagnostics.Throttled, err)
}

// TestUnreachable: no answer at all, and one that never comes, are timeouts.
func TestUnreachable(t *testing.T) {
	hs := httptest.NewServer(nil)
	hs.Close()
	_, err := mustClient(t, "us-west-2", hs.URL).Reader().Subnets(context.Background(), "subnet-1")
	isGap(t, "ec2:DescribeSubnets", diagnostics.Timeout, err)

	s, c := serve(t, load(t, "alb-c01-health-path-404"))
	s.SetFault(func(string, string) *simaws.Fault { return &simaws.Fault{Latency: time.Hour} })
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	_, err = c.Reader().Subnets(ctx, "subnet-1")
	isGap(t, "ec2:DescribeSubnets", diagnostics.Timeout, err)

	gone, giveUp := context.WithCancel(context.Background())
	giveUp()
	_, err = c.Reader().Subnets(gone, "subnet-1")
	var re *diagnostics.ReadError
	if !errors.Is(err, context.Canceled) || errors.As(err, &re) {
		t.Errorf("error %v, want the cancellation itself: it is no gap", err)
	}
}

// TestNoIdentity: bad credentials are for the person who asked, with what to do; they are no gap.
func TestNoIdentity(t *testing.T) {
	w := load(t, "alb-c01-health-path-404")
	for _, code := range []string{"ExpiredToken", "ExpiredTokenException", "RequestExpired", "InvalidClientTokenId", "UnrecognizedClientException", "AuthFailure"} {
		s, c := serve(t, w)
		s.SetFault(func(string, string) *simaws.Fault {
			return &simaws.Fault{Code: code, Message: "who are you?", Status: 403}
		})
		_, err := c.Reader().Subnets(context.Background(), "subnet-1")
		refuses(t, code, err)
	}
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_ROLE_ARN", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"} {
		t.Setenv(name, "")
	}
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_CONFIG_FILE", t.TempDir()+"/none")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", t.TempDir()+"/none")
	c, err := awsnet.New(context.Background(), awsnet.Options{Region: "us-west-2", BaseEndpoint: "http://127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Account(context.Background())
	refuses(t, "no credentials", err)
	t.Setenv("AWS_REGION", "")
	t.Setenv("AWS_DEFAULT_REGION", "")
	_, err = awsnet.New(context.Background(), awsnet.Options{})
	if _, ok := errors.AsType[diagnostics.Refusal](err); !ok {
		t.Errorf("no region: error %v, want a refusal", err)
	}
}

func refuses(t *testing.T, what string, err error) {
	t.Helper()
	var refusal diagnostics.Refusal
	var re *diagnostics.ReadError
	if !errors.As(err, &refusal) || errors.As(err, &re) || !strings.Contains(refusal.Error(), "credentials") {
		t.Errorf("%s: error %v, want a refusal that says what to do", what, err)
	}
}

// TestAskedOnce: the same question of many at once goes to AWS once, and again in another run.
func TestAskedOnce(t *testing.T) {
	w := load(t, "alb-c01-health-path-404")
	s, c := serve(t, w)
	r := c.Reader()
	start := make(chan struct{})
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			<-start
			for range 3 {
				if _, err := r.Subnets(context.Background(), "subnet-b", "subnet-a"); err != nil {
					t.Error(err)
				}
				if _, err := r.Subnets(context.Background(), "subnet-a", "subnet-b", "subnet-a"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	close(start)
	wg.Wait()
	if n := len(s.Requests()); n != 1 {
		t.Errorf("%d calls, want 1: %v", n, s.Requests())
	}
	if _, err := c.Reader().Subnets(context.Background(), "subnet-a", "subnet-b"); err != nil {
		t.Error(err)
	}
	if n := len(s.Requests()); n != 2 {
		t.Errorf("%d calls after a second run, want 2", n)
	}
}

// TestBatches: more names than AWS takes in one call are asked for in several.
func TestBatches(t *testing.T) {
	w := load(t, "pending-s02-max-pods-full-subnets")
	s, c := serve(t, w)
	instances, _ := recorded(t, w, "ec2", "Instances")
	want := ids(instances, "InstanceId")
	names := slices.Clone(want)
	for i := range 450 {
		names = append(names, fmt.Sprintf("i-0ff%014d", i))
	}
	got, err := c.Reader().Instances(context.Background(), names...)
	if err != nil || len(got) != len(want) {
		t.Errorf("%d instances, want %d: %v", len(got), len(want), err)
	}
	if n, least := len(s.Requests()), (len(names)+199)/200; n != least {
		t.Errorf("%d calls for %d names, want %d", n, len(names), least)
	}
}

// TestNoAddon: EKS says in the same way that an add-on and that a cluster isn't there; only the first means that the
// add-on is not installed.
func TestNoAddon(t *testing.T) {
	w := load(t, "alb-c01-health-path-404")
	s, c := serve(t, w)
	s.SetFault(func(_, action string) *simaws.Fault { // without the members that name what is missing
		if action == "DescribeAddon" {
			return &simaws.Fault{Code: "ResourceNotFoundException", Status: 404, Message: "not found"}
		}
		return nil
	})
	if a, err := c.Reader().Addon(context.Background(), w.Meta.Cluster, "vpc-cni"); a != nil || err != nil {
		t.Errorf("an add-on that isn't installed: %v, %v", a, err)
	}
	_, err := c.Reader().Addon(context.Background(), "no-such-cluster", "vpc-cni")
	isGap(t, "eks:DescribeAddon", diagnostics.Absent, err)
}
