package pending

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/diagnostics/awsnode"
	"github.com/netdiag/netdiag/internal/eks"
	"github.com/netdiag/netdiag/internal/trail"
	"github.com/netdiag/netdiag/internal/vpc"
)

// Snapshot is what Collect read: everything that Analyze judges.
type Snapshot struct {
	Target diagnostics.Target `json:"target"`
	At     time.Time          `json:"at"`

	// Live counts the pods of the namespace that are neither finished nor being deleted, Ready those of them that are ready.
	Live  int `json:"live"`
	Ready int `json:"ready"`
	// Unlisted reports that the namespace has so many pods that those that run were not listed: Live and Ready are then the word of what makes them.
	Unlisted bool `json:"unlisted,omitempty"`
	// Pods are those of the namespace that are not running: pending, or failed within the last hour.
	Pods []corev1.Pod `json:"pods,omitempty"`
	// Settled are pods that were asked for by name and wait for nothing.
	Settled []Settled `json:"settled,omitempty"`
	// Short are the controllers of the namespace that have fewer pods than they want.
	Short []Workload `json:"short,omitempty"`
	// Makers are what makes the waiting pods, by "<kind>/<name>" of their controller.
	Makers map[string]Maker `json:"makers,omitempty"`
	// Suspended are Jobs that make no pods until they are resumed.
	Suspended []string       `json:"suspended,omitempty"`
	Events    []corev1.Event `json:"events,omitempty"` // of the namespace, and warnings about nodes and the CNI; sorted by time

	Nodes []Node `json:"nodes,omitempty"` // all of the cluster, sorted by name
	// Skipped counts nodes with waiting pods beyond those that were read in depth.
	Skipped int `json:"skipped,omitempty"`
	// Uncounted counts nodes that hold addresses in the subnets that were read and of which it isn't known how many pods use.
	Uncounted int             `json:"uncounted,omitempty"`
	Driver    *awsnode.Driver `json:"driver,omitempty"` // the DaemonSet aws-node; nil where there is none

	Cluster  *eks.Cluster         `json:"cluster,omitempty"`
	Addon    *eks.Addon           `json:"addon,omitempty"` // vpc-cni; nil where it isn't an EKS add-on
	Profiles []eks.FargateProfile `json:"profiles,omitempty"`
	// Groups and Activities are read where pods find no node: what keeps node groups from growing.
	Groups     []eks.Nodegroup  `json:"groups,omitempty"`
	MoreGroups int              `json:"moreGroups,omitempty"` // that were not read, because there are so many
	Activities []trail.Activity `json:"activities,omitempty"` // of their Auto Scaling groups, newest first

	VPC          *vpc.VPC               `json:"vpc,omitempty"`
	Subnets      []vpc.Subnet           `json:"subnets,omitempty"` // all of the VPC, sorted by id
	Interfaces   []vpc.NetworkInterface `json:"interfaces,omitempty"`
	Whole        []string               `json:"whole,omitempty"` // subnets whose interfaces were all read, sorted
	Reservations []vpc.Reservation      `json:"reservations,omitempty"`
	States       map[string]string      `json:"states,omitempty"`   // of instances asked for: their state, or gone
	Clusters     map[string]string      `json:"clusters,omitempty"` // the EKS cluster that an instance asked for names in its tags
	Types        []vpc.InstanceType     `json:"types,omitempty"`
	RouteTables  []vpc.RouteTable       `json:"routeTables,omitempty"`
	Endpoints    []vpc.ServiceEndpoint  `json:"endpoints,omitempty"` // of the VPC, read where a registry may be out of reach
	Audit        []trail.Event          `json:"audit,omitempty"`

	ENIConfigs map[string]string `json:"eniConfigs,omitempty"` // name → subnet
	NodeClass  string            `json:"nodeClass,omitempty"`  // of EKS Auto Mode
	// Pools are the node pools of Karpenter or EKS Auto Mode, read where pods find no node.
	Pools []NodePool `json:"pools,omitempty"`
	// CNIConfig is the ConfigMap amazon-vpc-cni: settings of the VPC resource controller, read where pods ask it for something.
	CNIConfig map[string]string `json:"cniConfig,omitempty"`

	Claims  []corev1.PersistentVolumeClaim `json:"claims,omitempty"`
	Volumes []corev1.PersistentVolume      `json:"volumes,omitempty"`
	// Attachable is how many volumes of a driver a node may have attached: "<node> <driver>" → count.
	Attachable map[string]int         `json:"attachable,omitempty"`
	Quotas     []corev1.ResourceQuota `json:"quotas,omitempty"` // read where a controller says that one is exceeded

	Unread []diagnostics.Unread `json:"unread,omitempty"`
}

