package pending

import (
	"fmt"
	"strings"

	"github.com/netdiag/netdiag/diagnostics"
)

// volume explains a claim that keeps its pod from a node: not bound, or bound to a volume of another zone.
func (a *analysis) volume(f diagnostics.Finding, c clause, of string, pods []waiting) {
	f.Subject = claimOf(pods[0])
	f.Summary = fmt.Sprintf("%s: %s", of, c.reason)
	if c.count == 0 {
		f.Summary = c.reason
	}
	for n := range a.s.Claims {
		claim := &a.s.Claims[n]
		if claim.Name != f.Subject {
			continue
		}
		class := "none"
		if claim.Spec.StorageClassName != nil {
			class = *claim.Spec.StorageClassName
		}
		f.Evidence = append(f.Evidence, diagnostics.Evidence{What: "claim " + claim.Name, Value: fmt.Sprintf("%s, storage class %s", claim.Status.Phase, class),
			Source: "list persistentvolumeclaims", Repeat: fmt.Sprintf("kubectl get pvc -n %s %s", claim.Namespace, claim.Name)})
		for v := range a.s.Volumes {
			volume := &a.s.Volumes[v]
			if volume.Name == claim.Spec.VolumeName && volume.Spec.NodeAffinity != nil && volume.Spec.NodeAffinity.Required != nil {
				var zones []string
				for _, t := range volume.Spec.NodeAffinity.Required.NodeSelectorTerms {
					for _, e := range t.MatchExpressions {
						zones = append(zones, e.Key+" in "+strings.Join(e.Values, ", "))
					}
				}
				f.Evidence = append(f.Evidence, diagnostics.Evidence{What: "volume " + volume.Name, Value: strings.Join(zones, "; "),
					Source: "list persistentvolumes", Repeat: "kubectl get pv " + volume.Name + " -o yaml"})
			}
		}
	}
	for n := range a.s.Events {
		if e := &a.s.Events[n]; e.InvolvedObject.Kind == "PersistentVolumeClaim" && e.InvolvedObject.Name == f.Subject && e.Type == "Warning" && a.s.At.Sub(when(e)) <= fresh {
			f.Evidence = append(f.Evidence, eventEvidence(e))
			f.Summary = fmt.Sprintf("claim %s is not bound: %s", f.Subject, shorten(e.Message))
		}
	}
	a.find(f, pods)
}

func claimOf(w waiting) string {
	for _, v := range w.pod.Spec.Volumes {
		if v.PersistentVolumeClaim != nil {
			return v.PersistentVolumeClaim.ClaimName
		}
	}
	return w.pod.Name
}
