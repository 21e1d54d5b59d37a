package pending

import (
	"maps"
	"net/netip"
	"slices"
	"testing"

	"github.com/netdiag/netdiag/diagnostics/awsnode"
	"github.com/netdiag/netdiag/internal/vpc"
)

func TestSubnetDiscovery(t *testing.T) {
	for _, c := range []struct {
		name      string
		version   string
		home      map[string]string // tags of the node's subnet
		further   map[string]string // tags of a further subnet in the zone
		available int               // there
		env       map[string]string
		want      []string
	}{
		{"0 takes the node's subnet away, and there is no other", "v1.22.0", map[string]string{awsnode.TagCNI: "0"}, nil, 100, nil, []string{"subnet-discovery confirmed"}},
		{"0 means nothing to the node's subnet before v1.22", "v1.21.1", map[string]string{awsnode.TagCNI: "0"}, nil, 100, nil, nil},
		{"the other is tagged for another cluster", "v1.22.0", map[string]string{awsnode.TagCNI: "0"}, map[string]string{awsnode.TagCNI: "1", awsnode.TagCluster + "legacy": "shared"}, 100, nil, []string{"subnet-discovery confirmed"}},
		{"the other is tagged for this cluster too", "v1.22.0", map[string]string{awsnode.TagCNI: "0"}, map[string]string{awsnode.TagCNI: "1", awsnode.TagCluster + "legacy": "shared", awsnode.TagCluster + "prod": "shared"}, 100, nil, nil},
		{"the other is full", "v1.22.0", map[string]string{awsnode.TagCNI: "0"}, map[string]string{awsnode.TagCNI: "1"}, 0, nil, []string{"subnet-exhausted confirmed"}},
		{"discovery is off, but the tag is heeded", "v1.22.0", map[string]string{awsnode.TagCNI: "0"}, map[string]string{awsnode.TagCNI: "1"}, 100, map[string]string{"ENABLE_SUBNET_DISCOVERY": "false"}, []string{"subnet-discovery confirmed"}},
		{"no tag takes the node's subnet away", "v1.22.0", nil, nil, 100, nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			sc := newScene(100, 100)
			sc.node("n1", "a", 9, 9)
			sc.s.Driver.Version = c.version
			maps.Copy(sc.s.Driver.Env, c.env)
			sc.s.Subnets[0].Tags = c.home
			further := sc.s.Subnets[0]
			further.ID, further.CIDR, further.Tags, further.Available = "subnet-c", netip.MustParsePrefix("10.0.3.0/24"), c.further, c.available
			sc.s.Subnets = append(sc.s.Subnets, further)
			sc.wait("n1", 2, assignFailed, nil)
			if got := keys(sc.judged(t).Causes); !slices.Equal(got, c.want) {
				t.Errorf("causes %v, want %v", got, c.want)
			}
		})
	}
}

// An interface in a subnet that a tag takes away gives no address to new pods, however many it has left.
func TestAddressesOfAnExcludedSubnetAreNotFree(t *testing.T) {
	c := newScene(100, 100)
	c.s.Driver.Version = "v1.22.0"
	c.s.Subnets[0].Tags = map[string]string{awsnode.TagCNI: "0"}
	c.node("n1", "a", 4, 9)
	c.wait("n1", 1, assignFailed, nil)
	if got := keys(c.judged(t).Causes); !slices.Equal(got, []string{"subnet-discovery confirmed"}) {
		t.Errorf("causes %v", got)
	}
}

func TestDiscovered(t *testing.T) {
	for _, c := range []struct {
		version string
		tags    map[string]string
		want    bool
	}{
		{"v1.20.4", nil, false},
		{"v1.20.4", map[string]string{awsnode.TagCNI: "0"}, true},
		{"v1.20.4", map[string]string{awsnode.TagCNI: "1", awsnode.TagCluster + "legacy": "shared"}, true},
		{"v1.22.0-eksbuild.1", map[string]string{awsnode.TagCNI: "0"}, false},
		{"v1.22.0", map[string]string{awsnode.TagCNI: "1"}, true},
		{"v1.22.0", map[string]string{awsnode.TagCNI: "1", awsnode.TagCluster + "legacy": "shared"}, false},
		{"latest", map[string]string{awsnode.TagCNI: "0"}, false},
	} {
		s := newScene(0, 0).s
		s.Driver.Version = c.version
		if got := s.setup().Discovered(vpc.Subnet{Tags: c.tags}); got != c.want {
			t.Errorf("%s, tags %v: discovered %t", c.version, c.tags, got)
		}
	}
}
