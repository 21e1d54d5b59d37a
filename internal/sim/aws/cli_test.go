package aws_test

import (
	"bytes"
	"encoding/json"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	simaws "github.com/netdiag/netdiag/internal/sim/aws"
	"github.com/netdiag/netdiag/internal/world"
	"github.com/netdiag/netdiag/internal/world/worldtest"
)

const (
	worlds = "../../../testdata/worlds/public/"
	// awsPath is where Debian's awscli installs the command line that judges the simulator: nothing in it knows of it.
	awsPath = "/usr/bin/aws"
)

type item = map[string]any

func load(t *testing.T, name string) *world.World {
	t.Helper()
	return worldtest.Load(t, worlds+name)
}

// awsCommand starts the account of a world and gives a function that runs the aws command line against it.
func awsCommand(t *testing.T, w *world.World) (*simaws.Server, func(args ...string) string) {
	t.Helper()
	if _, err := os.Stat(awsPath); err != nil {
		t.Skipf("SKIPPED: %s is not there (Debian package awscli): nothing independent holds the simulator to AWS's protocols", awsPath)
	}
	s := simaws.New(w, simaws.Options{})
	hs := httptest.NewServer(s)
	t.Cleanup(hs.Close)
	home := t.TempDir()
	return s, func(args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), awsPath, append([]string{"--endpoint-url", hs.URL, "--no-cli-pager"}, args...)...)
		cmd.Env = []string{
			"HOME=" + home, "PATH=/usr/bin:/bin", "AWS_ACCESS_KEY_ID=AKIATEST", "AWS_SECRET_ACCESS_KEY=secret", "AWS_REGION=" + w.Meta.Region,
			"AWS_EC2_METADATA_DISABLED=true", "AWS_MAX_ATTEMPTS=4", "LC_ALL=C.UTF-8",
		}
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errs
		if err := cmd.Run(); err != nil {
			t.Fatalf("aws %s: %v\n%s", strings.Join(args, " "), err, errs.String())
		}
		return out.String()
	}
}

func list(t *testing.T, w *world.World, service, name string) []item {
	t.Helper()
	var out []item
	if err := json.Unmarshal(w.AWS[service][name], &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func decode[T any](t *testing.T, text string) T {
	t.Helper()
	var out T
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		t.Fatalf("%v:\n%s", err, text)
	}
	return out
}

func equal(t *testing.T, what string, want, got any) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s (-aws.json +aws):\n%s", what, d)
	}
}

// TestSeedCommandsOfPods runs what a person would type whose pods get no address.
func TestSeedCommandsOfPods(t *testing.T) {
	t.Parallel()
	w := load(t, "pending-s01-warm-pool")
	_, aws := awsCommand(t, w)
	subnets := list(t, w, "ec2", "Subnets")
	tag := ""
	for _, s := range subnets {
		for _, e := range s["Tags"].([]any) {
			if k := e.(item)["Key"].(string); strings.HasPrefix(k, "kubernetes.io/") {
				tag = k
			}
		}
	}
	if tag == "" {
		t.Fatal("no subnet carries a tag of Kubernetes")
	}
	var want []item
	for _, s := range subnets {
		if slices.ContainsFunc(s["Tags"].([]any), func(e any) bool { return e.(item)["Key"] == tag }) {
			want = append(want, item{"SubnetId": s["SubnetId"], "AZ": s["AvailabilityZone"], "CIDR": s["CidrBlock"], "Available": s["AvailableIpAddressCount"]})
		}
	}
	got := decode[[]item](t, aws("ec2", "describe-subnets", "--filters", "Name=tag:"+tag+",Values=*",
		"--query", "Subnets[].{SubnetId:SubnetId,AZ:AvailabilityZone,CIDR:CidrBlock,Available:AvailableIpAddressCount}"))
	equal(t, "describe-subnets", want, got)
}

