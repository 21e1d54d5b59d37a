package casebook

import (
	"fmt"
	"maps"
	"slices"

	"github.com/netdiag/netdiag/internal/remedy"
)

// spellAction says exactly what an action changes, a line each, for whoever approves it.
func spellAction(a remedy.Action) []string {
	switch {
	case a.AddonConfig != nil:
		return spellEnv("EKS add-on "+a.AddonConfig.Addon, a.AddonConfig.Set, a.AddonConfig.Unset)
	case a.DaemonSetEnv != nil:
		d := a.DaemonSetEnv
		return spellEnv(fmt.Sprintf("daemonset %s/%s, container %s", d.Namespace, d.Name, d.Container), d.Set, d.Unset)
	case a.AllowIngress != nil:
		r := a.AllowIngress
		return []string{fmt.Sprintf("security group %s: allow tcp port %d from %s", r.Group, r.Port, r.Source)}
	case a.RevokeIngress != nil:
		r := a.RevokeIngress
		return []string{fmt.Sprintf("security group %s: remove rule %s (tcp port %d from %s)", r.Group, r.Rule, r.Port, r.Source)}
	case a.Annotate != nil:
		n := a.Annotate
		return []string{fmt.Sprintf("%s %s/%s: %s", n.Resource, n.Namespace, n.Name, spellValue("annotation "+n.Key, n.Was, n.Value))}
	case a.Tag != nil:
		return []string{fmt.Sprintf("%s: %s", a.Tag.Resource, spellValue("tag "+a.Tag.Key, a.Tag.Was, a.Tag.Value))}
	case a.Cordon != nil && a.Cordon.On:
		return []string{fmt.Sprintf("node %s: no new pods", a.Cordon.Node)}
	case a.Cordon != nil:
		return []string{fmt.Sprintf("node %s: new pods again", a.Cordon.Node)}
	}
	return []string{a.Kind() + " of " + a.Target()}
}

func spellEnv(where string, set map[string]string, unset []string) []string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(set)) {
		out = append(out, fmt.Sprintf("%s: %s = %s", where, k, set[k]))
	}
	for _, k := range unset {
		out = append(out, fmt.Sprintf("%s: %s unset", where, k))
	}
	return out
}

func spellValue(what string, was, is *string) string {
	switch {
	case is == nil:
		return what + " removed"
	case was == nil:
		return fmt.Sprintf("%s = %q", what, *is)
	}
	return fmt.Sprintf("%s = %q instead of %q", what, *is, *was)
}
