package alb

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/eks"
	"github.com/netdiag/netdiag/internal/elb"
	"github.com/netdiag/netdiag/internal/trail"
	"github.com/netdiag/netdiag/internal/vpc"
)

var now = time.Date(2026, 11, 22, 10, 30, 0, 0, time.UTC)

const (
	tgARN = "arn:aws:elasticloadbalancing:us-west-2:1:targetgroup/k8s-shop-cart-1/aa"
	lbARN = "arn:aws:elasticloadbalancing:us-west-2:1:loadbalancer/app/k8s-shop-web-1/bb"
	host  = "k8s-shop-web-1-123.us-west-2.elb.amazonaws.com"
)

// fake is a small cluster with the account around it, in memory. It answers like the real readers, counts what it is
// asked, and denies what denied names.
type fake struct {
	ingresses   []networkingv1.Ingress
	classes     []networkingv1.IngressClass
	bindings    []elb.TargetGroupBinding
	services    []corev1.Service
	slices      []discoveryv1.EndpointSlice
	pods        []corev1.Pod
	nodes       []corev1.Node
	deployments map[string][]appsv1.Deployment
	replicaSets []appsv1.ReplicaSet
	statefulSet []appsv1.StatefulSet
	leases      []unstructured.Unstructured
	daemonSets  []appsv1.DaemonSet
	policies    []networkingv1.NetworkPolicy
	events      []corev1.Event
	balancers   []elb.LoadBalancer
	listeners   []elb.Listener
	rules       []elb.Rule
	groups      []elb.TargetGroup
	health      map[string][]elb.TargetHealth
	enis        []vpc.NetworkInterface
	sgs         []vpc.SecurityGroup
	sgRules     []vpc.SecurityGroupRule
	acls        []vpc.NetworkACL
	routes      []vpc.RouteTable
	lists       map[string][]string
	metrics     map[string]float64 // a minute
	// curves are metrics of the last minutes one by one; of a negative one there is no point.
	curves     map[string][]float64
	logs       map[string]string // by namespace/pod/container
	dns        map[string]string // name to target
	attributes map[string]string // of the load balancer and the target groups
	tags       map[string]map[string]string
	audit      []trail.Event
	customs    map[string][]unstructured.Unstructured // by plural.group
	denied     []string
	narrow     bool // only the ingresses of one namespace may be read at a time

	mu    sync.Mutex
	calls map[string]int
}

func (f *fake) asked(permission string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.calls == nil {
		f.calls = map[string]int{}
	}
	f.calls[permission]++
	if slices.Contains(f.denied, permission) {
		return &diagnostics.ReadError{Permission: permission, Reason: diagnostics.Denied, Err: fmt.Errorf("no")}
	}
	return nil
}

func (f *fake) inputs() diagnostics.Inputs {
	return diagnostics.Inputs{Now: now, Pods: f, PodFiles: f, Events: f, Nodes: f, Controllers: f, Daemons: f, Ingresses: f, Services: f, Policies: f, Bindings: f, Customs: f,
		Network: f, Interfaces: f, Firewalls: f, Routing: f, LoadBalancers: f, TargetGroups: f, Tags: tagReader{f}, Clusters: f, Metrics: f, Audit: f}
}

// give is the answer, or nothing but the error.
func give[T any](v T, err error) (T, error) {
	if err != nil {
		var none T
		return none, err
	}
	return v, nil
}

// in keeps the objects of a namespace, all where it is empty.
func in[T any, P interface {
	*T
	metav1.Object
}](list []T, namespace string) []T {
	return slices.DeleteFunc(slices.Clone(list), func(o T) bool { return namespace != "" && P(&o).GetNamespace() != namespace })
}

func (f *fake) Ingresses(_ context.Context, ns string) ([]networkingv1.Ingress, error) {
	if f.narrow && ns == "" {
		return nil, &diagnostics.ReadError{Permission: "list ingresses.networking.k8s.io", Reason: diagnostics.Denied, Err: fmt.Errorf("not in all namespaces")}
	}
	return give(in(f.ingresses, ns), f.asked("list ingresses.networking.k8s.io"))
}

