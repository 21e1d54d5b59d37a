package alb

import (
	"net/netip"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/eks"
	"github.com/netdiag/netdiag/internal/elb"
	"github.com/netdiag/netdiag/internal/trail"
	"github.com/netdiag/netdiag/internal/vpc"
)

// Snapshot is everything that was read about one ingress or TargetGroupBinding and the load balancer behind it. What
// could not be read is listed in Unread; an empty list in a field that is not named there was read and is empty.
type Snapshot struct {
	Now     time.Time `json:"now"`
	Cluster string    `json:"cluster"`
	Region  string    `json:"region"`

	Ingress *networkingv1.Ingress `json:"ingress,omitempty"`
	// Asked is the TargetGroupBinding that was asked for, nil where it was an ingress. Ingress is then the one that the controller
	// made it of, nil where there is none.
	Asked *elb.TargetGroupBinding `json:"asked,omitempty"`
	// Members are the other ingresses of the group.
	Members []networkingv1.Ingress `json:"members,omitempty"`
	Group   string                 `json:"group,omitempty"`      // alb.ingress.kubernetes.io/group.name, or that of the class parameters
	Stack   string                 `json:"stack,omitempty"`      // value of the tag ingress.k8s.aws/stack: the group, or namespace/name
	Class   string                 `json:"class,omitempty"`      // controller of the class: ingress.k8s.aws/alb or eks.amazonaws.com/alb
	Host    string                 `json:"host,omitempty"`       // of the load balancer, from the status of the ingress
	Params  map[string]any         `json:"parameters,omitempty"` // spec of the IngressClassParams

	Balancer *elb.LoadBalancer `json:"balancer,omitempty"`
	// Candidates are the load balancers that carry the tags of the ingress, where it has no address yet and there is more than one.
	Candidates []string          `json:"candidates,omitempty"`
	Attributes map[string]string `json:"attributes,omitempty"` // of the load balancer
	Listeners  []elb.Listener    `json:"listeners,omitempty"`
	Rules      []elb.Rule        `json:"rules,omitempty"` // of all listeners, with tags where they were readable
	// Tags are those of the target groups of all rules, read only for a group of ingresses.
	Tags map[string]map[string]string `json:"tags,omitempty"`
	// TargetGroups are those of the rules that serve the ingress, and those of its bindings that no rule names.
	TargetGroups []TargetGroup            `json:"targetGroups,omitempty"`
	Bindings     []elb.TargetGroupBinding `json:"bindings,omitempty"` // of all namespaces

	Services    []corev1.Service            `json:"services,omitempty"`
	Slices      []discoveryv1.EndpointSlice `json:"slices,omitempty"`
	Pods        []corev1.Pod                `json:"pods,omitempty"`
	Nodes       []corev1.Node               `json:"nodes,omitempty"`
	Agents      []corev1.Pod                `json:"agents,omitempty"` // network agents (kube-proxy, aws-node, …) on nodes whose targets don't answer
	Deployments []appsv1.Deployment         `json:"deployments,omitempty"`
	ReplicaSets []appsv1.ReplicaSet         `json:"replicaSets,omitempty"`
	// StatefulSets are read only where a Service has no pods and no Deployment that would make any.
	StatefulSets []appsv1.StatefulSet         `json:"statefulSets,omitempty"`
	Policies     []networkingv1.NetworkPolicy `json:"policies,omitempty"`
	Events       []corev1.Event               `json:"events,omitempty"`
	Controller   *Controller                  `json:"controller,omitempty"` // nil on EKS Auto Mode, and where none was found
	Leader       *Lease                       `json:"leader,omitempty"`     // by which replicas of the controller agree who works; nil where there is none
	Enforcer     Enforcer                     `json:"enforcer"`
	Mesh         []PeerAuthentication         `json:"mesh,omitempty"`
	DNS          []DNSRecord                  `json:"dns,omitempty"`
	EKS          *eks.Cluster                 `json:"eks,omitempty"`

	Interfaces []vpc.NetworkInterface `json:"interfaces,omitempty"`
	Front      []string               `json:"front,omitempty"`    // ids of the interfaces of the load balancer's nodes
	Carriers   map[string]string      `json:"carriers,omitempty"` // id of the interface that carries an address or, of an instance, the primary one
	// Unlooked are addresses of targets whose interfaces were not looked for, because there are so many; sorted.
	Unlooked []string            `json:"unlooked,omitempty"`
	Groups   []vpc.SecurityGroup `json:"groups,omitempty"`
	Firewall vpc.Firewall        `json:"firewall"`
	VPC      *vpc.VPC            `json:"vpc,omitempty"`
	Subnets  []vpc.Subnet        `json:"subnets,omitempty"`
	Routes   []vpc.RouteTable    `json:"routes,omitempty"`
	Choice   []vpc.Subnet        `json:"choice,omitempty"` // all subnets of the VPC, read only where the load balancer lacks one

	Series []trail.Series    `json:"series,omitempty"`
	Audit  []trail.Event     `json:"audit,omitempty"`
	Logs   map[string]string `json:"logs,omitempty"` // by namespace/pod/container

	Unread []diagnostics.Unread `json:"unread,omitempty"`
}

// TargetGroup is a target group with the health of its targets; HealthRead is false where that was not readable.
type TargetGroup struct {
	elb.TargetGroup
	Health     []elb.TargetHealth `json:"health"`
	HealthRead bool               `json:"healthRead"`
}

