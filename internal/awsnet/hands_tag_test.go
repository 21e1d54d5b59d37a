package awsnet_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netdiag/netdiag/internal/awsnet"
	"github.com/netdiag/netdiag/internal/remedy"
	"github.com/netdiag/netdiag/internal/world"
)

// TestTag sets and removes a tag of each kind and takes it back. What isn't as planned, and the group that EKS looks after, are refused.
func TestTag(t *testing.T) {
	ctx := context.Background()
	w := load(t, "alb-s04-tag-ambiguous")
	items, _ := recorded(t, w, "ec2", "SecurityGroups")
	key := "kubernetes.io/cluster/" + w.Meta.Cluster
	var group, ofEKS, was string
	for _, g := range items {
		tags, _ := g["Tags"].([]any)
		for _, e := range tags {
			if e := e.(map[string]any); e["Key"] == key && strings.HasPrefix(g["GroupName"].(string), "eks-cluster-sg-") {
				ofEKS = g["GroupId"].(string)
			} else if e["Key"] == key {
				group, was = g["GroupId"].(string), e["Value"].(string)
			}
		}
	}
	subnets, _ := recorded(t, w, "ec2", "Subnets")
	if group == "" || ofEKS == "" || len(subnets) == 0 {
		t.Fatalf("group %q, group of EKS %q, %d subnets", group, ofEKS, len(subnets))
	}
	s, c := serve(t, w)
	h := c.Hands()
	for _, a := range []remedy.Tag{
		{Resource: group, Key: key, Was: &was},
		{Resource: subnets[0]["SubnetId"].(string), Key: "kubernetes.io/role/cni", Value: new("1")},
	} {
		set := remedy.Action{Tag: &a}
		before := s.World().AWS["ec2"]
		if err := h.DryRun(ctx, set, mark); err != nil {
			t.Fatal(err)
		}
		if done, _, err := h.Look(ctx, set, mark); done || err != nil {
			t.Fatalf("look before: %v %v", done, err)
		}
		if diff := cmp.Diff(before, s.World().AWS["ec2"]); diff != "" {
			t.Fatalf("the dry run changed something:\n%s", diff)
		}
		r, err := h.Apply(ctx, set, mark)
		if err != nil || r.Undo == nil {
			t.Fatalf("apply: %+v %v", r, err)
		}
		if done, seen, err := h.Look(ctx, set, mark); !done || err != nil || cmp.Diff(r, seen) != "" {
			t.Errorf("look after: %v %v\n%s", done, err, cmp.Diff(r, seen))
		}
		if _, err := h.Apply(ctx, set, mark); err != nil || really(s, "CreateTags")+really(s, "DeleteTags") != 1 {
			t.Errorf("a second apply: %v", err)
		}
		if _, err := h.Apply(ctx, *r.Undo, mark); err != nil {
			t.Fatal(err)
		}
		if done, _, err := h.Look(ctx, set, mark); done || err != nil {
			t.Errorf("look after the undo: %v %v", done, err)
		}
		s, c = serve(t, w)
		h = c.Hands()
	}
	for name, a := range map[string]remedy.Tag{
		"the group of EKS": {Resource: ofEKS, Key: key, Was: &was},
		"another value":    {Resource: group, Key: key, Was: new("shared")},
		"not set":          {Resource: subnets[0]["SubnetId"].(string), Key: "kubernetes.io/role/cni", Value: new("1"), Was: new("0")},
		"no such group":    {Resource: "sg-0123456789abcdef0", Key: key, Was: &was},
		"no such subnet":   {Resource: "subnet-0123456789abcdef0", Key: "kubernetes.io/role/cni", Value: new("1")},
	} {
		_, applied := h.Apply(ctx, remedy.Action{Tag: &a}, mark)
		for what, err := range map[string]error{"dry run": h.DryRun(ctx, remedy.Action{Tag: &a}, mark), "apply": applied} {
			if !errors.Is(err, remedy.ErrRefused) {
				t.Errorf("%s, %s: %v, want a refusal", name, what, err)
			}
		}
	}
	if n := calls(s, "CreateTags") + calls(s, "DeleteTags"); n != 0 {
		t.Errorf("%d calls to change a tag", n)
	}
	var drifted *awsnet.Drifted
	if err := h.DryRun(ctx, remedy.Action{Tag: &remedy.Tag{Resource: group, Key: key, Was: new("shared")}}, mark); !errors.As(err, &drifted) {
		t.Errorf("error %v doesn't say that the tag has changed", err)
	}
}

// TestTagOfTheClusterGroup: the group that EKS looks after is known by what EKS says of the cluster, and by its name
// where that can't be read.
func TestTagOfTheClusterGroup(t *testing.T) {
	for name, change := range map[string]func(w *world.World, group item){
		"of another name":      func(_ *world.World, group item) { group["GroupName"] = "nodes" },
		"cluster not readable": func(w *world.World, _ item) { w.Meta.Denied.AWS = []string{"eks:DescribeCluster"} },
	} {
		w := load(t, "alb-s04-tag-ambiguous")
		items, _ := recorded(t, w, "ec2", "SecurityGroups")
		var a remedy.Tag
		for _, g := range items {
			if strings.HasPrefix(g["GroupName"].(string), "eks-cluster-sg-") {
				a = remedy.Tag{Resource: g["GroupId"].(string), Key: "kubernetes.io/cluster/" + w.Meta.Cluster, Was: new("owned")}
				change(w, g)
			}
		}
		store(t, w, "ec2", "SecurityGroups", items)
		s, c := serve(t, w)
		_, err := c.Hands().Apply(context.Background(), remedy.Action{Tag: &a}, mark)
		if !errors.Is(err, remedy.ErrRefused) || !strings.Contains(err.Error(), "EKS puts its tag back") || calls(s, "DeleteTags") != 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}
