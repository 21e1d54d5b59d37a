package fleet

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	simaws "github.com/netdiag/netdiag/internal/sim/aws"
)

type object = map[string]any

var _ simaws.Crowd = (*Fleet)(nil)

// Items makes the network interfaces and instances that may pass the filters.
func (f *Fleet) Items(list string, filters map[string][]string) ([]map[string]any, bool) {
	switch list {
	case "NetworkInterfaces":
		var out []object
		for _, n := range f.near(filters, "attachment.instance-id") {
			for e := range f.nodes[n].interfaces {
				out = append(out, f.networkInterface(n, e))
			}
		}
		return append(out, f.others()...), true
	case "Instances":
		var out []object
		for _, n := range f.near(filters, "instance-id") {
			out = append(out, f.instance(n))
		}
		return out, true
	}
	return nil, false
}

// near gives the nodes among which are all that pass the filters; instance is the filter that names instances.
func (f *Fleet) near(filters map[string][]string, instance string) []int {
	var out []int
	seen := map[int]bool{}
	add := func(n int) {
		if n >= 0 && n < len(f.nodes) && !seen[n] {
			seen[n] = true
			out = append(out, n)
		}
	}
	switch {
	case len(filters[instance]) > 0:
		for _, id := range filters[instance] {
			var n int
			if _, err := fmt.Sscanf(id, "i-0f1ee7%x", &n); err == nil {
				add(n - 1)
			}
		}
	case len(filters["addresses.private-ip-address"]) > 0:
		for _, text := range filters["addresses.private-ip-address"] {
			if a, err := netip.ParseAddr(text); err == nil {
				add(f.holder(a))
			}
		}
	case len(filters["subnet-id"]) > 0:
		for _, id := range filters["subnet-id"] {
			for _, s := range f.subnets {
				for n := range s.n {
					if s.id == id {
						add(s.first + n)
					}
				}
			}
		}
	case len(filters["network-interface-id"]) > 0:
		for _, id := range filters["network-interface-id"] {
			var n int
			if _, err := fmt.Sscanf(id, "eni-0f1ee7%x", &n); err == nil {
				add((n - 1) / 4)
			}
		}
	case len(filters["description"]) > 0: // those of nodes have none
	default:
		for n := range f.nodes {
			add(n)
		}
	}
	return out
}

// holder is the node that has an address; -1 where none has it.
func (f *Fleet) holder(a netip.Addr) int {
	for _, s := range f.subnets {
		if !s.cidr.Contains(a) {
			continue
		}
		for n := s.first; n < s.first+s.n; n++ {
			if !a.Less(f.address(n, 0, 0)) && a.Less(f.address(n, f.nodes[n].interfaces, 0)) {
				return n
			}
		}
	}
	return -1
}

func (f *Fleet) groupOf(s subnet) object {
	if s.closed {
		return object{"GroupId": oldGroup, "GroupName": cluster + "-node-old"}
	}
	return object{"GroupId": nodeGroup, "GroupName": cluster + "-node"}
}

func tags(pairs ...string) []any {
	out := []any{}
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, object{"Key": pairs[i], "Value": pairs[i+1]})
	}
	return out
}

func (f *Fleet) ago(d time.Duration) string { return f.now.Add(-d).Format(time.RFC3339) }

