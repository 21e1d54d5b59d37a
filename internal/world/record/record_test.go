package record_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/awsnet"
	"github.com/netdiag/netdiag/internal/kube"
	"github.com/netdiag/netdiag/internal/sim/access"
	simaws "github.com/netdiag/netdiag/internal/sim/aws"
	simkube "github.com/netdiag/netdiag/internal/sim/kube"
	"github.com/netdiag/netdiag/internal/world"
	"github.com/netdiag/netdiag/internal/world/record"
)

var meta = world.Meta{Ask: "pending backend", Now: time.Date(2026, 11, 22, 10, 30, 0, 0, time.UTC), Cluster: "prod", Region: "us-west-2"}

// build loads a world of these files.
func build(t *testing.T, cluster, aws string) *world.World {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"world.yaml":   "ask: pending backend\nnow: \"2026-11-22T10:30:00Z\"\ncluster: prod\nregion: us-west-2\naccount: \"123456789012\"\n",
		"cluster.yaml": cluster, "aws.json": aws,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w, err := world.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// cluster reads a served world's Kubernetes through the recorder.
func cluster(t *testing.T, w *world.World, o simkube.Options, r *record.Recorder) *kube.Reader {
	t.Helper()
	s := simkube.New(w, o)
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	t.Cleanup(s.Close)
	cfg := access.Kubernetes(srv.URL, "netdiag")
	cfg.Wrap(r.Kubernetes)
	c, err := kube.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c.Reader()
}

// account reads a served world's AWS through the recorder.
func account(t *testing.T, w *world.World, o simaws.Options, r *record.Recorder) (*simaws.Server, *awsnet.Client) {
	t.Helper()
	s := simaws.New(w, o)
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	options := access.AWS("us-west-2", srv.URL)
	options.Observe = r.AWS
	c, err := awsnet.New(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	return s, c
}

// again serves what was recorded, and reads it anew.
func again(t *testing.T, w *world.World) *kube.Reader {
	t.Helper()
	return cluster(t, w, simkube.Options{}, record.New())
}

const pods = `apiVersion: v1
kind: Pod
metadata: {name: a, namespace: backend}
---
apiVersion: v1
kind: Pod
metadata: {name: b, namespace: kube-system}
---
apiVersion: v1
kind: Pod
metadata: {name: c, namespace: other}
`

// A permission that is granted in one namespace and not in another is recorded as that, and acts as that.
func TestDeniedInOneNamespace(t *testing.T) {
	r := record.New()
	k := cluster(t, build(t, pods, "{}"), simkube.Options{Authorize: func(_, _, _, namespace, _ string) bool { return namespace == "backend" }}, r)
	read := func(k *kube.Reader) string {
		out := ""
		for _, ns := range []string{"backend", "kube-system", ""} {
			l, err := k.Pods(t.Context(), diagnostics.PodQuery{Namespace: ns})
			out += fmt.Sprintf("%q: %d %s, ", ns, len(l), reason(err))
		}
		return out
	}
	if _, err := k.Nodes(t.Context()); reason(err) != diagnostics.Denied {
		t.Fatal(err)
	}
	live := read(k)
	w, notes := r.World(meta, diagnostics.Report{})
	want := []string{"list nodes", "list pods in all namespaces", "list pods in kube-system"}
	if diff := cmp.Diff(want, w.Meta.Denied.Kubernetes); diff != "" || len(notes) > 0 {
		t.Errorf("denied (-want +got):\n%s%v", diff, notes)
	}
	if captured := read(again(t, w)); captured != live {
		t.Errorf("captured %s, live %s", captured, live)
	}
	if len(w.Objects) != 1 {
		t.Errorf("%d objects, want the one pod that could be read", len(w.Objects))
	}
}

func reason(err error) string {
	if re, ok := errors.AsType[*diagnostics.ReadError](err); ok {
		return re.Reason
	}
	return fmt.Sprint(err)
}

const definition = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: eniconfigs.crd.k8s.amazonaws.com}
spec:
  group: crd.k8s.amazonaws.com
  scope: Cluster
  names: {kind: ENIConfig, plural: eniconfigs}
  versions: [{name: v1alpha1, served: true, storage: true}]
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: peerauthentications.security.istio.io}
spec:
  group: security.istio.io
  scope: Namespaced
  names: {kind: PeerAuthentication, plural: peerauthentications}
  versions: [{name: v1, served: true, storage: true}]
