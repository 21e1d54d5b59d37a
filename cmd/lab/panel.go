package main

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/ask"
	"github.com/netdiag/netdiag/internal/sim/slack"
)

// panel shows the state of a story's world beside the chat. It reads the world as anybody would, over the wire.
type panel struct {
	story *story

	mu   sync.Mutex
	at   time.Time
	last slack.Panel
}

// fresh is how old what the panel shows may be.
const fresh = time.Second

// get is what the panel shows now.
func (p *panel) get() slack.Panel {
	p.mu.Lock()
	defer p.mu.Unlock()
	if time.Since(p.at) < fresh {
		return p.last
	}
	p.at = time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	src, err := p.story.served.Source(ctx)
	if err != nil {
		return p.last
	}
	in := src.Inputs(nil)
	s := p.story
	m := s.world.Meta
	out := slack.Panel{Title: m.Cluster + " · " + m.Region, Commands: []string{
		"export KUBECONFIG=" + s.kubeconfig("you"),
		"export AWS_DEFAULT_REGION=" + m.Region + " AWS_ACCESS_KEY_ID=x AWS_SECRET_ACCESS_KEY=x; alias aws='aws --endpoint-url " + s.served.AWSURL + "'",
	}}
	c, err := ask.Parse(m.Ask)
	if err != nil {
		return p.last
	}
	if c.Verb != "alb" {
		out.Tables = append(out.Tables, waiting(ctx, in), p.subnets(ctx, in), nodes(ctx, in))
		out.Commands = append(out.Commands, "kubectl get pods -A --field-selector=status.phase=Pending", "aws ec2 describe-subnets --query 'Subnets[].[SubnetId,AvailableIpAddressCount]' --output text",
			"kubectl set env daemonset aws-node -n kube-system WARM_IP_TARGET=2 MINIMUM_IP_TARGET=10")
	} else {
		out.Tables = append(append(out.Tables, targets(ctx, in, c)...), pods(ctx, in, c.Namespace), nodes(ctx, in))
		out.Commands = append(out.Commands, "kubectl get targetgroupbindings -A", "for arn in $(aws elbv2 describe-target-groups --query 'TargetGroups[].TargetGroupArn' --output text); do aws elbv2 describe-target-health --target-group-arn $arn --output text; done",
			"aws ec2 describe-security-groups --query 'SecurityGroups[].[GroupId,GroupName]' --output text")
	}
	for i := range out.Tables {
		out.Tables[i].Rows = short(out.Tables[i].Rows)
	}
	out.Commands = append(out.Commands, "kubectl get investigations,remediations -n netdiag")
	p.last = out
	return out
}

// short cuts a table that would fill the panel: trouble stays before what is in order, and how much is left out is said.
func short(rows [][]string) [][]string {
	const most = 8
	if len(rows) <= most+1 {
		return rows
	}
	trouble := func(r []string) bool {
		return slices.ContainsFunc(r, func(cell string) bool { return strings.HasPrefix(cell, "!") })
	}
	sorted := slices.Clone(rows)
	slices.SortStableFunc(sorted, func(a, b []string) int { return count(trouble(b)) - count(trouble(a)) })
	return append(sorted[:most:most], []string{fmt.Sprintf("and %d more", len(rows)-most)})
}

// waiting lists the pods that don't run.
func waiting(ctx context.Context, in diagnostics.Inputs) slack.Table {
	t := slack.Table{Title: "Pods that don't run", Columns: []string{"pod", "state"}}
	pods, err := in.Pods.Pods(ctx, diagnostics.PodQuery{Phase: string(corev1.PodPending)})
	if err != nil {
		return t
	}
	for _, p := range pods {
		state := "Pending"
		if p.Spec.NodeName != "" {
			state = "ContainerCreating"
		}
		t.Rows = append(t.Rows, []string{p.Namespace + "/" + p.Name, "!" + state})
	}
	if len(t.Rows) == 0 {
		t.Rows = [][]string{{"all pods run", "+ok"}}
	}
	return t
}

// pods lists the pods of a namespace.
func pods(ctx context.Context, in diagnostics.Inputs, namespace string) slack.Table {
	t := slack.Table{Title: "Pods in " + namespace, Columns: []string{"pod", "state", "address"}}
	list, err := in.Pods.Pods(ctx, diagnostics.PodQuery{Namespace: namespace})
	if err != nil {
		return t
	}
	for _, p := range list {
		state := "!not ready"
		for _, c := range p.Status.Conditions {
			if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue {
				state = "+Ready"
			}
		}
		if p.DeletionTimestamp != nil {
			state = "Terminating"
		}
		t.Rows = append(t.Rows, []string{p.Name, state, p.Status.PodIP})
	}
	return t
}

// nodes lists the nodes with the pods that each may run at most.
func nodes(ctx context.Context, in diagnostics.Inputs) slack.Table {
	t := slack.Table{Title: "Nodes", Columns: []string{"node", "zone", "state", "max pods"}}
	list, err := in.Nodes.Nodes(ctx)
	if err != nil {
		return t
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Name < list[j].Name })
	for _, n := range list {
		state := "!NotReady"
		for _, c := range n.Status.Conditions {
			if c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue {
				state = "+Ready"
			}
		}
		name, _, _ := strings.Cut(n.Name, ".")
		t.Rows = append(t.Rows, []string{name, n.Labels[corev1.LabelTopologyZone], state, n.Status.Allocatable.Pods().String()})
	}
	return t
}

// subnets lists the subnets of the cluster with what is free.
func (p *panel) subnets(ctx context.Context, in diagnostics.Inputs) slack.Table {
	t := slack.Table{Title: "Pod subnets", Columns: []string{"zone", "CIDR", "free"}}
	cluster, err := in.Clusters.Cluster(ctx, p.story.world.Meta.Cluster)
	if err != nil || cluster == nil {
		return t
	}
	subnets, err := in.Network.Subnets(ctx, cluster.Subnets...)
	if err != nil {
		return t
	}
	sort.Slice(subnets, func(i, j int) bool { return subnets[i].Zone < subnets[j].Zone })
	for _, s := range subnets {
		free := fmt.Sprint(s.Available)
		switch {
		case s.Available == 0:
			free = "!" + free
		case s.Available >= 16:
			free = "+" + free
		}
		t.Rows = append(t.Rows, []string{s.Zone, s.CIDR.String(), free})
	}
	return t
}

// targets lists the targets behind the namespace's target groups.
func targets(ctx context.Context, in diagnostics.Inputs, c ask.Command) []slack.Table {
	bindings, err := in.Bindings.TargetGroupBindings(ctx, c.Namespace)
	if err != nil {
		return nil
	}
	var out []slack.Table
	for _, b := range bindings {
		t := slack.Table{Columns: []string{"target", "state", "reason"}}
		health, err := in.TargetGroups.TargetHealth(ctx, b.TargetGroupARN)
		if err != nil {
			continue
		}
		healthy := 0
		for _, h := range health {
			state := "!" + h.State
			if h.State == "healthy" {
				state = "+" + h.State
				healthy++
			}
			t.Rows = append(t.Rows, []string{fmt.Sprintf("%s:%d", h.ID, h.Port), state, h.Reason})
		}
		t.Title = fmt.Sprintf("Targets of %s: %d of %d healthy", b.Service, healthy, len(health))
		out = append(out, t)
	}
	return out
}
