package pending

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/eks"
	"github.com/netdiag/netdiag/internal/trail"
)

const (
	noAddressASG = `Launching a new EC2 instance. Status Reason: There are not enough free addresses in subnet 'subnet-0aaaaaaaaaaaaaaaa' to satisfy the requested number of instances. Launching EC2 instance failed.`
	noSuchASG    = `We currently do not have sufficient m5.large capacity in the Availability Zone you requested (us-west-2a). Launching EC2 instance failed.`
)

// fullNodes are two nodes without CPU to give, of a group that could grow, and two pods that want some.
func fullNodes(edit func(*scene)) *scene {
	c := twoNodes(func(n1, n2 *Node) {
		for _, n := range []*Node{n1, n2} {
			n.Pods = append(n.Pods, Placed{Namespace: "data", Name: "busy", CPU: 1900, Host: true})
		}
	})
	c.s.Subnets[0].ID = "subnet-0aaaaaaaaaaaaaaaa"
	c.s.Groups = []eks.Nodegroup{{Name: "workers", Subnets: []string{"subnet-0aaaaaaaaaaaaaaaa"}, Min: 1, Desired: 2, Max: 10, AutoScaling: []string{"eks-workers"}, InstanceTypes: []string{"m5.large"}}}
	c.unplaced(2, "0/2 nodes are available: 2 Insufficient cpu.", nil)
	edit(c)
	return c
}

// ofPod adds an event about every waiting pod.
func (c *scene) ofPod(kind, reason, source, message string, minutesAgo float64) {
	for n := range c.s.Pods {
		e := event(reason, message, minutesAgo)
		e.Type, e.Source.Component = kind, source
		e.InvolvedObject = corev1.ObjectReference{Kind: "Pod", Namespace: "backend", Name: c.s.Pods[n].Name, UID: c.s.Pods[n].UID}
		c.s.Events = append(c.s.Events, *e)
	}
}

// ofClaim adds a warning about a NodeClaim.
func (c *scene) ofClaim(name, reason, message string) {
	e := event(reason, message, 2)
	e.InvolvedObject = corev1.ObjectReference{Kind: "NodeClaim", Name: name}
	c.s.Events = append(c.s.Events, *e)
}

func (c *scene) pool(edit func(*NodePool)) {
	p := NodePool{Name: "default", Class: "EC2NodeClass/default", Limits: map[string]int64{"cpu": 16000}, Used: map[string]int64{"cpu": 15500}, Subnets: []string{"subnet-0aaaaaaaaaaaaaaaa"}}
	if edit != nil {
		edit(&p)
	}
	c.s.Pools = append(c.s.Pools, p)
}

