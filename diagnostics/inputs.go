package diagnostics

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/netdiag/netdiag/internal/eks"
	"github.com/netdiag/netdiag/internal/elb"
	"github.com/netdiag/netdiag/internal/trail"
	"github.com/netdiag/netdiag/internal/vpc"
)

// Inputs is everything a diagnosis may read. Each reader answers the same question once per run (a second call is served
// from memory) and returns a *ReadError where it could not look. A field is never nil.
type Inputs struct {
	Now time.Time // the clock of the cluster: ages are counted from here
	// Clock measures how long a run takes; nil means that no time passes.
	Clock func() time.Time
	// Progress is told what is being read, done or found, in a few words; nil where nobody listens.
	Progress func(string)

	// Kubernetes.
	Namespaces  Namespaces
	Pods        Pods
	AllPods     AllPods
	PodFiles    PodFiles
	Events      Events
	Nodes       Nodes
	Controllers Controllers
	Daemons     Daemons
	Volumes     Volumes
	Configs     Configs
	Quotas      Quotas
	Ingresses   Ingresses
	Services    Services
	Policies    Policies
	Bindings    Bindings
	Customs     Customs

	// AWS.
	Network       Network
	Interfaces    Interfaces
	Firewalls     Firewalls
	Routing       Routing
	Instances     Instances
	LoadBalancers LoadBalancers
	TargetGroups  TargetGroups
	Tags          Tags
	Clusters      Clusters
	Nodegroups    Nodegroups
	Metrics       Metrics
	Audit         Audit

	// Past is what earlier looks saw; nil where nobody keeps it.
	Past Past
}

func (in Inputs) clock() time.Time {
	if in.Clock == nil {
		return in.Now
	}
	return in.Clock()
}

// Say reports progress.
func (in Inputs) Say(format string, args ...any) {
	if in.Progress != nil {
		in.Progress(fmt.Sprintf(format, args...))
	}
}

// Namespaces lists namespace names ("list namespaces").
type Namespaces interface {
	Namespaces(ctx context.Context) ([]string, error)
}

// PodQuery narrows a list of pods; empty fields don't. Namespace empty means all namespaces.
type PodQuery struct {
	Namespace string
	Phase     string // field selector status.phase
	Node      string // field selector spec.nodeName
	Address   string // field selector status.podIP
	Labels    string // label selector
	Name      string // field selector metadata.name
}

// Pods reads pods ("list pods").
type Pods interface {
	Pods(ctx context.Context, q PodQuery) ([]corev1.Pod, error)
}

// AllPods reads all pods of the cluster ("list pods"), for what is summed over more of them than should be held at a time.
type AllPods interface {
	// EachPod gives every pod to f, one after the other, and keeps none. Where the list had to begin again, f gets pods that it had.
	EachPod(ctx context.Context, f func(*corev1.Pod)) error
}

// PodFiles reads what a pod says of itself.
type PodFiles interface {
	// CNIMetrics is the Prometheus text of an aws-node pod, GET pods/<name>:61678/proxy/metrics ("get pods/proxy").
	CNIMetrics(ctx context.Context, namespace, pod string) (string, error)
	// Log is the tail of a container's log, at most lines lines ("get pods/log").
	Log(ctx context.Context, namespace, pod, container string, lines int) (string, error)
}

// Events lists the events of a namespace ("list events"); those about cluster-scoped objects are in default.
type Events interface {
	Events(ctx context.Context, namespace string) ([]corev1.Event, error)
}

// Nodes reads nodes ("get nodes", "list nodes").
type Nodes interface {
	Node(ctx context.Context, name string) (*corev1.Node, error)
	Nodes(ctx context.Context) ([]corev1.Node, error)
}

// Controllers lists what makes pods in a namespace ("list deployments.apps", "list replicasets.apps", "list jobs.batch", …).
type Controllers interface {
	Deployments(ctx context.Context, namespace string) ([]appsv1.Deployment, error)
	ReplicaSets(ctx context.Context, namespace string) ([]appsv1.ReplicaSet, error)
	StatefulSets(ctx context.Context, namespace string) ([]appsv1.StatefulSet, error)
	Jobs(ctx context.Context, namespace string) ([]batchv1.Job, error)
}

// Daemons lists the DaemonSets of a namespace with their managedFields ("list daemonsets.apps").
type Daemons interface {
	DaemonSets(ctx context.Context, namespace string) ([]appsv1.DaemonSet, error)
}

// Volumes reads claims, volumes and CSI limits ("list persistentvolumeclaims", "list persistentvolumes", "list csinodes.storage.k8s.io").
type Volumes interface {
	Claims(ctx context.Context, namespace string) ([]corev1.PersistentVolumeClaim, error)
	PersistentVolumes(ctx context.Context) ([]corev1.PersistentVolume, error)
	CSINodes(ctx context.Context) ([]storagev1.CSINode, error)
}

// Configs reads one ConfigMap ("get configmaps"). One that isn't there is nil without an error.
type Configs interface {
	ConfigMap(ctx context.Context, namespace, name string) (map[string]string, error)
}

