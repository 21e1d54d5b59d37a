package pending

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/netdiag/netdiag/diagnostics"
)

// rejected explains pods that the kubelet refused when they came.
func (a *analysis) rejected() {
	for _, w := range a.at(rejected) {
		a.find(diagnostics.Finding{ID: "kubelet-rejected", Subject: w.pod.Spec.NodeName, Confidence: diagnostics.Confirmed,
			Summary: fmt.Sprintf("node %s refused the pod (%s): %s", w.pod.Spec.NodeName, w.pod.Status.Reason, shorten(w.text)),
			Evidence: []diagnostics.Evidence{{What: "pod " + w.pod.Name, Value: w.pod.Status.Reason + ": " + shorten(w.text), Source: "list pods",
				Repeat: fmt.Sprintf("kubectl get pod -n %s %s -o yaml", w.pod.Namespace, w.pod.Name)}}}, []waiting{w})
	}
}

var (
	quotaName   = regexp.MustCompile(`exceeded quota: ([^,\s]+)`)
	webhookName = regexp.MustCompile(`(?:failed calling webhook|admission webhook) "([^"]+)"`)
)

// absent explains controllers that can't make their pods: then there is no pod to look at.
func (a *analysis) absent() {
	for _, s := range a.shorts() {
		message, evidence := s.Message, []diagnostics.Evidence{}
		command := fmt.Sprintf("kubectl describe %s -n %s %s", strings.ToLower(s.Kind), a.s.Target.Namespace, s.Name)
		for n := range a.s.Events {
			e := &a.s.Events[n]
			if e.Reason == "FailedCreate" && e.InvolvedObject.Kind == s.Kind && e.InvolvedObject.Name == s.Name && a.s.At.Sub(when(e)) <= 2*fresh {
				message = e.Message
				evidence = []diagnostics.Evidence{eventEvidence(e)}
			}
		}
		if message == "" {
			continue
		}
		if len(evidence) == 0 {
			evidence = append(evidence, diagnostics.Evidence{What: "condition ReplicaFailure of " + s.Name, Value: shorten(message), Source: "list replicasets.apps", Repeat: command})
		}
		evidence = append(evidence, diagnostics.Evidence{What: strings.ToLower(s.Kind) + " " + s.Name, Value: fmt.Sprintf("%d of %s", s.Have, plural(s.Desired, "pod")),
			Source: "list " + permissionOf(s.Kind), Repeat: command})
		f := diagnostics.Finding{Confidence: diagnostics.Confirmed, Evidence: evidence, Weight: s.Desired - s.Have,
			Affects: []string{strings.ToLower(s.Kind) + "/" + a.s.Target.Namespace + "/" + s.Name}}
		missing := fmt.Sprintf("%s of %s %s", plural(s.Desired-s.Have, "pod"), strings.ToLower(s.Kind), s.Name)
		f.Subject = s.Kind + "/" + s.Name
		switch {
		case strings.Contains(message, "exceeded quota"):
			f.ID = "quota"
			if m := quotaName.FindStringSubmatch(message); m != nil {
				f.Subject = m[1]
			}
			f.Summary = fmt.Sprintf("resource quota %s leaves no room for %s", f.Subject, missing)
		case strings.Contains(message, "failed calling webhook") || strings.Contains(message, "failed to call webhook"):
			f.ID = "admission-webhook"
			if m := webhookName.FindStringSubmatch(message); m != nil {
				f.Subject = m[1]
			}
			f.Summary = fmt.Sprintf("admission webhook %s does not answer: %s can't be made", f.Subject, missing)
		case strings.Contains(message, "violates PodSecurity"), strings.Contains(message, "denied the request"), strings.Contains(message, "error looking up service account"),
			strings.Contains(message, "is forbidden"), strings.Contains(message, "is invalid"):
			f.ID = "admission-denied"
			f.Summary = fmt.Sprintf("%s may not be made: %s", missing, shorten(message))
		default:
			a.res.Contradictions = append(a.res.Contradictions, fmt.Sprintf("%s can't be made, for a reason that netdiag doesn't know: %s", missing, shorten(message)))
			continue
		}
		a.find(f, nil)
	}
}

// shorts lists the controllers that are short of pods; where a kind could not be listed, those that complain.
func (a *analysis) shorts() []Workload {
	out := slices.Clone(a.s.Short)
	for n := range a.s.Events {
		e := &a.s.Events[n]
		kind := e.InvolvedObject.Kind
		if _, missed := a.unread("list " + permissionOf(kind)); !missed || e.Reason != "FailedCreate" || e.Namespace != a.s.Target.Namespace {
			continue
		}
		if a.s.Target.Name != "" && a.s.Target.Name != e.InvolvedObject.Name {
			continue // another than was asked for
		}
		w := Workload{Kind: kind, Name: e.InvolvedObject.Name, Desired: 1}
		if !slices.ContainsFunc(out, func(o Workload) bool { return o.Kind == w.Kind && o.Name == w.Name }) {
			out = append(out, w)
		}
	}
	return out
}

func permissionOf(kind string) string {
	return map[string]string{"ReplicaSet": "replicasets.apps", "StatefulSet": "statefulsets.apps", "DaemonSet": "daemonsets.apps", "Job": "jobs.batch"}[kind]
}
