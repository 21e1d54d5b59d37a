package pending

import (
	"fmt"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/netdiag/netdiag/diagnostics/awsnode"
)

// node keeps of a node what can matter.
func node(n *corev1.Node) Node {
	out := Node{
		Name: n.Name, Labels: n.Labels, Cordoned: n.Spec.Unschedulable, Taints: n.Spec.Taints, Created: n.CreationTimestamp.Time,
		Type: n.Labels["node.kubernetes.io/instance-type"], Zone: n.Labels["topology.kubernetes.io/zone"],
		Group: n.Labels["eks.amazonaws.com/nodegroup"], Fargate: n.Labels["eks.amazonaws.com/compute-type"] == "fargate",
		MaxPods: int(n.Status.Allocatable.Pods().Value()),
		CPU:     n.Status.Allocatable.Cpu().MilliValue(), Memory: n.Status.Allocatable.Memory().Value(),
		Ready: string(corev1.ConditionUnknown), Volumes: len(n.Status.VolumesAttached),
	}
	if at := strings.LastIndexByte(n.Spec.ProviderID, '/'); at >= 0 && strings.HasPrefix(n.Spec.ProviderID[at+1:], "i-") {
		out.Instance = n.Spec.ProviderID[at+1:]
	}
	for _, a := range n.Status.Addresses {
		if a.Type == corev1.NodeInternalIP && out.Address == "" {
			out.Address = a.Address
		}
	}
	for name, q := range n.Status.Allocatable {
		if name != corev1.ResourceCPU && name != corev1.ResourceMemory && name != corev1.ResourcePods {
			if out.Devices == nil {
				out.Devices = map[string]int64{}
			}
			out.Devices[string(name)] = q.Value()
		}
	}
	const cordon = "node.kubernetes.io/unschedulable"
	if out.Cordoned && !slices.ContainsFunc(out.Taints, func(t corev1.Taint) bool { return t.Key == cordon }) {
		out.Taints = append(slices.Clone(out.Taints), corev1.Taint{Key: cordon, Effect: corev1.TaintEffectNoSchedule}) // what the control plane adds a moment later
	}
	for _, c := range n.Status.Conditions {
		switch c.Type {
		case corev1.NodeReady:
			out.Ready, out.ReadyMessage, out.ReadySince = string(c.Status), c.Message, c.LastTransitionTime.Time
		case corev1.NodeDiskPressure:
			out.DiskPressure = c.Status == corev1.ConditionTrue
		case "NetworkingReady":
			if c.Status == corev1.ConditionFalse {
				out.Networking = c.Reason
			}
		}
	}
	return out
}

// placed keeps the pods that are not finished, sorted.
func placed(pods []corev1.Pod) []Placed {
	var out []Placed
	for n := range pods {
		p := &pods[n]
		if p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed {
			continue
		}
		d := demandOf(p)
		out = append(out, Placed{Namespace: p.Namespace, Name: p.Name, IP: p.Status.PodIP, Host: p.Spec.HostNetwork, Daemon: ofDaemonSet(p), CPU: d.cpu, Memory: d.memory, Devices: d.devices, Ports: d.ports})
	}
	slices.SortFunc(out, func(a, b Placed) int { return strings.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name) })
	return out
}

// freed keeps the addresses of pods that ended at most within before now, sorted. A pod that was deleted is no longer there to show its.
func freed(pods []corev1.Pod, now time.Time, within time.Duration) []Freed {
	var out []Freed
	for n := range pods {
		p := &pods[n]
		done := p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed
		if !done || p.Spec.HostNetwork || p.Status.PodIP == "" {
			continue
		}
		var at time.Time
		for _, s := range p.Status.ContainerStatuses {
			if t := s.State.Terminated; t != nil && t.FinishedAt.After(at) {
				at = t.FinishedAt.Time
			}
		}
		if !at.IsZero() && now.Sub(at) <= within {
			out = append(out, Freed{Name: p.Namespace + "/" + p.Name, IP: p.Status.PodIP, At: at})
		}
	}
	slices.SortFunc(out, func(a, b Freed) int { return strings.Compare(a.Name, b.Name) })
	return out
}

func ofDaemonSet(p *corev1.Pod) bool {
	of := metav1.GetControllerOf(p)
	return of != nil && of.Kind == "DaemonSet"
}