func (f *fake) IngressClasses(context.Context) ([]networkingv1.IngressClass, error) {
	return give(f.classes, f.asked("list ingressclasses.networking.k8s.io"))
}

func (f *fake) TargetGroupBindings(_ context.Context, ns string) ([]elb.TargetGroupBinding, error) {
	return give(slices.Clone(f.bindings), f.asked("list targetgroupbindings.elbv2.k8s.aws"))
}

func (f *fake) Services(_ context.Context, ns string) ([]corev1.Service, error) {
	return give(in(f.services, ns), f.asked("list services"))
}

func (f *fake) EndpointSlices(_ context.Context, ns string) ([]discoveryv1.EndpointSlice, error) {
	return give(in(f.slices, ns), f.asked("list endpointslices.discovery.k8s.io"))
}

func (f *fake) Pods(_ context.Context, q diagnostics.PodQuery) ([]corev1.Pod, error) {
	return give(slices.DeleteFunc(in(f.pods, q.Namespace), func(p corev1.Pod) bool {
		return q.Node != "" && p.Spec.NodeName != q.Node || q.Address != "" && p.Status.PodIP != q.Address
	}), f.asked("list pods"))
}

func (f *fake) CNIMetrics(context.Context, string, string) (string, error) {
	return give("", f.asked("get pods/proxy"))
}

func (f *fake) Log(_ context.Context, namespace, pod, container string, _ int) (string, error) {
	return give(f.logs[namespace+"/"+pod+"/"+container], f.asked("get pods/log"))
}

func (f *fake) Events(_ context.Context, ns string) ([]corev1.Event, error) {
	return give(in(f.events, ns), f.asked("list events"))
}

func (f *fake) Nodes(context.Context) ([]corev1.Node, error) {
	return give(f.nodes, f.asked("list nodes"))
}

func (f *fake) Node(_ context.Context, name string) (*corev1.Node, error) {
	return nil, f.asked("get nodes")
}

func (f *fake) Deployments(_ context.Context, ns string) ([]appsv1.Deployment, error) {
	var all []appsv1.Deployment
	for _, list := range f.deployments {
		all = append(all, list...)
	}
	return give(in(all, ns), f.asked("list deployments.apps"))
}

func (f *fake) ReplicaSets(_ context.Context, ns string) ([]appsv1.ReplicaSet, error) {
	return give(in(f.replicaSets, ns), f.asked("list replicasets.apps"))
}

func (f *fake) StatefulSets(_ context.Context, ns string) ([]appsv1.StatefulSet, error) {
	return give(in(f.statefulSet, ns), f.asked("list statefulsets.apps"))
}

func (f *fake) Jobs(context.Context, string) ([]batchv1.Job, error) { return nil, nil }

func (f *fake) DaemonSets(_ context.Context, ns string) ([]appsv1.DaemonSet, error) {
	return give(f.daemonSets, f.asked("list daemonsets.apps"))
}

func (f *fake) NetworkPolicies(_ context.Context, ns string) ([]networkingv1.NetworkPolicy, error) {
	return give(in(f.policies, ns), f.asked("list networkpolicies.networking.k8s.io"))
}

func (f *fake) Customs(_ context.Context, group, _, plural, ns string) ([]unstructured.Unstructured, error) {
	if plural == "leases" {
		return give(slices.DeleteFunc(slices.Clone(f.leases), func(u unstructured.Unstructured) bool { return u.GetNamespace() != ns }), f.asked("list leases."+group))
	}
	if plural == "dnsendpoints" && f.dns != nil {
		var endpoints []any
		for name, target := range f.dns {
			endpoints = append(endpoints, map[string]any{"dnsName": name, "targets": []any{target}})
		}
		u := unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"endpoints": endpoints}}}
		u.SetNamespace("shop")
		u.SetName("names")
		return []unstructured.Unstructured{u}, nil
	}
	if us := f.customs[plural+"."+group]; us != nil {
		return give(us, f.asked("list "+plural+"."+group))
	}
	if err := f.asked("list " + plural + "." + group); err != nil {
		return nil, err
	}
	return nil, &diagnostics.ReadError{Permission: "list " + plural + "." + group, Reason: diagnostics.Absent, Err: fmt.Errorf("not served")}
}

