package pending

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apiresource "k8s.io/apimachinery/pkg/api/resource"
)

// demand is what a pod asks of its node.
type demand struct {
	cpu, memory int64            // millicores and bytes
	devices     map[string]int64 // everything else: extended resources, ephemeral storage, huge pages
	ports       []string         // host ports, as 8080/TCP
}

// demandOf sums what a pod asks for as the scheduler does: what its containers and sidecars ask for together or, where that
// is more, an init container with the sidecars that run before it.
func demandOf(p *corev1.Pod) demand {
	sum, sidecars, most := corev1.ResourceList{}, corev1.ResourceList{}, corev1.ResourceList{}
	d := demand{}
	for _, c := range p.Spec.InitContainers {
		if sidecar(c) {
			plus(sidecars, c.Resources.Requests)
			d.ports = append(d.ports, hostPorts(c)...)
			continue
		}
		alone := sidecars.DeepCopy()
		plus(alone, c.Resources.Requests)
		atLeast(most, alone)
	}
	for _, c := range p.Spec.Containers {
		plus(sum, c.Resources.Requests)
		d.ports = append(d.ports, hostPorts(c)...)
	}
	plus(sum, sidecars)
	atLeast(sum, most)
	if p.Spec.Resources != nil { // of the pod as a whole, which goes before those of its containers
		maps.Copy(sum, p.Spec.Resources.Requests)
	}
	plus(sum, p.Spec.Overhead)
	for name, q := range sum {
		switch name {
		case corev1.ResourceCPU:
			d.cpu = q.MilliValue()
		case corev1.ResourceMemory:
			d.memory = q.Value()
		default:
			if d.devices == nil {
				d.devices = map[string]int64{}
			}
			d.devices[string(name)] = q.Value()
		}
	}
	slices.Sort(d.ports)
	d.ports = slices.Compact(d.ports)
	return d
}

// sidecar reports an init container that stays while the others run (restartPolicy Always).
func sidecar(c corev1.Container) bool {
	return c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways
}

func plus(to, more corev1.ResourceList) {
	for name, q := range more {
		var sum apiresource.Quantity
		if have, ok := to[name]; ok {
			sum = have.DeepCopy()
		}
		sum.Add(q)
		to[name] = sum
	}
}

func atLeast(to, floor corev1.ResourceList) {
	for name, q := range floor {
		if have, ok := to[name]; !ok || have.Cmp(q) < 0 {
			to[name] = q
		}
	}
}

// hostPorts are the ports of the node that a container asks for. That two containers may share one on different addresses of
// a node is left out.
func hostPorts(c corev1.Container) []string {
	var out []string
	for _, p := range c.Ports {
		if p.HostPort > 0 {
			protocol := string(p.Protocol)
			if protocol == "" {
				protocol = "TCP"
			}
			out = append(out, fmt.Sprintf("%d/%s", p.HostPort, protocol))
		}
	}
	return out
}

// of is how much is asked of one resource, as the scheduler names it: cpu in millicores, all others in their unit.
func (d demand) of(resource string) int64 {
	switch resource {
	case "cpu":
		return d.cpu
	case "memory":
		return d.memory
	}
	return d.devices[resource]
}

// amount spells an amount of a resource.
func amount(resource string, n int64) string {
	switch {
	case resource == "cpu":
		return fmt.Sprintf("%dm", n)
	case resource == "memory", resource == "ephemeral-storage", strings.HasPrefix(resource, "hugepages-"):
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return fmt.Sprint(n)
}

// has is what a node gives of a resource.
func (n *Node) has(resource string) int64 {
	switch resource {
	case "cpu":
		return n.CPU
	case "memory":
		return n.Memory
	}
	return n.Devices[resource]
}

// used is what the pods on a node ask for of a resource.
func (n *Node) used(resource string) int64 {
	var sum int64
	for _, p := range n.Pods {
		switch resource {
		case "cpu":
			sum += p.CPU
		case "memory":
			sum += p.Memory
		default:
			sum += p.Devices[resource]
		}
	}
	return sum
}