func agentOf(p *corev1.Pod) *Agent {
	a := &Agent{Name: p.Name, UID: string(p.UID)}
	for _, s := range p.Status.ContainerStatuses {
		if s.Name == "aws-eks-nodeagent" && !s.Ready {
			a.PolicyAgent = fmt.Sprintf("%s, with %s", state(s), plural(int(s.RestartCount), "restart"))
		}
		if s.Name != "aws-node" {
			continue
		}
		a.Ready, a.Restarts = s.Ready, int(s.RestartCount)
		if s.State.Waiting != nil {
			a.Waiting, a.Message = s.State.Waiting.Reason, s.State.Waiting.Message
		}
		if s.State.Running != nil {
			a.Started = s.State.Running.StartedAt.Time
		}
		if t := s.LastTerminationState.Terminated; t != nil {
			a.Ended = &Exit{Reason: t.Reason, Code: int(t.ExitCode), At: t.FinishedAt.Time}
		}
	}
	for _, s := range p.Status.InitContainerStatuses {
		if w := s.State.Waiting; w != nil && w.Reason != "" && w.Reason != "PodInitializing" {
			a.Waiting, a.Message = w.Reason, s.Name+": "+w.Message
			a.Restarts = max(a.Restarts, int(s.RestartCount))
		}
	}
	for _, c := range p.Spec.Containers {
		if c.Name == "aws-node" {
			a.Env = awsnode.Environment(c)
		}
	}
	return a
}

// short lists the controllers that have fewer pods than they want.
func short(m makers) []Workload {
	var out []Workload
	add := func(kind, name string, desired, have int, message string) {
		if desired > have {
			out = append(out, Workload{Kind: kind, Name: name, Desired: desired, Have: have, Message: message})
		}
	}
	for _, r := range m.sets {
		message := ""
		for _, c := range r.Status.Conditions {
			if c.Type == appsv1.ReplicaSetReplicaFailure && c.Status == corev1.ConditionTrue {
				message = c.Message
			}
		}
		add("ReplicaSet", r.Name, replicas(r.Spec.Replicas), int(r.Status.Replicas), message)
	}
	for _, s := range m.stateful {
		add("StatefulSet", s.Name, replicas(s.Spec.Replicas), int(s.Status.Replicas), "")
	}
	for _, j := range m.jobs {
		if j.Spec.Suspend != nil && *j.Spec.Suspend || ended(j) {
			continue
		}
		want := replicas(j.Spec.Parallelism)
		if j.Spec.Completions != nil {
			want = min(want, int(*j.Spec.Completions-j.Status.Succeeded))
		}
		add("Job", j.Name, want, int(j.Status.Active), "")
	}
	for _, d := range m.daemons {
		add("DaemonSet", d.Name, int(d.Status.DesiredNumberScheduled), int(d.Status.CurrentNumberScheduled), "")
	}
	slices.SortFunc(out, func(a, b Workload) int { return strings.Compare(a.Kind+"/"+a.Name, b.Kind+"/"+b.Name) })
	return out
}

// ended reports a Job that makes no more pods.
func ended(j batchv1.Job) bool {
	return j.Status.CompletionTime != nil || slices.ContainsFunc(j.Status.Conditions, func(c batchv1.JobCondition) bool {
		return (c.Type == batchv1.JobComplete || c.Type == batchv1.JobFailed || c.Type == batchv1.JobFailureTarget) && c.Status == corev1.ConditionTrue
	})
}

// suspended lists the Jobs that somebody has suspended, sorted.
func suspended(m makers) []string {
	set := map[string]bool{}
	for _, j := range m.jobs {
		if j.Spec.Suspend != nil && *j.Spec.Suspend && !ended(j) {
			set[j.Name] = true
		}
	}
	return sorted(set)
}

func replicas(n *int32) int {
	if n == nil {
		return 1
	}
	return int(*n)
}

// byPod groups events by the uid of the pod they are about.
func byPod(events []corev1.Event) map[string][]*corev1.Event {
	out := map[string][]*corev1.Event{}
	for n := range events {
		if e := &events[n]; e.InvolvedObject.Kind == "Pod" {
			out[string(e.InvolvedObject.UID)] = append(out[string(e.InvolvedObject.UID)], e)
		}
	}
	return out
}

func ids(nodes []*Node, of func(*Node) string) []string {
	set := map[string]bool{}
	for _, n := range nodes {
		if id := of(n); id != "" {
			set[id] = true
		}
	}
	return sorted(set)
}

func sorted(set map[string]bool) []string {
	var out []string
	for s := range set {
		out = append(out, s)
	}
	slices.Sort(out)
	return out
}

func nested(o map[string]any, path ...string) string {
	var v any = o
	for _, key := range path {
		m, ok := v.(map[string]any)
		if !ok {
			return ""
		}
		v = m[key]
	}
	s, _ := v.(string)
	return s
}