// Maker is what people edit to change pods: the Deployment for those of a ReplicaSet, the CronJob for those of a Job.
type Maker struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
	// Owner is who declares it: helm, argocd, flux, terraform, pulumi, kubectl or none; Why is what tells so, Release the name there.
	Owner   string `json:"owner"`
	Why     string `json:"why,omitempty"`
	Release string `json:"release,omitempty"`
}

// NodePool is a node pool of Karpenter, EKS Auto Mode's included.
type NodePool struct {
	Name         string                           `json:"name"`
	Class        string                           `json:"class,omitempty"` // <kind>/<name> of its node class
	Labels       map[string]string                `json:"labels,omitempty"`
	Taints       []corev1.Taint                   `json:"taints,omitempty"`
	Requirements []corev1.NodeSelectorRequirement `json:"requirements,omitempty"`
	// Limits is what all its nodes together may have, Used what they have: millicores for cpu, else the unit of the resource.
	Limits  map[string]int64 `json:"limits,omitempty"`
	Used    map[string]int64 `json:"used,omitempty"`
	Subnets []string         `json:"subnets,omitempty"` // of its node class, as its status lists them
	Refusal string           `json:"refusal,omitempty"` // why the node class is not ready
}

// Workload is a controller that has fewer pods than it wants.
type Workload struct {
	Kind    string `json:"kind"`
	Name    string `json:"name"`
	Desired int    `json:"desired"`
	Have    int    `json:"have"`
	Message string `json:"message,omitempty"` // of its failure condition
}

// Settled is a pod that has started or ended.
type Settled struct {
	Name   string    `json:"name"`
	Node   string    `json:"node,omitempty"`
	Phase  string    `json:"phase"`
	Ready  bool      `json:"ready,omitempty"`
	Since  time.Time `json:"since,omitzero"`   // of being ready, or not
	Reason string    `json:"reason,omitempty"` // why it ended, or is not ready
}

// Node is a node; the part from Read on was read for nodes in trouble and for those that share their subnets.
type Node struct {
	Name     string            `json:"name"`
	Instance string            `json:"instance,omitempty"` // EC2 id
	Type     string            `json:"type,omitempty"`
	Zone     string            `json:"zone,omitempty"`
	Group    string            `json:"group,omitempty"` // managed node group
	Address  string            `json:"address,omitempty"`
	Labels   map[string]string `json:"labels,omitempty"`
	MaxPods  int               `json:"maxPods"` // allocatable pods
	Cordoned bool              `json:"cordoned,omitempty"`
	Fargate  bool              `json:"fargate,omitempty"`
	Taints   []corev1.Taint    `json:"taints,omitempty"`
	Devices  map[string]int64  `json:"devices,omitempty"` // allocatable of everything but CPU, memory and pods
	CPU      int64             `json:"cpu,omitempty"`     // allocatable millicores
	Memory   int64             `json:"memory,omitempty"`  // allocatable bytes
	Created  time.Time         `json:"created,omitzero"`
	// Ready is the status of the condition Ready: True, False or Unknown.
	Ready        string    `json:"ready"`
	ReadyMessage string    `json:"readyMessage,omitempty"`
	ReadySince   time.Time `json:"readySince,omitzero"`
	DiskPressure bool      `json:"diskPressure,omitempty"`
	// Networking is the reason of the condition NetworkingReady where it is False, as the EKS node monitoring agent sets it.
	Networking string `json:"networking,omitempty"`
	Volumes    int    `json:"volumes,omitempty"`   // attached to the instance, as the kubelet knows
	ENIConfig  string `json:"eniConfig,omitempty"` // named by the node's annotation

	// Own counts the pods in question on it that need an address, without those of DaemonSets: what a second copy would bring.
	Own int `json:"own,omitempty"`

	Read    bool     `json:"read,omitempty"` // its pods were listed
	Pods    []Placed `json:"pods,omitempty"`
	Freed   []Freed  `json:"freed,omitempty"` // addresses of pods that ended on it a moment ago, sorted by name
	Agent   *Agent   `json:"agent,omitempty"`
	Metrics *Metrics `json:"metrics,omitempty"`
}