func (f *fake) Subnets(_ context.Context, ids ...string) ([]vpc.Subnet, error) {
	var out []vpc.Subnet
	for _, id := range ids {
		out = append(out, vpc.Subnet{ID: id, VPC: "vpc-1", CIDR: map[string]netip.Prefix{"subnet-pa": netip.MustParsePrefix("10.0.101.0/24"), "subnet-pb": netip.MustParsePrefix("10.0.102.0/24"),
			"subnet-a": netip.MustParsePrefix("10.0.1.0/24"), "subnet-b": netip.MustParsePrefix("10.0.2.0/24")}[id]})
	}
	return give(out, f.asked("ec2:DescribeSubnets"))
}

func (f *fake) SubnetsOf(context.Context, string) ([]vpc.Subnet, error) { return nil, nil }

func (f *fake) VPC(_ context.Context, id string) (vpc.VPC, error) {
	return give(vpc.VPC{ID: id, CIDRs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/16")}}, f.asked("ec2:DescribeVpcs"))
}

func (f *fake) Interfaces(_ context.Context, q diagnostics.InterfaceQuery) ([]vpc.NetworkInterface, error) {
	var out []vpc.NetworkInterface
	for _, e := range f.enis {
		if slices.Contains(q.Instances, e.Instance) || slices.Contains(q.IDs, e.ID) || (q.Description != "" && q.Description == e.Description) ||
			slices.ContainsFunc(e.Addresses, func(a netip.Addr) bool { return slices.Contains(q.Addresses, a.String()) }) {
			out = append(out, e)
		}
	}
	return give(out, f.asked("ec2:DescribeNetworkInterfaces"))
}

func (f *fake) SecurityGroups(_ context.Context, ids ...string) ([]vpc.SecurityGroup, error) {
	return give(slices.DeleteFunc(slices.Clone(f.sgs), func(g vpc.SecurityGroup) bool { return !slices.Contains(ids, g.ID) }), f.asked("ec2:DescribeSecurityGroups"))
}

func (f *fake) SecurityGroupRules(_ context.Context, ids ...string) ([]vpc.SecurityGroupRule, error) {
	return give(slices.DeleteFunc(slices.Clone(f.sgRules), func(r vpc.SecurityGroupRule) bool { return !slices.Contains(ids, r.Group) }), f.asked("ec2:DescribeSecurityGroupRules"))
}

func (f *fake) PrefixList(_ context.Context, id string) ([]string, error) {
	return give(f.lists[id], f.asked("ec2:GetManagedPrefixListEntries"))
}

func (f *fake) NetworkACLs(context.Context, ...string) ([]vpc.NetworkACL, error) {
	return give(f.acls, f.asked("ec2:DescribeNetworkAcls"))
}

func (f *fake) RouteTables(context.Context, string) ([]vpc.RouteTable, error) {
	return give(f.routes, f.asked("ec2:DescribeRouteTables"))
}

func (f *fake) Endpoints(context.Context, string) ([]vpc.ServiceEndpoint, error) { return nil, nil }

func (f *fake) Reservations(context.Context, string) ([]vpc.Reservation, error) { return nil, nil }

func (f *fake) LoadBalancers(_ context.Context, names ...string) ([]elb.LoadBalancer, error) {
	return give(slices.DeleteFunc(slices.Clone(f.balancers), func(lb elb.LoadBalancer) bool { return len(names) > 0 && !slices.Contains(names, lb.Name) }), f.asked("elasticloadbalancing:DescribeLoadBalancers"))
}

func (f *fake) Listeners(context.Context, string) ([]elb.Listener, error) {
	return give(slices.Clone(f.listeners), f.asked("elasticloadbalancing:DescribeListeners"))
}

func (f *fake) Rules(_ context.Context, listener string) ([]elb.Rule, error) {
	return give(slices.DeleteFunc(slices.Clone(f.rules), func(r elb.Rule) bool { return r.Listener != listener }), f.asked("elasticloadbalancing:DescribeRules"))
}

func (f *fake) TargetGroups(_ context.Context, arns ...string) ([]elb.TargetGroup, error) {
	return give(slices.DeleteFunc(slices.Clone(f.groups), func(g elb.TargetGroup) bool { return !slices.Contains(arns, g.ARN) && !slices.Contains(arns, g.Name) }), f.asked("elasticloadbalancing:DescribeTargetGroups"))
}

func (f *fake) TargetHealth(_ context.Context, arn string) ([]elb.TargetHealth, error) {
	return give(slices.Clone(f.health[arn]), f.asked("elasticloadbalancing:DescribeTargetHealth"))
}

type tagReader struct{ f *fake }

func with[V any](m, others map[string]V) map[string]V {
	maps.Copy(m, others)
	return m
}

func (t tagReader) Tags(context.Context, ...string) (map[string]map[string]string, error) {
	return give(with(map[string]map[string]string{}, t.f.tags), t.f.asked("elasticloadbalancing:DescribeTags"))
}

func (t tagReader) LoadBalancerAttributes(context.Context, string) (map[string]string, error) {
	return give(with(map[string]string{"idle_timeout.timeout_seconds": "60"}, t.f.attributes), t.f.asked("elasticloadbalancing:DescribeLoadBalancerAttributes"))
}

func (t tagReader) TargetGroupAttributes(context.Context, string) (map[string]string, error) {
	return give(with(map[string]string{"deregistration_delay.timeout_seconds": "300"}, t.f.attributes), t.f.asked("elasticloadbalancing:DescribeTargetGroupAttributes"))
}

func (f *fake) Cluster(_ context.Context, name string) (*eks.Cluster, error) {
	return give(&eks.Cluster{Name: name}, f.asked("eks:DescribeCluster"))
}

func (f *fake) Addon(context.Context, string, string) (*eks.Addon, error) { return nil, nil }

func (f *fake) AddonSchema(context.Context, string, string) (string, error) { return "", nil }

func (f *fake) Metrics(_ context.Context, _, to time.Time, qs []trail.Query) ([]trail.Series, error) {
	var out []trail.Series
	for _, q := range qs {
		s := trail.Series{Query: q}
		curve, own := f.curves[q.Metric]
		for i, v := range curve {
			if v >= 0 && len(q.Dimensions) == 1 {
				s.Points = append(s.Points, trail.Point{At: to.Add(time.Duration(i-len(curve)) * time.Minute), Value: v})
			}
		}
		for m := 15; m > 0 && !own; m-- {
			s.Points = append(s.Points, trail.Point{At: to.Add(-time.Duration(m) * time.Minute), Value: f.metrics[q.Metric]})
		}
		out = append(out, s)
	}
	return give(out, f.asked("cloudwatch:GetMetricData"))
}

func (f *fake) Audit(_ context.Context, resource string, _, _ time.Time) ([]trail.Event, error) {
	return give(slices.DeleteFunc(slices.Clone(f.audit), func(e trail.Event) bool { return !slices.Contains(e.Resources, resource) }), f.asked("cloudtrail:LookupEvents"))
}

// shop is a healthy ingress "web" in namespace shop: one rule, two pods behind Service cart on port 8080, each on its
// own node, all managed by the controller.
func shop() *fake {
	prefix := networkingv1.PathTypePrefix
	class := "alb"
	ing := networkingv1.Ingress{}
	ing.Namespace, ing.Name, ing.UID = "shop", "web", "u1"
	ing.CreationTimestamp = metav1.NewTime(now.Add(-48 * time.Hour))
	ing.Annotations = map[string]string{"alb.ingress.kubernetes.io/target-type": "ip", "alb.ingress.kubernetes.io/healthcheck-path": "/health"}
	ing.Spec.IngressClassName = &class
	ing.Spec.Rules = []networkingv1.IngressRule{{Host: "shop.example.com", IngressRuleValue: networkingv1.IngressRuleValue{HTTP: &networkingv1.HTTPIngressRuleValue{Paths: []networkingv1.HTTPIngressPath{{
		Path: "/", PathType: &prefix, Backend: networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{Name: "cart", Port: networkingv1.ServiceBackendPort{Number: 80}}}}}}}}}
	ing.Status.LoadBalancer.Ingress = []networkingv1.IngressLoadBalancerIngress{{Hostname: host}}

	alb := networkingv1.IngressClass{}
	alb.Name, alb.Spec.Controller = "alb", "ingress.k8s.aws/alb"

	svc := corev1.Service{}
	svc.Namespace, svc.Name = "shop", "cart"
	svc.Spec.Selector = map[string]string{"app": "cart"}
	svc.Spec.Ports = []corev1.ServicePort{{Name: "http", Port: 80, TargetPort: intstr.FromInt32(8080)}}

	f := &fake{
		ingresses: []networkingv1.Ingress{ing}, classes: []networkingv1.IngressClass{alb}, services: []corev1.Service{svc},
		bindings: []elb.TargetGroupBinding{{
			Namespace: "shop", Name: "k8s-shop-cart-1", APIVersion: "elbv2.k8s.aws/v1beta1", TargetGroupARN: tgARN, TargetType: "ip", Service: "cart", ServicePort: "80",
			Networking: &elb.BindingNetworking{Ingress: []elb.BindingIngress{{Groups: []string{"sg-back"}, Ports: []elb.BindingPort{{Protocol: "TCP", Port: "8080"}}}}},
			Labels:     map[string]string{"ingress.k8s.aws/stack-namespace": "shop", "ingress.k8s.aws/stack-name": "web"}, Annotations: map[string]string{"elbv2.k8s.aws/checkpoint": "abc"}, Created: now.Add(-48 * time.Hour),
		}},
		balancers: []elb.LoadBalancer{{ARN: lbARN, Name: "k8s-shop-web-1", DNSName: host, Type: "application", VPC: "vpc-1", State: "active", Groups: []string{"sg-front", "sg-back"},
			Zones: []elb.Zone{{Name: "us-west-2a", Subnet: "subnet-pa"}, {Name: "us-west-2b", Subnet: "subnet-pb"}}}},
		listeners: []elb.Listener{{ARN: "listener/1", LoadBalancer: lbARN, Port: 443, Protocol: "HTTPS"}},
		rules: []elb.Rule{{ARN: "rule/1", Listener: "listener/1", Priority: 1, Conditions: []elb.Condition{{Field: "host-header", Values: []string{"shop.example.com"}}, {Field: "path-pattern", Values: []string{"/*"}}},
			Actions: []elb.Action{{Type: "forward", Targets: []elb.Weighted{{TargetGroup: tgARN, Weight: 1}}}}}},
		groups: []elb.TargetGroup{{ARN: tgARN, Name: "k8s-shop-cart-1", Protocol: "HTTP", ProtocolVersion: "HTTP1", Port: 8080, VPC: "vpc-1", TargetType: "ip", LoadBalancers: []string{lbARN},
			Check: elb.HealthCheck{Enabled: true, Protocol: "HTTP", Port: "traffic-port", Path: "/health", Codes: "200", Interval: 15 * time.Second, Timeout: 5 * time.Second, Healthy: 2, Unhealthy: 2}}},
		health:  map[string][]elb.TargetHealth{},
		sgs:     []vpc.SecurityGroup{{ID: "sg-front", Name: "front"}, {ID: "sg-back", Name: "k8s-traffic", Tags: map[string]string{"elbv2.k8s.aws/resource": "backend-sg"}}, {ID: "sg-node", Name: "node"}},
		sgRules: []vpc.SecurityGroupRule{out("sg-front"), out("sg-back"), out("sg-node"), {ID: "sgr-pod", Group: "sg-node", Protocol: "tcp", From: 8080, To: 8080, Source: "sg-back"}},
		acls:    []vpc.NetworkACL{{ID: "acl-1", VPC: "vpc-1", Subnets: []string{"subnet-pa", "subnet-pb", "subnet-a", "subnet-b"}, Entries: openEntries()}},
		metrics: map[string]float64{requests: 6000},
	}
	lbc := appsv1.Deployment{}
	lbc.Namespace, lbc.Name, lbc.Status.ReadyReplicas = "kube-system", "aws-load-balancer-controller", 2
	lbc.Spec.Template.Spec.Containers = []corev1.Container{{Image: "public.ecr.aws/eks/aws-load-balancer-controller:v3.5.0"}}
	app := appsv1.Deployment{}
	app.Namespace, app.Name = "shop", "cart"
	app.Spec.Template.Labels = map[string]string{"app": "cart"}
	f.deployments = map[string][]appsv1.Deployment{"kube-system": {lbc}, "shop": {app}}

	sl := discoveryv1.EndpointSlice{}
	sl.Namespace, sl.Name, sl.Labels = "shop", "cart-1", map[string]string{"kubernetes.io/service-name": "cart"}
	name, port := "http", int32(8080)
	sl.Ports = []discoveryv1.EndpointPort{{Name: &name, Port: &port}}
	for i, zone := range []string{"a", "b"} {
		node, pod := "node-"+zone, "cart-"+zone
		f.enis = append(f.enis,
			eni("eni-lb-"+zone, "subnet-p"+zone, "us-west-2"+zone, []string{"sg-front", "sg-back"}, fmt.Sprintf("10.0.10%d.10", i+1)),
			eni("eni-"+zone, "subnet-"+zone, "us-west-2"+zone, []string{"sg-node"}, fmt.Sprintf("10.0.%d.100", i+1), fmt.Sprintf("10.0.%d.45", i+1)))
		f.enis[2*i].Description = "ELB app/k8s-shop-web-1/bb"
		f.enis[2*i+1].Instance = "i-" + zone
		n := corev1.Node{}
		n.Name, n.Spec.ProviderID = node, "aws:///us-west-2"+zone+"/i-"+zone
		n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
		f.nodes = append(f.nodes, n)
		p := corev1.Pod{}
		p.Namespace, p.Name, p.Labels, p.Spec.NodeName = "shop", pod, map[string]string{"app": "cart"}, node
		p.Status.Phase, p.Status.PodIP = corev1.PodRunning, fmt.Sprintf("10.0.%d.45", i+1)
		p.Status.PodIPs = []corev1.PodIP{{IP: p.Status.PodIP}}
		p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.NewTime(now.Add(-40 * time.Hour))}}
		p.Spec.Containers = []corev1.Container{{Name: "app", Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 8080}},
			ReadinessProbe: &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/health", Port: intstr.FromInt32(8080), Scheme: "HTTP"}}}}}
		f.pods = append(f.pods, p)
		yes := true
		sl.Endpoints = append(sl.Endpoints, discoveryv1.Endpoint{Addresses: []string{p.Status.PodIP}, Conditions: discoveryv1.EndpointConditions{Ready: &yes}, NodeName: &node, TargetRef: &corev1.ObjectReference{Kind: "Pod", Name: pod, Namespace: "shop"}})
		f.health[tgARN] = append(f.health[tgARN], elb.TargetHealth{ID: p.Status.PodIP, Port: 8080, Zone: "us-west-2" + zone, HealthCheckPort: "8080", State: "healthy"})
	}
	f.slices = []discoveryv1.EndpointSlice{sl}
	return f
}

