package pending

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/eks"
)

var missingObject = regexp.MustCompile(`(?i)\b(secret|configmap)s? "([^"]+)" not found`)
var missingKey = regexp.MustCompile(`couldn't find key (\S+) in (Secret|ConfigMap) (\S+)`)

// missing names the Secret or ConfigMap that a message says isn't there; empty where it says something else.
func missing(message string) string {
	if m := missingObject.FindStringSubmatch(message); m != nil {
		return strings.ToLower(m[1]) + "/" + m[2]
	}
	if m := missingKey.FindStringSubmatch(message); m != nil {
		parts := strings.Split(m[3], "/")
		return strings.ToLower(m[2]) + "/" + parts[len(parts)-1]
	}
	if strings.Contains(message, "references non-existent secret key") || strings.Contains(message, "references non-existent config key") {
		return "volume with a key that its Secret or ConfigMap lacks"
	}
	return ""
}

// mount explains a pod whose volumes are in the way. The kubelet mounts them before it makes the sandbox.
func (a *analysis) mount(w waiting) {
	f := diagnostics.Finding{Confidence: diagnostics.Confirmed, Evidence: []diagnostics.Evidence{podEvidence(w)}}
	if object := missing(w.text); object != "" {
		f.ID, f.Subject = "missing-config", object
		f.Summary = fmt.Sprintf("%s does not exist in namespace %s, and pods mount it", object, w.pod.Namespace)
		a.find(f, []waiting{w})
		return
	}
	f.ID, f.Subject = "volume-mount", claimOf(w)
	f.Summary = "a volume can't be attached or mounted: " + shorten(w.text)
	for n := range a.s.Claims {
		if c := &a.s.Claims[n]; c.Name == f.Subject {
			f.Evidence = append(f.Evidence, diagnostics.Evidence{What: "claim " + c.Name, Value: fmt.Sprintf("%s, volume %s", c.Status.Phase, c.Spec.VolumeName),
				Source: "list persistentvolumeclaims", Repeat: fmt.Sprintf("kubectl get pvc -n %s %s", c.Namespace, c.Name)})
		}
	}
	a.find(f, []waiting{w})
}

// connected explains pods whose network is done: whatever keeps them is no matter of addresses.
func (a *analysis) connected() {
	events := byPod(a.s.Events)
	for _, w := range a.at(connected) {
		if !a.container(w, events[string(w.pod.UID)]) {
			a.unsolve([]waiting{w}, "it has its address and waits for something else: "+containerState(w.pod))
		}
	}
}

func (a *analysis) container(w waiting, events []*corev1.Event) bool {
	states := map[bool][]corev1.ContainerStatus{true: w.pod.Status.InitContainerStatuses, false: w.pod.Status.ContainerStatuses}
	for _, init := range []bool{true, false} {
		for _, s := range states[init] {
			r := s.State.Waiting
			if r == nil {
				if init && s.State.Running != nil && !s.Ready && s.RestartCount == 0 || init && s.State.Terminated != nil && s.State.Terminated.ExitCode != 0 {
					a.init(w, s)
					return true
				}
				continue
			}
			f := diagnostics.Finding{Confidence: diagnostics.Confirmed, Evidence: []diagnostics.Evidence{{What: "container " + s.Name + " of pod " + w.pod.Name,
				Value: strings.TrimSuffix(r.Reason+": "+shorten(r.Message), ": "), Source: "list pods", Repeat: fmt.Sprintf("kubectl describe pod -n %s %s", w.pod.Namespace, w.pod.Name)}}}
			switch r.Reason {
			case "ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError", "RegistryUnavailable", "SignatureValidationFailed":
				a.image(w, s, f, events)
				return true
			case "CreateContainerConfigError":
				object := missing(r.Message)
				if object == "" {
					return false
				}
				f.ID, f.Subject = "missing-config", object
				f.Summary = fmt.Sprintf("%s is missing in namespace %s, and containers take their environment from it", object, w.pod.Namespace)
				a.find(f, []waiting{w})
				return true
			case "CreateContainerError", "RunContainerError":
				f.ID, f.Subject, f.Confidence = "runtime", w.pod.Spec.NodeName, diagnostics.Likely
				f.Summary = "the container runtime could not start container " + s.Name + ": " + shorten(r.Message)
				a.find(f, []waiting{w})
				return true
			case "CrashLoopBackOff":
				if init {
					a.init(w, s)
					return true
				}
			}
		}
	}
	return false
}