// Controller is the Deployment of the AWS Load Balancer Controller.
type Controller struct {
	Namespace string    `json:"namespace"`
	Name      string    `json:"name"`
	Desired   int       `json:"desired"`
	Ready     int       `json:"ready"`
	DownSince time.Time `json:"downSince,omitzero"` // since when the Deployment has been unavailable; zero where it doesn't say so
	Version   string    `json:"version,omitempty"`  // of the image, such as v3.5.0
	Args      []string  `json:"args,omitempty"`
	Selector  string    `json:"selector,omitempty"` // of its pods
	Pods      []string  `json:"pods,omitempty"`     // its pods and what ails them, read only where none is ready
	Owner     string    `json:"owner"`
}

// Lease is the lock by which the replicas of the controller agree who works. The holder renews it every few seconds.
type Lease struct {
	Namespace string    `json:"namespace"`
	Name      string    `json:"name"`
	Holder    string    `json:"holder"`
	Renewed   time.Time `json:"renewed"`
}

// Enforcer says whether anything enforces NetworkPolicies in the cluster.
type Enforcer struct {
	Name string `json:"name,omitempty"` // aws-network-policy-agent, calico, cilium …; empty where nothing was found that does
	// Computed lists the pods ("namespace/name") that a PolicyEndpoint of the VPC CNI selects: there it is enforced for sure.
	Computed []string `json:"computed,omitempty"`
	// Foreign lists kinds of policy that are in use and that netdiag can't evaluate.
	Foreign []string `json:"foreign,omitempty"`
}

// PeerAuthentication is Istio's setting of mutual TLS for a namespace, or for the pods that Selector matches; only there
// Ports (spec.portLevelMtls) counts.
type PeerAuthentication struct {
	Namespace string            `json:"namespace"`
	Name      string            `json:"name"`
	Mode      string            `json:"mode"` // STRICT, PERMISSIVE, DISABLE
	Selector  map[string]string `json:"selector,omitempty"`
	Ports     map[int]string    `json:"ports,omitempty"` // mode by port of the pod
}

// DNSRecord is a name that external-dns manages, with what it points to.
type DNSRecord struct {
	Name    string   `json:"name"`
	Targets []string `json:"targets"`
	Object  string   `json:"object"` // dnsendpoint/<namespace>/<name>
}

// missed reports whether a read with this permission could not be made, wholly or in part.
func (s *Snapshot) missed(permission string) bool {
	return slices.ContainsFunc(s.Unread, func(u diagnostics.Unread) bool { return u.Permission == permission })
}

// unreadable reports whether a read with this permission was refused or failed; of a resource that the cluster doesn't have
// there was nothing to read.
func (s *Snapshot) unreadable(permission string) bool {
	return slices.ContainsFunc(s.Unread, func(u diagnostics.Unread) bool {
		return u.Permission == permission && u.Reason != diagnostics.Absent
	})
}

// missedIn reports whether a read with this permission could not be made for a namespace.
func (s *Snapshot) missedIn(permission, namespace string) bool {
	return slices.ContainsFunc(s.Unread, func(u diagnostics.Unread) bool { return u.Permission == permission && u.What == namespace })
}

func (s *Snapshot) network(id string) *vpc.NetworkInterface {
	for i := range s.Interfaces {
		if s.Interfaces[i].ID == id {
			return &s.Interfaces[i]
		}
	}
	return nil
}

func (s *Snapshot) group(id string) vpc.SecurityGroup {
	for _, g := range s.Groups {
		if g.ID == id {
			return g
		}
	}
	return vpc.SecurityGroup{ID: id}
}

func (s *Snapshot) node(name string) *corev1.Node {
	for i := range s.Nodes {
		if s.Nodes[i].Name == name {
			return &s.Nodes[i]
		}
	}
	return nil
}

func (s *Snapshot) service(namespace, name string) *corev1.Service {
	for i := range s.Services {
		if s.Services[i].Namespace == namespace && s.Services[i].Name == name {
			return &s.Services[i]
		}
	}
	return nil
}

func (s *Snapshot) pod(namespace, name string) *corev1.Pod {
	for i := range s.Pods {
		if s.Pods[i].Namespace == namespace && s.Pods[i].Name == name {
			return &s.Pods[i]
		}
	}
	return nil
}

// podAt finds the running pod that has the address.
func (s *Snapshot) podAt(addr netip.Addr) *corev1.Pod {
	for i := range s.Pods {
		p := &s.Pods[i]
		if p.Spec.HostNetwork || p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed {
			continue
		}
		for _, ip := range append([]corev1.PodIP{{IP: p.Status.PodIP}}, p.Status.PodIPs...) {
			if a, err := netip.ParseAddr(ip.IP); err == nil && a == addr {
				return p
			}
		}
	}
	return nil
}

// inVPC reports whether the address lies in a block of the load balancer's VPC; known is false where the VPC was not readable.
func (s *Snapshot) inVPC(addr netip.Addr) (in, known bool) {
	if s.VPC == nil || len(s.VPC.CIDRs) == 0 {
		return false, false
	}
	return slices.ContainsFunc(s.VPC.CIDRs, func(p netip.Prefix) bool { return p.Contains(addr) }), true
}