func eni(id, subnet, zone string, groups []string, addrs ...string) vpc.NetworkInterface {
	n := vpc.NetworkInterface{ID: id, Subnet: subnet, VPC: "vpc-1", Zone: zone, Groups: groups}
	for _, a := range addrs {
		n.Addresses = append(n.Addresses, netip.MustParseAddr(a))
	}
	n.Primary = n.Addresses[0]
	return n
}

func out(group string) vpc.SecurityGroupRule {
	return vpc.SecurityGroupRule{ID: "sgr-out-" + group, Group: group, Egress: true, Protocol: "-1", From: -1, To: -1, CIDR: netip.MustParsePrefix("0.0.0.0/0")}
}

func openEntries() []vpc.ACLEntry {
	all := netip.MustParsePrefix("0.0.0.0/0")
	return []vpc.ACLEntry{{Number: 100, Protocol: "-1", CIDR: all, To: 65535, Allow: true}, {Number: 100, Egress: true, Protocol: "-1", CIDR: all, To: 65535, Allow: true}}
}

// all sets the health of all targets of the shop.
func (f *fake) all(state, reason, description string) {
	for i := range f.health[tgARN] {
		h := &f.health[tgARN][i]
		h.State, h.Reason, h.Description = state, reason, description
	}
}

func (f *fake) dropRule(id string) {
	f.sgRules = slices.DeleteFunc(f.sgRules, func(r vpc.SecurityGroupRule) bool { return r.ID == id })
}

