package pending

import (
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/netdiag/netdiag/internal/eks"
)

// supplier is what could start a node for a pod: a managed node group, or a node pool of Karpenter or EKS Auto Mode.
type supplier struct {
	name    string // "node group workers" or "node pool default"
	group   *eks.Nodegroup
	pool    *NodePool
	labels  map[string][]string // what each label of its nodes may be
	taints  []corev1.Taint
	subnets []string
}

// suppliers lists those that were read, node groups first.
func (a *analysis) suppliers() []supplier {
	var out []supplier
	for n := range a.s.Groups {
		g := &a.s.Groups[n]
		s := supplier{name: "node group " + g.Name, group: g, labels: map[string][]string{"eks.amazonaws.com/nodegroup": {g.Name}}, subnets: g.Subnets}
		for key, value := range g.Labels {
			s.labels[key] = []string{value}
		}
		for _, t := range g.Taints {
			s.taints = append(s.taints, corev1.Taint{Key: t.Key, Value: t.Value, Effect: corev1.TaintEffect(t.Effect)})
		}
		if len(g.InstanceTypes) > 0 {
			s.labels[corev1.LabelInstanceTypeStable] = g.InstanceTypes
		}
		out = append(out, a.placed(s))
	}
	for n := range a.s.Pools {
		p := &a.s.Pools[n]
		s := supplier{name: "node pool " + p.Name, pool: p, labels: map[string][]string{"karpenter.sh/nodepool": {p.Name}}, taints: p.Taints, subnets: p.Subnets}
		for key, value := range p.Labels {
			s.labels[key] = []string{value}
		}
		for _, r := range p.Requirements {
			if r.Operator == corev1.NodeSelectorOpIn {
				s.labels[r.Key] = r.Values
			}
		}
		out = append(out, a.placed(s))
	}
	return out
}

// placed narrows the zones of a supplier down to those of its subnets.
func (a *analysis) placed(s supplier) supplier {
	var zones []string
	asked, limited := s.labels[corev1.LabelTopologyZone]
	for _, id := range s.subnets {
		if subnet := a.s.subnet(id); subnet != nil && !slices.Contains(zones, subnet.Zone) && (!limited || slices.Contains(asked, subnet.Zone)) {
			zones = append(zones, subnet.Zone)
		}
	}
	if len(zones) > 0 {
		slices.Sort(zones)
		s.labels[corev1.LabelTopologyZone] = zones
	}
	return s
}

// takes reports that a node of the supplier could take a pod, by labels and taints. A label that only shows once the node
// is there is taken to fit.
func (s supplier) takes(p *corev1.Pod) bool {
	for _, t := range s.taints {
		if keepsAway(t, p) {
			return false
		}
	}
	for key, value := range p.Spec.NodeSelector {
		if !s.meets(corev1.NodeSelectorRequirement{Key: key, Operator: corev1.NodeSelectorOpIn, Values: []string{value}}) {
			return false
		}
	}
	required := requiredNodes(p)
	if required == nil {
		return true
	}
	return slices.ContainsFunc(required.NodeSelectorTerms, func(t corev1.NodeSelectorTerm) bool {
		return !slices.ContainsFunc(t.MatchExpressions, func(e corev1.NodeSelectorRequirement) bool { return !s.meets(e) })
	})
}

func (s supplier) meets(e corev1.NodeSelectorRequirement) bool {
	values, ok := s.labels[e.Key]
	if !ok {
		return s.unforeseen(e.Key) || matches(e, "", false)
	}
	return slices.ContainsFunc(values, func(v string) bool { return matches(e, v, true) })
}

// unforeseen reports a label that nodes of the supplier get when they start, with a value that is not known before.
func (s supplier) unforeseen(key string) bool {
	prefixes := []string{"kubernetes.io/", "node.kubernetes.io/", "topology.kubernetes.io/", "topology.k8s.aws/", "beta.kubernetes.io/", "failure-domain.beta.kubernetes.io/", "topology.ebs.csi.aws.com/"}
	switch {
	case s.pool != nil:
		prefixes = append(prefixes, "karpenter.k8s.aws/", "karpenter.sh/capacity-type", "eks.amazonaws.com/instance-", "eks.amazonaws.com/compute-type")
	default:
		prefixes = append(prefixes, "eks.amazonaws.com/capacityType", "eks.amazonaws.com/nodegroup-image")
	}
	return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(key, p) })
}

// wantedSubnets are those of a supplier in which a node for the pod could start: of the zones that the pod and its volumes allow.
func (a *analysis) wantedSubnets(s supplier, p *corev1.Pod) []string {
	var out []string
	for _, id := range s.subnets {
		subnet := a.s.subnet(id)
		if subnet == nil {
			out = append(out, id)
			continue
		}
		there := s
		there.labels = map[string][]string{}
		maps.Copy(there.labels, s.labels)
		there.labels[corev1.LabelTopologyZone] = []string{subnet.Zone}
		if there.takes(p) && a.volumesReach(p, subnet.Zone) {
			out = append(out, id)
		}
	}
	return out
}

// volumesReach reports that no bound volume of the pod belongs to another zone, as far as volumes were read.
func (a *analysis) volumesReach(p *corev1.Pod, zone string) bool {
	for _, v := range a.volumesOf(p) {
		if zones := zonesOf(v); len(zones) > 0 && !slices.Contains(zones, zone) {
			return false
		}
	}
	return true
}

// volumesOf lists the volumes that are bound to claims of the pod.
func (a *analysis) volumesOf(p *corev1.Pod) []*corev1.PersistentVolume {
	var out []*corev1.PersistentVolume
	for _, name := range claimsOf(p) {
		if c := a.claim(name); c != nil && c.Spec.VolumeName != "" {
			for n := range a.s.Volumes {
				if a.s.Volumes[n].Name == c.Spec.VolumeName {
					out = append(out, &a.s.Volumes[n])
				}
			}
		}
	}
	return out
}

func (a *analysis) claim(name string) *corev1.PersistentVolumeClaim {
	for n := range a.s.Claims {
		if a.s.Claims[n].Name == name {
			return &a.s.Claims[n]
		}
	}
	return nil
}

// zonesOf lists the zones in which a volume can be used; empty where it says nothing of zones.
func zonesOf(v *corev1.PersistentVolume) []string {
	if v.Spec.NodeAffinity == nil || v.Spec.NodeAffinity.Required == nil {
		return nil
	}
	var out []string
	for _, t := range v.Spec.NodeAffinity.Required.NodeSelectorTerms {
		for _, e := range t.MatchExpressions {
			if strings.HasSuffix(e.Key, "/zone") && e.Operator == corev1.NodeSelectorOpIn {
				out = append(out, e.Values...)
			}
		}
	}
	return out
}

// claimsOf lists the claims that a pod uses, those of its ephemeral volumes included.
func claimsOf(p *corev1.Pod) []string {
	var out []string
	for _, v := range p.Spec.Volumes {
		switch {
		case v.PersistentVolumeClaim != nil:
			out = append(out, v.PersistentVolumeClaim.ClaimName)
		case v.Ephemeral != nil:
			out = append(out, p.Name+"-"+v.Name)
		}
	}
	return out
}
