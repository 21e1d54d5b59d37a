package alb

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/netdiag/netdiag/diagnostics"
)

// exclusive lists the annotations that all ingresses of a group must agree on, where they have them, with the field of
// the class parameters that goes before them.
var exclusive = map[string]string{
	"scheme": "scheme", "ip-address-type": "ipAddressType", "load-balancer-name": "", "subnets": "subnets", "security-groups": "", "manage-backend-security-group-rules": "",
	"customer-owned-ipv4-pool": "", "inbound-cidrs": "inboundCIDRs", "ssl-policy": "sslPolicy", "wafv2-acl-arn": "wafv2AclArn", "waf-acl-id": "", "shield-advanced-protection": "",
	"ipv4-ipam-pool-id": "", "minimum-load-balancer-capacity": "minimumLoadBalancerCapacity", "security-group-prefix-lists": "prefixListsIDs",
}

// pairwise lists the annotations that hold key=value pairs, of which the ingresses of a group must agree on each key.
var pairwise = []string{"load-balancer-attributes", "tags", "minimum-load-balancer-capacity"}

// conflict is something that the ingresses of a group say differently.
type conflict struct {
	key       string // of the annotation
	attribute string // the key in it, of annotations that hold pairs
	said      map[string][]string
	now       string // the value that the load balancer has now; empty where that is not known, or nobody says it
}

func (c conflict) name() string {
	if c.attribute != "" {
		return c.key + " " + c.attribute
	}
	return c.key
}

func (c conflict) String() string {
	var parts []string
	for _, v := range sortedKeys(c.said) {
		for _, who := range c.said[v] {
			parts = append(parts, who+" says "+v)
		}
	}
	slices.Sort(parts)
	text := c.name() + ": " + joined(parts)
	if c.now != "" {
		text += "; the load balancer has " + c.now
	}
	return text
}

// kept is the value to agree on: what the load balancer has now, or else what most of them say; empty on a draw.
func (c conflict) kept() string {
	if c.now != "" {
		return c.now
	}
	values := sortedKeys(c.said)
	slices.SortStableFunc(values, func(a, b string) int { return len(c.said[b]) - len(c.said[a]) })
	if len(c.said[values[0]]) == len(c.said[values[1]]) {
		return ""
	}
	return values[0]
}

// conflicts finds what the ingresses of the group say differently. The controller doesn't name who says what.
func (a *analysis) conflicts() []conflict {
	all := a.everyone()
	var out []conflict
	add := func(key, attribute string, value func(networkingv1.Ingress) (string, bool)) {
		said := map[string][]string{}
		for _, ing := range all {
			if v, ok := value(ing); ok {
				said[v] = append(said[v], ing.Namespace+"/"+ing.Name)
			}
		}
		if len(said) < 2 {
			return
		}
		c := conflict{key: key, attribute: attribute, said: said}
		for _, v := range sortedKeys(said) {
			if a.applied(key, attribute, v) {
				c.now = v
			}
		}
		out = append(out, c)
	}
	for _, key := range sortedKeys(exclusive) {
		if field := exclusive[key]; field != "" && a.s.Params[field] != nil {
			continue // the class decides, whatever the annotations say
		}
		add(key, "", func(ing networkingv1.Ingress) (string, bool) {
			v, ok := ing.Annotations[annotation(key)]
			return normal(key, v), ok
		})
	}
	for _, key := range pairwise {
		attributes := map[string]string{}
		for _, ing := range all {
			maps.Copy(attributes, pairs(ing.Annotations[annotation(key)]))
		}
		for _, attribute := range sortedKeys(attributes) {
			add(key, attribute, func(ing networkingv1.Ingress) (string, bool) {
				v, ok := pairs(ing.Annotations[annotation(key)])[attribute]
				return v, ok
			})
		}
	}
	return out
}

// everyone lists the ingresses of the group, the one that was asked for first.
func (a *analysis) everyone() []networkingv1.Ingress {
	return append([]networkingv1.Ingress{*a.s.Ingress}, a.s.Members...)
}