// TestSeedCommandsOfLoadBalancers runs what a person would type whose load balancer answers 502, and the metrics besides.
func TestSeedCommandsOfLoadBalancers(t *testing.T) {
	t.Parallel()
	w := load(t, "alb-s01-custom-sg-unmanaged")
	w.Meta.Throttled = []string{"elasticloadbalancing:DescribeTargetHealth", "ec2:DescribeSecurityGroupRules"}
	s, aws := awsCommand(t, w)
	group := list(t, w, "elbv2", "TargetGroups")[0]

	arn := strings.TrimSpace(aws("elbv2", "describe-target-groups", "--query",
		"TargetGroups[?contains(TargetGroupName, 'backend')].TargetGroupArn", "--output", "text"))
	equal(t, "describe-target-groups", group["TargetGroupArn"], arn)

	var health map[string][]item
	if err := json.Unmarshal(w.AWS["elbv2"]["TargetHealthDescriptions"], &health); err != nil {
		t.Fatal(err)
	}
	got := decode[map[string][]item](t, aws("elbv2", "describe-target-health", "--target-group-arn", arn))["TargetHealthDescriptions"]
	for _, h := range health[arn] {
		delete(h, "AdministrativeOverride") // younger than this command line
	}
	equal(t, "describe-target-health", health[arn], got)

	instance := list(t, w, "ec2", "Instances")[0]
	node := strings.TrimSpace(aws("ec2", "describe-instances", "--filters", "Name=private-ip-address,Values="+instance["PrivateIpAddress"].(string),
		"--query", "Reservations[].Instances[].SecurityGroups[].GroupId", "--output", "text"))
	equal(t, "describe-instances", instance["SecurityGroups"].([]any)[0].(item)["GroupId"], node)

	var rules []item
	for _, r := range list(t, w, "ec2", "SecurityGroupRules") {
		if r["GroupId"] == node && r["IsEgress"] == false {
			source, _ := r["ReferencedGroupInfo"].(item)
			rules = append(rules, item{"FromPort": r["FromPort"], "ToPort": r["ToPort"], "Source": r["CidrIpv4"], "SourceSG": source["GroupId"]})
		}
	}
	equal(t, "describe-security-group-rules", rules, decode[[]item](t, aws("ec2", "describe-security-group-rules", "--filter", "Name=group-id,Values="+node,
		"--query", "SecurityGroupRules[?!IsEgress].{FromPort:FromPort,ToPort:ToPort,Source:CidrIpv4,SourceSG:ReferencedGroupInfo.GroupId}")))

	var key, value string
	var tagged []any
	for _, g := range list(t, w, "ec2", "SecurityGroups") {
		for _, e := range g["Tags"].([]any) {
			if key == "" {
				key, value = e.(item)["Key"].(string), e.(item)["Value"].(string)
			}
			if e.(item)["Key"] == key && e.(item)["Value"] == value {
				tagged = append(tagged, g["GroupId"])
			}
		}
	}
	equal(t, "describe-security-groups", tagged, decode[[]any](t, aws("ec2", "describe-security-groups", "--filters", "Name=tag:"+key+",Values="+value,
		"--query", "SecurityGroups[].GroupId")))

	metric := list(t, w, "cloudwatch", "Metrics")[0]
	query, err := json.Marshal([]item{{"Id": "m0", "MetricStat": item{
		"Metric": item{"Namespace": metric["Namespace"], "MetricName": metric["MetricName"], "Dimensions": metric["Dimensions"]},
		"Period": metric["Period"], "Stat": metric["Statistic"],
	}}})
	if err != nil {
		t.Fatal(err)
	}
	stamps := metric["Timestamps"].([]any)
	results := decode[map[string][]item](t, aws("cloudwatch", "get-metric-data", "--metric-data-queries", string(query), "--scan-by", "TimestampAscending",
		"--start-time", stamps[0].(string), "--end-time", w.Meta.Now.Format("2006-01-02T15:04:05Z")))["MetricDataResults"]
	equal(t, "get-metric-data", []any{stamps, metric["Values"]}, []any{results[0]["Timestamps"], results[0]["Values"]})

	for _, throttled := range w.Meta.Throttled {
		n := 0
		for _, r := range s.Requests() {
			if r.Service+":"+r.Action == throttled && r.Code != "" {
				n++
			}
		}
		if n != 2 {
			t.Errorf("%s was throttled %d times, want 2", throttled, n)
		}
	}
}

