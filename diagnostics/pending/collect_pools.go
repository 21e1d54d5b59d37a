package pending

import (
	"context"
	"errors"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apiresource "k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/netdiag/netdiag/diagnostics"
)

// readPools reads the node pools of Karpenter or EKS Auto Mode, and the subnets in which they start nodes. A cluster without
// them lacks nothing.
func (c *collector) readPools(ctx context.Context) error {
	found, err := c.optional(ctx, "karpenter.sh", "nodepools")
	if err != nil || len(found) == 0 {
		return err
	}
	classes := map[string]unstructured.Unstructured{}
	for _, of := range []struct{ group, plural string }{{"karpenter.k8s.aws", "ec2nodeclasses"}, {"eks.amazonaws.com", "nodeclasses"}} {
		if of.group == "eks.amazonaws.com" && (c.s.Cluster == nil || !c.s.Cluster.AutoMode) {
			continue
		}
		l, err := c.optional(ctx, of.group, of.plural)
		if c.reads.Missed(err, "") {
			if err := c.reads.Fault(); err != nil {
				return err
			}
		}
		for _, u := range l {
			classes[u.GetKind()+"/"+u.GetName()] = u
		}
	}
	for n := range found {
		p := nodePool(&found[n])
		if class, ok := classes[p.Class]; ok {
			p.Subnets, p.Refusal = classStatus(class.Object)
		}
		c.s.Pools = append(c.s.Pools, p)
	}
	slices.SortFunc(c.s.Pools, func(a, b NodePool) int { return strings.Compare(a.Name, b.Name) })
	return nil
}

// optional lists custom resources of a feature that a cluster may do without.
func (c *collector) optional(ctx context.Context, group, plural string) ([]unstructured.Unstructured, error) {
	found, err := c.in.Customs.Customs(ctx, group, "v1", plural, "")
	var re *diagnostics.ReadError
	if errors.As(err, &re) && re.Reason == diagnostics.Absent {
		return nil, nil
	}
	return found, err
}

func nodePool(u *unstructured.Unstructured) NodePool {
	p := NodePool{Name: u.GetName(), Limits: quantities(u.Object, "spec", "limits"), Used: quantities(u.Object, "status", "resources")}
	if name := nested(u.Object, "spec", "template", "spec", "nodeClassRef", "name"); name != "" {
		kind := nested(u.Object, "spec", "template", "spec", "nodeClassRef", "kind")
		if kind == "" {
			kind = "EC2NodeClass"
		}
		p.Class = kind + "/" + name
	}
	p.Labels, _, _ = unstructured.NestedStringMap(u.Object, "spec", "template", "metadata", "labels")
	spec, _, _ := unstructured.NestedMap(u.Object, "spec", "template", "spec")
	var like struct {
		Taints       []corev1.Taint                   `json:"taints"`
		Requirements []corev1.NodeSelectorRequirement `json:"requirements"`
	}
	if runtime.DefaultUnstructuredConverter.FromUnstructured(spec, &like) == nil {
		p.Taints, p.Requirements = like.Taints, like.Requirements
	}
	return p
}

// quantities reads a list of resources: millicores for cpu, else the unit of the resource.
func quantities(o map[string]any, path ...string) map[string]int64 {
	m, _, _ := unstructured.NestedMap(o, path...)
	var out map[string]int64
	for name, v := range m {
		text, ok := v.(string)
		if !ok {
			if n, isInt := v.(int64); isInt {
				text, ok = apiresource.NewQuantity(n, apiresource.DecimalSI).String(), true
			}
		}
		q, err := apiresource.ParseQuantity(text)
		if !ok || err != nil {
			continue
		}
		if out == nil {
			out = map[string]int64{}
		}
		if out[name] = q.Value(); name == "cpu" {
			out[name] = q.MilliValue()
		}
	}
	return out
}

// classStatus gives the subnets that a node class has found, and why it isn't ready.
func classStatus(o map[string]any) (subnets []string, refusal string) {
	l, _, _ := unstructured.NestedSlice(o, "status", "subnets")
	for _, v := range l {
		if m, ok := v.(map[string]any); ok {
			if id := nested(m, "id"); id != "" {
				subnets = append(subnets, id)
			}
		}
	}
	slices.Sort(subnets)
	l, _, _ = unstructured.NestedSlice(o, "status", "conditions")
	for _, v := range l {
		if m, ok := v.(map[string]any); ok && nested(m, "status") == "False" && (refusal == "" || nested(m, "type") != "Ready") {
			refusal = strings.TrimSuffix(nested(m, "reason")+": "+nested(m, "message"), ": ")
		}
	}
	return subnets, refusal
}

// readAttachable reads how many volumes each driver may attach to a node.
func (c *collector) readAttachable(ctx context.Context) error {
	nodes, err := c.in.Volumes.CSINodes(ctx)
	if err != nil {
		return err
	}
	c.s.Attachable = map[string]int{}
	for _, n := range nodes {
		for _, d := range n.Spec.Drivers {
			if d.Allocatable != nil && d.Allocatable.Count != nil {
				c.s.Attachable[n.Name+" "+d.Name] = int(*d.Allocatable.Count)
			}
		}
	}
	return nil
}

// overQuota reports that a controller that is short of pods is told to have exceeded a quota.
func (c *collector) overQuota() bool {
	for _, w := range c.s.Short {
		if strings.Contains(w.Message, "exceeded quota") || slices.ContainsFunc(c.s.Events, func(e corev1.Event) bool {
			return e.Reason == "FailedCreate" && e.InvolvedObject.Kind == w.Kind && e.InvolvedObject.Name == w.Name && strings.Contains(e.Message, "exceeded quota")
		}) {
			return true
		}
	}
	return false
}
