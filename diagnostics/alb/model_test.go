package alb

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/elb"
)

// TestClass reads what a health state means: a code in the description goes before the reason.
func TestClass(t *testing.T) {
	for _, tc := range []struct {
		state, reason, description string
		want                       class
		codes                      []int
	}{
		{"healthy", "", "", healthy, nil},
		{"unhealthy", "Target.ResponseCodeMismatch", "Health checks failed with these codes: [404]", code, []int{404}},
		{"unhealthy", "Target.ResponseCodeMismatch", "Health checks failed with these codes: [502, 503]", code, []int{502, 503}},
		{"unhealthy", "Target.FailedHealthChecks", "Health checks failed with these codes: [503]", code, []int{503}},
		{"unhealthy", "Target.FailedHealthChecks", "Health checks failed", refuse, nil},
		{"unhealthy", "Target.FailedHealthChecks", "The load balancer received an error while establishing a connection to the target, or the target response was malformed", refuse, nil},
		{"unhealthy", "Target.Timeout", "Request timed out", drop, nil},
		{"unhealthy", "Target.ResponseCodeMismatch", "Health checks failed with these codes: [12]", code, []int{12}}, // gRPC
		{"initial", "Elb.RegistrationInProgress", "Target registration is in progress", initial, nil},
		{"unused", "Target.NotInUse", "Target is in an Availability Zone that is not enabled for the load balancer", unused, nil},
		{"draining", "Target.DeregistrationInProgress", "Target deregistration is in progress", draining, nil},
		{"unhealthy.draining", "", "", draining, nil},
		{"unavailable", "Target.HealthCheckDisabled", "Health checks are disabled for this target", other, nil},
	} {
		got, codes := classOfHealth(elb.TargetHealth{State: tc.state, Reason: tc.reason, Description: tc.description})
		if got != tc.want || !slices.Equal(codes, tc.codes) {
			t.Errorf("%s %s %q: %v %v, want %v %v", tc.state, tc.reason, tc.description, got, codes, tc.want, tc.codes)
		}
	}
}

func TestPatterns(t *testing.T) {
	prefix, exact, own := networkingv1.PathTypePrefix, networkingv1.PathTypeExact, networkingv1.PathTypeImplementationSpecific
	for _, tc := range []struct {
		path string
		kind *networkingv1.PathType
		want []string
	}{
		{"/", &prefix, []string{"/*"}}, {"/v2", &prefix, []string{"/v2", "/v2/*"}}, {"/v2/", &prefix, []string{"/v2", "/v2/*"}},
		{"/v2", &exact, []string{"/v2"}}, {"/img/*", &own, []string{"/img/*"}}, {"", &prefix, []string{"/*"}},
	} {
		if got := patterns(networkingv1.HTTPIngressPath{Path: tc.path, PathType: tc.kind}); !slices.Equal(got, tc.want) {
			t.Errorf("patterns(%s %s) = %v, want %v", *tc.kind, tc.path, got, tc.want)
		}
	}
}

func TestCovers(t *testing.T) {
	rule := func(host string, paths ...string) elb.Rule {
		r := elb.Rule{Conditions: []elb.Condition{{Field: "path-pattern", Values: paths}}}
		if host != "" {
			r.Conditions = append(r.Conditions, elb.Condition{Field: "host-header", Values: []string{host}})
		}
		return r
	}
	header := rule("", "/*")
	header.Conditions = append(header.Conditions, elb.Condition{Field: "http-header", Values: []string{"x"}})
	for name, tc := range map[string]struct {
		earlier, later elb.Rule
		want           bool
	}{
		"same":             {rule("a.example.com", "/*"), rule("a.example.com", "/*"), true},
		"wider path":       {rule("a.example.com", "/*"), rule("a.example.com", "/v2", "/v2/*"), true},
		"narrower path":    {rule("a.example.com", "/v2/*"), rule("a.example.com", "/*"), false},
		"another host":     {rule("b.example.com", "/*"), rule("a.example.com", "/*"), false},
		"wildcard host":    {rule("*.example.com", "/*"), rule("a.example.com", "/*"), true},
		"any host":         {rule("", "/*"), rule("a.example.com", "/*"), true},
		"one of two paths": {rule("a.example.com", "/v2/*"), rule("a.example.com", "/v2", "/v2/*"), false},
		"by a header too":  {header, rule("a.example.com", "/*"), false},
	} {
		if got := covers(tc.earlier, tc.later); got != tc.want {
			t.Errorf("%s: %v, want %v", name, got, tc.want)
		}
	}
}

