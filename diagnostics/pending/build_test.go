package pending

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apiresource "k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/diagnostics/awsnode"
	"github.com/netdiag/netdiag/internal/eks"
	"github.com/netdiag/netdiag/internal/vpc"
)

// scene builds a snapshot of a small cluster: /24 subnets in us-west-2a and b, nodes of type m5.large in them, and
// pods that wait on the first node.
type scene struct {
	s    Snapshot
	next map[string]int // next free last byte by subnet
}

func newScene(availableA, availableB int) *scene {
	c := &scene{next: map[string]int{"a": 10, "b": 10}}
	c.s = Snapshot{
		Target: diagnostics.Target{Cluster: "prod", Region: "us-west-2", Account: "111122223333", Namespace: "backend"}, At: now, Live: 20, Ready: 18,
		Driver: &awsnode.Driver{Version: "v1.20.4", Env: map[string]string{"WARM_ENI_TARGET": "1", "WARM_PREFIX_TARGET": "1"}},
		VPC:    &vpc.VPC{ID: "vpc-1", CIDRs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/16")}},
		Subnets: []vpc.Subnet{
			{ID: "subnet-a", VPC: "vpc-1", Zone: "us-west-2a", CIDR: netip.MustParsePrefix("10.0.1.0/24"), Available: availableA},
			{ID: "subnet-b", VPC: "vpc-1", Zone: "us-west-2b", CIDR: netip.MustParsePrefix("10.0.2.0/24"), Available: availableB},
		},
		Whole: []string{"subnet-a", "subnet-b"},
		Types: []vpc.InstanceType{{Name: "m5.large", Interfaces: 3, AddressesPerInterface: 10, VCPUs: 2, Nitro: true}},
		Addon: &eks.Addon{Name: "vpc-cni", Version: "v1.20.4-eksbuild.1", Status: "ACTIVE", Configuration: "{}", RoleARN: "arn:aws:iam::111122223333:role/cni"},
	}
	return c
}

// node adds a node in subnet a or b: an interface for each count of secondary addresses, used of them by pods.
func (c *scene) node(name, subnet string, used int, secondary ...int) *Node {
	n := Node{Name: name, Instance: "i-" + name, Type: "m5.large", Zone: "us-west-2" + subnet, MaxPods: 29, Ready: "True", Read: true, Group: "workers",
		Labels: map[string]string{"topology.kubernetes.io/zone": "us-west-2" + subnet}, CPU: 1930, Memory: 7 << 30, Agent: &Agent{Name: "aws-node-" + name, Ready: true}}
	octet := map[string]int{"a": 1, "b": 2}[subnet]
	address := func() netip.Addr {
		c.next[subnet]++
		return netip.MustParseAddr(fmt.Sprintf("10.0.%d.%d", octet, c.next[subnet]))
	}
	var free []netip.Addr
	for device, count := range secondary {
		i := vpc.NetworkInterface{ID: fmt.Sprintf("eni-%s-%d", name, device), Subnet: "subnet-" + subnet, VPC: "vpc-1", Status: "in-use", Type: "interface", Instance: n.Instance, Device: device, Primary: address()}
		i.Addresses = []netip.Addr{i.Primary}
		if device == 0 {
			n.Address = i.Primary.String()
		}
		for range count {
			a := address()
			i.Addresses = append(i.Addresses, a)
			free = append(free, a)
		}
		c.s.Interfaces = append(c.s.Interfaces, i)
	}
	for k := range used {
		n.Pods = append(n.Pods, Placed{Namespace: "data", Name: fmt.Sprintf("p%d", k), IP: free[k].String()})
	}
	n.Pods = append(n.Pods, Placed{Namespace: "kube-system", Name: "aws-node", IP: n.Address, Host: true}, Placed{Namespace: "kube-system", Name: "kube-proxy", IP: n.Address, Host: true})
	c.s.Nodes = append(c.s.Nodes, n)
	slices.SortFunc(c.s.Nodes, func(a, b Node) int { return strings.Compare(a.Name, b.Name) })
	c.s.Driver.Desired++
	c.s.Driver.Ready++
	c.s.Driver.Updated++
	return c.s.node(name)
}

const assignFailed = `Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox "x": plugin type="aws-cni" name="aws-cni" failed (add): add cmd: failed to assign an IP address to container`

// wait puts pods on a node, which fail with a message; none is said of them where it is empty.
func (c *scene) wait(node string, count int, message string, edit func(*corev1.Pod)) {
	controller := true
	for k := range count {
		p := pendingPod(edit)
		p.Name, p.Spec.NodeName = fmt.Sprintf("api-%s-%d", node, k), node
		p.OwnerReferences = append(p.OwnerReferences, metav1.OwnerReference{Kind: "ReplicaSet", Name: "api-1", Controller: &controller})
		p.UID = types.UID("uid of " + p.Name)
		c.s.Pods = append(c.s.Pods, *p)
		if n := c.s.node(node); n != nil {
			n.Pods = append(n.Pods, Placed{Namespace: "backend", Name: p.Name, Host: p.Spec.HostNetwork})
		}
		if message != "" {
			e := event("FailedCreatePodSandBox", message, 0.2)
			e.Namespace, e.Name = "backend", p.Name+".1"
			e.InvolvedObject = corev1.ObjectReference{Kind: "Pod", Namespace: "backend", Name: p.Name, UID: p.UID}
			c.s.Events = append(c.s.Events, *e)
		}
	}
}

func (c *scene) say(kind, name, reason, message string, minutesAgo float64) {
	e := event(reason, message, minutesAgo)
	e.Namespace, e.Name = "kube-system", name+"."+reason
	e.InvolvedObject = corev1.ObjectReference{Kind: kind, Name: name}
	c.s.Events = append(c.s.Events, *e)
}

// judged analyzes the scene as a run does: after a way through JSON.
func (c *scene) judged(t *testing.T) diagnostics.Report {
	t.Helper()
	raw, err := json.Marshal(c.s)
	if err != nil {
		t.Fatal(err)
	}
	out, err := Diagnosis.Replay(raw, c.s.Target, now)
	if err != nil {
		t.Fatal(err)
	}
	return out.Report
}

func keys(fs []diagnostics.Finding) []string {
	var out []string
	for _, f := range fs {
		out = append(out, strings.TrimPrefix(f.ID, "pending/")+" "+string(f.Confidence))
	}
	slices.Sort(out)
	return out
}

func fixIDs(r diagnostics.Report) []string {
	var out []string
	for _, f := range r.Fixes {
		out = append(out, strings.TrimPrefix(f.ID, "pending/"))
	}
	return out
}

func refusedIDs(r diagnostics.Report) []string {
	set := map[string]bool{}
	for _, f := range r.Refused {
		set[strings.TrimPrefix(f.ID, "pending/")] = true
	}
	return slices.Sorted(maps.Keys(set))
}

func denied(permissions ...string) []diagnostics.Unread {
	var out []diagnostics.Unread
	for _, p := range permissions {
		out = append(out, diagnostics.Unread{Permission: p, Reason: diagnostics.Denied})
	}
	return out
}

func quantity(n int64) *apiresource.Quantity {
	return apiresource.NewQuantity(n, apiresource.DecimalSI)
}
