package record

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/awsnet"
	"github.com/netdiag/netdiag/internal/world"
)

// cloud is what AWS answered, by the lists of aws.json ("ec2.Subnets"). A list that is there was asked for and answered.
type cloud struct {
	items  map[string]map[string]object   // list → what makes an item that item → item
	keyed  map[string]map[string]any      // list → ARN → items
	named  map[string]map[string]object   // things of which only the name was answered
	series map[string]map[string]*metrics // of CloudWatch
	// Permissions of calls that were denied, got no answer, and were throttled at least once.
	denied, failed, throttled map[string]bool
}

// metrics is a series of CloudWatch: its head is the item but for its points.
type metrics struct {
	head   object
	points map[string]any // by their time
}

func newCloud() cloud {
	return cloud{
		items: map[string]map[string]object{}, keyed: map[string]map[string]any{}, named: map[string]map[string]object{}, series: map[string]map[string]*metrics{},
		denied: map[string]bool{}, failed: map[string]bool{}, throttled: map[string]bool{},
	}
}

// reading says into which list the answers of an action go, and how.
type reading struct {
	list string
	take func(c *cloud, list string, in, out object)
}

// readings are the actions whose answers a world holds. They are those that awsnet reads with.
var readings = map[string]reading{
	"ec2:DescribeVpcs":                {"ec2.Vpcs", each("Vpcs", "VpcId")},
	"ec2:DescribeSubnets":             {"ec2.Subnets", each("Subnets", "SubnetId")},
	"ec2:DescribeNetworkInterfaces":   {"ec2.NetworkInterfaces", each("NetworkInterfaces", "NetworkInterfaceId")},
	"ec2:DescribeInstances":           {"ec2.Instances", instances},
	"ec2:DescribeInstanceTypes":       {"ec2.InstanceTypes", each("InstanceTypes", "InstanceType")},
	"ec2:DescribeSecurityGroups":      {"ec2.SecurityGroups", each("SecurityGroups", "GroupId")},
	"ec2:DescribeSecurityGroupRules":  {"ec2.SecurityGroupRules", each("SecurityGroupRules", "SecurityGroupRuleId")},
	"ec2:DescribeNetworkAcls":         {"ec2.NetworkAcls", each("NetworkAcls", "NetworkAclId")},
	"ec2:DescribeRouteTables":         {"ec2.RouteTables", each("RouteTables", "RouteTableId")},
	"ec2:DescribeNatGateways":         {"ec2.NatGateways", each("NatGateways", "NatGatewayId")},
	"ec2:DescribeVpcEndpoints":        {"ec2.VpcEndpoints", each("VpcEndpoints", "VpcEndpointId")},
	"ec2:GetSubnetCidrReservations":   {"ec2.SubnetCidrReservations", reservations},
	"ec2:GetManagedPrefixListEntries": {"ec2.ManagedPrefixLists", prefixList},

	"elasticloadbalancing:DescribeLoadBalancers":          {"elbv2.LoadBalancers", each("LoadBalancers", "LoadBalancerArn")},
	"elasticloadbalancing:DescribeListeners":              {"elbv2.Listeners", each("Listeners", "ListenerArn")},
	"elasticloadbalancing:DescribeRules":                  {"elbv2.Rules", rules},
	"elasticloadbalancing:DescribeTargetGroups":           {"elbv2.TargetGroups", each("TargetGroups", "TargetGroupArn")},
	"elasticloadbalancing:DescribeLoadBalancerAttributes": {"elbv2.LoadBalancerAttributes", of("LoadBalancerArn", "Attributes")},
	"elasticloadbalancing:DescribeTargetGroupAttributes":  {"elbv2.TargetGroupAttributes", of("TargetGroupArn", "Attributes")},
	"elasticloadbalancing:DescribeTargetHealth":           {"elbv2.TargetHealthDescriptions", of("TargetGroupArn", "TargetHealthDescriptions")},
	"elasticloadbalancing:DescribeTags":                   {"elbv2.Tags", tags},

	"eks:ListClusters":               {"eks.Clusters", names("clusters", "name")},
	"eks:DescribeCluster":            {"eks.Clusters", one("cluster", "name")},
	"eks:DescribeAddon":              {"eks.Addons", one("addon", "clusterName", "addonName")},
	"eks:DescribeAddonConfiguration": {"eks.AddonConfigurations", one("", "addonName", "addonVersion")},
	"eks:ListNodegroups":             {"eks.Nodegroups", names("nodegroups", "clusterName", "nodegroupName")},
	"eks:DescribeNodegroup":          {"eks.Nodegroups", one("nodegroup", "clusterName", "nodegroupName")},
	"eks:ListFargateProfiles":        {"eks.FargateProfiles", names("fargateProfileNames", "clusterName", "fargateProfileName")},
	"eks:DescribeFargateProfile":     {"eks.FargateProfiles", one("fargateProfile", "clusterName", "fargateProfileName")},

	"autoscaling:DescribeScalingActivities": {"autoscaling.Activities", activities},
	"cloudwatch:GetMetricData":              {"cloudwatch.Metrics", metricData},
	"cloudtrail:LookupEvents":               {"cloudtrail.Events", each("Events", "EventId")},
}

