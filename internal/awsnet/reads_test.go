package awsnet_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netdiag/netdiag/diagnostics"
	simaws "github.com/netdiag/netdiag/internal/sim/aws"
	"github.com/netdiag/netdiag/internal/trail"
	"github.com/netdiag/netdiag/internal/world"
)

type item = map[string]any

// recorded gives a list of aws.json, and whether it was recorded.
func recorded(t *testing.T, w *world.World, service, list string) ([]item, bool) {
	t.Helper()
	raw, ok := w.AWS[service][list]
	if !ok {
		return nil, false
	}
	var out []item
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	return out, true
}

func keyed(t *testing.T, w *world.World, service, list string) map[string][]item {
	t.Helper()
	var out map[string][]item
	if err := json.Unmarshal(w.AWS[service][list], &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func ids(items []item, field string) []string {
	var out []string
	for _, i := range items {
		out = append(out, i[field].(string))
	}
	slices.Sort(out)
	return out
}

func got[T any](t *testing.T, l []T, err error, id func(T) string) []string {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
	var out []string
	for _, v := range l {
		out = append(out, id(v))
	}
	slices.Sort(out)
	return out
}

func same(t *testing.T, what string, want, have any) {
	t.Helper()
	if d := cmp.Diff(want, have); d != "" {
		t.Errorf("%s (-aws.json +read):\n%s", what, d)
	}
}

// TestReads reads everything of every world through the SDK and compares it with the files.
func TestReads(t *testing.T) {
	dirs, err := world.Find(worlds)
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			t.Parallel()
			w, err := world.Load(dir)
			if err != nil {
				t.Fatal(err)
			}
			readWorld(t, w, simaws.Options{})
		})
	}
}

// TestPages reads some worlds from an AWS that answers in small pages.
func TestPages(t *testing.T) {
	for _, name := range []string{"alb-s01-custom-sg-unmanaged", "alb-s07-drift-removed", "pending-s36-fargate-no-egress", "pending-s23-discovery-bug"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			readWorld(t, load(t, name), simaws.Options{Page: 2})
		})
	}
}

func readWorld(t *testing.T, w *world.World, o simaws.Options) {
	w.Meta.Denied.AWS = nil // what is denied is another test
	r := client(t, simaws.New(w, o), w.Meta.Region).Reader()
	t.Run("ec2", func(t *testing.T) { readEC2(t, w, r) })
	t.Run("elbv2", func(t *testing.T) { readELB(t, w, r) })
	t.Run("eks", func(t *testing.T) { readEKS(t, w, r) })
	t.Run("witnesses", func(t *testing.T) { readWitnesses(t, w, r) })
}

type reader interface {
	diagnostics.Network
	diagnostics.Interfaces
	diagnostics.Firewalls
	diagnostics.Routing
	diagnostics.Instances
	diagnostics.LoadBalancers
	diagnostics.TargetGroups
	diagnostics.Tags
	diagnostics.Clusters
	diagnostics.Nodegroups
	diagnostics.Metrics
	diagnostics.Audit
}

func isAbsent(t *testing.T, permission string, err error) {
	t.Helper()
	var re *diagnostics.ReadError
	if !errors.As(err, &re) || re.Permission != permission || re.Reason != diagnostics.Absent {
		t.Errorf("error %v, want a ReadError of %s with reason absent", err, permission)
	}
}

