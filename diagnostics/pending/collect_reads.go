package pending

import (
	"context"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/vpc"
)

// named reads the nodes with waiting pods one by one, where they can't be listed.
func (c *collector) named(ctx context.Context) error {
	names := map[string]bool{}
	for n := range c.all {
		if p := &c.all[n]; p.Status.Phase == corev1.PodPending && p.Spec.NodeName != "" && len(names) < deepNodes {
			names[p.Spec.NodeName] = true
		}
	}
	c.kube -= len(names)
	for _, name := range sorted(names) {
		node, err := c.in.Nodes.Node(ctx, name)
		if c.reads.Missed(err, "") {
			if err := c.reads.Fault(); err != nil {
				return err
			}
			continue
		}
		if node != nil {
			c.nodes = append(c.nodes, *node)
		}
	}
	return nil
}

// readPods reads the pods of a node, its CNI among them.
func (c *collector) readPods(ctx context.Context, g *diagnostics.ReadGroup, node *Node) {
	c.kube--
	g.Read("", func() error {
		pods, err := c.in.Pods.Pods(ctx, diagnostics.PodQuery{Node: node.Name})
		if err != nil {
			return err
		}
		node.Read = true
		node.Pods = placed(pods)
		node.Freed = freed(pods, c.s.At, 2*young)
		for n := range pods {
			if p := &pods[n]; p.Namespace == "kube-system" && p.Labels["k8s-app"] == "aws-node" {
				node.Agent = agentOf(p)
			}
		}
		return nil
	})
}

// readAgents reads what the CNI of each node says of itself: its counters, and of a few that aren't ready, or whose ipamd
// logs to standard output, the log.
func (c *collector) readAgents(ctx context.Context, g *diagnostics.ReadGroup, nodes []*Node) {
	logs := 0
	for _, node := range nodes {
		if node.Agent == nil {
			continue
		}
		c.readMetrics(ctx, g, node)
		if (!node.Agent.Ready || c.s.Driver != nil && c.s.Driver.Env["AWS_VPC_K8S_CNI_LOG_FILE"] == "stdout") && logs < agentLogs {
			logs++
			c.readLog(ctx, g, node)
		}
	}
}

func (c *collector) readMetrics(ctx context.Context, g *diagnostics.ReadGroup, node *Node) {
	pod := node.Agent.Name
	c.kube--
	g.Read("", func() error {
		text, err := c.in.PodFiles.CNIMetrics(ctx, "kube-system", pod)
		if err == nil {
			node.Metrics = parseMetrics(text)
		}
		return err
	})
}

func (c *collector) readLog(ctx context.Context, g *diagnostics.ReadGroup, node *Node) {
	pod := node.Agent.Name
	c.kube--
	g.Read("", func() error {
		text, err := c.in.PodFiles.Log(ctx, "kube-system", pod, "aws-node", 100)
		if err == nil {
			node.Agent.Log = complaints(text)
		}
		return err
	})
}

// join adds interfaces to those that are known, once each, sorted.
func (c *collector) join(more []vpc.NetworkInterface) {
	all := append(c.s.Interfaces, more...)
	slices.SortFunc(all, func(a, b vpc.NetworkInterface) int { return strings.Compare(a.ID, b.ID) })
	c.s.Interfaces = slices.CompactFunc(all, func(a, b vpc.NetworkInterface) bool { return a.ID == b.ID })
}

// readGroups asks why node groups don't grow, of so many at most.
func (c *collector) readGroups(ctx context.Context, most int) error {
	groups, more, err := c.in.Nodegroups.Nodegroups(ctx, c.s.Target.Cluster, most)
	if err != nil {
		return err
	}
	c.s.Groups, c.s.MoreGroups = groups, more
	asked := 0
	for _, g := range groups {
		for _, name := range g.AutoScaling {
			if asked++; asked > most {
				return nil
			}
			activities, err := c.in.Nodegroups.Activities(ctx, name)
			if err != nil {
				return err
			}
			c.s.Activities = append(c.s.Activities, activities...)
		}
	}
	return nil
}

func (c *collector) readENIConfigs(ctx context.Context) error {
	found, err := c.in.Customs.Customs(ctx, "crd.k8s.amazonaws.com", "v1alpha1", "eniconfigs", "")
	if err != nil {
		return err
	}
	configs := map[string]string{}
	for _, u := range found {
		configs[u.GetName()] = nested(u.Object, "spec", "subnet")
	}
	c.s.ENIConfigs = configs
	return nil
}

func (c *collector) readNodeClass(ctx context.Context) error {
	found, err := c.in.Customs.Customs(ctx, "eks.amazonaws.com", "v1", "nodeclasses", "")
	if err != nil {
		return err
	}
	var names []string
	for _, u := range found {
		names = append(names, u.GetName())
	}
	slices.Sort(names)
	if len(names) > 0 {
		c.s.NodeClass = names[0]
	}
	return nil
}

// strangers lists instances that are no nodes of the cluster: those for which its CNI made interfaces that are unattached, all
// of them, and some of those that have interfaces in the subnets that were read.
func (c *collector) strangers() []string {
	const most = 100 // beyond them nothing more is told apart than other instances
	nodes, made, attached := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for n := range c.s.Nodes {
		nodes[c.s.Nodes[n].Instance] = true
	}
	for _, i := range c.s.Interfaces {
		if id := i.CNIInstance(); id != "" && !nodes[id] {
			made[id] = true
		}
		if i.Instance != "" && !nodes[i.Instance] && i.Cluster() == "" {
			attached[i.Instance] = true
		}
	}
	for _, id := range sorted(attached)[:min(len(attached), most)] {
		made[id] = true
	}
	return sorted(made)
}

// readInstances keeps the state of instances, and the cluster that their tags name. One that EC2 doesn't know is gone.
func (c *collector) readInstances(ctx context.Context, ids []string) error {
	found, err := c.in.Instances.Instances(ctx, ids...)
	if err != nil {
		return err
	}
	c.s.States, c.s.Clusters = map[string]string{}, map[string]string{}
	for _, id := range ids {
		c.s.States[id] = "gone"
	}
	for _, i := range found {
		c.s.States[i.ID] = i.State
		if name := vpc.ClusterTag(i.Tags); name != "" {
			c.s.Clusters[i.ID] = name
		}
	}
	return nil
}