// unsupported are the codes of calls that AWS doesn't serve there: their lists are not recorded.
var unsupported = []string{"UnsupportedOperation", "InvalidAction", "UnknownOperationException"}

// AWS takes an answer; it is for awsnet.Options.Observe.
func (r *Recorder) AWS(a awsnet.Answer) {
	permission := a.Service + ":" + a.Action
	lower := a.Service == "eks"
	in, _ := shape(a.Input, lower).(object)
	out, _ := shape(a.Output, lower).(object)
	r.mu.Lock()
	defer r.mu.Unlock()
	c := &r.cloud
	if a.Throttled {
		c.throttled[permission] = true
	}
	reading, known := readings[permission]
	switch {
	case a.Reason == diagnostics.Denied:
		c.denied[permission] = true
	case a.Reason == diagnostics.Absent && slices.Contains(unsupported, a.Code):
	case a.Reason == diagnostics.Absent && known:
		c.answered(reading.list)
	case a.Reason != "":
		c.failed[permission] = true
	case known:
		c.answered(reading.list)
		reading.take(c, reading.list, in, out)
	}
}

// answered makes a list one that was asked for, if only to find it empty.
func (c *cloud) answered(list string) {
	if c.items[list] == nil {
		c.items[list] = map[string]object{}
	}
}

func (c *cloud) add(list string, o object, ids ...string) {
	c.items[list][identity(o, ids)] = o
}

// identity is what makes an item that item; all of it, where it has no id.
func identity(o object, ids []string) string {
	var parts []string
	for _, id := range ids {
		s, ok := o[id].(string)
		if !ok {
			return string(encode(o))
		}
		parts = append(parts, s)
	}
	return strings.Join(parts, "/")
}

// each takes every item of a list of the answer.
func each(member string, ids ...string) func(*cloud, string, object, object) {
	return func(c *cloud, list string, _, out object) {
		for _, o := range objects(out[member]) {
			c.add(list, o, ids...)
		}
	}
}

// one takes one structure of the answer; the answer itself where member is empty.
func one(member string, ids ...string) func(*cloud, string, object, object) {
	return func(c *cloud, list string, _, out object) {
		if member != "" {
			out, _ = out[member].(object)
		}
		if out != nil {
			c.add(list, out, ids...)
		}
	}
}

// of takes a list of the answer as what belongs to the ARN that was asked about.
func of(arn, member string) func(*cloud, string, object, object) {
	return func(c *cloud, list string, in, out object) {
		c.under(list, in[arn], out[member])
	}
}

func (c *cloud) under(list string, arn, items any) {
	if c.keyed[list] == nil {
		c.keyed[list] = map[string]any{}
	}
	if items == nil {
		items = []any{}
	}
	c.keyed[list][fmt.Sprint(arn)] = items
}

func tags(c *cloud, list string, _, out object) {
	for _, o := range objects(out["TagDescriptions"]) {
		c.under(list, o["ResourceArn"], o["Tags"])
	}
}

func instances(c *cloud, list string, _, out object) {
	for _, r := range objects(out["Reservations"]) {
		for _, o := range objects(r["Instances"]) {
			if o["OwnerId"] == nil && r["OwnerId"] != nil {
				o["OwnerId"] = r["OwnerId"]
			}
			c.add(list, o, "InstanceId")
		}
	}
}

func reservations(c *cloud, list string, _, out object) {
	for _, member := range []string{"SubnetIpv4CidrReservations", "SubnetIpv6CidrReservations"} {
		each(member, "SubnetCidrReservationId")(c, list, nil, out)
	}
}

// prefixList adds a page of entries to those of the list.
func prefixList(c *cloud, list string, in, out object) {
	o := object{"PrefixListId": in["PrefixListId"], "Entries": []any{}}
	if old := c.items[list][identity(o, []string{"PrefixListId"})]; old != nil {
		o = old
	}
	entries, _ := o["Entries"].([]any)
	for _, e := range objects(out["Entries"]) {
		if !slices.ContainsFunc(objects(entries), func(old object) bool { return old["Cidr"] == e["Cidr"] }) {
			entries = append(entries, e)
		}
	}
	o["Entries"] = entries
	c.add(list, o, "PrefixListId")
}

