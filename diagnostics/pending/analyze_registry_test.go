package pending

import (
	"slices"
	"testing"

	"github.com/netdiag/netdiag/internal/vpc"
)

func TestRegistryWithinTheVPC(t *testing.T) {
	endpoint := func(service, kind string, edit func(*vpc.ServiceEndpoint)) vpc.ServiceEndpoint {
		e := vpc.ServiceEndpoint{Service: "com.amazonaws.us-west-2." + service, Kind: kind, State: "available", PrivateDNS: kind == "Interface"}
		if kind == "Gateway" {
			e.RouteTables = []string{"rtb-1"}
		}
		if edit != nil {
			edit(&e)
		}
		return e
	}
	api, registry, store := endpoint("ecr.api", "Interface", nil), endpoint("ecr.dkr", "Interface", nil), endpoint("s3", "Gateway", nil)
	for _, c := range []struct {
		name      string
		endpoints []vpc.ServiceEndpoint
		denied    bool
		within    bool
		missing   []string
	}{
		{"none", nil, false, false, []string{"ecr.api", "ecr.dkr", "s3"}},
		{"all", []vpc.ServiceEndpoint{api, registry, store}, false, true, nil},
		{"all of them interfaces", []vpc.ServiceEndpoint{api, registry, endpoint("s3", "Interface", nil)}, false, true, nil},
		{"the store is not in this route table", []vpc.ServiceEndpoint{api, registry, endpoint("s3", "Gateway", func(e *vpc.ServiceEndpoint) { e.RouteTables = []string{"rtb-2"} })}, false, false, []string{"s3"}},
		{"a name does not lead to its endpoint", []vpc.ServiceEndpoint{api, endpoint("ecr.dkr", "Interface", func(e *vpc.ServiceEndpoint) { e.PrivateDNS = false }), store}, false, false, []string{"ecr.dkr"}},
		{"not ready", []vpc.ServiceEndpoint{endpoint("ecr.api", "Interface", func(e *vpc.ServiceEndpoint) { e.State = "pending" }), registry, store}, false, false, []string{"ecr.api"}},
		{"not to be read", []vpc.ServiceEndpoint{api, registry, store}, true, false, nil},
	} {
		a := &analysis{s: &Snapshot{Endpoints: c.endpoints}}
		if c.denied {
			a.s.Unread = denied("ec2:DescribeVpcEndpoints")
		}
		if within, missing := a.registryWithin("rtb-1"); within != c.within || !slices.Equal(missing, c.missing) {
			t.Errorf("%s: within %t, missing %v", c.name, within, missing)
		}
	}
}