func (a *analysis) init(w waiting, s corev1.ContainerStatus) {
	f := diagnostics.Finding{ID: "init-container", Subject: owner(w), Confidence: diagnostics.Confirmed,
		Summary: fmt.Sprintf("init container %s is still running", s.Name),
		Evidence: []diagnostics.Evidence{{What: "init container " + s.Name + " of pod " + w.pod.Name, Value: fmt.Sprintf("%s, %s", state(s), plural(int(s.RestartCount), "restart")),
			Source: "list pods", Repeat: fmt.Sprintf("kubectl logs -n %s %s -c %s", w.pod.Namespace, w.pod.Name, s.Name)}}}
	if s.RestartCount > 0 || s.State.Terminated != nil {
		f.Summary = fmt.Sprintf("init container %s fails again and again", s.Name)
	}
	a.find(f, []waiting{w})
}

func state(s corev1.ContainerStatus) string {
	switch {
	case s.State.Waiting != nil:
		return s.State.Waiting.Reason
	case s.State.Terminated != nil:
		return fmt.Sprintf("ended with %d", s.State.Terminated.ExitCode)
	case s.State.Running != nil:
		return "running since " + s.State.Running.StartedAt.UTC().Format("15:04:05")
	}
	return "not started"
}

func containerState(p *corev1.Pod) string {
	var parts []string
	for _, s := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses) {
		parts = append(parts, s.Name+" "+state(s))
	}
	return strings.Join(parts, ", ")
}

// image tells an image that isn't there, or may not be pulled, from a registry that can't be reached.
func (a *analysis) image(w waiting, s corev1.ContainerStatus, f diagnostics.Finding, events []*corev1.Event) {
	f.ID, f.Subject = "image-pull", s.Image
	why := s.State.Waiting.Message
	if e := last(events, a.s.At, 6*fresh, "Failed", "InspectFailed"); e != nil && strings.Contains(e.Message, "pull") {
		why = e.Message
		f.Evidence = append(f.Evidence, eventEvidence(e))
	}
	for _, c := range slices.Concat(w.pod.Spec.InitContainers, w.pod.Spec.Containers) {
		if c.Name == s.Name && c.Image != "" {
			f.Subject = c.Image
		}
	}
	f.Summary = "image " + f.Subject + " can't be pulled"
	switch {
	case strings.Contains(why, "i/o timeout") || strings.Contains(why, "context deadline exceeded") || strings.Contains(why, "no route to host") || strings.Contains(why, "network is unreachable"):
		f.ID, f.Confidence, f.Subject = "egress", diagnostics.Likely, w.pod.Spec.NodeName
		f.Summary = "node " + w.pod.Spec.NodeName + " does not reach the registry"
	case strings.Contains(why, "not found"):
		f.Summary += ": it does not exist"
	case strings.Contains(why, "denied") || strings.Contains(why, "unauthorized") || strings.Contains(why, "403") || strings.Contains(why, "no basic auth credentials"):
		f.Summary += ": the registry refuses the credentials"
	}
	a.find(f, []waiting{w})
}

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
	for _, s := range a.s.Short {
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
			Source: "list " + resource(s.Kind), Repeat: command})
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

func resource(kind string) string {
	return map[string]string{"ReplicaSet": "replicasets.apps", "StatefulSet": "statefulsets.apps", "DaemonSet": "daemonsets.apps", "Job": "jobs.batch"}[kind]
}