`

// A custom resource of which there is none is told from one that the cluster doesn't serve, also where neither may be read.
func TestCustomResources(t *testing.T) {
	read := func(k *kube.Reader) string {
		out := ""
		for _, c := range [][3]string{{"crd.k8s.amazonaws.com", "v1alpha1", "eniconfigs"}, {"security.istio.io", "v1", "peerauthentications"}, {"externaldns.k8s.io", "v1alpha1", "dnsendpoints"}} {
			l, err := k.Customs(t.Context(), c[0], c[1], c[2], "")
			out += fmt.Sprintf("%s: %d %s, ", c[2], len(l), reason(err))
		}
		return out
	}
	for name, c := range map[string]struct {
		options simkube.Options
		want    string
		denied  []string
	}{
		"may be read":     {simkube.Options{}, "eniconfigs: 0 <nil>, peerauthentications: 0 <nil>, dnsendpoints: 0 absent, ", nil},
		"may not be read": {simkube.Options{Authorize: func(_, verb, _, _, _ string) bool { return verb != "list" }}, "eniconfigs: 0 denied, peerauthentications: 0 denied, dnsendpoints: 0 absent, ", []string{"list eniconfigs.crd.k8s.amazonaws.com", "list peerauthentications.security.istio.io"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := record.New()
			if live := read(cluster(t, build(t, definition, "{}"), c.options, r)); live != c.want {
				t.Fatalf("live %s, want %s", live, c.want)
			}
			w, _ := r.World(meta, diagnostics.Report{})
			if diff := cmp.Diff(c.denied, w.Meta.Denied.Kubernetes); diff != "" {
				t.Errorf("denied (-want +got):\n%s", diff)
			}
			if captured := read(again(t, w)); captured != c.want {
				t.Errorf("captured %s, want %s", captured, c.want)
			}
		})
	}
}

// A read without an answer must not look like an empty list.
func TestReadsWithoutAnAnswer(t *testing.T) {
	r := record.New()
	s := simkube.New(build(t, pods, "{}"), simkube.Options{})
	s.SetFault(func(req *http.Request) *simkube.Fault {
		if strings.HasSuffix(req.URL.Path, "/nodes") {
			return &simkube.Fault{Status: http.StatusInternalServerError}
		}
		return nil
	})
	srv := httptest.NewServer(s)
	defer srv.Close()
	defer s.Close()
	cfg := access.Kubernetes(srv.URL, "netdiag")
	cfg.Wrap(r.Kubernetes)
	c, err := kube.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Reader().Nodes(t.Context()); reason(err) != diagnostics.Timeout {
		t.Fatal(err)
	}
	// What was never even sent stands in the report alone.
	w, notes := r.World(meta, diagnostics.Report{Gaps: []diagnostics.Gap{{Permission: "list events", Reason: diagnostics.Timeout}, {Permission: "ec2:DescribeVpcs", Reason: diagnostics.Timeout}}})
	if diff := cmp.Diff([]string{"list events", "list nodes"}, w.Meta.Denied.Kubernetes); diff != "" || len(notes) != 3 {
		t.Errorf("denied (-want +got):\n%s%v", diff, notes)
	}
}

const vpcs = `{"ec2": {
	"Vpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16"}],
	"Subnets": [{"SubnetId": "subnet-1", "VpcId": "vpc-1", "CidrBlock": "10.0.0.0/24", "AvailableIpAddressCount": 0},
		{"SubnetId": "subnet-2", "VpcId": "vpc-1", "CidrBlock": "10.0.1.0/24", "AvailableIpAddressCount": 9, "Tags": [{"Key": "empty", "Value": ""}]},
		{"SubnetId": "subnet-3", "VpcId": "vpc-1", "CidrBlock": "10.0.2.0/24", "AvailableIpAddressCount": 9}],
	"SecurityGroups": [], "SecurityGroupRules": []},
	"eks": {"Clusters": [{"name": "prod", "arn": "arn:aws:eks:us-west-2:123456789012:cluster/prod", "tags": {"Team": "x"}}], "Addons": [],
		"Nodegroups": [{"clusterName": "prod", "nodegroupName": "ng-1", "subnets": ["subnet-1"]}]}}`

// Pages are merged, an answer without items is an empty list, and what was not asked for is not there.
func TestListsOfAWS(t *testing.T) {
	r := record.New()
	_, c := account(t, build(t, "", vpcs), simaws.Options{Page: 1}, r)
	read := c.Reader()
	ctx := t.Context()
	for _, err := range []error{
		second(read.SubnetsOf(ctx, "vpc-1")), second(read.Subnets(ctx, "subnet-2")), second(read.SecurityGroups(ctx, "sg-1")),
		second(read.Cluster(ctx, "prod")), second(read.Addon(ctx, "prod", "vpc-cni")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	w, notes := r.World(meta, diagnostics.Report{})
	if len(notes) > 0 {
		t.Error(notes)
	}
	var got any
	b, err := json.Marshal(w.AWS)
	if err == nil {
		err = json.Unmarshal(b, &got)
	}
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]map[string]any
	if err := json.Unmarshal([]byte(vpcs), &all); err != nil {
		t.Fatal(err)
	}
	want := any(map[string]any{
		"ec2": map[string]any{"Subnets": all["ec2"]["Subnets"], "SecurityGroups": []any{}},
		"eks": map[string]any{"Clusters": all["eks"]["Clusters"], "Addons": []any{}},
	})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("aws.json (-want +got):\n%s", diff)
	}
}

func second[T any](_ T, err error) error { return err }

// What went wrong on the wire is told, and half a list is none.
func TestDeniedThrottledAndBrokenCallsOfAWS(t *testing.T) {
	base := build(t, "", vpcs)
	base.Meta.Denied.AWS = []string{"eks:DescribeNodegroup"}
	base.Meta.Throttled = []string{"ec2:DescribeVpcs"}
	r := record.New()
	s, c := account(t, base, simaws.Options{Page: 1}, r)
	pages := 0
	s.SetFault(func(_, action string) *simaws.Fault {
		if action == "DescribeSubnets" {
			if pages++; pages > 1 {
				return &simaws.Fault{Code: "InternalError", Status: http.StatusInternalServerError}
			}
		}
		return nil
	})
	read, ctx := c.Reader(), t.Context()
	if _, err := read.VPC(ctx, "vpc-1"); err != nil {
		t.Fatal(err)
	}
	if _, err := read.SubnetsOf(ctx, "vpc-1"); reason(err) != diagnostics.Timeout {
		t.Fatal(err)
	}
	if _, _, err := read.Nodegroups(ctx, "prod", 10); reason(err) != diagnostics.Denied {
		t.Fatal(err)
	}
	if _, err := read.PrefixList(ctx, "pl-1"); reason(err) != diagnostics.Absent { // not recorded there either
		t.Fatal(err)
	}
	w, notes := r.World(meta, diagnostics.Report{})
	if diff := cmp.Diff(base.Meta.Denied.AWS, w.Meta.Denied.AWS); diff != "" {
		t.Error("denied", diff)
	}
	if diff := cmp.Diff(base.Meta.Throttled, w.Meta.Throttled); diff != "" {
		t.Error("throttled", diff)
	}
	if len(notes) != 1 || !strings.HasPrefix(notes[0], "ec2:DescribeSubnets ") {
		t.Errorf("notes %q", notes)
	}
	for list, want := range map[string]bool{"Vpcs": true, "Subnets": false, "ManagedPrefixLists": false} {
		if _, there := w.AWS["ec2"][list]; there != want {
			t.Errorf("ec2.%s is there: %t", list, there)
		}
	}
	// The node group that may be listed but not described is there by its name.
	_, c = account(t, w, simaws.Options{}, record.New())
	if _, _, err := c.Reader().Nodegroups(ctx, "prod", 10); reason(err) != diagnostics.Denied {
		t.Errorf("node groups of the captured world: %v", err)
	}
}

// A read that was given up leaves no trace.
func TestAbandonedReads(t *testing.T) {
	r := record.New()
	_, c := account(t, build(t, "", vpcs), simaws.Options{}, r)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Reader().VPC(ctx, "vpc-1"); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	w, notes := r.World(meta, diagnostics.Report{})
	if len(w.AWS) > 0 || len(notes) > 0 || len(w.Meta.Denied.AWS) > 0 {
		t.Errorf("%v %v %v", w.AWS, notes, w.Meta.Denied)
	}
}

// want is what the report says, for a person to check.
func TestWantIsTheVerdict(t *testing.T) {
	w, _ := record.New().World(meta, diagnostics.Report{
		Causes:       []diagnostics.Finding{{ID: "pending/a", Confidence: diagnostics.Possible}, {ID: "pending/b", Confidence: diagnostics.Likely}, {ID: "pending/a"}},
		Contributing: []diagnostics.Finding{{ID: "pending/c"}},
		Fixes:        []diagnostics.Fix{{ID: "pending/f"}, {ID: "pending/g"}},
		Refused:      []diagnostics.Refused{{ID: "pending/r", Why: "0 of 16 blocks are free"}, {ID: "pending/q", Why: "it would not help"}},
		Gaps:         []diagnostics.Gap{{Permission: "list events", Reason: diagnostics.Denied}, {Permission: "list pods", Reason: diagnostics.Absent}},
	})
	want := world.Want{
		Causes: []string{"pending/a", "pending/b"}, Contributing: []string{"pending/c"}, Fix: []string{"pending/f"}, Refused: []string{"pending/r"},
		Confidence: "likely", Gaps: []string{"list events"},
	}
	if diff := cmp.Diff(want, w.Meta.Want); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