func TestWhyNoFurtherNodeStarts(t *testing.T) {
	failed := func(group, message string, ago time.Duration) trail.Activity {
		return trail.Activity{Group: group, Status: "Failed", Message: message, At: now.Add(-ago)}
	}
	const resources = "insufficient-resources confirmed"
	for _, c := range []struct {
		name             string
		edit             func(*scene)
		causes, symptoms []string
		subject          string
	}{
		{"nothing is said", func(*scene) {}, []string{resources}, nil, "cpu"},
		{"the group's subnet is full", func(c *scene) { c.s.Activities = []trail.Activity{failed("eks-workers", noAddressASG, time.Minute)} },
			[]string{"node-launch-no-ip confirmed"}, []string{resources}, "subnet-0aaaaaaaaaaaaaaaa"},
		{"the group says so itself", func(c *scene) {
			c.s.Groups[0].Issues = []eks.Issue{{Code: "InsufficientFreeAddresses", Message: "One or more of the subnets associated with your Managed Node Group do not have enough available IP addresses for new nodes."}}
		}, []string{"node-launch-no-ip confirmed"}, []string{resources}, "subnet-0aaaaaaaaaaaaaaaa"},
		{"the subnet has addresses by now", func(c *scene) {
			c.s.Activities = []trail.Activity{failed("eks-workers", noAddressASG, time.Minute)}
			c.s.Subnets[0].Available = 40
		}, []string{resources}, nil, "cpu"},
		{"subnets can't be read", func(c *scene) {
			c.s.Activities = []trail.Activity{failed("eks-workers", noAddressASG, time.Minute)}
			c.s.Subnets, c.s.Unread = nil, denied("ec2:DescribeSubnets")
		}, []string{"node-launch-no-ip likely"}, []string{resources}, "subnet-0aaaaaaaaaaaaaaaa"},
		{"the next try went well", func(c *scene) {
			c.s.Activities = []trail.Activity{{Group: "eks-workers", Status: "Successful", At: now.Add(-time.Minute)}, failed("eks-workers", noAddressASG, 9*time.Minute)}
		}, []string{resources}, nil, "cpu"},
		{"it was hours ago", func(c *scene) { c.s.Activities = []trail.Activity{failed("eks-workers", noAddressASG, 3*time.Hour)} }, []string{resources}, nil, "cpu"},
		{"another group, which the pods don't want", func(c *scene) {
			c.s.Activities = []trail.Activity{failed("eks-batch", noAddressASG, time.Minute)}
			c.s.Groups = append(c.s.Groups, eks.Nodegroup{Name: "batch", AutoScaling: []string{"eks-batch"}, Subnets: []string{"subnet-0aaaaaaaaaaaaaaaa"}, Taints: []eks.Taint{{Key: "batch", Effect: "NoSchedule"}}})
		}, []string{resources}, nil, "cpu"},
		{"EC2 has no such instances", func(c *scene) { c.s.Activities = []trail.Activity{failed("eks-workers", noSuchASG, time.Minute)} },
			[]string{"capacity-shortage confirmed"}, []string{resources}, "node group workers"},
		{"a limit of the VPC", func(c *scene) {
			c.s.Activities = []trail.Activity{failed("eks-workers", "Launching a new EC2 instance. Status Reason: NetworkAddressUsageLimitExceeded: the network address usage limit of the VPC is reached. Launching EC2 instance failed.", time.Minute)}
		}, []string{"nau-limit confirmed"}, []string{resources}, "vpc-1"},
		{"a quota of the account", func(c *scene) {
			c.s.Activities = []trail.Activity{failed("eks-workers", "Launching a new EC2 instance. Status Reason: NetworkInterfaceLimitExceeded. Launching EC2 instance failed.", time.Minute)}
		}, []string{"eni-quota likely"}, []string{resources}, "account 111122223333"},
		{"Karpenter, no address", func(c *scene) {
			c.pool(nil)
			c.ofClaim("default-x7k2p", "InsufficientCapacityError", "NodeClaim default-x7k2p event: insufficient capacity, creating instance, with fleet error(s), InsufficientFreeAddressesInSubnet: There are not enough free addresses in subnet 'subnet-0aaaaaaaaaaaaaaaa'")
		}, []string{"node-launch-no-ip confirmed"}, []string{resources}, "subnet-0aaaaaaaaaaaaaaaa"},
		{"Karpenter, no address, but another subnet of the class has room", func(c *scene) {
			c.pool(func(p *NodePool) { p.Subnets = append(p.Subnets, "subnet-b") })
			c.s.Subnets[1].Available = 90
			c.ofClaim("default-x7k2p", "InsufficientCapacityError", "There are not enough free IP addresses to launch an instance in this subnet")
		}, []string{resources}, nil, "cpu"},
		{"Karpenter, no such instances", func(c *scene) {
			c.pool(nil)
			c.ofClaim("default-x7k2p", "InsufficientCapacityError", "insufficient capacity, all requested instance types were unavailable during launch")
		}, []string{"capacity-shortage confirmed"}, []string{resources}, "node pool default"},
		{"Karpenter, no such instances in a pool that the pods don't tolerate", func(c *scene) {
			c.pool(func(p *NodePool) {
				p.Name, p.Taints = "gpu", []corev1.Taint{{Key: "gpu", Effect: corev1.TaintEffectNoSchedule}}
			})
			c.ofClaim("gpu-x7k2p", "InsufficientCapacityError", "InsufficientInstanceCapacity")
		}, []string{resources}, nil, "cpu"},
		{"both at once", func(c *scene) {
			c.pool(nil)
			c.ofClaim("default-x7k2p", "InsufficientCapacityError", "with fleet error(s), InsufficientInstanceCapacity: We currently do not have sufficient m5.large capacity; InsufficientFreeAddressesInSubnet: There are not enough free addresses")
		}, []string{"capacity-shortage confirmed", "node-launch-no-ip confirmed"}, []string{resources}, "node pool default"},
		{"a node class without subnets", func(c *scene) {
			c.pool(func(p *NodePool) {
				p.Subnets, p.Refusal = nil, "SubnetsNotFound: SubnetSelector did not match any Subnets"
			})
		}, []string{"node-launch-no-ip likely"}, []string{resources}, "EC2NodeClass/default"},
		{"a limit of Karpenter", func(c *scene) {
			c.pool(nil)
			c.ofPod("Warning", "FailedScheduling", "karpenter", `Failed to schedule pod, all available instance types exceed limits for nodepool: "default"`, 2)
		}, []string{"autoscaler-limits confirmed"}, []string{resources}, "nodepool/default"},
		{"a limit in the words of newer versions", func(c *scene) {
			c.pool(nil)
			c.ofPod("Warning", "FailedScheduling", "karpenter", `Failed to schedule pod, all available instance types exceed limits for nodepool (NodePool=default)`, 2)
		}, []string{"autoscaler-limits confirmed"}, []string{resources}, "nodepool/default"},
		{"pools can't be read", func(c *scene) {
			c.s.Unread = denied("list nodepools.karpenter.sh")
			c.ofPod("Warning", "FailedScheduling", "karpenter", `Failed to schedule pod, all available instance types exceed limits for nodepool: "default"`, 2)
		}, []string{"autoscaler-limits likely"}, []string{resources}, "nodepool/default"},
		{"a limit that was raised since", func(c *scene) {
			c.pool(func(p *NodePool) { p.Limits["cpu"] = 64000 })
			c.s.Nodes[0].Labels["karpenter.sh/nodepool"] = "default"
			c.ofPod("Warning", "FailedScheduling", "karpenter", `Failed to schedule pod, all available instance types exceed limits for nodepool: "default"`, 2)
		}, []string{resources}, nil, "cpu"},
		{"a limit that was taken away since", func(c *scene) {
			c.pool(func(p *NodePool) { p.Limits = nil })
			c.ofPod("Warning", "FailedScheduling", "karpenter", `Failed to schedule pod, all available instance types exceed limits for nodepool: "default"`, 2)
		}, []string{resources}, nil, "cpu"},
		{"by now a node is on its way", func(c *scene) {
			c.pool(nil)
			c.ofPod("Warning", "FailedScheduling", "karpenter", `Failed to schedule pod, all available instance types exceed limits for nodepool: "default"`, 5)
			c.ofPod("Normal", "Nominated", "karpenter", "Pod should schedule on: nodeclaim/default-x7k2p", 1)
		}, []string{resources}, nil, "cpu"},
		{"no instance type is large enough", func(c *scene) {
			c.pool(nil)
			c.ofPod("Warning", "FailedScheduling", "karpenter", `Failed to schedule pod, incompatible with nodepool "default", daemonset overhead={"cpu":"150m","pods":"3"}, no instance type satisfied resources {"cpu":"150","pods":"4"} and requirements karpenter.sh/nodepool In [default] (no instance type has enough resources)`, 2)
		}, []string{"autoscaler-limits confirmed"}, []string{resources}, "ReplicaSet/api-1"},
		{"no pool tolerates", func(c *scene) {
			c.pool(func(p *NodePool) { p.Taints = []corev1.Taint{{Key: "gpu", Effect: corev1.TaintEffectNoSchedule}} })
			c.ofPod("Warning", "FailedScheduling", "karpenter", `Failed to schedule pod, incompatible with nodepool "default", daemonset overhead={"pods":"3"}, did not tolerate gpu=:NoSchedule`, 2)
		}, []string{"autoscaler-limits confirmed"}, []string{resources}, "nodepools"},
		{"the group is at its maximum", func(c *scene) {
			c.s.Groups[0].Max = 2
			c.ofPod("Normal", "NotTriggerScaleUp", "cluster-autoscaler", "pod didn't trigger scale-up: 1 max node group size reached", 1)
		}, []string{"autoscaler-limits confirmed"}, []string{resources}, "nodegroup/workers"},
		{"the group at its maximum is another", func(c *scene) {
			c.s.Groups = append(c.s.Groups, eks.Nodegroup{Name: "batch", Desired: 3, Max: 3, Taints: []eks.Taint{{Key: "batch", Effect: "NoSchedule"}}})
			c.ofPod("Normal", "NotTriggerScaleUp", "cluster-autoscaler", "pod didn't trigger scale-up: 1 max node group size reached", 1)
		}, []string{resources}, nil, "cpu"},
		{"groups can't be read", func(c *scene) {
			c.s.Groups, c.s.Unread = nil, denied("eks:ListNodegroups")
			c.ofPod("Normal", "NotTriggerScaleUp", "cluster-autoscaler", "pod didn't trigger scale-up (it wouldn't fit if a new node is added): 1 max limit reached", 1)
		}, []string{"autoscaler-limits likely"}, []string{resources}, "cluster-autoscaler"},
		{"the cluster is at its limit", func(c *scene) {
			c.ofPod("Normal", "NotTriggerScaleUp", "cluster-autoscaler", "pod didn't trigger scale-up: 1 max cluster cpu limit reached", 1)
		}, []string{"autoscaler-limits confirmed"}, []string{resources}, "cluster-autoscaler"},
		{"a failure that is not known here", func(c *scene) {
			c.s.Activities = []trail.Activity{failed("eks-workers", "You have requested more vCPU capacity than your current vCPU limit of 32 allows.", time.Minute)}
		}, []string{resources}, nil, "cpu"},
	} {
		r := fullNodes(c.edit).judged(t)
		if d := cmp.Diff([][]string{c.causes, c.symptoms}, [][]string{keys(r.Causes), keys(r.Symptoms)}); d != "" {
			t.Errorf("%s: causes and symptoms (-want +got):\n%s", c.name, d)
			continue
		}
		if !slices.ContainsFunc(r.Causes, func(f diagnostics.Finding) bool { return f.Subject == c.subject }) {
			t.Errorf("%s: subject %s, want %s", c.name, r.Causes[0].Subject, c.subject)
		}
	}
}