// Quotas lists the resource quotas of a namespace ("list resourcequotas").
type Quotas interface {
	ResourceQuotas(ctx context.Context, namespace string) ([]corev1.ResourceQuota, error)
}

// Ingresses reads ingresses; namespace empty means all ("list ingresses.networking.k8s.io", "list ingressclasses.networking.k8s.io").
type Ingresses interface {
	Ingresses(ctx context.Context, namespace string) ([]networkingv1.Ingress, error)
	IngressClasses(ctx context.Context) ([]networkingv1.IngressClass, error)
}

// Services reads services and endpoint slices ("list services", "list endpointslices.discovery.k8s.io").
type Services interface {
	Services(ctx context.Context, namespace string) ([]corev1.Service, error)
	EndpointSlices(ctx context.Context, namespace string) ([]discoveryv1.EndpointSlice, error)
}

// Policies reads network policies ("list networkpolicies.networking.k8s.io").
type Policies interface {
	NetworkPolicies(ctx context.Context, namespace string) ([]networkingv1.NetworkPolicy, error)
}

// Bindings reads TargetGroupBindings; namespace empty means all ("list targetgroupbindings.elbv2.k8s.aws").
type Bindings interface {
	TargetGroupBindings(ctx context.Context, namespace string) ([]elb.TargetGroupBinding, error)
}

// Customs reads other custom resources ("list <plural>.<group>"). A resource that the cluster doesn't serve is a
// *ReadError with reason absent. namespace empty means all.
type Customs interface {
	Customs(ctx context.Context, group, version, plural, namespace string) ([]unstructured.Unstructured, error)
}

// Network reads subnets and VPCs ("ec2:DescribeSubnets", "ec2:DescribeVpcs").
type Network interface {
	// Subnets reads the named subnets.
	Subnets(ctx context.Context, ids ...string) ([]vpc.Subnet, error)
	// SubnetsOf reads all subnets of a VPC.
	SubnetsOf(ctx context.Context, vpcID string) ([]vpc.Subnet, error)
	VPC(ctx context.Context, id string) (vpc.VPC, error)
}

// InterfaceQuery selects network interfaces; exactly one field is set.
type InterfaceQuery struct {
	Subnets     []string // in one of these subnets
	Instances   []string // attached to one of these instances
	Addresses   []string // carrying one of these IPv4 or IPv6 addresses
	Description string   // with exactly this description
	IDs         []string
}

// Interfaces reads network interfaces, managed ones included ("ec2:DescribeNetworkInterfaces").
type Interfaces interface {
	Interfaces(ctx context.Context, q InterfaceQuery) ([]vpc.NetworkInterface, error)
}

// Firewalls reads security groups, their rules and prefix lists ("ec2:DescribeSecurityGroups",
// "ec2:DescribeSecurityGroupRules", "ec2:GetManagedPrefixListEntries").
type Firewalls interface {
	SecurityGroups(ctx context.Context, ids ...string) ([]vpc.SecurityGroup, error)
	SecurityGroupRules(ctx context.Context, groups ...string) ([]vpc.SecurityGroupRule, error)
	PrefixList(ctx context.Context, id string) ([]string, error)
}

// Routing reads network ACLs, route tables, endpoints and reservations ("ec2:DescribeNetworkAcls", "ec2:DescribeRouteTables",
// "ec2:DescribeVpcEndpoints", "ec2:GetSubnetCidrReservations").
type Routing interface {
	// NetworkACLs reads the ACLs that guard these subnets.
	NetworkACLs(ctx context.Context, subnets ...string) ([]vpc.NetworkACL, error)
	// RouteTables reads all route tables of a VPC.
	RouteTables(ctx context.Context, vpcID string) ([]vpc.RouteTable, error)
	// Endpoints reads all endpoints of a VPC.
	Endpoints(ctx context.Context, vpcID string) ([]vpc.ServiceEndpoint, error)
	Reservations(ctx context.Context, subnet string) ([]vpc.Reservation, error)
}

// Instances reads instances and types ("ec2:DescribeInstances", "ec2:DescribeInstanceTypes"). Ids that don't exist are left out.
type Instances interface {
	Instances(ctx context.Context, ids ...string) ([]vpc.Instance, error)
	InstanceTypes(ctx context.Context, names ...string) ([]vpc.InstanceType, error)
}

// LoadBalancers reads load balancers ("elasticloadbalancing:DescribeLoadBalancers", "…:DescribeListeners", "…:DescribeRules").
type LoadBalancers interface {
	// LoadBalancers reads those with these names, or all of the region where none are given. Unknown names are left out.
	LoadBalancers(ctx context.Context, names ...string) ([]elb.LoadBalancer, error)
	Listeners(ctx context.Context, loadBalancer string) ([]elb.Listener, error)
	// Rules reads the rules of a listener, the default one included.
	Rules(ctx context.Context, listener string) ([]elb.Rule, error)
}

