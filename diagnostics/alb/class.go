package alb

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/netdiag/netdiag/internal/elb"
)

// class is what a health state says physically.
type class int

// A target is healthy; answered with a wrong code; didn't answer in time; refused or broke the connection; is too new to
// judge; gets no requests; is on its way out; or is in a state that says nothing of these.
const (
	healthy class = iota
	code
	drop
	refuse
	initial
	unused
	draining
	other
)

func (c class) String() string {
	return [...]string{"healthy", "answered with a wrong code", "no answer", "connection refused or broken", "initial", "unused", "draining", "unclear"}[c]
}

var codesIn = regexp.MustCompile(`\[(\d{1,3}(?:, ?\d{1,3})*)\]`)

// classOfHealth reads the codes of the description first, because a code is proof of an answer whatever the reason says.
func classOfHealth(h elb.TargetHealth) (class, []int) {
	switch h.State {
	case "healthy":
		return healthy, nil
	case "initial":
		return initial, nil
	case "unused":
		return unused, nil
	case "draining", "unhealthy.draining":
		return draining, nil
	}
	if match := codesIn.FindStringSubmatch(h.Description); match != nil {
		var codes []int
		for c := range strings.SplitSeq(match[1], ",") {
			n, _ := strconv.Atoi(strings.TrimSpace(c)) // digits only, by the expression
			codes = append(codes, n)
		}
		return code, codes
	}
	switch h.Reason {
	case "Target.ResponseCodeMismatch":
		return code, nil
	case "Target.Timeout":
		return drop, nil
	case "Target.FailedHealthChecks":
		return refuse, nil
	}
	return other, nil
}
