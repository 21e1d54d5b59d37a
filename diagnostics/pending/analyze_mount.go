package pending

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/netdiag/netdiag/diagnostics"
)

var (
	missingObject = regexp.MustCompile(`(?i)\b(secret|configmap)s? "([^"]+)" not found`)
	missingKey    = regexp.MustCompile(`couldn't find key (\S+) in (Secret|ConfigMap) (\S+)`)
	missingEntry  = regexp.MustCompile(`references non-existent (?:secret|config) key: (\S+)`)
	namedVolume   = regexp.MustCompile(`for volume "([^"]+)"`)
	unmounts      = regexp.MustCompile(`unmounted volumes=\[([^\]]*)\]`)
)

// missing names the Secret or ConfigMap that a message says isn't there, or lacks a key; empty where it says something else.
func missing(message string) string {
	if m := missingObject.FindStringSubmatch(message); m != nil {
		return strings.ToLower(m[1]) + "/" + m[2]
	}
	if m := missingKey.FindStringSubmatch(message); m != nil {
		_, name, found := cutLast(m[3], "/")
		if !found {
			name = m[3]
		}
		return strings.ToLower(m[2]) + "/" + name
	}
	return ""
}

// mountFailures are what was said lately of the volumes of a pod, each kind of trouble once: that the kubelet's own timeout
// tells nothing where something else was said.
func (a *analysis) mountFailures(w waiting) []waiting {
	var out []waiting
	general := w
	seen := map[string]bool{}
	for _, e := range byPod(a.s.Events)[string(w.pod.UID)] {
		if !slices.Contains(mountReasons, e.Reason) || a.s.At.Sub(diagnostics.LastSeen(e)) > fresh {
			continue
		}
		said := w
		said.take(e)
		switch key := missing(e.Message) + " " + volumeIn(w.pod, e.Message); {
		case strings.Contains(e.Message, "timed out waiting for the condition") || strings.Contains(e.Message, "context deadline exceeded") && strings.Contains(e.Message, "unmounted volumes="):
			general = said
		case !seen[key]:
			seen[key] = true
			out = append(out, said)
		}
	}
	if len(out) == 0 {
		return []waiting{general}
	}
	return out
}

// mount explains a pod whose volumes are in the way. The kubelet mounts them before it makes the sandbox.
func (a *analysis) mount(w waiting) {
	for _, said := range a.mountFailures(w) {
		f := diagnostics.Finding{Confidence: diagnostics.Confirmed, Evidence: []diagnostics.Evidence{podEvidence(said)}}
		if object := missing(said.text); object != "" {
			f.ID, f.Subject = "missing-config", object
			f.Summary = fmt.Sprintf("%s does not exist in namespace %s, and pods mount it", object, w.pod.Namespace)
			if strings.Contains(said.text, "couldn't find key") {
				f.Summary = fmt.Sprintf("%s in namespace %s lacks a key that pods mount: %s", object, w.pod.Namespace, shorten(said.text))
			}
			a.find(f, []waiting{w})
			continue
		}
		if m := missingEntry.FindStringSubmatch(said.text); m != nil {
			f.ID, f.Subject = "missing-config", configOf(w.pod, volumeIn(w.pod, said.text))
			f.Summary = fmt.Sprintf("%s in namespace %s lacks the key %s, and pods mount it", f.Subject, w.pod.Namespace, m[1])
			a.find(f, []waiting{w})
			continue
		}
		a.volumeMount(f, said)
	}
}

// volumeMount explains a volume that can't be attached or mounted.
func (a *analysis) volumeMount(f diagnostics.Finding, w waiting) {
	f.ID, f.Subject = "volume-mount", a.claimIn(w)
	f.Summary = "a volume can't be attached or mounted: " + shorten(w.text)
	switch {
	case strings.Contains(w.text, "Multi-Attach error"):
		f.Summary = "a volume is still attached to another node, and can be attached to one only: " + shorten(w.text)
	case strings.Contains(w.text, "timed out waiting for the condition"), strings.Contains(w.text, "context deadline exceeded"):
		f.Summary = "a volume is not attached and mounted in time, and nothing says why: " + shorten(w.text)
	}
	if c := a.claim(f.Subject); c != nil {
		f.Evidence = append(f.Evidence, diagnostics.Evidence{What: "claim " + c.Name, Value: fmt.Sprintf("%s, volume %s", c.Status.Phase, c.Spec.VolumeName),
			Source: "list persistentvolumeclaims", Repeat: fmt.Sprintf("kubectl get pvc -n %s %s", c.Namespace, c.Name)})
	}
	a.find(f, []waiting{w})
}

// volumeIn finds which volume of a pod a message is about, by its name in the pod; empty where it says nothing of that.
func volumeIn(p *corev1.Pod, message string) string {
	name := ""
	if m := namedVolume.FindStringSubmatch(message); m != nil {
		name = m[1]
	} else if m := unmounts.FindStringSubmatch(message); m != nil {
		name, _, _ = strings.Cut(m[1], " ")
	}
	for _, v := range p.Spec.Volumes {
		if v.Name == name {
			return name
		}
	}
	return ""
}

// claimIn finds the claim that a message is about, by the name of the volume in the pod or that of the persistent volume;
// else the first of the pod, and the pod itself where it has none.
func (a *analysis) claimIn(w waiting) string {
	named := volumeIn(w.pod, w.text)
	for _, v := range w.pod.Spec.Volumes {
		if v.Name == named && v.PersistentVolumeClaim != nil {
			return v.PersistentVolumeClaim.ClaimName
		}
	}
	claims := claimsOf(w.pod)
	if m := namedVolume.FindStringSubmatch(w.text); m != nil {
		for _, name := range claims {
			if c := a.claim(name); c != nil && c.Spec.VolumeName == m[1] {
				return name
			}
		}
	}
	if len(claims) > 0 {
		return claims[0]
	}
	return w.pod.Name
}

// configOf names what a volume of a pod is made of.
func configOf(p *corev1.Pod, volume string) string {
	for _, v := range p.Spec.Volumes {
		switch {
		case v.Name != volume:
		case v.Secret != nil:
			return "secret/" + v.Secret.SecretName
		case v.ConfigMap != nil:
			return "configmap/" + v.ConfigMap.Name
		}
	}
	return "volume/" + volume
}
