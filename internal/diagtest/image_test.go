package diagtest_test

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	"github.com/netdiag/netdiag/internal/remedy"
	"github.com/netdiag/netdiag/internal/sim/access"
)

// goesBack reports whether an action can be undone. What deletes can't; a checkpoint that was emptied is written anew by the
// controller.
func (l *life) goesBack(a remedy.Action) bool {
	return a.DeleteInterfaces == nil && a.RestartPods == nil && (a.Annotate == nil || a.Annotate.Key != "elbv2.k8s.aws/checkpoint")
}

// image is all that an action is about, as it is now and as somebody else reads it. The mark of netdiag isn't part of it.
func (l *life) image(a remedy.Action) any {
	l.t.Helper()
	sdk := access.SDK(l.served.World.Meta.Region, l.served.AWSURL)
	kube, err := kubernetes.NewForConfig(access.Kubernetes(l.served.KubeURL, "somebody"))
	if err != nil {
		l.t.Fatal(err)
	}
	ctx := l.t.Context()
	var out any
	switch {
	case a.AddonConfig != nil:
		// While an update is under way the add-on has the old settings, and takes no others.
		in := &eks.DescribeAddonInput{ClusterName: aws.String(a.AddonConfig.Cluster), AddonName: aws.String(a.AddonConfig.Addon)}
		quick := func(o *eks.AddonActiveWaiterOptions) { o.MinDelay, o.MaxDelay = 100*time.Millisecond, time.Second }
		got, e := eks.NewAddonActiveWaiter(eks.NewFromConfig(sdk), quick).WaitForOutput(ctx, in, 3*time.Minute)
		if err = e; err == nil {
			out = []any{configuration(got.Addon.ConfigurationValues), got.Addon.AddonVersion, got.Addon.ServiceAccountRoleArn}
		}
	case a.DaemonSetEnv != nil:
		d, e := kube.AppsV1().DaemonSets(a.DaemonSetEnv.Namespace).Get(ctx, a.DaemonSetEnv.Name, metav1.GetOptions{})
		out, err = d.Spec, e
	case a.Annotate != nil:
		dyn, e := dynamic.NewForConfig(access.Kubernetes(l.served.KubeURL, "somebody"))
		if e != nil {
			l.t.Fatal(e)
		}
		gv, e := schema.ParseGroupVersion(a.Annotate.APIVersion)
		if e != nil {
			l.t.Fatal(e)
		}
		o, e := dyn.Resource(gv.WithResource(a.Annotate.Resource)).Namespace(a.Annotate.Namespace).Get(ctx, a.Annotate.Name, metav1.GetOptions{})
		if err = e; err == nil {
			notes := o.GetAnnotations()
			delete(notes, "netdiag.io/remediation")
			out = []any{notes, o.Object["spec"]}
		}
	case a.AllowIngress != nil:
		var got *ec2.DescribeSecurityGroupRulesOutput
		got, err = ec2.NewFromConfig(sdk).DescribeSecurityGroupRules(ctx, &ec2.DescribeSecurityGroupRulesInput{Filters: []types.Filter{{Name: aws.String("group-id"), Values: []string{a.AllowIngress.Group}}}})
		if err == nil {
			out = got.SecurityGroupRules
		}
	case a.Tag != nil:
		client, id := ec2.NewFromConfig(sdk), []string{a.Tag.Resource}
		var tags []types.Tag
		if a.Tag.Resource[:3] == "sg-" {
			got, e := client.DescribeSecurityGroups(ctx, &ec2.DescribeSecurityGroupsInput{GroupIds: id})
			if err = e; err == nil {
				tags = got.SecurityGroups[0].Tags
			}
		} else {
			got, e := client.DescribeSubnets(ctx, &ec2.DescribeSubnetsInput{SubnetIds: id})
			if err = e; err == nil {
				tags = got.Subnets[0].Tags
			}
		}
		own := map[string]string{}
		for _, t := range tags {
			own[aws.ToString(t.Key)] = aws.ToString(t.Value)
		}
		for _, mark := range []string{"netdiag.io/remediation", "netdiag.io/cluster", "netdiag.io/requested-by", "netdiag.io/approved-by"} {
			delete(own, mark)
		}
		out = own
	case a.MovePods != nil:
		n, e := kube.CoreV1().Nodes().Get(ctx, a.MovePods.Node, metav1.GetOptions{})
		if err = e; err == nil {
			delete(n.Annotations, "netdiag.io/remediation")
			taints := []corev1.Taint{}
			taints = append(taints, slices.DeleteFunc(n.Spec.Taints, func(t corev1.Taint) bool { return t.Key == corev1.TaintNodeUnschedulable })...) // that one is the node controller's, a moment later
			out = []any{n.Annotations, n.Labels, n.Spec.Unschedulable, taints}
		}
	}
	if err != nil {
		l.t.Fatal(err)
	}
	return plain(l, out)
}

// configuration is what the text of an add-on's configuration says; none is the same as an empty one.
func configuration(text *string) any {
	out := map[string]any{}
	_ = json.Unmarshal([]byte(aws.ToString(text)), &out)
	return out
}

// plain makes plain values of an answer, which can be compared.
func plain(l *life, v any) (out any) {
	l.t.Helper()
	raw, err := json.Marshal(v)
	if err == nil {
		err = json.Unmarshal(raw, &out)
	}
	if err != nil {
		l.t.Fatal(err)
	}
	return out
}
