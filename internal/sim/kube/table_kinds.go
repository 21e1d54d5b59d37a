package kube

import (
	"fmt"
	"sort"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func nodeColumns(age column) []column {
	address := func(kind string) func(*unstructured.Unstructured) any {
		return func(o *unstructured.Unstructured) any {
			for _, a := range maps(o, "status", "addresses") {
				if text(a, "type") == kind {
					return text(a, "address")
				}
			}
			return "<none>"
		}
	}
	info := func(name, key string) column { return wide(plain(name, "status", "nodeInfo", key)) }
	return []column{
		{name: "Status", cell: nodeStatus},
		{name: "Roles", cell: nodeRoles},
		age,
		plain("Version", "status", "nodeInfo", "kubeletVersion"),
		{name: "Internal-IP", wide: true, cell: address("InternalIP")},
		{name: "External-IP", wide: true, cell: address("ExternalIP")},
		info("OS-Image", "osImage"), info("Kernel-Version", "kernelVersion"), info("Container-Runtime", "containerRuntimeVersion"),
	}
}

func nodeStatus(o *unstructured.Unstructured) any {
	status := "Unknown"
	for _, c := range maps(o, "status", "conditions") {
		if text(c, "type") == "Ready" {
			status = "NotReady"
			if text(c, "status") == "True" {
				status = "Ready"
			}
		}
	}
	if text(o.Object, "spec", "unschedulable") == "true" {
		status += ",SchedulingDisabled"
	}
	return status
}

func nodeRoles(o *unstructured.Unstructured) any {
	var roles []string
	for k, v := range o.GetLabels() {
		if role, ok := strings.CutPrefix(k, "node-role.kubernetes.io/"); ok && role != "" {
			roles = append(roles, role)
		} else if k == "kubernetes.io/role" && v != "" {
			roles = append(roles, v)
		}
	}
	sort.Strings(roles)
	return or(strings.Join(roles, ","), "<none>")
}

func serviceColumns() []column {
	return []column{
		plain("Type", "spec", "type"),
		{name: "Cluster-IP", cell: func(o *unstructured.Unstructured) any { return or(text(o.Object, "spec", "clusterIP"), "<none>") }},
		{name: "External-IP", cell: externalIP},
		{name: "Port(s)", cell: func(o *unstructured.Unstructured) any {
			var out []string
			for _, p := range maps(o, "spec", "ports") {
				port := text(p, "port")
				if n := text(p, "nodePort"); n != "" {
					port += ":" + n
				}
				out = append(out, port+"/"+or(text(p, "protocol"), "TCP"))
			}
			return or(strings.Join(out, ","), "<none>")
		}},
		{name: "Selector", wide: true, cell: func(o *unstructured.Unstructured) any {
			m, _, _ := unstructured.NestedStringMap(o.Object, "spec", "selector")
			return pairs(m)
		}},
	}
}

func externalIP(o *unstructured.Unstructured) any {
	switch text(o.Object, "spec", "type") {
	case "ExternalName":
		return text(o.Object, "spec", "externalName")
	case "LoadBalancer":
		return or(loadBalancerText(o), "<pending>")
	}
	l, _, _ := unstructured.NestedStringSlice(o.Object, "spec", "externalIPs")
	return or(strings.Join(l, ","), "<none>")
}

func loadBalancerText(o *unstructured.Unstructured) string {
	var out []string
	for _, i := range maps(o, "status", "loadBalancer", "ingress") {
		out = append(out, or(text(i, "ip"), text(i, "hostname")))
	}
	return strings.Join(out, ",")
}

func ingressColumns() []column {
	return []column{
		{name: "Class", cell: func(o *unstructured.Unstructured) any {
			return or(text(o.Object, "spec", "ingressClassName"), or(o.GetAnnotations()["kubernetes.io/ingress.class"], "<none>"))
		}},
		{name: "Hosts", cell: func(o *unstructured.Unstructured) any {
			var out []string
			for _, r := range maps(o, "spec", "rules") {
				out = append(out, or(text(r, "host"), "*"))
			}
			if len(out) > 3 {
				return fmt.Sprintf("%s + %d more...", strings.Join(out[:3], ","), len(out)-3)
			}
			return or(strings.Join(out, ","), "*")
		}},
		{name: "Address", cell: func(o *unstructured.Unstructured) any { return loadBalancerText(o) }},
		{name: "Ports", cell: func(o *unstructured.Unstructured) any {
			if len(maps(o, "spec", "tls")) > 0 {
				return "80, 443"
			}
			return "80"
		}},
	}
}

func (s *Server) workloadColumns(kind string, age column) []column {
	count := func(name string, path ...string) column {
		return column{name: name, cell: func(o *unstructured.Unstructured) any { return number(o, path...) }}
	}
	of := func(name string, ready, all []string) column {
		return column{name: name, cell: func(o *unstructured.Unstructured) any {
			n := int64(1) // the default where replicas isn't set
			if text(o.Object, all...) != "" {
				n = number(o, all...)
			}
			return fmt.Sprintf("%d/%d", number(o, ready...), n)
		}}
	}
	containers := []column{
		{name: "Containers", wide: true, cell: func(o *unstructured.Unstructured) any { return containerList(o, "name") }},
		{name: "Images", wide: true, cell: func(o *unstructured.Unstructured) any { return containerList(o, "image") }},
	}
	selector := column{name: "Selector", wide: true, cell: func(o *unstructured.Unstructured) any { return selectorText(o, "spec", "selector") }}
	replicas, ready := []string{"spec", "replicas"}, []string{"status", "readyReplicas"}
	var out []column
	switch kind {
	case "deployments":
		out = append([]column{of("Ready", ready, replicas), count("Up-to-date", "status", "updatedReplicas"), count("Available", "status", "availableReplicas"), age}, containers...)
	case "statefulsets":
		return append([]column{of("Ready", ready, replicas), age}, containers...)
	case "replicasets":
		out = append([]column{count("Desired", replicas...), count("Current", "status", "replicas"), count("Ready", ready...), age}, containers...)
	case "daemonsets":
		out = append([]column{
			count("Desired", "status", "desiredNumberScheduled"), count("Current", "status", "currentNumberScheduled"), count("Ready", "status", "numberReady"),
			count("Up-to-date", "status", "updatedNumberScheduled"), count("Available", "status", "numberAvailable"),
			{name: "Node Selector", cell: func(o *unstructured.Unstructured) any {
				m, _, _ := unstructured.NestedStringMap(o.Object, "spec", "template", "spec", "nodeSelector")
				return pairs(m)
			}}, age,
		}, containers...)
	case "jobs":
		out = append([]column{{name: "Status", cell: jobStatus}, of("Completions", []string{"status", "succeeded"}, []string{"spec", "completions"}), age}, containers...)
	}
	return append(out, selector)
}

func jobStatus(o *unstructured.Unstructured) any {
	for _, c := range maps(o, "status", "conditions") {
		if kind := text(c, "type"); text(c, "status") == "True" && (kind == "Complete" || kind == "Failed" || kind == "Suspended") {
			return kind
		}
	}
	return "Running"
}

func containerList(o *unstructured.Unstructured, key string) string {
	var out []string
	for _, c := range maps(o, "spec", "template", "spec", "containers") {
		out = append(out, text(c, key))
	}
	return strings.Join(out, ",")
}

func pairs(m map[string]string) string {
	var out []string
	for k, v := range m {
		out = append(out, k+"="+v)
	}
	sort.Strings(out)
	return or(strings.Join(out, ","), "<none>")
}

func (s *Server) eventColumns(name column) []column {
	return []column{
		{name: "Last Seen", cell: func(o *unstructured.Unstructured) any { return s.lastSeen(o) }},
		plain("Type", "type"), plain("Reason", "reason"),
		{name: "Object", cell: func(o *unstructured.Unstructured) any {
			return strings.ToLower(text(o.Object, "involvedObject", "kind")) + "/" + text(o.Object, "involvedObject", "name")
		}},
		wide(plain("Subobject", "involvedObject", "fieldPath")),
		{name: "Source", wide: true, cell: func(o *unstructured.Unstructured) any {
			from := or(text(o.Object, "source", "component"), text(o.Object, "reportingComponent"))
			if host := or(text(o.Object, "source", "host"), text(o.Object, "reportingInstance")); host != "" {
				from += ", " + host
			}
			return from
		}},
		{name: "Message", cell: func(o *unstructured.Unstructured) any { return strings.TrimSpace(text(o.Object, "message")) }},
		{name: "First Seen", wide: true, cell: func(o *unstructured.Unstructured) any {
			return s.age(or(text(o.Object, "firstTimestamp"), or(text(o.Object, "eventTime"), text(o.Object, "metadata", "creationTimestamp"))))
		}},
		{name: "Count", wide: true, cell: func(o *unstructured.Unstructured) any { return strconv.FormatInt(max(1, eventCount(o)), 10) }},
		{name: "Name", wide: true, cell: name.cell},
	}
}

func eventCount(o *unstructured.Unstructured) int64 {
	if n := number(o, "series", "count"); n > 0 {
		return n
	}
	return number(o, "count")
}

func (s *Server) lastSeen(o *unstructured.Unstructured) string {
	first := or(text(o.Object, "firstTimestamp"), text(o.Object, "eventTime"))
	last := or(text(o.Object, "series", "lastObservedTime"), or(text(o.Object, "lastTimestamp"), first))
	if n := eventCount(o); n > 1 && first != "" {
		return fmt.Sprintf("%s (x%d over %s)", s.age(last), n, s.age(first))
	}
	return s.age(last)
}
