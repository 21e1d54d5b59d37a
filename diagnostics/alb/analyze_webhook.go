package alb

import (
	"fmt"
	"regexp"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/netdiag/netdiag/diagnostics"
)

var webhookName = regexp.MustCompile(`failed calling webhook "([^"]+)"`)

// webhookOf is the name of the controller's own webhook that a message says could not be called; empty where there is
// none, or where it is somebody else's.
func webhookOf(msg string) string {
	m := webhookName.FindStringSubmatch(msg)
	if m == nil || !strings.HasSuffix(m[1], ".elbv2.k8s.aws") {
		return ""
	}
	return m[1]
}

// webhook reports that the control plane can't reach the controller's webhook, so that no binding can be made.
func (a *analysis) webhook(e corev1.Event) {
	if a.found("lbc.webhook") {
		return
	}
	f := diagnostics.Finding{
		ID: "lbc.webhook", Reason: "unreachable", Subject: strings.ToLower(e.InvolvedObject.Kind) + "/" + e.InvolvedObject.Namespace + "/" + e.InvolvedObject.Name, Confidence: diagnostics.Confirmed, Weight: 95,
		Summary:  fmt.Sprintf("the API server can't reach webhook %s of the load balancer controller, so target groups get no binding and stay empty", webhookOf(e.Message)),
		Evidence: []diagnostics.Evidence{eventEvidence(e)},
	}
	switch {
	case strings.Contains(e.Message, "x509:"), strings.Contains(e.Message, "certificate"):
		f.Reason = "certificate"
		f.Summary = fmt.Sprintf("the API server doesn't trust the certificate of webhook %s of the load balancer controller, so target groups get no binding and stay empty", webhookOf(e.Message))
	case strings.Contains(e.Message, "no endpoints available"), strings.Contains(e.Message, "connection refused"):
		f.Reason = "no-endpoints"
		f.Summary = fmt.Sprintf("nobody serves webhook %s of the load balancer controller, so target groups get no binding and stay empty", webhookOf(e.Message))
		for _, d := range a.findings("lbc.down") {
			f.Because = append(f.Because, d.Key())
		}
	}
	for _, x := range a.groups {
		if x.HealthRead && len(x.registered()) == 0 && len(x.rules) > 0 {
			f.Affects = append(f.Affects, "targetgroup/"+x.Name)
			if x.service != "" {
				f.Summary += ", that of Service " + x.service + " for one"
			}
			f.Evidence = append(f.Evidence, x.evidence(nil))
		}
	}
	a.report(f)
}
