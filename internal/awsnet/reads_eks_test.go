package awsnet_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/netdiag/netdiag/internal/awsnet"
	"github.com/netdiag/netdiag/internal/eks"
	"github.com/netdiag/netdiag/internal/trail"
	"github.com/netdiag/netdiag/internal/world"
)

func readEKS(t *testing.T, w *world.World, r *awsnet.Reader) {
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
		ng, _, err := r.Nodegroups(ctx, name, 10)
		same(t, "node groups", ids(nodegroups, "nodegroupName"), got(t, ng, err, func(n eks.Nodegroup) string { return n.Name }))
		profiles, ok := recorded(t, w, "eks", "FargateProfiles")
		fp, err := r.FargateProfiles(ctx, name)
		if !ok {
			isAbsent(t, "eks:ListFargateProfiles", err)
		} else {
			same(t, "Fargate profiles", ids(profiles, "fargateProfileName"), got(t, fp, err, func(n eks.FargateProfile) string { return n.Name }))
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

func readWitnesses(t *testing.T, w *world.World, r *awsnet.Reader) {
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