// A pod that only a new kind of node would take is told by the claim that Karpenter made for it.
func TestNominatedPodsHangOnTheirClaim(t *testing.T) {
	build := func(claim string) *scene {
		c := twoNodes(nil)
		c.unplaced(1, "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector.", func(p *corev1.Pod) { p.Spec.NodeSelector = map[string]string{"accelerator": "h100"} })
		c.ofPod("Normal", "Nominated", "karpenter", "Pod should schedule on: nodeclaim/"+claim, 3)
		c.ofClaim("gpu-x7k2p", "InsufficientCapacityError", "InsufficientInstanceCapacity: We currently do not have sufficient p5.48xlarge capacity")
		return c
	}
	r := build("gpu-x7k2p").judged(t)
	if d := cmp.Diff([][]string{{"capacity-shortage confirmed"}, {"affinity confirmed"}}, [][]string{keys(r.Causes), keys(r.Symptoms)}); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"affinity confirmed"}, keys(build("gpu-other").judged(t).Causes)); d != "" {
		t.Errorf("the claim of another pod: %s", d)
	}
}

func TestAClusterWithoutNodes(t *testing.T) {
	c := fullNodes(func(c *scene) {
		c.s.Nodes = nil
		for n := range c.s.Pods {
			c.s.Pods[n].Status.Conditions[0].Message = "no nodes available to schedule pods"
		}
	})
	if r := c.judged(t); len(r.Causes) > 0 || r.Severity != "P2" {
		t.Errorf("causes %v, severity %s", keys(r.Causes), r.Severity)
	}
	c.s.Activities = []trail.Activity{{Group: "eks-workers", Status: "Failed", Message: noAddressASG, At: now.Add(-time.Minute)}}
	if d := cmp.Diff([]string{"node-launch-no-ip confirmed"}, keys(c.judged(t).Causes)); d != "" {
		t.Error(d)
	}
}
