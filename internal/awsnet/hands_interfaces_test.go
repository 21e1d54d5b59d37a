package awsnet_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/google/go-cmp/cmp"

	"github.com/netdiag/netdiag/internal/awsnet"
	"github.com/netdiag/netdiag/internal/remedy"
	simaws "github.com/netdiag/netdiag/internal/sim/aws"
	"github.com/netdiag/netdiag/internal/world"
)

// leaks is a world with three leaked interfaces, and the action that deletes them. change edits what is recorded of the second.
func leaks(t *testing.T, change func(w *world.World, eni item)) (*simaws.Server, *awsnet.Client, remedy.Action) {
	t.Helper()
	w := load(t, "pending-s17-leaked-enis")
	items, _ := recorded(t, w, "ec2", "NetworkInterfaces")
	var leaked []item
	for _, n := range items {
		if n["Status"] == "available" {
			leaked = append(leaked, n)
		}
	}
	a := remedy.DeleteInterfaces{Cluster: w.Meta.Cluster, Interfaces: ids(leaked, "NetworkInterfaceId")[:3]}
	slices.Sort(a.Interfaces)
	for _, n := range leaked {
		if n["NetworkInterfaceId"] == a.Interfaces[1] && change != nil {
			change(w, n)
		}
	}
	store(t, w, "ec2", "NetworkInterfaces", items)
	s := simaws.New(w, simaws.Options{Now: time.Now}) // so that sessions last
	return s, client(t, s, w.Meta.Region), remedy.Action{DeleteInterfaces: &a}
}

func store(t *testing.T, w *world.World, service, list string, items []item) {
	t.Helper()
	raw, err := json.Marshal(items)
	if err != nil {
		t.Fatal(err)
	}
	w.AWS[service][list] = raw
}

func tag(n item, key string, value any) {
	tags := n["TagSet"].([]any)
	n["TagSet"] = slices.DeleteFunc(tags, func(e any) bool { return e.(map[string]any)["Key"] == key })
	if value != nil {
		n["TagSet"] = append(n["TagSet"].([]any), item{"Key": key, "Value": value})
	}
}

// really counts the calls of an action that weren't dry.
func really(s *simaws.Server, action string) (n int) {
	for _, r := range s.Requests() {
		if r.Action == action && !r.DryRun {
			n++
		}
	}
	return n
}

func gone(list []string) (out []string) {
	for _, id := range list {
		out = append(out, "interface "+id+" is gone")
	}
	return out
}

func TestDeleteInterfaces(t *testing.T) {
	ctx := context.Background()
	s, c, a := leaks(t, nil)
	h, list := c.Hands(), a.DeleteInterfaces.Interfaces
	if err := h.DryRun(ctx, a, mark); err != nil {
		t.Fatal(err)
	}
	if done, r, err := h.Look(ctx, a, mark); done || err != nil || len(r.Did) > 0 {
		t.Fatalf("look before: %v %+v %v", done, r, err)
	}
	if really(s, "DeleteNetworkInterface") != 0 || calls(s, "DeleteNetworkInterface") != 3 {
		t.Fatal("the dry run deleted something, or tried less than all")
	}
	r, err := h.Apply(ctx, a, mark)
	if diff := cmp.Diff(remedy.Receipt{Did: gone(list), Owned: true}, r); diff != "" || err != nil {
		t.Fatalf("apply: %v\n%s", err, diff)
	}
	if n := really(s, "DeleteNetworkInterface"); n != 3 {
		t.Errorf("%d calls, want 3", n)
	}
	done, seen, err := h.Look(ctx, a, mark)
	if diff := cmp.Diff(r, seen); !done || err != nil || diff != "" {
		t.Errorf("look after: %v, %v\n%s", done, err, diff)
	}
	if again, err := h.Apply(ctx, a, mark); err != nil || cmp.Diff(r, again) != "" || really(s, "DeleteNetworkInterface") != 3 {
		t.Errorf("a second apply: %+v, %v", again, err)
	}
}