func readEC2(t *testing.T, w *world.World, r reader) {
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
		if err != nil || !slices.ContainsFunc(found, func(n vpcInterface) bool { return n.ID == last.ID }) {
			t.Errorf("interface %s not found by its last address: %v", last.ID, err)
		}
	}
	instances, _ := recorded(t, w, "ec2", "Instances")
	gotInstances, err := r.Instances(ctx, ids(instances, "InstanceId")...)
	same(t, "instances", ids(instances, "InstanceId"), got(t, gotInstances, err, func(i vpcInstance) string { return i.ID }))
	for _, i := range gotInstances {
		if i.Type == "" || i.State == "" || i.State == "running" && (!i.Address.IsValid() || i.Launched.IsZero()) {
			t.Errorf("instance %+v lacks something", i)
		}
	}
	types, _ := recorded(t, w, "ec2", "InstanceTypes")
	gotTypes, err := r.InstanceTypes(ctx, ids(types, "InstanceType")...)
	same(t, "instance types", ids(types, "InstanceType"), got(t, gotTypes, err, func(i vpcInstanceType) string { return i.Name }))
	for _, ty := range gotTypes {
		if ty.Interfaces < 2 || ty.AddressesPerInterface < 2 || ty.VCPUs == 0 {
			t.Errorf("instance type %+v", ty)
		}
	}
	groups, _ := recorded(t, w, "ec2", "SecurityGroups")
	gotGroups, err := r.SecurityGroups(ctx, append(ids(groups, "GroupId"), "sg-0ffffffffffffffff")...)
	same(t, "security groups", ids(groups, "GroupId"), got(t, gotGroups, err, func(g vpcGroup) string { return g.ID + "" }))
	rules, _ := recorded(t, w, "ec2", "SecurityGroupRules")
	gotRules, err := r.SecurityGroupRules(ctx, ids(groups, "GroupId")...)
	same(t, "rules", ids(rules, "SecurityGroupRuleId"), got(t, gotRules, err, func(g vpcRule) string { return g.ID }))
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
	same(t, "network ACLs", ids(acls, "NetworkAclId"), got(t, gotACLs, err, func(a vpcACL) string { return a.ID }))
	if _, ok := recorded(t, w, "ec2", "SubnetCidrReservations"); !ok {
		_, err := r.Reservations(ctx, all[0])
		isAbsent(t, "ec2:GetSubnetCidrReservations", err)
	}
}

