package awsnet_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/sim/fleet"

	simaws "github.com/netdiag/netdiag/internal/sim/aws"
)

// Interfaces of a large account are read in chunks and pages, each once, whichever way they are asked for.
func TestInterfacesOfALargeAccount(t *testing.T) {
	f := fleet.New(500, 40, time.Date(2026, 11, 22, 10, 30, 0, 0, time.UTC))
	s := simaws.New(f.World(), simaws.Options{Crowd: f})
	r, ctx := client(t, s, "us-west-2").Reader(), context.Background()
	full, nodes := f.Full()
	held := 0
	bySubnet, err := r.Interfaces(ctx, diagnostics.InterfaceQuery{Subnets: []string{full}})
	if err != nil {
		t.Fatal(err)
	}
	instances := map[string]bool{}
	var addresses []string
	for _, i := range bySubnet {
		held += i.Held()
		if i.Subnet != full {
			t.Errorf("%s is in subnet %s", i.ID, i.Subnet)
		}
		if i.Instance != "" {
			instances[i.Instance] = true
			addresses = append(addresses, i.Addresses[len(i.Addresses)-1].String())
		}
	}
	if held != 2043 || len(instances) != nodes {
		t.Errorf("%d addresses on the interfaces of %d instances, want 2043 on %d", held, len(instances), nodes)
	}
	byAddress, err := r.Interfaces(ctx, diagnostics.InterfaceQuery{Addresses: addresses})
	if err != nil || len(byAddress) != len(addresses) {
		t.Errorf("%d interfaces by address, %v, want %d", len(byAddress), err, len(addresses))
	}
	var all []string
	for n := range 450 {
		all = append(all, fmt.Sprintf("i-0f1ee7%011x", n+1))
	}
	before := len(s.Requests())
	byInstance, err := r.Interfaces(ctx, diagnostics.InterfaceQuery{Instances: all})
	if err != nil {
		t.Fatal(err)
	}
	chunks := 0
	for _, q := range s.Requests()[before:] {
		if !q.Further {
			chunks++
		}
	}
	if want := 20*2 + 430*3; len(byInstance) != want || chunks != 3 {
		t.Errorf("%d interfaces in %d chunks, want %d in 3", len(byInstance), chunks, want)
	}
}
