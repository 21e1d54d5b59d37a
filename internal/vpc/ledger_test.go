package vpc

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var noon = time.Date(2026, 3, 22, 12, 0, 0, 0, time.UTC)

// block gives an interface n addresses of a /24, from the given last byte on.
func block(id string, from, n int, edit func(*NetworkInterface)) NetworkInterface {
	i := NetworkInterface{ID: id, Subnet: "subnet-1", Status: "in-use", Type: "interface", Tags: map[string]string{}}
	for k := range n {
		i.Addresses = append(i.Addresses, netip.MustParseAddr(fmt.Sprintf("10.0.1.%d", from+k)))
	}
	i.Primary = i.Addresses[0]
	if edit != nil {
		edit(&i)
	}
	return i
}

func cniTags(cluster, instance string, made time.Time) map[string]string {
	return map[string]string{"cluster.k8s.amazonaws.com/name": cluster, "node.k8s.amazonaws.com/instance_id": instance,
		"node.k8s.amazonaws.com/createdAt": made.Format(time.RFC3339)}
}

func TestUsable(t *testing.T) {
	for bits, want := range map[int]int{28: 11, 27: 27, 26: 59, 25: 123, 24: 251, 23: 507, 22: 1019, 21: 2043, 20: 4091, 19: 8187, 18: 16379, 16: 65531} {
		if got := Usable(netip.PrefixFrom(netip.MustParseAddr("10.0.0.0"), bits)); got != want {
			t.Errorf("/%d has %d usable addresses, want %d", bits, got, want)
		}
	}
}

func TestLedgerAddsUp(t *testing.T) {
	subnet := Subnet{ID: "subnet-1", CIDR: netip.MustParsePrefix("10.0.1.0/24"), Available: 100}
	tenancy := Tenancy{Cluster: "prod", Now: noon, Nodes: map[string]bool{"i-node": true},
		States: map[string]string{"i-gone": "gone", "i-lives": "running", "i-stopped": "stopped"}}
	old := noon.Add(-48 * time.Hour)
	interfaces := []NetworkInterface{
		block("eni-1", 10, 10, func(i *NetworkInterface) { i.Instance = "i-node" }),
		block("eni-2", 20, 9, func(i *NetworkInterface) {
			i.Instance, i.Device, i.Prefixes = "i-node", 1, []netip.Prefix{netip.MustParsePrefix("10.0.1.112/28")}
		}),
		block("eni-3", 30, 5, func(i *NetworkInterface) { i.Status, i.Tags = "available", cniTags("prod", "i-gone", old) }),
		block("eni-4", 36, 4, func(i *NetworkInterface) {
			i.Status, i.Tags = "available", cniTags("prod", "i-gone", noon.Add(-time.Minute))
		}),
		block("eni-5", 41, 3, func(i *NetworkInterface) { i.Status, i.Tags = "available", cniTags("prod", "i-lives", old) }),
		block("eni-6", 45, 3, func(i *NetworkInterface) { i.Status, i.Tags = "available", cniTags("prod", "i-not-asked", old) }),
		block("eni-7", 50, 7, func(i *NetworkInterface) { i.Status, i.Tags = "available", cniTags("legacy", "i-gone", old) }),
		block("eni-8", 60, 8, func(i *NetworkInterface) { i.Instance, i.Tags["kubernetes.io/cluster/legacy"] = "i-x", "owned" }),
		block("eni-9", 70, 1, func(i *NetworkInterface) { i.Description = "Amazon EKS prod" }),
		block("eni-10", 71, 1, func(i *NetworkInterface) { i.Description, i.Type = "ELB net/x/1", "network_load_balancer" }),
		block("eni-11", 72, 1, func(i *NetworkInterface) { i.Type = "nat_gateway" }),
		block("eni-12", 73, 1, func(i *NetworkInterface) { i.Type = "lambda" }),
		block("eni-13", 74, 1, func(i *NetworkInterface) { i.Type = "vpc_endpoint" }),
		block("eni-14", 75, 1, func(i *NetworkInterface) { i.Description = "RDSNetworkInterface" }),
		block("eni-15", 76, 1, func(i *NetworkInterface) { i.Managed, i.Description = true, "eks-fargate eni" }),
		block("eni-16", 77, 2, func(i *NetworkInterface) { i.Instance = "i-stopped" }),
		block("eni-17", 80, 2, func(i *NetworkInterface) { i.Status, i.Description = "available", "standby ip for appliance" }),
		block("eni-18", 83, 1, func(i *NetworkInterface) { i.Type = "branch" }),
		block("eni-19", 90, 1, func(i *NetworkInterface) { i.Subnet = "subnet-2" }),
	}
	reservations := []Reservation{{Subnet: "subnet-1", Kind: "prefix", CIDR: netip.MustParsePrefix("10.0.1.96/27")}}
	l := NewLedger(subnet, interfaces, reservations, tenancy)
	got := map[string]int{}
	sum := 0
	for _, h := range l.Holders {
		got[string(h.Class)+" "+h.Owner] = h.Addresses
		sum += h.Addresses
	}
	want := map[string]int{
		"nodes of this cluster ": 10, "further interfaces of its nodes ": 25, "leaked CNI interfaces ": 5, "unattached CNI interfaces ": 10,
		"other clusters legacy": 15, "EKS control planes ": 1, "load balancers ": 1, "NAT gateways ": 1, "Lambda functions ": 1, "VPC endpoints ": 1,
		"databases, caches, file systems and other services ": 1, "Fargate pods ": 1, "stopped instances ": 2, "other instances and interfaces ": 2,
		"trunk and branch interfaces ": 1,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("holders (-want +got):\n%s", d)
	}
	// The prefix 10.0.1.112/28 lies in the reservation, so that 16 of its 32 addresses are still free.
	if l.Reserved != 16 {
		t.Errorf("reserved %d, want 16", l.Reserved)
	}
	if total := l.Available + sum + l.Reserved + l.Unaccounted; total != l.Usable || l.Usable != 251 || l.Used != sum {
		t.Errorf("%d available + %d held + %d reserved + %d unaccounted is %d, want 251", l.Available, sum, l.Reserved, l.Unaccounted, total)
	}
	if l.Unaccounted <= 0 {
		t.Errorf("unaccounted %d: what can't be seen must be said", l.Unaccounted)
	}
	if l.Others() != sum-10-25-5-10-1 {
		t.Errorf("others %d", l.Others())
	}
	if d := cmp.Diff([]string{"eni-3"}, l.Of(Leaked).IDs); d != "" {
		t.Errorf("leaked (-want +got):\n%s", d)
	}
}