func readELB(t *testing.T, w *world.World, r reader) {
	ctx := context.Background()
	lbs, ok := recorded(t, w, "elbv2", "LoadBalancers")
	read, err := r.LoadBalancers(ctx)
	if !ok {
		isAbsent(t, "elasticloadbalancing:DescribeLoadBalancers", err)
		return
	}
	same(t, "load balancers", ids(lbs, "LoadBalancerArn"), got(t, read, err, func(l lb) string { return l.ARN }))
	named, err := r.LoadBalancers(ctx, append(ids(lbs, "LoadBalancerName"), "no-such-balancer")...)
	same(t, "load balancers by name", ids(lbs, "LoadBalancerArn"), got(t, named, err, func(l lb) string { return l.ARN }))
	rules, _ := recorded(t, w, "elbv2", "Rules")
	n, defaults := 0, 0
	for _, l := range read {
		if l.DNSName == "" || l.State == "" || len(l.Zones) == 0 || l.Created.IsZero() {
			t.Errorf("load balancer %+v lacks something", l)
		}
		attributes, err := r.LoadBalancerAttributes(ctx, l.ARN)
		if err != nil || attributes["idle_timeout.timeout_seconds"] == "" {
			t.Errorf("attributes of %s: %v, %v", l.ARN, attributes, err)
		}
		listeners, err := r.Listeners(ctx, l.ARN)
		if err != nil || len(listeners) == 0 {
			t.Errorf("listeners of %s: %v, %v", l.ARN, listeners, err)
		}
		for _, li := range listeners {
			got, err := r.Rules(ctx, li.ARN)
			if err != nil || len(got) == 0 {
				t.Errorf("rules of %s: %v, %v", li.ARN, got, err)
				continue
			}
			if !got[len(got)-1].Default {
				t.Errorf("the last rule of %s isn't the default one: %+v", li.ARN, got)
			}
			for _, e := range got {
				if e.Default {
					defaults++
				} else if n++; e.Priority == 0 || len(e.Conditions) == 0 {
					t.Errorf("rule %+v lacks something", e)
				}
				if len(e.Actions) == 0 || e.Actions[len(e.Actions)-1].Type == "forward" && len(e.Actions[len(e.Actions)-1].Targets) == 0 {
					t.Errorf("rule %+v goes nowhere", e)
				}
			}
		}
	}
	recordedDefaults := len(slices.DeleteFunc(slices.Clone(rules), func(i item) bool { return i["IsDefault"] != true }))
	if n != len(rules)-recordedDefaults || defaults == 0 {
		t.Errorf("%d rules and %d default ones, want %d", n, defaults, len(rules)-recordedDefaults)
	}
	groups, _ := recorded(t, w, "elbv2", "TargetGroups")
	tgs, err := r.TargetGroups(ctx, append(ids(groups, "TargetGroupArn"), strings.Replace(read[0].ARN, ":loadbalancer/app/", ":targetgroup/", 1))...)
	same(t, "target groups", ids(groups, "TargetGroupArn"), got(t, tgs, err, func(g tg) string { return g.ARN }))
	health := keyed(t, w, "elbv2", "TargetHealthDescriptions")
	tags := keyed(t, w, "elbv2", "Tags")
	for _, g := range tgs {
		if g.Check.Interval < time.Second || g.Check.Codes == "" || g.Port == 0 || len(g.LoadBalancers) == 0 {
			t.Errorf("target group %+v lacks something", g)
		}
		attributes, err := r.TargetGroupAttributes(ctx, g.ARN)
		if err != nil || attributes["deregistration_delay.timeout_seconds"] == "" {
			t.Errorf("attributes of %s: %v, %v", g.ARN, attributes, err)
		}
		targets, err := r.TargetHealth(ctx, g.ARN)
		if err != nil || len(targets) != len(health[g.ARN]) {
			t.Errorf("%d targets of %s, want %d: %v", len(targets), g.ARN, len(health[g.ARN]), err)
		}
		for i, h := range targets {
			want := health[g.ARN][i]["TargetHealth"].(item)
			reason, _ := want["Reason"].(string)
			description, _ := want["Description"].(string)
			same(t, "health of "+h.ID, []string{want["State"].(string), reason, description}, []string{h.State, h.Reason, h.Description})
		}
	}
	got, err := r.Tags(ctx, slices.Collect(maps.Keys(tags))...)
	if err != nil || len(got) != len(tags) {
		t.Errorf("tags of %d things, want %d: %v", len(got), len(tags), err)
	}
	for arn, l := range tags {
		if len(got[arn]) != len(l) {
			t.Errorf("tags of %s: %v, want %v", arn, got[arn], l)
		}
	}
}

func readEKS(t *testing.T, w *world.World, r reader) {
	ctx := context.Background()
	clusters, _ := recorded(t, w, "eks", "Clusters")
	for _, want := range clusters {
		name := want["name"].(string)
		c, err := r.Cluster(ctx, name)
		if err != nil {
			t.Fatal(err)
		}
		v := want["resourcesVpcConfig"].(item)
		compute, _ := want["computeConfig"].(item)
		if c.VPC != v["vpcId"] || len(c.Subnets) != len(v["subnetIds"].([]any)) || c.Version != want["version"] || c.AutoMode != (compute["enabled"] == true) || c.IPFamily == "" {
			t.Errorf("cluster %+v differs from %v", c, want)
		}
		addons, _ := recorded(t, w, "eks", "Addons")
		for _, a := range addons {
			got, err := r.Addon(ctx, name, a["addonName"].(string))
			if err != nil || got == nil {
				t.Fatalf("add-on %s: %v, %v", a["addonName"], got, err)
			}
			values, _ := a["configurationValues"].(string)
			if got.Configuration != values || got.Version != a["addonVersion"] || got.Modified.Format(time.RFC3339) != strings.Replace(a["modifiedAt"].(string), "+00:00", "Z", 1) {
				t.Errorf("add-on %+v differs from %v", got, a)
			}
		}
		if none, err := r.Addon(ctx, name, "no-such-add-on"); none != nil || err != nil {
			t.Errorf("an add-on that isn't installed: %v, %v", none, err)
		}
		nodegroups, _ := recorded(t, w, "eks", "Nodegroups")
		ng, err := r.Nodegroups(ctx, name)
		same(t, "node groups", ids(nodegroups, "nodegroupName"), got(t, ng, err, func(n nodegroup) string { return n.Name }))
		profiles, ok := recorded(t, w, "eks", "FargateProfiles")
		fp, err := r.FargateProfiles(ctx, name)
		if !ok {
			isAbsent(t, "eks:ListFargateProfiles", err)
		} else {
			same(t, "Fargate profiles", ids(profiles, "fargateProfileName"), got(t, fp, err, func(n fargate) string { return n.Name }))
		}
	}
	_, err := r.Cluster(ctx, "no-such-cluster")
	isAbsent(t, "eks:DescribeCluster", err)
	_, err = r.Addon(ctx, "no-such-cluster", "vpc-cni")
	isAbsent(t, "eks:DescribeAddon", err)
	if _, ok := recorded(t, w, "eks", "AddonConfigurations"); !ok {
		_, err := r.AddonSchema(ctx, "vpc-cni", "v1")
		isAbsent(t, "eks:DescribeAddonConfiguration", err)
	}
	if _, ok := recorded(t, w, "autoscaling", "Activities"); !ok {
		_, err := r.Activities(ctx, "eks-workers")
		isAbsent(t, "autoscaling:DescribeScalingActivities", err)
	}
}