// TestDeleteInterfacesRefused: where one of them may still be needed, none is deleted.
func TestDeleteInterfacesRefused(t *testing.T) {
	instanceOf := func(t *testing.T, state string) func(*world.World, item) {
		return func(w *world.World, n item) {
			items, _ := recorded(t, w, "ec2", "Instances")
			for _, e := range n["TagSet"].([]any) {
				if e := e.(map[string]any); e["Key"] == "node.k8s.amazonaws.com/instance_id" {
					items = append(items, item{"InstanceId": e["Value"], "State": item{"Name": state}, "Tags": []any{}})
				}
			}
			store(t, w, "ec2", "Instances", items)
		}
	}
	for name, c := range map[string]struct {
		change func(*world.World, item)
		why    string
	}{
		"attached":      {func(_ *world.World, n item) { n["Status"] = "in-use" }, "it is in-use"},
		"managed":       {func(_ *world.World, n item) { n["RequesterManaged"] = true }, "AWS manages it"},
		"no instance":   {func(_ *world.World, n item) { tag(n, "node.k8s.amazonaws.com/instance_id", nil) }, "no tag node.k8s.amazonaws.com/instance_id"},
		"other cluster": {func(_ *world.World, n item) { tag(n, "cluster.k8s.amazonaws.com/name", "other") }, "cluster.k8s.amazonaws.com/name is not prod"},
		"no cluster":    {func(_ *world.World, n item) { tag(n, "cluster.k8s.amazonaws.com/name", nil) }, "cluster.k8s.amazonaws.com/name is not prod"},
		"no time":       {func(_ *world.World, n item) { tag(n, "node.k8s.amazonaws.com/createdAt", "yesterday") }, "tells no time"},
		"young": {func(_ *world.World, n item) {
			tag(n, "node.k8s.amazonaws.com/createdAt", time.Now().Add(-59*time.Minute).Format(time.RFC3339))
		}, "less than an hour ago"},
		"instance runs":     {instanceOf(t, "running"), "is running"},
		"instance stopped":  {instanceOf(t, "stopped"), "is stopped"},
		"instance ends now": {instanceOf(t, "shutting-down"), "is shutting-down"},
	} {
		t.Run(name, func(t *testing.T) {
			s, client, a := leaks(t, c.change)
			_, applied := client.Hands().Apply(context.Background(), a, mark)
			for what, err := range map[string]error{"dry run": client.Hands().DryRun(context.Background(), a, mark), "apply": applied} {
				if !errors.Is(err, remedy.ErrRefused) || !strings.Contains(err.Error(), a.DeleteInterfaces.Interfaces[1]+" is kept: ") || !strings.Contains(err.Error(), c.why) {
					t.Errorf("%s: %v, want a refusal because %q", what, err, c.why)
				}
			}
			if n := calls(s, "DeleteNetworkInterface"); n != 0 {
				t.Errorf("%d calls to delete", n)
			}
		})
	}
	_, client, a := leaks(t, instanceOf(t, "terminated"))
	if err := client.Hands().DryRun(context.Background(), a, mark); err != nil {
		t.Errorf("of an instance that is terminated: %v", err)
	}
}