func TestCleanPrefixes(t *testing.T) {
	for bits, want := range map[int]int{28: 0, 27: 0, 26: 2, 25: 6, 24: 14, 23: 30, 22: 62, 21: 126, 20: 254, 19: 510} {
		if got := CleanPrefixes(netip.PrefixFrom(netip.MustParseAddr("10.0.0.0"), bits)); got != want {
			t.Errorf("/%d has %d whole /28, want %d", bits, got, want)
		}
	}
}

// Of the addresses that AWS keeps none is free, in a reservation either: an empty subnet adds up whatever is reserved.
func TestReservedAddsUp(t *testing.T) {
	for cidr, want := range map[string]int{"10.0.1.64/26": 64, "10.0.1.128/25": 127, "10.0.1.0/25": 124, "10.0.1.0/24": 251} {
		subnet := Subnet{ID: "subnet-1", CIDR: netip.MustParsePrefix("10.0.1.0/24"), Available: 251 - want}
		l := NewLedger(subnet, nil, []Reservation{{Subnet: "subnet-1", Kind: "prefix", CIDR: netip.MustParsePrefix(cidr)}}, Tenancy{Now: noon})
		if l.Reserved != want || l.Unaccounted != 0 {
			t.Errorf("%s reserved: %d free in it and %d unaccounted, want %d and 0", cidr, l.Reserved, l.Unaccounted, want)
		}
	}
}