func readWitnesses(t *testing.T, w *world.World, r reader) {
	ctx := context.Background()
	from, to := w.Meta.Now.Add(-30*24*time.Hour), w.Meta.Now.Add(time.Hour)
	metrics, ok := recorded(t, w, "cloudwatch", "Metrics")
	var queries []trail.Query
	for _, m := range metrics {
		q := trail.Query{Namespace: m["Namespace"].(string), Metric: m["MetricName"].(string), Statistic: m["Statistic"].(string), Dimensions: map[string]string{}}
		q.Period = time.Duration(m["Period"].(float64)) * time.Second
		for _, d := range m["Dimensions"].([]any) {
			q.Dimensions[d.(item)["Name"].(string)] = d.(item)["Value"].(string)
		}
		queries = append(queries, q)
	}
	queries = append(queries, trail.Query{Namespace: "AWS/ApplicationELB", Metric: "NothingCounts", Statistic: "Sum", Period: time.Minute})
	series, err := r.Metrics(ctx, from, to, queries)
	if !ok {
		isAbsent(t, "cloudwatch:GetMetricData", err)
	} else if err != nil || len(series) != len(queries) {
		t.Errorf("%d series, want %d: %v", len(series), len(queries), err)
	}
	for i, s := range series {
		if i == len(metrics) {
			if len(s.Points) > 0 {
				t.Errorf("a metric that isn't there has points: %+v", s)
			}
			break
		}
		stamps, values := metrics[i]["Timestamps"].([]any), metrics[i]["Values"].([]any)
		if len(s.Points) != len(stamps) {
			t.Errorf("series %d: %d points, want %d", i, len(s.Points), len(stamps))
			continue
		}
		for k, p := range s.Points {
			at, err := time.Parse(time.RFC3339, stamps[k].(string))
			if err != nil || !p.At.Equal(at) || p.Value != values[k] {
				t.Errorf("series %d point %d: %+v, want %v %v", i, k, p, stamps[k], values[k])
			}
		}
	}
	events, _ := recorded(t, w, "cloudtrail", "Events")
	for _, e := range events {
		for _, res := range e["Resources"].([]any) {
			name := res.(item)["ResourceName"].(string)
			read, err := r.Audit(ctx, name, from, to)
			i := slices.IndexFunc(read, func(x trail.Event) bool { return x.ID == e["EventId"] })
			if err != nil || i < 0 || read[i].Name != e["EventName"] || read[i].Detail != e["CloudTrailEvent"] {
				t.Errorf("event %s of %s: %+v, %v", e["EventId"], name, read, err)
			}
		}
	}
	if none, err := r.Audit(ctx, "sg-none", from, to); err != nil || len(none) > 0 {
		t.Errorf("events of nothing: %v, %v", none, err)
	}
}
