package pending

import (
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/netdiag/netdiag/diagnostics"
)

// unreachable reports a pull that failed because the registry could not be reached from the node.
func unreachable(why string) bool {
	return slices.ContainsFunc([]string{"i/o timeout", "context deadline exceeded", "Client.Timeout exceeded", "no route to host", "network is unreachable", "TLS handshake timeout", "server misbehaving"},
		func(t string) bool { return strings.Contains(why, t) })
}

// pullFailure is what was said last of a pull that failed: the container's own message soon says no more than that the
// kubelet waits for the next try.
func pullFailure(events []*corev1.Event, now time.Time) *corev1.Event {
	return last(slices.DeleteFunc(slices.Clone(events), func(e *corev1.Event) bool {
		return !strings.Contains(e.Message, "pull") && !strings.Contains(e.Message, "image")
	}), now, 6*fresh, "Failed", "InspectFailed", "ErrImageNeverPull")
}

// image tells an image that isn't there, or may not be pulled, from a registry that can't be reached.
func (a *analysis) image(w waiting, s corev1.ContainerStatus, f diagnostics.Finding, events []*corev1.Event) {
	f.ID, f.Subject = "image-pull", s.Image
	why := s.State.Waiting.Message
	var said []*corev1.Event
	for _, e := range events { // of this container, where the event names one
		if path := e.InvolvedObject.FieldPath; path == "" || strings.Contains(path, "{"+s.Name+"}") {
			said = append(said, e)
		}
	}
	if e := pullFailure(said, a.s.At); e != nil {
		f.Evidence = append(f.Evidence, eventEvidence(e))
		if strings.Contains(e.Message, ": ") || strings.HasPrefix(why, "Back-off") {
			why = e.Message
		}
	}
	for _, c := range slices.Concat(w.pod.Spec.InitContainers, w.pod.Spec.Containers) {
		if c.Name == s.Name && c.Image != "" {
			f.Subject = c.Image
		}
	}
	if unreachable(why) {
		a.noRegistry(w, f)
		return
	}
	f.Summary = "image " + f.Subject + " can't be pulled"
	for _, t := range []struct{ texts, means string }{
		{"InvalidImageName|couldn't parse image", ": that is no name of an image"},
		{"ErrImageNeverPull|is not present with pull policy of Never", ": it is not on the node, and imagePullPolicy Never forbids to pull it"},
		{"no matching manifest|no match for platform", ": it is not made for the platform of the node"},
		{"toomanyrequests|Too Many Requests|429", ": the registry has had too many pulls from here and refuses more for now"},
		{"no such host", ": the name of the registry can't be resolved"},
		{"x509|certificate", ": the certificate of the registry is not trusted"},
		{"no basic auth credentials|unauthorized|denied|403|authentication required|401", ": the registry refuses the credentials"},
		{"not found|manifest unknown", ": it does not exist"},
	} {
		if slices.ContainsFunc(strings.Split(t.texts, "|"), func(part string) bool { return strings.Contains(s.State.Waiting.Reason+" "+why, part) }) {
			f.Summary += t.means
			break
		}
	}
	a.find(f, []waiting{w})
}

// noRegistry explains a pull that timed out by the way that the node has out of its subnet. Without a default route the
// registry could only be reached through endpoints of the VPC, and the timeout shows that it is not.
func (a *analysis) noRegistry(w waiting, f diagnostics.Finding) {
	name := w.pod.Spec.NodeName
	f.ID, f.Confidence = "egress", diagnostics.Likely
	registry, _, _ := strings.Cut(f.Subject, "/")
	f.Subject = name
	f.Summary = "node " + name + " does not reach the registry " + registry
	if node := a.s.node(name); node != nil {
		if s := a.s.subnetAt(node.Address); s != nil {
			switch table, way := a.wayOut(s.ID); {
			case table != "" && !way:
				f.Confidence = diagnostics.Confirmed
				f.Summary += ": its subnet " + s.ID + " has no default route"
				f.Evidence = append(f.Evidence, diagnostics.Evidence{What: "routes of " + s.ID, Value: table + " has no default route", Source: "ec2:DescribeRouteTables",
					Repeat: "aws ec2 describe-route-tables --route-table-ids " + table})
			case table != "":
				f.Evidence = append(f.Evidence, diagnostics.Evidence{What: "routes of " + s.ID, Value: table + " has a default route", Source: "ec2:DescribeRouteTables",
					Repeat: "aws ec2 describe-route-tables --route-table-ids " + table})
			}
		}
	}
	a.find(f, []waiting{w})
}
