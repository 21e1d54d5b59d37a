package pending

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/netdiag/netdiag/diagnostics"
)

// drift is a variable of aws-node that lives otherwise than its owner declares.
type drift struct {
	name, live string
	declared   string // empty where the owner declares none
	manager    string // who has set it, as far as managedFields tell
	at         time.Time
}

// declaredEnv is what the configuration of the add-on sets; readable is false where it is no JSON.
func (a *analysis) declaredEnv() (env map[string]any, readable bool) {
	config := map[string]any{}
	if a.s.Addon == nil || a.s.Addon.Configuration == "" {
		return map[string]any{}, a.s.Addon != nil
	}
	if json.Unmarshal([]byte(a.s.Addon.Configuration), &config) != nil {
		return map[string]any{}, false
	}
	if env, _ = config["env"].(map[string]any); env == nil {
		env = map[string]any{}
	}
	return env, true
}

// drifts lists the variables that were set past their owner, sorted by name: those that the add-on declares otherwise, and
// those that somebody else has set and the owner doesn't. EKS owns the fields that it applies; which of the others it sets
// back, and when, is not certain.
func (a *analysis) drifts() []drift {
	d, o := a.s.Driver, a.owned()
	if d == nil || o.owner == "none" || o.owner == "unknown" || o.owner == "kubectl" {
		return nil
	}
	tool := o.owner
	if a.s.Addon != nil {
		tool = "eks-addon" // whoever declares the add-on, EKS writes it
	}
	by := map[string]Manager{} // who has set a variable, other than the owner
	own := map[string]bool{}
	for _, m := range d.Managers {
		for _, name := range m.Env {
			if managerOwner(m.Name) == tool {
				own[name] = true
			} else if m.At.After(by[name].At) || by[name].Name == "" {
				by[name] = m
			}
		}
	}
	declared, readable := a.declaredEnv()
	var out []drift
	for _, name := range sortedKeys(d.Env) {
		m, others := by[name]
		value, says := declared[name]
		differs := says && fmt.Sprint(value) != d.Env[name] && a.s.Addon.Status != "UPDATING" && a.s.Addon.Status != "CREATING"
		alone := others && !own[name] && (!says || differs)
		if !differs && !alone || !readable && !alone {
			continue
		}
		x := drift{name: name, live: d.Env[name], manager: m.Name, at: m.At}
		if says {
			x.declared = fmt.Sprint(value)
		}
		out = append(out, x)
	}
	return out
}

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
	all := a.drifts()
	for _, cause := range slices.Clone(a.findings) {
		var mine []drift
		for _, x := range all {
			if slices.Contains(decides()[strings.TrimPrefix(cause.ID, "pending/")], x.name) {
				mine = append(mine, x)
			}
		}
		if len(mine) == 0 || len(cause.Because) > 0 {
			continue
		}
		o := a.owned()
		f := diagnostics.Finding{ID: "config-drift", Subject: "daemonset/kube-system/aws-node", Confidence: cause.Confidence, Latent: cause.Latent}
		var parts []string
		for _, x := range mine {
			parts = append(parts, x.sentence(o.owner))
			f.Evidence = append(f.Evidence, diagnostics.Evidence{What: x.name + " of aws-node", Value: x.live, Source: "list daemonsets.apps",
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

func (x drift) sentence(owner string) string {
	text := fmt.Sprintf("%s is %s", x.name, orNone(x.live))
	if x.manager != "" {
		text += ", set by " + x.manager
		if !x.at.IsZero() {
			text += x.at.UTC().Format(" on 2006-01-02 at 15:04")
		}
	}
	if x.declared != "" {
		return text + fmt.Sprintf(", and the owner (%s) declares %s", owner, x.declared)
	}
	return text + fmt.Sprintf(", and the owner (%s) declares none", owner)
}