// TestCarriers finds the interface of a target wherever its address is.
func TestCarriers(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*fake)
		want   string
	}{
		"secondary address": {func(*fake) {}, "eni-a"},
		"prefix delegation": {func(f *fake) {
			f.enis[1].Addresses = f.enis[1].Addresses[:1]
			f.enis[1].Prefixes = []netip.Prefix{netip.MustParsePrefix("10.0.1.32/28")}
		}, "eni-a"},
		"branch interface": {func(f *fake) {
			f.pods[0].Annotations = map[string]string{"vpc.amazonaws.com/pod-eni": `[{"eniId":"eni-branch","privateIp":"10.0.1.45"}]`}
			f.enis[1].Addresses = f.enis[1].Addresses[:1]
			f.enis = append(f.enis, eni("eni-branch", "subnet-a", "", []string{"sg-pod"}, "10.0.1.45"))
		}, "eni-branch"},
		"Fargate": {func(f *fake) {
			f.nodes[0].Spec.ProviderID = "aws:///us-west-2a/0123456789-abcdef/fargate-ip-10-0-1-45"
			f.enis[1].Instance = ""
		}, "eni-a"},
		"the same address in another VPC": {func(f *fake) {
			twin := f.enis[1]
			twin.ID, twin.VPC = "eni-0-twin", "vpc-2"
			f.enis = append(f.enis, twin)
		}, "eni-a"},
		"nobody": {func(f *fake) { f.enis[1].Addresses = f.enis[1].Addresses[:1] }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := shop()
			tc.change(f)
			s, err := collect(t.Context(), f.inputs(), diagnostics.Target{Name: "web", Cluster: "prod", Region: "us-west-2"})
			if err != nil {
				t.Fatal(err)
			}
			if got := s.Carriers["10.0.1.45"]; got != tc.want {
				t.Errorf("carried by %q, want %q", got, tc.want)
			}
		})
	}
}

// TestBudget keeps a look at one healthy ingress to few calls: the load balancer API shares a small bucket of tokens.
func TestBudget(t *testing.T) {
	f := shop()
	f.diagnose(t)
	elbCalls, ec2Calls := 0, 0
	for permission, n := range f.calls {
		switch {
		case permission[:4] == "ec2:":
			ec2Calls += n
		case len(permission) > 21 && permission[:21] == "elasticloadbalancing:":
			elbCalls += n
		}
	}
	if elbCalls > 10 || ec2Calls > 8 || f.calls["cloudwatch:GetMetricData"] != 1 || f.calls["cloudtrail:LookupEvents"] > 0 || f.calls["get pods/log"] > 0 {
		t.Errorf("%d load balancer calls, %d EC2 calls: %v", elbCalls, ec2Calls, f.calls)
	}
}

func TestQuote(t *testing.T) {
	for text, want := range map[string]string{"/health": "/health", "": "''", "/a b": "'/a b'", "/it's": `'/it'\''s'`, "/x;rm -rf $HOME": "'/x;rm -rf $HOME'"} {
		if got := quote(text); got != want {
			t.Errorf("quote(%q) = %s, want %s", text, got, want)
		}
	}
}

// TestReads: whatever a diagnosis asks for is declared, because roles and policies are made of the declaration.
func TestReads(t *testing.T) {
	f := shop()
	f.dropRule("sgr-pod")
	f.all("unhealthy", timeout, "Request timed out")
	f.health[tgARN] = append(f.health[tgARN], elb.TargetHealth{ID: "192.168.0.9", Port: 8080, Zone: "all", State: "unhealthy", Reason: timeout})
	f.diagnose(t)
	g := shop() // healthy with errors: the logs are read
	g.metrics[elb502] = 3
	g.diagnose(t)
	for _, calls := range []map[string]int{f.calls, g.calls} {
		for permission := range calls {
			if !slices.Contains(Diagnosis.Reads, permission) {
				t.Errorf("%s is asked for and not declared", permission)
			}
		}
	}
}

// TestNothingSecret: environments and what kubectl remembers of them don't get into a snapshot.
func TestNothingSecret(t *testing.T) {
	f := shop()
	f.pods[0].Annotations = map[string]string{corev1.LastAppliedConfigAnnotation: "s3cret"}
	f.pods[0].Spec.Containers[0].Env = []corev1.EnvVar{{Name: "PASSWORD", Value: "s3cret"}}
	f.deployments["shop"][0].Spec.Template.Spec.Containers = f.pods[0].Spec.Containers
	outcome, err := Diagnosis.Run(t.Context(), f.inputs(), diagnostics.Target{Name: "web", Cluster: "prod", Region: "us-west-2"})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(outcome.Snapshot), "s3cret") {
		t.Error("the snapshot holds a secret")
	}
	if f.pods[0].Spec.Containers[0].Env == nil {
		t.Error("the reader's own objects were changed")
	}
}

// TestReplay: a stored snapshot says the same again, and so does every run.
func TestReplay(t *testing.T) {
	f := shop()
	f.dropRule("sgr-pod")
	f.all("unhealthy", timeout, "Request timed out")
	target := diagnostics.Target{Name: "web", Cluster: "prod", Region: "us-west-2"}
	first, err := Diagnosis.Run(t.Context(), f.inputs(), target)
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		again, err := Diagnosis.Run(t.Context(), f.inputs(), target)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(first, again); diff != "" {
			t.Fatal(diff)
		}
	}
	replayed, err := Diagnosis.Replay(first.Snapshot, target, now)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first, replayed); diff != "" {
		t.Error(diff)
	}
}