// rules adds what the answer leaves out: of which listener they are.
func rules(c *cloud, list string, in, out object) {
	for _, o := range objects(out["Rules"]) {
		if in["ListenerArn"] != nil {
			o["ListenerArn"] = in["ListenerArn"]
		}
		c.add(list, o, "RuleArn")
	}
}

// activities keeps those of a group in the order of the answer, the newest first.
func activities(c *cloud, list string, in, out object) {
	for i, o := range objects(out["Activities"]) {
		c.items[list][fmt.Sprintf("%v/%06d", in["AutoScalingGroupName"], i)] = o
	}
}

// names keeps what is known of things that are listed by their name only: the last id is the name, one before it the cluster.
func names(member string, ids ...string) func(*cloud, string, object, object) {
	return func(c *cloud, list string, in, out object) {
		all, _ := out[member].([]any)
		for _, name := range all {
			o := object{ids[len(ids)-1]: name}
			if len(ids) == 2 {
				o[ids[0]] = in[ids[0]]
			}
			if c.named[list] == nil {
				c.named[list] = map[string]object{}
			}
			c.named[list][identity(o, ids)] = o
		}
	}
}

// metricData joins the answers with their queries, which alone say what was measured.
func metricData(c *cloud, list string, in, out object) {
	results := map[any]object{}
	for _, r := range objects(out["MetricDataResults"]) {
		results[r["Id"]] = r
	}
	for _, q := range objects(in["MetricDataQueries"]) {
		stat, _ := q["MetricStat"].(object)
		metric, _ := stat["Metric"].(object)
		stamps, _ := results[q["Id"]]["Timestamps"].([]any)
		values, _ := results[q["Id"]]["Values"].([]any)
		if metric == nil || len(stamps) == 0 || len(stamps) != len(values) {
			continue
		}
		head := object{
			"Namespace": metric["Namespace"], "MetricName": metric["MetricName"], "Dimensions": metric["Dimensions"],
			"Period": stat["Period"], "Statistic": stat["Stat"],
		}
		if c.series[list] == nil {
			c.series[list] = map[string]*metrics{}
		}
		key := string(encode(head))
		m := c.series[list][key]
		if m == nil {
			m = &metrics{head: head, points: map[string]any{}}
			c.series[list][key] = m
		}
		for i, at := range stamps {
			m.points[fmt.Sprint(at)] = values[i]
		}
	}
}

// item is the series as aws.json holds it, the oldest point first.
func (m *metrics) item() object {
	o := maps.Clone(m.head)
	stamps, values := []any{}, []any{}
	for _, at := range slices.Sorted(maps.Keys(m.points)) {
		stamps, values = append(stamps, at), append(values, m.points[at])
	}
	o["Timestamps"], o["Values"] = stamps, values
	return o
}

// lists gives aws.json and what is denied. lost names permissions of reads without an answer; those of failed calls are
// added to it. A list that such a read belongs to is left out, since half of it would look like the whole.
func (c *cloud) lists(lost map[string]bool) (world.AWS, []string) {
	out := world.AWS{}
	maps.Copy(lost, c.failed)
	for list := range c.items {
		service, name, _ := strings.Cut(list, ".")
		if out[service] == nil {
			out[service] = map[string]json.RawMessage{}
		}
		out[service][name] = encode(c.content(list))
	}
	for permission := range lost {
		if r, ok := readings[permission]; ok {
			service, name, _ := strings.Cut(r.list, ".")
			delete(out[service], name)
		}
	}
	return out, slices.Sorted(maps.Keys(c.denied))
}

// content is a list as aws.json holds it, in an order that depends on nothing but what is in it.
func (c *cloud) content(list string) any {
	if byARN := c.keyed[list]; byARN != nil {
		return byARN
	}
	if list == "elbv2.Tags" || list == "elbv2.TargetHealthDescriptions" || strings.HasSuffix(list, "Attributes") {
		return object{}
	}
	items := maps.Clone(c.items[list])
	for key, o := range c.named[list] {
		if items[key] == nil {
			items[key] = o
		}
	}
	for key, m := range c.series[list] {
		items[key] = m.item()
	}
	out := []any{}
	for _, key := range slices.Sorted(maps.Keys(items)) {
		out = append(out, items[key])
	}
	return out
}

// objects is the structures of a list.
func objects(v any) []object {
	l, _ := v.([]any)
	var out []object
	for _, e := range l {
		if o, ok := e.(object); ok {
			out = append(out, o)
		}
	}
	return out
}
