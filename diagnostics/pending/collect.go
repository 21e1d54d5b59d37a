package pending

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/diagnostics/awsnode"
)

// What one run reads at most, whatever the size of the cluster. A further page of an answer is no call of its own.
const (
	deepNodes       = 15 // nodes with waiting pods that are read in depth
	deepPerNet      = 3  // of them, at least so many of each subnet
	agentLogs       = 5  // logs of the CNI
	kubernetesCalls = 60 // what these leave is for nodes whose pods are counted to know what their warm pools hold
	awsCalls        = 25
)

// collector gathers a Snapshot.
type collector struct {
	in    diagnostics.Inputs
	s     Snapshot
	reads diagnostics.Reads
	all   []corev1.Pod // of the namespace, as far as they were read
	nodes []corev1.Node

	counted   bool // the namespace has so many pods that they were not all read
	kube, aws int  // calls that are left
}

func collect(ctx context.Context, in diagnostics.Inputs, t diagnostics.Target) (Snapshot, error) {
	c := &collector{in: in, s: Snapshot{Target: t, At: in.Now}, kube: kubernetesCalls, aws: awsCalls - 1} // one to learn whose account it is
	if t.Namespace == "" {
		return Snapshot{}, diagnostics.Refusal("Which namespace? Say /netdiag pending <namespace> [pod].")
	}
	in.Say("reading pods, events and nodes of %s", t.Namespace)
	if err := c.namespace(ctx); err != nil {
		return Snapshot{}, err
	}
	if err := c.first(ctx); err != nil {
		return Snapshot{}, err
	}
	if len(c.nodes) == 0 {
		if err := c.named(ctx); err != nil {
			return Snapshot{}, err
		}
	}
	c.sift()
	deep := c.deep()
	in.Say("reading %d nodes and their subnets", len(deep))
	if err := c.second(ctx, deep); err != nil {
		return Snapshot{}, err
	}
	if err := c.third(ctx, deep); err != nil {
		return Snapshot{}, err
	}
	c.s.Unread = c.reads.Unread()
	return c.s, nil
}

// namespace refuses one that doesn't exist, and names the nearest that do.
func (c *collector) namespace(ctx context.Context) error {
	c.kube--
	names, err := c.in.Namespaces.Namespaces(ctx)
	if err != nil {
		c.reads.Missed(err, "")
		return c.reads.Fault()
	}
	if slices.Contains(names, c.s.Target.Namespace) {
		return nil
	}
	return diagnostics.Refusal(fmt.Sprintf("There is no namespace %q.", c.s.Target.Namespace) + diagnostics.Suggest(c.s.Target.Namespace, names))
}

// into makes a read of get that keeps its answer at dst. A missed read leaves dst alone.
func into[T any](dst *T, get func() (T, error)) func() error {
	return func() error {
		v, err := get()
		if err == nil {
			*dst = v
		}
		return err
	}
}

// first reads what can be asked without knowing anything but the namespace.
func (c *collector) first(outer context.Context) error {
	ns, in := c.s.Target.Namespace, c.in
	g, ctx := c.reads.Group(outer)
	var m makers
	var system []appsv1.DaemonSet
	var own, kube, cluster []corev1.Event
	g.Read("", into(&c.nodes, func() ([]corev1.Node, error) { return in.Nodes.Nodes(ctx) }))
	g.Read("", into(&own, func() ([]corev1.Event, error) { return in.Events.Events(ctx, ns) }))
	g.Read("", into(&kube, func() ([]corev1.Event, error) { return in.Events.Events(ctx, "kube-system") }))
	g.Read("", into(&cluster, func() ([]corev1.Event, error) { return in.Events.Events(ctx, "default") }))
	g.Read("", into(&m.deployments, func() ([]appsv1.Deployment, error) { return in.Controllers.Deployments(ctx, ns) }))
	g.Read("", into(&m.sets, func() ([]appsv1.ReplicaSet, error) { return in.Controllers.ReplicaSets(ctx, ns) }))
	g.Read("", into(&m.stateful, func() ([]appsv1.StatefulSet, error) { return in.Controllers.StatefulSets(ctx, ns) }))
	g.Read("", into(&m.jobs, func() ([]batchv1.Job, error) { return in.Controllers.Jobs(ctx, ns) }))
	g.Read("", into(&m.daemons, func() ([]appsv1.DaemonSet, error) { return in.Daemons.DaemonSets(ctx, ns) }))
	g.Read("", into(&system, func() ([]appsv1.DaemonSet, error) { return in.Daemons.DaemonSets(ctx, "kube-system") }))
	g.Read("", func() (err error) { c.s.Addon, err = in.Clusters.Addon(ctx, c.s.Target.Cluster, "vpc-cni"); return err })
	g.Read("", func() (err error) {
		if c.s.Cluster, err = in.Clusters.Cluster(ctx, c.s.Target.Cluster); err == nil && c.s.Cluster.VPC != "" {
			c.s.Subnets, err = in.Network.SubnetsOf(ctx, c.s.Cluster.VPC)
		}
		return err
	})
	c.kube, c.aws = c.kube-10, c.aws-3
	if err := g.Wait(); err != nil {
		return err
	}
	if err := c.readNamespace(outer, m); err != nil {
		return err
	}
	c.s.Short, c.s.Suspended, c.s.Makers = short(m), suspended(m), m.known()
	if err := c.narrow(m); err != nil {
		return err
	}
	for n := range system {
		if system[n].Name == "aws-node" {
			c.s.Driver = awsnode.DriverOf(&system[n])
		}
	}
	c.events(own, kube, cluster)
	return nil
}