// TestDeleteInterfacesMidway: what turns out to be needed after the first was deleted is kept, and told.
func TestDeleteInterfacesMidway(t *testing.T) {
	ctx := context.Background()
	var s *simaws.Server
	var c *awsnet.Client
	var a remedy.Action
	for _, code := range []string{"RequestLimitExceeded", "UnauthorizedOperation"} {
		s, c, a = leaks(t, nil)
		var deleted atomic.Int32
		s.SetFault(func(_, action string) *simaws.Fault {
			if action == "DeleteNetworkInterface" && deleted.Add(1) >= 5 { // after three dry ones the second real one, however often it is repeated
				return &simaws.Fault{Code: code, Status: 503}
			}
			return nil
		})
		if _, err := c.Hands().Apply(ctx, a, mark); err == nil || errors.Is(err, remedy.ErrRefused) {
			t.Fatalf("%s midway: %v, want an error that doesn't say that nothing was changed", code, err)
		}
	}
	list := a.DeleteInterfaces.Interfaces
	done, r, err := c.Hands().Look(ctx, a, mark)
	if diff := cmp.Diff(gone(list[:1]), r.Did); done || err != nil || diff != "" {
		t.Fatalf("look midway: %v, %v\n%s", done, err, diff)
	}

	// Now somebody attaches the second.
	w := s.World()
	items, _ := recorded(t, w, "ec2", "NetworkInterfaces")
	for _, n := range items {
		if n["NetworkInterfaceId"] == list[1] {
			n["Status"] = "in-use"
		}
	}
	store(t, w, "ec2", "NetworkInterfaces", items)
	_, c = serve(t, w)
	want := []string{"interface " + list[0] + " is gone", "interface " + list[2] + " is gone", "interface " + list[1] + " is kept: it is in-use"}
	r, err = c.Hands().Apply(ctx, a, mark)
	if diff := cmp.Diff(want, r.Did); err != nil || diff != "" {
		t.Errorf("apply: %v\n%s", err, diff)
	}
	if done, seen, err := c.Hands().Look(ctx, a, mark); !done || err != nil || cmp.Diff(r, seen) != "" {
		t.Errorf("look: %v %v\n%s", done, err, cmp.Diff(r, seen))
	}
}

// TestDeleteInterfacesLooksAgain: each interface is looked at once more right before it is deleted.
func TestDeleteInterfacesLooksAgain(t *testing.T) {
	ctx := context.Background()
	s, c, a := leaks(t, nil)
	list := a.DeleteInterfaces.Interfaces
	hs := httptest.NewServer(s)
	defer hs.Close()
	somebody := ec2.New(ec2.Options{Region: c.Region(), BaseEndpoint: &hs.URL, Credentials: awsnet.Static("AKIAOTHER", "secret")})
	var deleted atomic.Int32
	s.SetFault(func(_, action string) *simaws.Fault {
		if action == "DeleteNetworkInterface" && deleted.Add(1) == 4 { // after three dry ones the first real one
			_, err := somebody.CreateTags(ctx, &ec2.CreateTagsInput{Resources: list[1:2], Tags: []types.Tag{{Key: aws.String("cluster.k8s.amazonaws.com/name"), Value: aws.String("other")}}})
			if err != nil {
				t.Error(err)
			}
		}
		return nil
	})
	r, err := c.Hands().Apply(ctx, a, mark)
	want := []string{"interface " + list[0] + " is gone", "interface " + list[2] + " is gone", "interface " + list[1] + " is kept: its tag cluster.k8s.amazonaws.com/name is not prod"}
	if diff := cmp.Diff(want, r.Did); err != nil || diff != "" || really(s, "DeleteNetworkInterface") != 2 {
		t.Errorf("%v after %d deletions\n%s", err, really(s, "DeleteNetworkInterface"), diff)
	}
}

// TestDeleteInterfacesDenied: a permission that is missing shows in the dry run, before anything is deleted.
func TestDeleteInterfacesDenied(t *testing.T) {
	s, c, a := leaks(t, func(w *world.World, _ item) { w.Meta.Denied.AWS = []string{"ec2:DeleteNetworkInterface"} })
	_, applied := c.Hands().Apply(context.Background(), a, mark)
	for what, err := range map[string]error{"dry run": c.Hands().DryRun(context.Background(), a, mark), "apply": applied} {
		if !errors.Is(err, remedy.ErrRefused) {
			t.Errorf("%s: %v, want a refusal", what, err)
		}
	}
	if really(s, "DeleteNetworkInterface") != 0 {
		t.Error("it was tried for real")
	}
}