// fargate explains pods that wait for a Fargate microVM: one address of a profile's subnet each, and a way to the registry.
func (a *analysis) fargate() {
	pods := a.at(onFargate)
	if len(pods) == 0 {
		return
	}
	f := diagnostics.Finding{Confidence: diagnostics.Confirmed, Evidence: []diagnostics.Evidence{podEvidence(pods[0])}}
	subnets := map[string]bool{}
	for _, p := range a.profiles(pods[0].pod) {
		f.Subject = p.Name
		for _, id := range p.Subnets {
			subnets[id] = true
		}
	}
	if len(subnets) == 0 {
		a.leaves("eks:ListFargateProfiles", "fargate-no-ip", "egress")
		a.leaves("eks:DescribeFargateProfile", "fargate-no-ip", "egress")
		a.unsolve(pods, "their Fargate profile is not known: "+said(pods[0]))
		return
	}
	known, full, isolated := 0, 0, 0
	for _, id := range sorted(subnets) {
		s := a.s.subnet(id)
		if s == nil {
			continue
		}
		known++
		f.Evidence = append(f.Evidence, subnetEvidence(s))
		if s.Available == 0 {
			full++
		}
		if table, way := a.wayOut(id); table != "" && !way {
			isolated++
			f.Evidence = append(f.Evidence, diagnostics.Evidence{What: "routes of " + id, Value: table + " has no default route", Source: "ec2:DescribeRouteTables",
				Repeat: "aws ec2 describe-route-tables --route-table-ids " + table})
		}
	}
	switch {
	case known == 0:
		a.leaves("ec2:DescribeSubnets", "fargate-no-ip", "egress")
		a.unsolve(pods, "the subnets of their Fargate profile could not be read")
	case full == known:
		f.ID = "fargate-no-ip"
		f.Summary = fmt.Sprintf("no subnet of Fargate profile %s has a free address", f.Subject)
		a.find(f, pods)
	case isolated == known && strings.Contains(pods[0].text, "timed out"):
		f.ID, f.Confidence = "egress", diagnostics.Likely
		f.Summary = fmt.Sprintf("the subnets of Fargate profile %s have addresses but no way out: images can't be pulled there without endpoints for the registry", f.Subject)
		a.find(f, pods)
	default:
		a.leaves("ec2:DescribeRouteTables", "egress")
		a.unsolve(pods, "Fargate does not start them: "+said(pods[0]))
	}
}

// profiles lists the Fargate profiles that may take a pod: the one that it is labelled with, or else those of its namespace.
func (a *analysis) profiles(p *corev1.Pod) []eks.FargateProfile {
	var named, matching []eks.FargateProfile
	for _, f := range a.s.Profiles {
		if f.Name == p.Labels["eks.amazonaws.com/fargate-profile"] {
			named = append(named, f)
		}
		if slices.Contains(f.Namespaces, p.Namespace) {
			matching = append(matching, f)
		}
	}
	if len(named) > 0 {
		return named
	}
	return matching
}

// wayOut reports whether a subnet has a default route, and by which table; the table is empty where none is known.
func (a *analysis) wayOut(subnet string) (table string, out bool) {
	for pass := range 2 {
		for _, t := range a.s.RouteTables {
			if pass == 0 && !slices.Contains(t.Subnets, subnet) || pass == 1 && !t.Main {
				continue
			}
			for _, r := range t.Routes {
				if r.Destination.IsValid() && r.Destination.Bits() == 0 && r.State != "blackhole" {
					return t.ID, true
				}
			}
			return t.ID, false
		}
	}
	return "", false
}

// age is how long ago a pod was made, for people.
func (a *analysis) age(p *corev1.Pod) string {
	return a.s.At.Sub(p.CreationTimestamp.Time).Truncate(time.Second).String()
}