func TestFreePrefixes(t *testing.T) {
	subnet := Subnet{ID: "subnet-1", CIDR: netip.MustParsePrefix("10.0.1.0/24"), Available: 251}
	free := func(available int, interfaces []NetworkInterface, reservations ...Reservation) Prefixes {
		s := subnet
		s.Available = available
		return FreePrefixes(NewLedger(s, interfaces, reservations, Tenancy{Now: noon}), interfaces, reservations)
	}
	if got := free(251, nil); got.Free != 14 || got.AtLeast != 14 || got.Free != CleanPrefixes(subnet.CIDR) {
		t.Errorf("empty /24: %+v, want 14 free", got)
	}
	// One address in every block spoils all of them, however many are free.
	var one []NetworkInterface
	for n := range 16 {
		one = append(one, block(fmt.Sprintf("eni-%d", n), n*16+5, 1, nil))
	}
	if got := free(235, one); !got.None() || got.Broken != 16 {
		t.Errorf("an address in each block: %+v, want none free", got)
	}
	// Two used addresses that nobody sees could spoil two blocks.
	if got := free(248, one[:1]); got.Free != 14 || got.AtLeast != 12 {
		t.Errorf("unaccounted addresses: %+v, want 12 to 14", got)
	}
	if got := free(15, one[:1]); got.Free != 0 {
		t.Errorf("15 available: %+v, want none", got)
	}
	if got := free(0, one[1:2], Reservation{Subnet: "subnet-1", Kind: "prefix", CIDR: netip.MustParsePrefix("10.0.1.128/26")}); got.None() || got.Reserved != 4 {
		t.Errorf("nothing available, but a reservation for prefixes: %+v, want 4 reserved", got)
	}
	if got := free(200, nil, Reservation{Subnet: "subnet-1", Kind: "explicit", CIDR: netip.MustParsePrefix("10.0.1.128/26")}); got.Free != 10 {
		t.Errorf("explicit reservation: %+v, want 10 free", got)
	}
}