// normal spells a value so that equal ones compare equal: the order of subnets means nothing.
func normal(key, value string) string {
	if key != "subnets" && key != "inbound-cidrs" && key != "security-group-prefix-lists" {
		return value
	}
	list := strings.Split(value, ",")
	for i := range list {
		list[i] = strings.TrimSpace(list[i])
	}
	return strings.Join(sorted(list), ",")
}

// pairs reads k1=v1,k2=v2.
func pairs(text string) map[string]string {
	out := map[string]string{}
	for pair := range strings.SplitSeq(text, ",") {
		if k, v, ok := strings.Cut(strings.TrimSpace(pair), "="); ok {
			out[strings.TrimSpace(k)] = strings.TrimSpace(v)
		}
	}
	return out
}

// applied reports whether the load balancer has this value of an annotation now.
func (a *analysis) applied(key, attribute, value string) bool {
	lb := a.s.Balancer
	if lb == nil {
		return false
	}
	switch key {
	case "scheme":
		return lb.Scheme == value
	case "ip-address-type":
		return lb.IPType == value
	case "load-balancer-name":
		return lb.Name == value
	case "load-balancer-attributes":
		return a.s.Attributes[attribute] == value
	case "tags":
		return lb.Tags[attribute] == value
	case "subnets":
		var have []string
		for _, z := range lb.Zones {
			have = append(have, z.Subnet)
		}
		return strings.Join(sorted(have), ",") == value
	case "security-groups":
		return !slices.ContainsFunc(strings.Split(value, ","), func(id string) bool { return !slices.Contains(lb.Groups, strings.TrimSpace(id)) })
	}
	return false
}

// conflicted reports a group whose ingresses contradict each other: the controller applies nothing of any of them.
func (a *analysis) conflicted(e corev1.Event) {
	f := diagnostics.Finding{
		ID: "ingress.group-conflict", Subject: "ingress group " + a.s.Group, Confidence: diagnostics.Confirmed, Weight: 95, Evidence: []diagnostics.Evidence{eventEvidence(e)},
		Summary: fmt.Sprintf("the %d ingresses of group %s contradict each other, so the controller applies none of their changes: %s", len(a.s.Members)+1, a.s.Group, trimmed(e.Message)),
	}
	var said []string
	for _, c := range a.conflicts() {
		said = append(said, c.String())
	}
	if len(said) > 0 {
		f.Summary += " (" + strings.Join(said, "; ") + ")"
		f.Evidence = append(f.Evidence, diagnostics.Evidence{What: "annotations that must agree in group " + a.s.Group, Value: strings.Join(said, "; "), Source: "list ingresses.networking.k8s.io", Repeat: "kubectl get ingresses -A -o yaml"})
	}
	if who, at := a.lastChanged(e); who != "" {
		f.Evidence = append(f.Evidence, diagnostics.Evidence{What: "last change of an ingress of the group before the first complaint", Value: who + " at " + at.UTC().Format(time.RFC3339), Source: "list ingresses.networking.k8s.io",
			Repeat: "kubectl get ingresses -A -o yaml --show-managed-fields"})
	}
	for _, m := range a.s.Members {
		f.Affects = append(f.Affects, "ingress/"+m.Namespace+"/"+m.Name)
	}
	a.report(f)
}

// lastChanged is the ingress of the group that was changed last before the controller began to complain, and by whom.
func (a *analysis) lastChanged(e corev1.Event) (who string, at time.Time) {
	began := cmp.Or(e.FirstTimestamp.Time, diagnostics.LastSeen(&e))
	for _, ing := range a.everyone() {
		for _, m := range ing.ManagedFields {
			if m.Time != nil && m.Subresource == "" && m.Time.After(at) && !m.Time.After(began) {
				who, at = fmt.Sprintf("%s/%s by %s", ing.Namespace, ing.Name, m.Manager), m.Time.Time
			}
		}
	}
	return who, at
}
