package pending

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/netdiag/netdiag/diagnostics"
)

var quotedClaim = regexp.MustCompile(`persistentvolumeclaim "([^"]+)"`)

// Kinds of clauses about volumes.
const (
	volumeZone   = "zone"
	volumeBound  = "unbound"
	volumeClaim  = "claim"
	volumeCount  = "count"
	volumeOthers = ""
)

func volumeKind(reason string) string {
	switch {
	case strings.Contains(reason, "node affinity conflict"), strings.Contains(reason, "no available volume zone"):
		return volumeZone
	case strings.Contains(reason, "unbound immediate"):
		return volumeBound
	case quotedClaim.MatchString(reason):
		return volumeClaim
	case strings.Contains(reason, "exceed max volume count"):
		return volumeCount
	}
	return volumeOthers
}

// claimAtFault finds the claim of a pod that a clause is about.
func (a *analysis) claimAtFault(w waiting, reason string) string {
	if m := quotedClaim.FindStringSubmatch(reason); m != nil {
		return m[1]
	}
	claims := claimsOf(w.pod)
	faulty := slices.IndexFunc(claims, func(name string) bool {
		c := a.claim(name)
		switch volumeKind(reason) {
		case volumeBound:
			return c == nil || c.Status.Phase != corev1.ClaimBound
		case volumeZone:
			return len(a.outside(name)) > 0
		}
		return c != nil && c.Status.Phase == corev1.ClaimLost
	})
	switch {
	case faulty >= 0:
		return claims[faulty]
	case len(claims) > 0:
		return claims[0]
	}
	return w.pod.Name
}

// outside lists the nodes in zones in which the volume of a claim can't be used.
func (a *analysis) outside(claim string) []*Node {
	var out []*Node
	c := a.claim(claim)
	if c == nil {
		return nil
	}
	for v := range a.s.Volumes {
		if a.s.Volumes[v].Name != c.Spec.VolumeName {
			continue
		}
		zones := zonesOf(&a.s.Volumes[v])
		for n := range a.s.Nodes {
			if node := &a.s.Nodes[n]; len(zones) > 0 && node.Zone != "" && !slices.Contains(zones, node.Zone) {
				out = append(out, node)
			}
		}
	}
	return out
}

// volumeRead reports that what decides a clause about volumes could be read.
func (a *analysis) volumeRead(c clause) bool {
	_, claims := a.unread("list persistentvolumeclaims")
	_, volumes := a.unread("list persistentvolumes")
	return !claims && (!volumes || volumeKind(c.reason) != volumeZone)
}

// volumeOver reports that what a clause says of volumes is no longer so: the claims are bound, or no node is out of reach.
func (a *analysis) volumeOver(c clause, w waiting) bool {
	claims := claimsOf(w.pod)
	if !a.volumeRead(c) || len(claims) == 0 {
		return false
	}
	missing := func(name string) bool { return a.claim(name) == nil }
	switch volumeKind(c.reason) {
	case volumeBound:
		return !slices.ContainsFunc(claims, func(name string) bool { return missing(name) || a.claim(name).Status.Phase != corev1.ClaimBound })
	case volumeZone:
		volumes := a.volumesOf(w.pod)
		if len(a.s.Nodes) == 0 || len(volumes) == 0 || slices.ContainsFunc(volumes, func(v *corev1.PersistentVolume) bool { return len(zonesOf(v)) == 0 }) {
			return false // it is about something else than zones
		}
		return !slices.ContainsFunc(claims, func(name string) bool { return len(a.outside(name)) > 0 })
	case volumeClaim:
		m := quotedClaim.FindStringSubmatch(c.reason)
		return strings.Contains(c.reason, "not found") && !missing(m[1])
	}
	return false
}

// volume explains a claim that keeps its pod from a node: missing, not bound, bound to a volume of another zone, or one too many.
func (a *analysis) volume(f diagnostics.Finding, c clause, of string, pods []waiting) {
	f.Subject = a.claimAtFault(pods[0], c.reason)
	f.Summary = fmt.Sprintf("%s: %s", of, c.reason)
	if c.count == 0 {
		f.Summary = c.reason
	}
	claim := a.claim(f.Subject)
	if claim != nil {
		class := "none"
		if claim.Spec.StorageClassName != nil {
			class = *claim.Spec.StorageClassName
		}
		f.Evidence = append(f.Evidence, diagnostics.Evidence{What: "claim " + claim.Name, Value: fmt.Sprintf("%s, storage class %s", claim.Status.Phase, class),
			Source: "list persistentvolumeclaims", Repeat: fmt.Sprintf("kubectl get pvc -n %s %s", claim.Namespace, claim.Name)})
		for v := range a.s.Volumes {
			if volume := &a.s.Volumes[v]; volume.Name == claim.Spec.VolumeName {
				a.volumePlace(&f, volume, claim.Name)
			}
		}
	} else if a.volumeRead(c) && len(claimsOf(pods[0].pod)) > 0 && volumeKind(c.reason) != volumeCount {
		f.Summary = fmt.Sprintf("claim %s does not exist in namespace %s", f.Subject, a.s.Target.Namespace)
	}
	if volumeKind(c.reason) == volumeCount {
		a.volumeLimits(&f)
	}
	for n := range a.s.Events {
		if e := &a.s.Events[n]; e.InvolvedObject.Kind == "PersistentVolumeClaim" && e.InvolvedObject.Name == f.Subject && e.Type == "Warning" && a.s.At.Sub(diagnostics.LastSeen(e)) <= fresh {
			f.Evidence = append(f.Evidence, eventEvidence(e))
			f.Summary = fmt.Sprintf("claim %s is not bound: %s", f.Subject, shorten(e.Message))
		}
	}
	a.find(f, pods)
}

// volumePlace shows where a volume can be used, and how many nodes are there.
func (a *analysis) volumePlace(f *diagnostics.Finding, volume *corev1.PersistentVolume, claim string) {
	if volume.Spec.NodeAffinity == nil || volume.Spec.NodeAffinity.Required == nil {
		return
	}
	var asks []string
	for _, t := range volume.Spec.NodeAffinity.Required.NodeSelectorTerms {
		for _, e := range t.MatchExpressions {
			asks = append(asks, e.Key+" in "+strings.Join(e.Values, ", "))
		}
	}
	f.Evidence = append(f.Evidence, diagnostics.Evidence{What: "volume " + volume.Name, Value: strings.Join(asks, "; "),
		Source: "list persistentvolumes", Repeat: "kubectl get pv " + volume.Name + " -o yaml"})
	if zones := zonesOf(volume); len(zones) > 0 && len(a.s.Nodes) > 0 {
		out := a.outside(claim)
		f.Summary = fmt.Sprintf("the volume of claim %s can only be used in %s, and %d of %s are elsewhere", claim, strings.Join(zones, ", "), len(out), plural(len(a.s.Nodes), "node"))
	}
}

// volumeLimits shows how many volumes the nodes may have attached.
func (a *analysis) volumeLimits(f *diagnostics.Finding) {
	for _, key := range sortedKeys(a.s.Attachable) {
		node, driver, _ := strings.Cut(key, " ")
		if len(f.Evidence) < 5 {
			f.Evidence = append(f.Evidence, diagnostics.Evidence{What: "volumes of " + driver + " on node " + node, Value: fmt.Sprintf("at most %d", a.s.Attachable[key]),
				Source: "list csinodes.storage.k8s.io", Repeat: "kubectl get csinode " + node + " -o yaml"})
		}
	}
}
