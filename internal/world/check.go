package world

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	autoscaling "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	cloudtrail "github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	cloudwatch "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	ec2 "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	eks "github.com/aws/aws-sdk-go-v2/service/eks/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Check looks for what a client of Kubernetes or AWS could not read: a value of another type than its field has. Load lets
// it pass, since nobody may ever ask for it; where a diagnosis fails, it is the likely reason. nil where there is none.
func (w *World) Check() *Problem {
	for _, u := range w.Objects {
		if p := w.checkObject(u); p != nil {
			return p
		}
	}
	for _, service := range keys(w.AWS) {
		for _, list := range keys(w.AWS[service]) {
			if p := w.checkList(service, list); p != nil {
				return p
			}
		}
	}
	return nil
}

// typed makes an empty object of a built-in kind; nil for others.
func typed(kind string) any {
	switch kind {
	case "v1 Pod":
		return &corev1.Pod{}
	case "v1 Node":
		return &corev1.Node{}
	case "v1 Event":
		return &corev1.Event{}
	case "v1 Service":
		return &corev1.Service{}
	case "v1 PersistentVolumeClaim":
		return &corev1.PersistentVolumeClaim{}
	case "v1 PersistentVolume":
		return &corev1.PersistentVolume{}
	case "v1 ResourceQuota":
		return &corev1.ResourceQuota{}
	case "apps/v1 Deployment":
		return &appsv1.Deployment{}
	case "apps/v1 ReplicaSet":
		return &appsv1.ReplicaSet{}
	case "apps/v1 DaemonSet":
		return &appsv1.DaemonSet{}
	case "apps/v1 StatefulSet":
		return &appsv1.StatefulSet{}
	case "batch/v1 Job":
		return &batchv1.Job{}
	case "networking.k8s.io/v1 Ingress":
		return &networkingv1.Ingress{}
	case "networking.k8s.io/v1 IngressClass":
		return &networkingv1.IngressClass{}
	case "networking.k8s.io/v1 NetworkPolicy":
		return &networkingv1.NetworkPolicy{}
	case "discovery.k8s.io/v1 EndpointSlice":
		return &discoveryv1.EndpointSlice{}
	case "storage.k8s.io/v1 CSINode":
		return &storagev1.CSINode{}
	}
	return nil
}

func (w *World) checkObject(u *unstructured.Unstructured) *Problem {
	into := typed(u.GetAPIVersion() + " " + u.GetKind())
	b, err := json.Marshal(u.Object)
	if into == nil || err != nil {
		return nil
	}
	err = json.Unmarshal(b, into)
	if err == nil {
		return nil
	}
	name := strings.TrimPrefix(u.GetNamespace()+"/"+u.GetName(), "/")
	p := &Problem{File: filepath.Join(w.Dir, "cluster.yaml"), Line: w.lines[u], Want: fmt.Sprintf("%s %s: %v", u.GetKind(), name, err)}
	if w.lines[u] == 0 { // it comes from the base, or from a change
		p.File = filepath.Join(w.Dir, "world.yaml")
	}
	if te, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		p.Field = te.Field
		p.Want = fmt.Sprintf("expected %s in %s %s, not %s", te.Type, u.GetKind(), name, te.Value)
		p.Line = p.below(te.Field)
	}
	return p
}

// below finds the line of a field by its path, from the line where the object begins.
func (p *Problem) below(field string) int {
	text, err := os.ReadFile(p.File)
	if err != nil || p.Line == 0 {
		return p.Line
	}
	lines, at := strings.Split(string(text), "\n"), p.Line-1
	for part := range strings.SplitSeq(field, ".") {
		i := slices.IndexFunc(lines[at:], func(line string) bool {
			return strings.Contains(" "+strings.TrimLeft(line, "- {"), " "+part+":") || strings.Contains(line, `"`+part+`":`)
		})
		if i < 0 {
			break
		}
		at += i
	}
	return at + 1
}

// series is an item of cloudwatch.Metrics.
type series struct {
	Namespace, MetricName, Statistic string
	Dimensions                       []cloudwatch.Dimension
	Period                           int
	Timestamps                       []time.Time
	Values                           []float64
}

// prefixes is an item of ec2.ManagedPrefixLists.
type prefixes struct {
	PrefixListId string //nolint:staticcheck // as the AWS API spells it
	Entries      []ec2.PrefixListEntry
}

// schemas makes an example of each item of a list, or of the items under an ARN.
func schemas() map[string]any {
	return map[string]any{
		"ec2.Vpcs": &[]ec2.Vpc{}, "ec2.Subnets": &[]ec2.Subnet{}, "ec2.NetworkInterfaces": &[]ec2.NetworkInterface{}, "ec2.Instances": &[]ec2.Instance{},
		"ec2.InstanceTypes": &[]ec2.InstanceTypeInfo{}, "ec2.SecurityGroups": &[]ec2.SecurityGroup{}, "ec2.SecurityGroupRules": &[]ec2.SecurityGroupRule{},
		"ec2.NetworkAcls": &[]ec2.NetworkAcl{}, "ec2.RouteTables": &[]ec2.RouteTable{}, "ec2.NatGateways": &[]ec2.NatGateway{},
		"ec2.VpcEndpoints": &[]ec2.VpcEndpoint{}, "ec2.SubnetCidrReservations": &[]ec2.SubnetCidrReservation{}, "ec2.ManagedPrefixLists": &[]prefixes{},
		"elbv2.LoadBalancers": &[]elb.LoadBalancer{}, "elbv2.Listeners": &[]elb.Listener{}, "elbv2.Rules": &[]elb.Rule{}, "elbv2.TargetGroups": &[]elb.TargetGroup{},
		"elbv2.LoadBalancerAttributes": &map[string][]elb.LoadBalancerAttribute{}, "elbv2.TargetGroupAttributes": &map[string][]elb.TargetGroupAttribute{},
		"elbv2.TargetHealthDescriptions": &map[string][]elb.TargetHealthDescription{}, "elbv2.Tags": &map[string][]elb.Tag{},
		"eks.Clusters": &[]eks.Cluster{}, "eks.Addons": &[]eks.Addon{}, "eks.Nodegroups": &[]eks.Nodegroup{}, "eks.FargateProfiles": &[]eks.FargateProfile{},
		"autoscaling.Activities": &[]autoscaling.Activity{}, "cloudwatch.Metrics": &[]series{}, "cloudtrail.Events": &[]cloudtrail.Event{},
	}
}

func (w *World) checkList(service, list string) *Problem {
	field := service + "." + list
	into := schemas()[field]
	if into == nil {
		return nil
	}
	raw := w.AWS[service][list]
	err := json.Unmarshal(raw, into)
	if err == nil {
		return nil
	}
	p := &Problem{File: filepath.Join(w.Dir, "aws.json"), Field: field, Want: err.Error()}
	text, readErr := os.ReadFile(p.File)
	begins := bytes.Index(text, raw)
	if readErr == nil && begins >= 0 {
		p.Line = 1 + bytes.Count(text[:begins], []byte("\n"))
	}
	if te, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		if te.Field != "" {
			p.Field += "." + te.Field
		}
		p.Want = fmt.Sprintf("expected %s, not %s", te.Type, te.Value)
		if p.Line > 0 {
			p.Line += bytes.Count(raw[:min(int(te.Offset), len(raw))], []byte("\n"))
		}
	}
	return p
}
