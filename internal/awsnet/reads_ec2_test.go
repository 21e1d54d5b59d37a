package awsnet_test

import (
	"context"
	"slices"
	"testing"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/awsnet"
	"github.com/netdiag/netdiag/internal/vpc"
	"github.com/netdiag/netdiag/internal/world"
)

func readEC2(t *testing.T, w *world.World, r *awsnet.Reader) {
	ctx := context.Background()
	vpcs, _ := recorded(t, w, "ec2", "Vpcs")
	subnets, _ := recorded(t, w, "ec2", "Subnets")
	for _, v := range vpcs {
		id := v["VpcId"].(string)
		got, err := r.VPC(ctx, id)
		if err != nil || got.ID != id || len(got.CIDRs) == 0 || got.CIDRs[0].String() != v["CidrBlock"] {
			t.Errorf("VPC %s: %+v, %v", id, got, err)
		}
		of, err := r.SubnetsOf(ctx, id)
		if err != nil {
			t.Error(err)
		}
		for _, s := range of {
			if i := slices.IndexFunc(subnets, func(i item) bool { return i["SubnetId"] == s.ID }); i < 0 ||
				float64(s.Available) != subnets[i]["AvailableIpAddressCount"] || s.CIDR.String() != subnets[i]["CidrBlock"] || s.Zone != subnets[i]["AvailabilityZone"] ||
				len(s.Tags) != len(subnets[i]["Tags"].([]any)) {
				t.Errorf("subnet %+v differs from %v", s, subnets[i])
			}
		}
		if len(of) == 0 {
			t.Errorf("VPC %s has no subnets", id)
		}
		tables, _ := recorded(t, w, "ec2", "RouteTables")
		routes, err := r.RouteTables(ctx, id)
		if err != nil || len(routes) != len(tables) {
			t.Errorf("%d route tables, want %d: %v", len(routes), len(tables), err)
		}
		for _, rt := range routes {
			for _, e := range rt.Routes {
				if e.Target == "" || e.State == "" || !e.Destination.IsValid() && e.PrefixList == "" {
					t.Errorf("route table %s: route %+v lacks something", rt.ID, e)
				}
			}
		}
	}
	all := ids(subnets, "SubnetId")
	for _, id := range all {
		one, err := r.Subnets(ctx, id)
		if err != nil || len(one) != 1 || one[0].ID != id {
			t.Errorf("subnet %s: %+v, %v", id, one, err)
		}
	}
	read, err := r.Interfaces(ctx, diagnostics.InterfaceQuery{Subnets: all})
	interfaces, _ := recorded(t, w, "ec2", "NetworkInterfaces")
	byID := map[string]item{}
	for _, i := range interfaces {
		byID[i["NetworkInterfaceId"].(string)] = i
	}
	if err != nil || len(read) != len(byID) {
		t.Errorf("%d interfaces, want %d: %v", len(read), len(byID), err)
	}
	for _, n := range read {
		want := byID[n.ID]
		prefixes, _ := want["Ipv4Prefixes"].([]any)
		attachment, _ := want["Attachment"].(item)
		instance, _ := attachment["InstanceId"].(string)
		device, _ := attachment["DeviceIndex"].(float64)
		tags, _ := want["TagSet"].([]any)
		if len(n.Addresses) != len(want["PrivateIpAddresses"].([]any)) || n.Type != want["InterfaceType"] || n.Primary.String() != want["PrivateIpAddress"] ||
			len(n.Prefixes) != len(prefixes) || n.Instance != instance || n.Device != int(device) || n.Status != want["Status"] || len(n.Tags) != len(tags) ||
			len(n.Groups) != len(want["Groups"].([]any)) || n.Description != want["Description"] || n.Managed != want["RequesterManaged"] {
			t.Errorf("interface %+v differs from %v", n, want)
		}
	}
	if len(read) > 0 {
		last := read[len(read)-1]
		found, err := r.Interfaces(ctx, diagnostics.InterfaceQuery{Addresses: []string{last.Addresses[len(last.Addresses)-1].String()}})
		if err != nil || !slices.ContainsFunc(found, func(n vpc.NetworkInterface) bool { return n.ID == last.ID }) {
			t.Errorf("interface %s not found by its last address: %v", last.ID, err)
		}
	}
	instances, _ := recorded(t, w, "ec2", "Instances")
	gotInstances, err := r.Instances(ctx, ids(instances, "InstanceId")...)
	same(t, "instances", ids(instances, "InstanceId"), got(t, gotInstances, err, func(i vpc.Instance) string { return i.ID }))
	for _, i := range gotInstances {
		if i.Type == "" || i.State == "" || i.State == "running" && (!i.Address.IsValid() || i.Launched.IsZero()) {
			t.Errorf("instance %+v lacks something", i)
		}
	}
	types, _ := recorded(t, w, "ec2", "InstanceTypes")
	gotTypes, err := r.InstanceTypes(ctx, ids(types, "InstanceType")...)
	same(t, "instance types", ids(types, "InstanceType"), got(t, gotTypes, err, func(i vpc.InstanceType) string { return i.Name }))
	for _, ty := range gotTypes {
		if ty.Interfaces < 2 || ty.AddressesPerInterface < 2 || ty.VCPUs == 0 {
			t.Errorf("instance type %+v", ty)
		}
	}
	groups, _ := recorded(t, w, "ec2", "SecurityGroups")
	gotGroups, err := r.SecurityGroups(ctx, append(ids(groups, "GroupId"), "sg-0ffffffffffffffff")...)
	same(t, "security groups", ids(groups, "GroupId"), got(t, gotGroups, err, func(g vpc.SecurityGroup) string { return g.ID }))
	rules, _ := recorded(t, w, "ec2", "SecurityGroupRules")
	gotRules, err := r.SecurityGroupRules(ctx, ids(groups, "GroupId")...)
	same(t, "rules", ids(rules, "SecurityGroupRuleId"), got(t, gotRules, err, func(g vpc.SecurityGroupRule) string { return g.ID }))
	for _, g := range gotRules {
		n := 0
		for _, set := range []bool{g.CIDR.IsValid(), g.PrefixList != "", g.Source != ""} {
			if set {
				n++
			}
		}
		if n != 1 || g.Protocol == "" {
			t.Errorf("rule %+v has %d sources", g, n)
		}
	}
	acls, _ := recorded(t, w, "ec2", "NetworkAcls")
	gotACLs, err := r.NetworkACLs(ctx, all...)
	same(t, "network ACLs", ids(acls, "NetworkAclId"), got(t, gotACLs, err, func(a vpc.NetworkACL) string { return a.ID }))
	if _, ok := recorded(t, w, "ec2", "SubnetCidrReservations"); !ok {
		_, err := r.Reservations(ctx, all[0])
		isAbsent(t, "ec2:GetSubnetCidrReservations", err)
	}
}

func TestEndpoints(t *testing.T) {
	w := load(t, "../own/pending/fargate-registry-endpoints")
	_, c := serve(t, w)
	vpcs, _ := recorded(t, w, "ec2", "Vpcs")
	id, _ := vpcs[0]["VpcId"].(string)
	found, err := c.Reader().Endpoints(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, e := range found {
		kinds = append(kinds, e.Service+" "+e.Kind)
		if e.VPC != id || e.State != "available" || e.PrivateDNS != (e.Kind == "Interface") || (len(e.RouteTables) > 0) != (e.Kind == "Gateway") || (len(e.Subnets) > 0) != (e.Kind == "Interface") {
			t.Errorf("endpoint %+v", e)
		}
	}
	slices.Sort(kinds)
	if want := []string{"com.amazonaws.us-west-2.ecr.api Interface", "com.amazonaws.us-west-2.ecr.dkr Interface", "com.amazonaws.us-west-2.s3 Gateway"}; !slices.Equal(kinds, want) {
		t.Errorf("endpoints %v, want %v", kinds, want)
	}
	if other, err := c.Reader().Endpoints(t.Context(), "vpc-0ther"); err != nil || len(other) > 0 {
		t.Errorf("endpoints of another VPC: %v, %v", other, err)
	}
}