// Placed is a pod on a node that is not finished.
type Placed struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	IP        string `json:"ip,omitempty"`
	Host      bool   `json:"host,omitempty"`   // on the network of the node: needs no address
	Daemon    bool   `json:"daemon,omitempty"` // of a DaemonSet: a new node runs one too
	CPU       int64  `json:"cpu,omitempty"`    // requested millicores
	Memory    int64  `json:"memory,omitempty"` // requested bytes
	// Devices are the requests for everything else, Ports the ports of the node that it holds, as 8080/TCP.
	Devices map[string]int64 `json:"devices,omitempty"`
	Ports   []string         `json:"ports,omitempty"`
}

// Freed is the address of a pod that ended, which ipamd keeps from new pods until its cooldown is over.
type Freed struct {
	Name string    `json:"name"` // namespace/name
	IP   string    `json:"ip"`
	At   time.Time `json:"at"`
}

// Agent is the aws-node pod of a node.
type Agent struct {
	Name     string    `json:"name"`
	UID      string    `json:"uid,omitempty"`
	Ready    bool      `json:"ready"`
	Restarts int       `json:"restarts,omitempty"`
	Waiting  string    `json:"waiting,omitempty"` // reason, such as CrashLoopBackOff, of its own container or of its init container
	Message  string    `json:"message,omitempty"`
	Started  time.Time `json:"started,omitzero"` // when the container that runs was started
	Ended    *Exit     `json:"ended,omitempty"`  // how it ended the last time
	// PolicyAgent is the state of its container aws-eks-nodeagent where that isn't ready.
	PolicyAgent string            `json:"policyAgent,omitempty"`
	Env         map[string]string `json:"env,omitempty"` // its own, where the pod shows it
	Log         []string          `json:"log,omitempty"` // the last lines, read only where it isn't ready
}

// Exit is how a container ended.
type Exit struct {
	Reason string    `json:"reason,omitempty"` // such as OOMKilled or Error
	Code   int       `json:"code"`
	At     time.Time `json:"at,omitzero"`
}

// Metrics is what ipamd counts: gauges of now, and counters since Started.
type Metrics struct {
	Total     int        `json:"total"`
	Assigned  int        `json:"assigned"`
	NoAddress int        `json:"noAddress,omitempty"`
	Errors    []APIError `json:"errors,omitempty"`
	// Failures counts, by ipamd's own name of the step, what failed in it.
	Failures map[string]int `json:"failures,omitempty"`
}

// APIError counts one error code of one EC2 operation.
type APIError struct {
	API   string `json:"api"`
	Code  string `json:"code"`
	Count int    `json:"count"`
}

// setup is how aws-node is set up, as far as it was read.
func (s *Snapshot) setup() awsnode.Setup {
	missed := slices.ContainsFunc(s.Unread, func(u diagnostics.Unread) bool { return u.Permission == "eks:DescribeAddon" })
	return awsnode.Setup{Cluster: s.Target.Cluster, Driver: s.Driver, Addon: s.Addon, AddonUnread: missed}
}