func (f *Fleet) networkInterface(n, e int) object {
	s := f.subnets[f.nodes[n].subnet]
	var addresses []any
	for i := range perInterface {
		addresses = append(addresses, object{"PrivateIpAddress": f.address(n, e, i).String(), "Primary": i == 0})
	}
	description, tagged := "", tags("kubernetes.io/cluster/"+cluster, "owned", "eks:nodegroup-name", groupName(f.nodes[n].subnet))
	if e > 0 {
		description = "aws-K8S-" + instanceID(n)
		tagged = tags("node.k8s.amazonaws.com/instance_id", instanceID(n), "cluster.k8s.amazonaws.com/name", cluster, "node.k8s.amazonaws.com/createdAt", f.ago(90*time.Hour))
	}
	return object{
		"NetworkInterfaceId": f.interfaceID(n, e), "Status": "in-use", "InterfaceType": "interface", "Description": description, "SubnetId": s.id, "VpcId": vpcID,
		"AvailabilityZone": s.zone, "OwnerId": account, "RequesterManaged": false, "PrivateIpAddress": f.address(n, e, 0).String(), "PrivateIpAddresses": addresses,
		"Ipv6Addresses": []any{}, "Groups": []any{f.groupOf(s)}, "SourceDestCheck": true, "TagSet": tagged,
		"Attachment": object{"AttachmentId": fmt.Sprintf("eni-attach-0f1ee7%011x", 4*n+e), "AttachTime": f.ago(90 * time.Hour), "DeleteOnTermination": true,
			"DeviceIndex": e, "NetworkCardIndex": 0, "Status": "attached", "InstanceOwnerId": account, "InstanceId": instanceID(n)},
	}
}

// others are the interfaces that belong to no node: databases in what nodes leave of the full subnet, and the load balancer.
func (f *Fleet) others() []object {
	full := f.subnets[0]
	last := f.nodes[full.n-1]
	var out []object
	make1 := func(id, subnet, zone, address, description, requester, group string) {
		out = append(out, object{
			"NetworkInterfaceId": id, "Status": "in-use", "InterfaceType": "interface", "Description": description, "SubnetId": subnet, "VpcId": vpcID,
			"AvailabilityZone": zone, "OwnerId": account, "RequesterManaged": true, "RequesterId": requester, "PrivateIpAddress": address,
			"PrivateIpAddresses": []any{object{"PrivateIpAddress": address, "Primary": true}}, "Ipv6Addresses": []any{}, "Groups": []any{object{"GroupId": group}},
			"SourceDestCheck": true, "TagSet": []any{},
			"Attachment": object{"AttachmentId": "ela-attach-" + id[4:], "DeviceIndex": 1, "InstanceOwnerId": requester, "Status": "attached"},
		})
	}
	n := 0
	for a := plus(full.cidr.Addr(), last.offset+last.interfaces*perInterface); full.cidr.Contains(a.Next()); a = a.Next() {
		make1(fmt.Sprintf("eni-0f1ee6%011x", n), full.id, full.zone, a.String(), "RDSNetworkInterface", "amazon-rds", clusterGroup)
		n++
	}
	for z, p := range publics() {
		make1(fmt.Sprintf("eni-0f1ee5%011x", z), p.id, p.zone, plus(p.cidr.Addr(), 10).String(), "ELB "+strings.TrimPrefix(balancerPath, "loadbalancer/"), "amazon-elb", albGroup)
	}
	return out
}

// publics are the subnets of the load balancer.
func publics() []subnet {
	var out []subnet
	for z := range 3 {
		out = append(out, subnet{
			id: fmt.Sprintf("subnet-0f1ee5%011x", z), zone: region + string(rune('a'+z)),
			cidr: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(200 + z), 0}), 24), available: 240,
		})
	}
	return out
}

func (f *Fleet) instance(n int) object {
	s := f.subnets[f.nodes[n].subnet]
	return object{
		"InstanceId": instanceID(n), "InstanceType": instanceType, "State": object{"Code": 16, "Name": "running"}, "PrivateIpAddress": f.address(n, 0, 0).String(),
		"PrivateDnsName": f.nodes[n].name, "SubnetId": s.id, "VpcId": vpcID, "Placement": object{"AvailabilityZone": s.zone, "Tenancy": "default"},
		"LaunchTime": f.ago(100 * time.Hour), "SecurityGroups": []any{f.groupOf(s)}, "BlockDeviceMappings": []any{}, "NetworkInterfaces": []any{},
		"Tags": tags("Name", cluster+"-"+groupName(f.nodes[n].subnet), "eks:cluster-name", cluster),
	}
}
