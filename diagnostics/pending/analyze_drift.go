package pending

import (
	"fmt"
	"slices"
	"strings"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/diagnostics/awsnode"
)

// decides lists, by cause, the variables that bring it about.
func decides() map[string][]string {
	targets := []string{"WARM_IP_TARGET", "MINIMUM_IP_TARGET"}
	custom := []string{"AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG", "ENI_CONFIG_LABEL_DEF", "ENI_CONFIG_ANNOTATION_DEF"}
	return map[string][]string{
		"warm-target-cap":     targets,
		"api-throttled":       targets,
		"no-free-prefix":      {"ENABLE_PREFIX_DELEGATION"},
		"ip-cooldown":         {"IP_COOLDOWN_PERIOD"},
		"subnet-discovery":    {"ENABLE_SUBNET_DISCOVERY"},
		"eniconfig":           custom,
		"cni-not-initialized": custom,
		"eni-slots-full":      append(custom, "MAX_ENI", "ENABLE_POD_ENI"),
		"cni-misconfigured":   append(targets, "WARM_PREFIX_TARGET", "ENABLE_PREFIX_DELEGATION", "IP_COOLDOWN_PERIOD", "ENABLE_IPv4", "ENABLE_IPv6"),
	}
}

// driftedSettings reports settings that were changed past their owner, where a cause hangs on them: there the change is what
// has brought the trouble, and the next sync may end it or bring it back. Any other drift is left to the owner.
func (a *analysis) driftedSettings() {
	all := a.s.setup().Drifts()
	for _, cause := range slices.Clone(a.findings) {
		var mine []awsnode.Drift
		for _, x := range all {
			if slices.Contains(decides()[strings.TrimPrefix(cause.ID, "pending/")], x.Name) {
				mine = append(mine, x)
			}
		}
		if len(mine) == 0 || len(cause.Because) > 0 {
			continue
		}
		o := a.s.setup().Owned()
		f := diagnostics.Finding{ID: "config-drift", Subject: "daemonset/kube-system/aws-node", Confidence: cause.Confidence, Latent: cause.Latent}
		var parts []string
		for _, x := range mine {
			parts = append(parts, sentence(x, o.Owner))
			f.Evidence = append(f.Evidence, diagnostics.Evidence{What: x.Name + " of aws-node", Value: x.Live, Source: "list daemonsets.apps",
				Repeat: "kubectl get daemonset aws-node -n kube-system -o yaml --show-managed-fields"})
		}
		f.Summary = "settings of aws-node are not what their owner declares: " + strings.Join(parts, "; ")
		if a.s.Addon != nil {
			f.Evidence = append(f.Evidence, diagnostics.Evidence{What: "configuration of add-on vpc-cni", Value: orNone(shorten(a.s.Addon.Configuration)), Source: "eks:DescribeAddon",
				Repeat: "aws eks describe-addon --cluster-name " + a.s.Target.Cluster + " --addon-name vpc-cni"})
		}
		a.find(f, nil)
	}
}

func sentence(x awsnode.Drift, owner string) string {
	text := fmt.Sprintf("%s is %s", x.Name, orNone(x.Live))
	if x.Manager != "" {
		text += ", set by " + x.Manager
		if !x.At.IsZero() {
			text += x.At.UTC().Format(" on 2006-01-02 at 15:04")
		}
	}
	if x.Declared != "" {
		return text + fmt.Sprintf(", and the owner (%s) declares %s", owner, x.Declared)
	}
	return text + fmt.Sprintf(", and the owner (%s) declares none", owner)
}