func (f *fake) complain(kind, name, reason, message string) {
	e := corev1.Event{Type: "Warning", Reason: reason, Message: message, Count: 3, LastTimestamp: metav1.NewTime(now.Add(-time.Minute))}
	e.Namespace, e.Name = "shop", strings.ToLower(name+"."+reason)
	e.InvolvedObject = corev1.ObjectReference{Kind: kind, Namespace: "shop", Name: name}
	f.events = append(f.events, e)
}

// diagnose runs the diagnosis of ingress web through JSON, as a program would.
func (f *fake) diagnose(t *testing.T) diagnostics.Report {
	t.Helper()
	return f.ask(t, diagnostics.Target{Cluster: "prod", Region: "us-west-2", Namespace: "shop", Name: "web"})
}

func (f *fake) ask(t *testing.T, target diagnostics.Target) diagnostics.Report {
	t.Helper()
	outcome, err := Diagnosis.Run(t.Context(), f.inputs(), target)
	if err != nil {
		t.Fatal(err)
	}
	return outcome.Report
}

// enforcing are DaemonSets of a VPC CNI whose network policy agent is switched on.
func enforcing() []appsv1.DaemonSet {
	d := appsv1.DaemonSet{}
	d.Namespace, d.Name = "kube-system", "aws-node"
	d.Spec.Template.Spec.Containers = []corev1.Container{{Name: "aws-eks-nodeagent", Args: []string{"--enable-network-policy=true"}}}
	return []appsv1.DaemonSet{d}
}

// custom adds an object of a custom resource.
func (f *fake) custom(resource, namespace, name string, spec map[string]any) {
	u := unstructured.Unstructured{Object: map[string]any{"spec": spec}}
	u.SetNamespace(namespace)
	u.SetName(name)
	if f.customs == nil {
		f.customs = map[string][]unstructured.Unstructured{}
	}
	f.customs[resource] = append(f.customs[resource], u)
}

// mesh puts a sidecar into the pods of the shop and sets their mode of mutual TLS, by port too.
func (f *fake) mesh(mode string, ports map[string]any) {
	for i := range f.pods {
		f.pods[i].Spec.Containers = append(f.pods[i].Spec.Containers, corev1.Container{Name: "istio-proxy"})
	}
	f.custom("peerauthentications.security.istio.io", "shop", "cart", map[string]any{
		"mtls": map[string]any{"mode": mode}, "selector": map[string]any{"matchLabels": map[string]any{"app": "cart"}}, "portLevelMtls": ports,
	})
}
