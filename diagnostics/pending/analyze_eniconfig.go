package pending

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/netdiag/netdiag/diagnostics"
)

// listENIConfigs is the permission of the read that decides about ENIConfigs.
const listENIConfigs = "list eniconfigs.crd.k8s.amazonaws.com"

// eniConfigName is the ENIConfig that a node goes by, in the order of the CNI: a label that is kept from outside, the
// node's annotation, the label that ENI_CONFIG_LABEL_DEF names, and "default" (pkg/eniconfig/eniconfig.go).
func (p *pool) eniConfigName() string {
	label := cmp.Or(p.settings.ENIConfigLabel, "k8s.amazonaws.com/eniConfig")
	return cmp.Or(p.node.Labels["vpc.amazonaws.com/externalEniConfig"], p.node.ENIConfig, p.node.Labels[label], "default")
}

// eniConfig is the subnet of the ENIConfig of a node; empty where there is none.
func (a *analysis) eniConfig(p *pool) string { return a.s.ENIConfigs[p.eniConfigName()] }

// noENIConfig explains a node for which custom networking names no subnet, or one that can't serve it.
func (a *analysis) noENIConfig(p *pool, f diagnostics.Finding, pods []waiting) bool {
	name := p.eniConfigName()
	id, there := a.s.ENIConfigs[name]
	s := a.s.subnet(id)
	f.ID, f.Subject = "eniconfig", p.node.Name
	if u, missed := a.unread(listENIConfigs); missed && u.Reason != diagnostics.Absent {
		a.leaves(listENIConfigs, "eniconfig")
		a.unsolve(pods, "custom networking is on, and the ENIConfigs could not be read")
		return true
	}
	switch {
	case !there:
		f.Summary = fmt.Sprintf("custom networking is on and there is no ENIConfig %q for node %s (zone %s): no interface can be made for its pods", name, p.node.Name, p.node.Zone)
	case id == "":
		f.Summary = fmt.Sprintf("ENIConfig %q of node %s names no subnet: no interface can be made for its pods", name, p.node.Name)
	case s == nil && len(a.s.Subnets) > 0:
		f.Summary = fmt.Sprintf("ENIConfig %q of node %s names subnet %s, which is not in VPC %s", name, p.node.Name, id, a.vpcID())
	case s != nil && p.node.Zone != "" && s.Zone != p.node.Zone:
		f.Summary = fmt.Sprintf("ENIConfig %q of node %s (zone %s) names subnet %s, which is in zone %s", name, p.node.Name, p.node.Zone, s.ID, s.Zone)
	default:
		return false
	}
	f.Evidence = append(f.Evidence, a.eniConfigEvidence(), settingsEvidence("AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG", p), settingsEvidence("ENI_CONFIG_LABEL_DEF", p))
	a.witnessed(&f, p, "eniconfig is not available", "Failed to get pod ENI config", "No ENIConfig could be found", "InvalidSubnetID.NotFound")
	if e := a.nodeEvent(p.node, fresh, "EniConfigNameNotFound"); e != nil {
		f.Evidence = append(f.Evidence, eventEvidence(e))
	}
	a.find(f, pods)
	return true
}

func (a *analysis) eniConfigEvidence() diagnostics.Evidence {
	var parts []string
	for _, name := range sortedKeys(a.s.ENIConfigs) {
		parts = append(parts, name+" "+cmp.Or(a.s.ENIConfigs[name], "without a subnet"))
	}
	value := cmp.Or(strings.Join(parts[:min(len(parts), 6)], ", "), "none")
	if more := len(parts) - 6; more > 0 {
		value += fmt.Sprintf(" and %d more", more)
	}
	return diagnostics.Evidence{What: "ENIConfigs and their subnets", Value: value, Source: listENIConfigs, Repeat: "kubectl get eniconfigs -o yaml"}
}