func TestFreeBlock(t *testing.T) {
	v := VPC{CIDRs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/16")}}
	subnets := []Subnet{{CIDR: netip.MustParsePrefix("10.0.0.0/20")}, {CIDR: netip.MustParsePrefix("10.0.17.0/24")}}
	if got, ok := FreeBlock(v, subnets, 20); !ok || got.String() != "10.0.32.0/20" {
		t.Errorf("free /20: %v %v", got, ok)
	}
	if got, ok := FreeBlock(v, append(subnets, Subnet{CIDR: netip.MustParsePrefix("10.0.0.0/16")}), 24); ok {
		t.Errorf("a full VPC has a free block %v", got)
	}
}

// Who holds an interface is told by its attachment, its tags, its type and its description, in this order.
func TestClassify(t *testing.T) {
	old := noon.Add(-48 * time.Hour)
	tenancy := Tenancy{Cluster: "prod", Now: noon, Nodes: map[string]bool{"i-node": true},
		States:   map[string]string{"i-gone": "gone", "i-terminated": "terminated", "i-lives": "running", "i-stopped": "stopped", "i-legacy": "running"},
		Clusters: map[string]string{"i-legacy": "legacy", "i-lives": "prod"}}
	described := func(text string) NetworkInterface {
		return NetworkInterface{Status: "in-use", Type: "interface", Description: text}
	}
	typed := func(kind string) NetworkInterface { return NetworkInterface{Status: "in-use", Type: kind} }
	loose := func(tags map[string]string, edit func(*NetworkInterface)) NetworkInterface {
		i := NetworkInterface{Status: "available", Type: "interface", Description: "aws-K8S-" + tags["node.k8s.amazonaws.com/instance_id"], Tags: tags}
		if edit != nil {
			edit(&i)
		}
		return i
	}
	for _, c := range []struct {
		name  string
		i     NetworkInterface
		class Class
		owner string
	}{
		{"first interface of a node", NetworkInterface{Type: "interface", Instance: "i-node", Tags: map[string]string{"kubernetes.io/cluster/prod": "owned"}}, NodePrimary, ""},
		{"further interface of a node", NetworkInterface{Type: "interface", Instance: "i-node", Device: 1, Description: "aws-K8S-i-node"}, NodeSecondary, ""},
		{"interface of another network card", NetworkInterface{Type: "interface", Instance: "i-node", Card: 1}, NodeSecondary, ""},
		{"trunk", NetworkInterface{Type: "trunk", Instance: "i-node", Device: 2}, TrunkBranch, ""},
		{"branch, by its description", described("aws-k8s-branch-eni"), TrunkBranch, ""},
		{"branch of another cluster", NetworkInterface{Type: "branch", Tags: map[string]string{"cluster.k8s.amazonaws.com/name": "legacy"}}, OtherCluster, "legacy"},
		{"interface of another cluster's CNI", NetworkInterface{Type: "interface", Instance: "i-x", Device: 1, Tags: cniTags("legacy", "i-x", old)}, OtherCluster, "legacy"},
		{"first interface of another cluster's node, by the tags of the instance", NetworkInterface{Type: "interface", Instance: "i-legacy"}, OtherCluster, "legacy"},
		{"instance of this cluster that is no node", NetworkInterface{Type: "interface", Instance: "i-lives"}, OtherInstance, ""},
		{"leaked: the instance is gone", loose(cniTags("prod", "i-gone", old), nil), Leaked, ""},
		{"leaked: the instance is terminated", loose(cniTags("prod", "i-terminated", old), nil), Leaked, ""},
		{"not leaked: attached", loose(cniTags("prod", "i-gone", old), func(i *NetworkInterface) { i.Status = "in-use" }), OtherInstance, ""},
		{"not leaked: of another cluster", loose(cniTags("legacy", "i-gone", old), nil), OtherCluster, "legacy"},
		{"not leaked: managed by AWS", loose(cniTags("prod", "i-gone", old), func(i *NetworkInterface) { i.Managed = true }), Unattached, ""},
		{"not proved: young", loose(cniTags("prod", "i-gone", noon.Add(-59*time.Minute)), nil), Unattached, ""},
		{"not proved: no time", loose(map[string]string{"cluster.k8s.amazonaws.com/name": "prod", "node.k8s.amazonaws.com/instance_id": "i-gone"}, nil), Unattached, ""},
		{"not proved: its instance lives", loose(cniTags("prod", "i-lives", old), nil), Unattached, ""},
		{"not proved: its instance is stopped", loose(cniTags("prod", "i-stopped", old), nil), Unattached, ""},
		{"not proved: its instance was not asked for", loose(cniTags("prod", "i-unknown", old), nil), Unattached, ""},
		{"not proved: its instance is a node", loose(cniTags("prod", "i-node", old), nil), Unattached, ""},
		{"unattached, of nobody", loose(nil, func(i *NetworkInterface) { i.Description = "standby" }), OtherInstance, ""},
		{"control plane", described("Amazon EKS prod"), ControlPlane, ""},
		{"Fargate", NetworkInterface{Managed: true, Type: "interface", Description: "fargate-1234"}, Fargate, ""},
		{"application load balancer", described("ELB app/shop/50dc6c495c0c9188"), LoadBalancer, ""},
		{"gateway load balancer", described("ELB gwy/fw/50dc6c495c0c9188"), LoadBalancer, ""},
		{"classic load balancer", described("ELB shop"), LoadBalancer, ""},
		{"network load balancer, by its type", typed("network_load_balancer"), LoadBalancer, ""},
		{"load balancer, by who asked for it", NetworkInterface{Type: "interface", Requester: "amazon-elb"}, LoadBalancer, ""},
		{"NAT gateway", typed("nat_gateway"), NATGateway, ""},
		{"NAT gateway, as the SDK spells it", typed("natGateway"), NATGateway, ""},
		{"NAT gateway, by its description", described("Interface for NAT Gateway nat-1"), NATGateway, ""},
		{"function", typed("lambda"), Lambda, ""},
		{"function, by its description", described("AWS Lambda VPC ENI-thumbs-1"), Lambda, ""},
		{"endpoint", described("VPC Endpoint Interface vpce-1"), Endpoint, ""},
		{"endpoint of a gateway load balancer", typed("gateway_load_balancer_endpoint"), Endpoint, ""},
		{"database", described("RDSNetworkInterface"), ManagedService, ""},
		{"warehouse", described("RedshiftNetworkInterface"), ManagedService, ""},
		{"cache", described("ElastiCache sessions-001"), ManagedService, ""},
		{"file system", described("EFS mount target for fs-1 (fsmt-1)"), ManagedService, ""},
		{"transit gateway", described("Network Interface for Transit Gateway Attachment tgw-attach-1"), ManagedService, ""},
		{"directory", described("AWS created network interface for directory d-1"), OtherInstance, ""},
		{"directory service", described("Directory Service d-1"), ManagedService, ""},
		{"service that has no test of its own", NetworkInterface{Managed: true, Type: "interface", Description: "DMSNetworkInterface"}, ManagedService, ""},
		{"stopped instance", NetworkInterface{Type: "interface", Instance: "i-stopped"}, Stopped, ""},
		{"running instance", NetworkInterface{Type: "interface", Instance: "i-unknown"}, OtherInstance, ""},
	} {
		if class, owner := tenancy.Classify(c.i); class != c.class || owner != c.owner {
			t.Errorf("%s: %s %q, want %s %q", c.name, class, owner, c.class, c.owner)
		}
	}
}
