package pending

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/diagnostics/awsnode"
	"github.com/netdiag/netdiag/internal/remedy"
	"github.com/netdiag/netdiag/internal/vpc"
)

const (
	homeSubnet    = "subnet-0000000a"
	furtherSubnet = "subnet-0000000c"
)

// withFurther is a node that is full, in homeSubnet, and furtherSubnet beside it, in which nothing is.
func withFurther(available int) *scene {
	c := newScene(available, 100)
	c.node("n1", "a", 9, 9)
	c.wait("n1", 2, assignFailed, nil)
	c.s.Subnets[0].ID, c.s.Whole[0] = homeSubnet, homeSubnet
	for n := range c.s.Interfaces {
		c.s.Interfaces[n].Subnet = homeSubnet
	}
	c.s.Subnets = append(c.s.Subnets, vpc.Subnet{ID: furtherSubnet, VPC: "vpc-1", Zone: "us-west-2a", CIDR: netip.MustParsePrefix("10.0.3.0/24"), Available: 251})
	c.s.RouteTables = []vpc.RouteTable{{ID: "rtb-1", Main: true, Routes: []vpc.Route{{Destination: netip.MustParsePrefix("0.0.0.0/0"), Target: "nat-1"}}}}
	return c
}

// tags lists the tags that the offered fixes would set, as resource=value.
func tags(r diagnostics.Report) (out []string) {
	for _, f := range r.Fixes {
		if f.ID != "pending/add-pod-subnet" || f.Action == nil {
			continue
		}
		value := "deleted"
		if f.Action.Tag.Value != nil {
			value = *f.Action.Tag.Value
		}
		out = append(out, f.Action.Tag.Resource+" "+value)
	}
	return out
}

// A subnet that lacks nothing but the tag is given to pods by the bot itself, and only where the tag is all that it takes.
func TestTagSubnet(t *testing.T) {
	for _, c := range []struct {
		name  string
		build func() *scene
		want  []string
		says  string // in the fix
	}{
		{"unused, with the same routes", func() *scene { return withFurther(0) }, []string{furtherSubnet + " 1"}, "nothing is in subnet " + furtherSubnet},
		{"something is in it", func() *scene { c := withFurther(0); c.s.Subnets[2].Available = 250; return c }, nil, "create-subnet"},
		{"too small", func() *scene {
			c := withFurther(0)
			c.s.Subnets[2].CIDR, c.s.Subnets[2].Available = netip.MustParsePrefix("10.0.3.0/29"), 2
			return c
		}, nil, "create-subnet"},
		{"another zone", func() *scene { c := withFurther(0); c.s.Subnets[2].Zone = "us-west-2b"; return c }, nil, "create-subnet"},
		{"another VPC", func() *scene { c := withFurther(0); c.s.Subnets[2].VPC = "vpc-2"; return c }, nil, "create-subnet"},
		{"public", func() *scene {
			c := withFurther(0)
			c.s.Subnets[2].Tags = map[string]string{"kubernetes.io/role/elb": "1"}
			return c
		}, nil, "create-subnet"},
		{"other routes", func() *scene {
			c := withFurther(0)
			c.s.RouteTables = append(c.s.RouteTables, vpc.RouteTable{ID: "rtb-2", Subnets: []string{furtherSubnet}})
			return c
		}, nil, "its routes are not known to be those of subnet " + homeSubnet},
		{"routes that could not be read", func() *scene { c := withFurther(0); c.s.RouteTables = nil; return c }, nil, "its routes are not known"},
		{"another cluster in the VPC", func() *scene {
			c := withFurther(0)
			c.s.Subnets[1].Tags = map[string]string{"kubernetes.io/cluster/legacy": "shared"}
			return c
		}, nil, "Key=cni.networking.k8s.aws/cluster/prod,Value=shared"},
		{"declared by Terraform", func() *scene {
			c := withFurther(0)
			c.s.Subnets[2].Tags = map[string]string{"terraform": "true"}
			return c
		}, nil, "terraform declares subnet " + furtherSubnet},
		{"a vpc-cni of unknown version", func() *scene { c := withFurther(0); c.s.Driver.Version = "latest"; return c }, nil, "create-tags --resources " + furtherSubnet},
		{"kept out of both", func() *scene {
			c := withFurther(100)
			c.s.Driver.Version = "v1.22.0"
			c.s.Subnets[0].Tags = map[string]string{awsnode.TagCNI: "0"}
			return c
		}, []string{furtherSubnet + " 1", homeSubnet + " deleted"}, "set the tag to 0 again"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := c.build().judged(t)
			if diff := cmp.Diff(c.want, tags(r)); diff != "" {
				t.Errorf("tags (-want +got):\n%s", diff)
			}
			var all strings.Builder
			for _, f := range r.Fixes {
				if f.ID == "pending/add-pod-subnet" {
					fmt.Fprintln(&all, f.Proof, f.Blast, f.Undo, f.Commands)
					if f.Executable != (f.Action != nil) {
						t.Errorf("executable %v, action %v", f.Executable, f.Action)
					}
				}
			}
			if !strings.Contains(all.String(), c.says) {
				t.Errorf("no fix says %q:\n%s", c.says, all.String())
			}
		})
	}
}

// Interfaces that are proved to be leaked are deleted by the bot, no more at once than it can look at one by one.
func TestDeleteLeaked(t *testing.T) {
	for leaked, deleted := range map[int]int{3: 3, 30: remedy.MaxInterfaces} {
		c := full()
		var want []string
		for n := range leaked {
			id := fmt.Sprintf("eni-%08x", 100-n)
			c.tenant(2, func(i *vpc.NetworkInterface) {
				i.ID, i.Status = id, "available"
				i.Tags = map[string]string{"cluster.k8s.amazonaws.com/name": "prod", "node.k8s.amazonaws.com/instance_id": "i-gone", "node.k8s.amazonaws.com/createdAt": now.Add(-48 * time.Hour).Format(time.RFC3339)}
			})
			want = append(want, id)
		}
		c.s.States = map[string]string{"i-gone": "gone"}
		fix, _ := offered(c.judged(t), "delete-leaked-enis")
		slices.Sort(want)
		want = want[:deleted]
		if !fix.Executable || fix.Action == nil || fix.Action.Validate() != nil {
			t.Fatalf("%d leaked: %+v can't be carried out", leaked, fix)
		}
		if diff := cmp.Diff(&remedy.DeleteInterfaces{Cluster: "prod", Interfaces: want}, fix.Action.DeleteInterfaces); diff != "" || fix.Frees != 2*deleted {
			t.Errorf("%d leaked, frees %d:\n%s", leaked, fix.Frees, diff)
		}
		for _, id := range want { // who approves sees each of them
			if !strings.Contains(strings.Join(fix.Changes, "\n"), id) {
				t.Errorf("%d leaked: the changes don't name %s", leaked, id)
			}
		}
	}
}