// TargetGroups reads target groups ("elasticloadbalancing:DescribeTargetGroups", "…:DescribeTargetHealth").
type TargetGroups interface {
	// TargetGroups reads those with these ARNs or names. Unknown ones are left out.
	TargetGroups(ctx context.Context, refs ...string) ([]elb.TargetGroup, error)
	TargetHealth(ctx context.Context, arn string) ([]elb.TargetHealth, error)
}

// Tags reads tags and attributes of load balancers, rules and target groups ("elasticloadbalancing:DescribeTags",
// "…:DescribeLoadBalancerAttributes", "…:DescribeTargetGroupAttributes").
type Tags interface {
	Tags(ctx context.Context, arns ...string) (map[string]map[string]string, error)
	LoadBalancerAttributes(ctx context.Context, arn string) (map[string]string, error)
	TargetGroupAttributes(ctx context.Context, arn string) (map[string]string, error)
}

// Clusters reads the cluster and its add-ons ("eks:DescribeCluster", "eks:DescribeAddon"). An add-on that isn't
// installed is nil without an error.
type Clusters interface {
	Cluster(ctx context.Context, name string) (*eks.Cluster, error)
	Addon(ctx context.Context, cluster, name string) (*eks.Addon, error)
	// AddonSchema is the JSON schema of the configuration values ("eks:DescribeAddonConfiguration").
	AddonSchema(ctx context.Context, name, version string) (string, error)
}

// Nodegroups reads node groups, Fargate profiles and scaling activities ("eks:ListNodegroups", "eks:DescribeNodegroup",
// "eks:ListFargateProfiles", "eks:DescribeFargateProfile", "autoscaling:DescribeScalingActivities").
type Nodegroups interface {
	// Nodegroups reads node groups of a cluster in the order of their names, so many at most; more counts the others.
	Nodegroups(ctx context.Context, cluster string, most int) (groups []eks.Nodegroup, more int, err error)
	FargateProfiles(ctx context.Context, cluster string) ([]eks.FargateProfile, error)
	Activities(ctx context.Context, group string) ([]trail.Activity, error)
}

// Metrics reads metric series, one answer per query in their order ("cloudwatch:GetMetricData").
type Metrics interface {
	Metrics(ctx context.Context, from, to time.Time, queries []trail.Query) ([]trail.Series, error)
}

// Audit reads CloudTrail events about a resource, newest first ("cloudtrail:LookupEvents").
type Audit interface {
	Audit(ctx context.Context, resource string, from, to time.Time) ([]trail.Event, error)
}

// Past remembers, by subnet, how many addresses were available at earlier looks, oldest first. It is netdiag's own memory:
// a subnet that nobody looked at has none, and so has every one where that memory can't be read.
type Past interface {
	Available(ctx context.Context, cluster string, subnets ...string) map[string][]vpc.Sample
}

// ReadError is a read that could not be made. It becomes a Gap.
type ReadError struct {
	Permission string // as Gap spells it
	Reason     string // Denied, Throttled, Timeout or Absent
	Err        error
}

// Error says which read, why, and what the service answered.
func (e *ReadError) Error() string { return fmt.Sprintf("%s: %s: %v", e.Permission, e.Reason, e.Err) }

// Unwrap gives the error of the client.
func (e *ReadError) Unwrap() error { return e.Err }

// Refusal is an error for the person who asked, shown as it is: what is wrong and what to do, in one or two lines.
type Refusal string

// Error is the sentence itself.
func (r Refusal) Error() string { return string(r) }

// Unreachable is a Refusal because nothing at all can be read: no credentials, no API server, no cluster.
type Unreachable struct{ Refusal }

// Unwrap makes it a Refusal for errors.As.
func (u Unreachable) Unwrap() error { return u.Refusal }

// Unread is a read that could not be made, as a snapshot keeps it.
type Unread struct {
	Permission string `json:"permission"`
	Reason     string `json:"reason"`
	What       string `json:"what,omitempty"` // what it was about, such as a subnet id
}

// Reads gathers the reads of a Collect that could not be made. It is safe for use by several goroutines.
type Reads struct {
	mu     sync.Mutex
	unread map[Unread]bool
	fault  error
}

// Missed records err, which may be nil, and reports whether the read was missed. what names the resource, or is empty.
func (r *Reads) Missed(err error, what string) bool {
	if err == nil {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var re *ReadError
	if !errors.As(err, &re) {
		if r.fault == nil {
			r.fault = err
		}
		return true
	}
	if r.unread == nil {
		r.unread = map[Unread]bool{}
	}
	r.unread[Unread{re.Permission, re.Reason, what}] = true
	return true
}

// Unread lists what was missed, sorted.
func (r *Reads) Unread() []Unread {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []Unread
	for u := range r.unread {
		out = append(out, u)
	}
	sort.Slice(out, func(i, j int) bool {
		a, b := out[i], out[j]
		if a.Permission != b.Permission {
			return a.Permission < b.Permission
		}
		if a.Reason != b.Reason {
			return a.Reason < b.Reason
		}
		return a.What < b.What
	})
	return out
}

// Fault is the first error that was no ReadError: the run can't go on.
func (r *Reads) Fault() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.fault
}
