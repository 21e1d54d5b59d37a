package pending

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

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
	webhookName  = regexp.MustCompile(`(?:failed calling webhook|admission webhook) "([^"]+)"`)
	podSecurity  = regexp.MustCompile(`violates PodSecurity "([^"]+)"`)
	noAccount    = regexp.MustCompile(`error looking up service account [^/\s]+/([^:\s]+)`)
	policyDenied = regexp.MustCompile(`ValidatingAdmissionPolicy '([^']+)'`)
)

// absent explains controllers that can't make their pods: then there is no pod to look at.
func (a *analysis) absent() {
	for _, s := range a.shorts() {
		kind := strings.ToLower(s.Kind)
		command := fmt.Sprintf("kubectl describe %s -n %s %s", kind, a.s.Target.Namespace, s.Name)
		message, evidence := s.Message, diagnostics.Evidence{What: "condition ReplicaFailure of " + s.Name, Value: shorten(s.Message), Source: "list replicasets.apps", Repeat: command}
		if e := a.failedCreate(s); e != nil {
			message, evidence = e.Message, eventEvidence(e)
		}
		missing := fmt.Sprintf("%s of %s %s", plural(s.Desired-s.Have, "pod"), kind, s.Name)
		if message == "" {
			if s.Kind != "ReplicaSet" && len(a.stuck()) == 0 && a.leaves("list events", "quota", "admission-webhook", "admission-denied") {
				a.unmade = append(a.unmade, missing+" are not there, and events, which would tell why, could not be read")
			}
			continue
		}
		f := diagnostics.Finding{Subject: s.Kind + "/" + s.Name, Confidence: diagnostics.Confirmed, Weight: s.Desired - s.Have, Affects: []string{kind + "/" + a.s.Target.Namespace + "/" + s.Name},
			Evidence: []diagnostics.Evidence{evidence, {What: kind + " " + s.Name, Value: fmt.Sprintf("%d of %s", s.Have, plural(s.Desired, "pod")), Source: "list " + permissionOf(s.Kind), Repeat: command}}}
		switch {
		case strings.Contains(message, "exceeded quota"), strings.Contains(message, "failed quota"):
			if !a.quota(&f, message, missing) {
				continue
			}
		case strings.Contains(message, "failed calling webhook") || strings.Contains(message, "failed to call webhook"):
			f.ID = "admission-webhook"
			if m := webhookName.FindStringSubmatch(message); m != nil {
				f.Subject = m[1]
			}
			f.Summary = fmt.Sprintf("admission webhook %s does not answer%s: %s can't be made", f.Subject, howItFails(message), missing)
		case isDenied(message):
			f.ID = "admission-denied"
			f.Subject = deniedBy(message, f.Subject)
			f.Summary = fmt.Sprintf("%s may not be made: %s", missing, shorten(message))
		default:
			a.unmade = append(a.unmade, fmt.Sprintf("%s can't be made, for a reason that netdiag doesn't know: %s", missing, shorten(message)))
			continue
		}
		a.find(f, nil)
	}
}

// failedCreate is the last event that tells that a controller could not make a pod. Controllers wait up to a quarter of an
// hour before they try again.
func (a *analysis) failedCreate(w Workload) *corev1.Event {
	var found *corev1.Event
	for n := range a.s.Events {
		e := &a.s.Events[n]
		if e.Reason == "FailedCreate" && e.InvolvedObject.Kind == w.Kind && e.InvolvedObject.Name == w.Name && a.s.At.Sub(diagnostics.LastSeen(e)) <= 2*fresh {
			found = e
		}
	}
	return found
}

// howItFails says what the text of a failed call means.
func howItFails(message string) string {
	for _, t := range []struct{ text, means string }{
		{"connection refused", " (nothing listens: its pods are down)"},
		{"no endpoints available", " (its Service has no ready pod)"},
		{"x509", " (its certificate is not the one that the webhook configuration trusts)"},
		{"deadline exceeded", " (no answer in time: the control plane may not reach its pods, for want of a security group rule or because they are in a block that the VPC got within the last five hours)"},
		{"i/o timeout", " (no answer in time: the control plane may not reach its pods, for want of a security group rule or because they are in a block that the VPC got within the last five hours)"},
		{"not found", " (its Service does not exist)"},
	} {
		if strings.Contains(message, t.text) {
			return t.means
		}
	}
	return ""
}

func isDenied(message string) bool {
	return slices.ContainsFunc([]string{"violates PodSecurity", "denied the request", "denied request", "error looking up service account", "no PriorityClass with name", "RuntimeClass", "is forbidden", "is invalid"},
		func(t string) bool { return strings.Contains(message, t) })
}

// deniedBy names what denies a pod; the controller where the message does not tell.
func deniedBy(message, controller string) string {
	for _, m := range []struct {
		text *regexp.Regexp
		kind string
	}{{podSecurity, "podsecurity/"}, {webhookName, ""}, {noAccount, "serviceaccount/"}, {policyDenied, "validatingadmissionpolicy/"}} {
		if found := m.text.FindStringSubmatch(message); found != nil {
			return m.kind + found[1]
		}
	}
	return controller
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