// TestShapes compares whole lists, field for field, with what the command line makes of the simulator's answers.
func TestShapes(t *testing.T) {
	w := load(t, "alb-e09-weighted-empty")
	prefixes := load(t, "pending-s05-fragmented")
	for _, c := range []struct {
		list, out string
		w         *world.World
		args      []string
	}{
		{"Vpcs", "Vpcs", w, []string{"describe-vpcs"}},
		{"Subnets", "Subnets", w, []string{"describe-subnets"}},
		{"NetworkInterfaces", "NetworkInterfaces", prefixes, []string{"describe-network-interfaces", "--page-size", "50"}},
		{"Instances", "Reservations[].Instances[]", w, []string{"describe-instances"}},
		{"InstanceTypes", "InstanceTypes", prefixes, []string{"describe-instance-types"}},
		{"SecurityGroups", "SecurityGroups", w, []string{"describe-security-groups"}},
		{"SecurityGroupRules", "SecurityGroupRules", w, []string{"describe-security-group-rules"}},
		{"NetworkAcls", "NetworkAcls", w, []string{"describe-network-acls"}},
		{"RouteTables", "RouteTables", w, []string{"describe-route-tables"}},
	} {
		t.Run(c.list, func(t *testing.T) {
			t.Parallel()
			_, aws := awsCommand(t, c.w)
			got := decode[[]item](t, aws(append(append([]string{"ec2"}, c.args...), "--query", c.out)...))
			sameFields(t, list(t, c.w, "ec2", c.list), got)
		})
	}
	cluster := list(t, w, "eks", "Clusters")[0]
	balancer := list(t, w, "elbv2", "LoadBalancers")[0]
	listener := list(t, w, "elbv2", "Listeners")[0]
	for _, c := range []struct {
		service, list, out string
		args               []string
	}{
		{"elbv2", "LoadBalancers", "LoadBalancers", []string{"elbv2", "describe-load-balancers"}},
		{"elbv2", "TargetGroups", "TargetGroups", []string{"elbv2", "describe-target-groups"}},
		{"elbv2", "Listeners", "Listeners", []string{"elbv2", "describe-listeners", "--load-balancer-arn", balancer["LoadBalancerArn"].(string)}},
		{"elbv2", "Rules", "Rules", []string{"elbv2", "describe-rules", "--listener-arn", listener["ListenerArn"].(string)}},
		{"eks", "Clusters", "[cluster]", []string{"eks", "describe-cluster", "--name", cluster["name"].(string)}},
	} {
		t.Run(c.list, func(t *testing.T) {
			t.Parallel()
			_, aws := awsCommand(t, w)
			sameFields(t, list(t, w, c.service, c.list), decode[[]item](t, aws(append(c.args, "--query", c.out)...)))
		})
	}
}

// young lists members that this command line doesn't know yet, or that aws.json adds; what came out must equal all else.
var young = []string{"SecurityGroupArn", "Operator", "MutualAuthentication", "ListenerArn", "elasticLoadBalancing", "computeConfig", "storageConfig", "remoteNetworkConfig", "health"}

func sameFields(t *testing.T, want, got []item) {
	t.Helper()
	if len(want) != len(got) {
		t.Fatalf("%d items, want %d", len(got), len(want))
	}
	for i := range want {
		for _, v := range []any{want[i], got[i]} {
			prune(v)
		}
		for k := range got[i] {
			if _, ok := want[i][k]; !ok && (k == "NetworkInterfaces" || strings.HasPrefix(k, "IpPermissions") || k == "Tags") {
				delete(got[i], k) // the simulator fills them in
			}
		}
		equal(t, "item", want[i], got[i])
	}
}

func prune(v any) {
	switch v := v.(type) {
	case item:
		for k, e := range v {
			if slices.Contains(young, k) {
				delete(v, k)
				continue
			}
			prune(e)
		}
	case []any:
		for _, e := range v {
			prune(e)
		}
	}
}