// events keeps those that can matter: all of the namespace, the warnings of the CNI, and what befell nodes.
func (c *collector) events(own, kube, cluster []corev1.Event) {
	keep := func(e corev1.Event) {
		e.ManagedFields = nil
		c.s.Events = append(c.s.Events, e)
	}
	for _, e := range own {
		keep(e)
	}
	for _, e := range kube {
		if c.s.Target.Namespace != "kube-system" && (e.Reason == "MissingIAMPermissions" || strings.HasPrefix(e.InvolvedObject.Name, "aws-node")) {
			keep(e)
		}
	}
	for _, e := range cluster {
		if c.s.Target.Namespace != "default" && (e.InvolvedObject.Kind == "Node" || e.InvolvedObject.Kind == "NodeClaim") {
			keep(e)
		}
	}
	slices.SortFunc(c.s.Events, func(a, b corev1.Event) int {
		if n := diagnostics.LastSeen(&a).Compare(diagnostics.LastSeen(&b)); n != 0 {
			return n
		}
		return strings.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name)
	})
}

// sift keeps the pods that have something to explain, counts the others, and makes the list of nodes.
func (c *collector) sift() {
	slices.SortFunc(c.all, byName)
	for _, p := range c.all {
		done := p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed
		if !c.counted && !done && p.DeletionTimestamp == nil {
			c.s.Live++
			if ready := condition(&p, corev1.PodReady); ready != nil && ready.Status == corev1.ConditionTrue {
				c.s.Ready++
			}
		}
		pending := p.Status.Phase == corev1.PodPending
		refused := p.Status.Phase == corev1.PodFailed && refusedByKubelet(p.Status.Reason) && c.s.At.Sub(p.CreationTimestamp.Time) < time.Hour
		if pending || refused || !done && c.blocking(&p) {
			p.ManagedFields = nil
			c.s.Pods = append(c.s.Pods, p)
		}
	}
	used := c.used()
	maps.DeleteFunc(c.s.Makers, func(key string, _ Maker) bool { return !used[key] })
	slices.SortFunc(c.nodes, func(a, b corev1.Node) int { return strings.Compare(a.Name, b.Name) })
	annotation := "k8s.amazonaws.com/eniConfig"
	if c.s.Driver != nil {
		annotation = cmp.Or(c.s.Driver.Env["ENI_CONFIG_ANNOTATION_DEF"], annotation)
	}
	for n := range c.nodes {
		c.s.Nodes = append(c.s.Nodes, node(&c.nodes[n]))
		c.s.Nodes[n].ENIConfig = c.nodes[n].Annotations[annotation]
	}
	for n := range c.all {
		if c.counted {
			break // those that run were not listed
		}
		p := &c.all[n]
		of := metav1.GetControllerOf(p)
		done := p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed
		if node := c.node(p.Spec.NodeName); node != nil && !done && p.DeletionTimestamp == nil && !p.Spec.HostNetwork && (of == nil || of.Kind != "DaemonSet") {
			node.Own++
		}
	}
}

func byName(a, b corev1.Pod) int { return strings.Compare(a.Name, b.Name) }

// used are the controllers, "<kind>/<name>", that make pods that have something to explain, or are short of pods.
func (c *collector) used() map[string]bool {
	out := map[string]bool{}
	for _, w := range c.s.Short {
		out[w.Kind+"/"+w.Name] = true
	}
	for n := range c.s.Pods {
		if of := metav1.GetControllerOf(&c.s.Pods[n]); of != nil {
			out[of.Kind+"/"+of.Name] = true
		}
	}
	return out
}

// blocking reports a pod that should be gone by now and is in somebody's way: a StatefulSet makes none anew before the old
// one is gone, and who asks for a pod by name wants to know of it.
func (c *collector) blocking(p *corev1.Pod) bool {
	if p.DeletionTimestamp == nil || c.s.At.Sub(p.DeletionTimestamp.Time) <= overdue {
		return false
	}
	of := metav1.GetControllerOf(p)
	return of != nil && of.Kind == "StatefulSet" || p.Name == c.s.Target.Name
}

func (c *collector) node(name string) *Node {
	n, ok := slices.BinarySearchFunc(c.s.Nodes, name, func(n Node, name string) int { return strings.Compare(n.Name, name) })
	if !ok {
		return nil
	}
	return &c.s.Nodes[n]
}

// deep picks the nodes to look at closely: those with the most waiting pods, but some of every subnet; where pods have no
// node at all, those on which the scheduler could have put them.
func (c *collector) deep() []*Node {
	stuck := map[string]int{}
	homeless := false
	events := byPod(c.s.Events)
	for n := range c.s.Pods {
		w := judge(&c.s.Pods[n], events[string(c.s.Pods[n].UID)], c.s.At)
		switch w.stage {
		case unconnected, unmounted, rejected:
			stuck[w.pod.Spec.NodeName]++
		case unscheduled:
			homeless = true
		}
	}
	var picked []*Node
	for n := range c.s.Nodes {
		if node := &c.s.Nodes[n]; stuck[node.Name] > 0 || homeless && !node.Fargate {
			picked = append(picked, node)
		}
	}
	slices.SortStableFunc(picked, func(a, b *Node) int { return stuck[b.Name] - stuck[a.Name] })
	kept, place := []*Node{}, map[string]int{}
	for pass := range deepPerNet + 1 { // first one of every subnet, then a second and a third, then whichever
		for _, node := range picked {
			where := node.Zone + " " + node.Group
			if s := c.s.subnetAt(node.Address); s != nil {
				where = s.ID
			}
			if len(kept) < deepNodes && !slices.Contains(kept, node) && (place[where] <= pass || pass == deepPerNet) {
				kept = append(kept, node)
				place[where]++
			}
		}
	}
	for _, node := range picked {
		if stuck[node.Name] > 0 && !slices.Contains(kept, node) {
			c.s.Skipped++
		}
	}
	return kept
}
