package pending

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/netdiag/netdiag/diagnostics"
)

// maker finds what people edit to change the pods of a finding: a Deployment rather than its ReplicaSet. A pod that nothing
// makes is its own.
func (a *analysis) maker(f *diagnostics.Finding) Maker {
	for _, ref := range f.Affects {
		kind, rest, _ := strings.Cut(ref, "/")
		_, name, _ := strings.Cut(rest, "/")
		if kind != "pod" { // replicaset/<namespace>/<name>
			for _, key := range sortedKeys(a.s.Makers) {
				if strings.EqualFold(key, kind+"/"+name) {
					return a.s.Makers[key]
				}
			}
			return Maker{Kind: kind, Name: name, Owner: "none"}
		}
		for _, w := range a.pods {
			if w.ref() == ref {
				return a.makerOf(w)
			}
		}
	}
	return Maker{Kind: "Pod", Name: "<pod>", Owner: "none"}
}

func (a *analysis) makerOf(w waiting) Maker {
	if m, ok := a.s.Makers[owner(w)]; ok {
		return m
	}
	kind, name, _ := strings.Cut(owner(w), "/")
	return Maker{Kind: kind, Name: name, Owner: "none"}
}

// String is the maker as kubectl takes it.
func (m Maker) String() string { return strings.ToLower(m.Kind) + "/" + m.Name }

// made reports that the pods are made of a template, which can be patched; pods and Jobs have to be made anew.
func (m Maker) made() bool {
	return m.Kind == "Deployment" || m.Kind == "StatefulSet" || m.Kind == "DaemonSet" || m.Kind == "ReplicaSet"
}

// inItsTool gives a change of a workload in the words of whoever declares it: what says what to change, patch does it in
// the cluster where nobody else would set it back.
func (m Maker) inItsTool(ns, what, patch string) []string {
	switch m.Owner {
	case "helm":
		return []string{fmt.Sprintf("# in the values of the chart: %s", what), fmt.Sprintf("helm upgrade %s <chart> -n %s --reuse-values -f <values>", m.Release, ns)}
	case "argocd", "flux":
		return []string{fmt.Sprintf("# in Git (%s): %s", m.Why, what)}
	case "terraform", "pulumi", "cloudformation":
		return []string{fmt.Sprintf("# where %s declares it (%s): %s", m.Owner, m.Why, what)}
	}
	return []string{patch}
}

// template is the command that merges something into the pod template of a workload.
func (m Maker) template(ns string, spec map[string]any) string {
	b, err := json.Marshal(map[string]any{"spec": map[string]any{"template": map[string]any{"spec": spec}}})
	if err != nil || !m.made() {
		return fmt.Sprintf("kubectl edit %s -n %s", m, ns)
	}
	return fmt.Sprintf("kubectl patch %s -n %s --type strategic -p '%s'", m, ns, b)
}

// work offers a change that the owners of the workload have to make.
func (a *analysis) work(f *diagnostics.Finding, m Maker, fix diagnostics.Fix) {
	fix.Owner = m.Owner
	fix.Needs = len(f.Affects)
	if fix.Proof == "" {
		fix.Proof = f.Summary
	}
	if fix.Blast == "" {
		fix.Blast = fmt.Sprintf("the pods of %s are made anew, as in any rollout", m)
	}
	if fix.Undo == "" {
		fix.Undo = "revert the change"
		if m.Kind == "Deployment" && (m.Owner == "none" || m.Owner == "kubectl") {
			fix.Undo = fmt.Sprintf("kubectl rollout undo %s -n %s", m, a.s.Target.Namespace)
		}
	}
	if fix.SettlesIn == "" {
		fix.SettlesIn = "2m"
	}
	a.offer("fix-workload", fix, f)
}

// refusePlace says that addresses are not what pods without a node wait for, where a subnet of the nodes is so short that
// one could think so.
func (a *analysis) refusePlace(f *diagnostics.Finding) {
	for _, s := range a.touched() {
		if !tight(s, a.s.Driver) {
			continue
		}
		const why = "%s have no node: they wait for a place, not for one of the %d free addresses of subnet %s"
		n := plural(len(f.Affects), "pod")
		a.refuse("tune-warm-pool", why, n, s.Available, s.ID)
		a.refuse("add-pod-subnet", why, n, s.Available, s.ID)
		a.refuse("enable-prefix-delegation", why, n, s.Available, s.ID)
		return
	}
}
