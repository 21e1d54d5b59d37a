package alb

import (
	"fmt"
	"regexp"
	"strconv"

	"github.com/netdiag/netdiag/diagnostics"
)

// What servers log when they send an answer that breaks HTTP: fewer bytes than Content-Length says, or headers that no
// parser takes. What a proxy in the pod says of the application behind it doesn't count: the proxy answers in its stead.
var (
	shortBody    = regexp.MustCompile(`(?i)too little data for declared content-length|response content shorter than content-length|wrote less than declared content-length|content-length mismatch|content_length_mismatch`)
	brokenHeader = regexp.MustCompile(`(?i)malformed (http )?response|(invalid|illegal) (response )?header (name|value|field)|duplicate content-length|both (transfer-encoding and content-length|content-length and transfer-encoding)`)
	lengths      = regexp.MustCompile(`(?i)(?:declared|response|resp)[-_ ]content[-_]length[=: ]+"?(\d+)"?.*?\b(?:body_bytes_sent|body_bytes|bytes_sent|sent|body)[=: ]+"?(\d+)`)
)

// malformed finds answers in the application's logs that break HTTP: one that the load balancer can't read becomes a 502, and
// one that announces more bytes than it brings a 504, when the rest hasn't come within the idle timeout. That it is for
// these that clients get errors only access logs could prove.
func (a *analysis) malformed() bool {
	f := diagnostics.Finding{ID: "resp.malformed", Confidence: diagnostics.Possible, Weight: 30}
	var g *group
	if a.total(elb504) > 0 && a.total(connectErrors) <= 0.05*a.total(elb504) {
		if g, f.Evidence = a.logged(tooShort); g != nil {
			f.Reason = "content-length"
			f.Summary = fmt.Sprintf("%s announces a longer body (Content-Length) than it sends, and the load balancer waits for the rest until it gives up with 504", g.subject())
		}
	}
	if g == nil && a.total(elb502) > 0 {
		if g, f.Evidence = a.logged(brokenHeader.MatchString); g != nil {
			f.Reason = "headers"
			f.Summary = fmt.Sprintf("%s sends answers that break HTTP, which the load balancer turns into 502", g.subject())
		}
	}
	if g == nil {
		return false
	}
	f.Subject = g.subject()
	f.Evidence = append([]diagnostics.Evidence{a.metric(elb502), a.metric(elb504)}, f.Evidence...)
	a.report(f)
	return true
}

// tooShort reports whether the line tells of an answer with fewer bytes than its Content-Length.
func tooShort(line string) bool {
	if match := lengths.FindStringSubmatch(line); match != nil {
		said, err1 := strconv.Atoi(match[1])
		sent, err2 := strconv.Atoi(match[2])
		return err1 == nil && err2 == nil && said > sent
	}
	return shortBody.MatchString(line)
}
