package alb

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/netdiag/netdiag/diagnostics"
)

// fixGRPC offers a success code that gRPC has: 0 where a method is named, and the default 12 (UNIMPLEMENTED) for the default path, which no server has.
func (a *analysis) fixGRPC(f diagnostics.Finding, g *group) {
	if _, where := a.setting(g, "healthcheck-path"); where != "" {
		a.annotate(f, g, "set-health-check", "0 is the gRPC status OK, and only 0 to 99 are taken", newSetting{"success-codes", "0"})
		return
	}
	a.annotate(f, g, "set-health-check", "no annotation sets a path: the default method /AWS.ALB/healthcheck is answered with status 12 (UNIMPLEMENTED), and only 0 to 99 are taken", newSetting{"success-codes", "12"})
}

// fixMethod offers to call what a gRPC readiness probe calls that passes.
func (a *analysis) fixMethod(f diagnostics.Finding, g *group, t *target) bool {
	var set []newSetting
	if g.Check.Path != healthMethod {
		set = append(set, newSetting{"healthcheck-path", healthMethod})
	}
	if g.Check.Codes != "0" {
		set = append(set, newSetting{"success-codes", "0"})
	}
	if len(set) == 0 || (len(set) == 1 && set[0].key == "success-codes") {
		return false // another code is all that it takes
	}
	ready, all := g.readyOf()
	a.annotate(f, g, "set-health-check", fmt.Sprintf("the readiness probe calls %s on port %d, and %d of %d pods pass it", healthMethod, t.hcPort, ready, all), set...)
	return true
}

// fixTimeout offers to wait longer for the answer of the health endpoint.
func (a *analysis) fixTimeout(f diagnostics.Finding) {
	g := a.groupFor(f)
	longer := min(2*g.Check.Timeout, g.Check.Interval-time.Second, 120*time.Second).Truncate(time.Second)
	if longer <= g.Check.Timeout {
		a.refuse("set-health-check", "the timeout of %s can't grow: it must stay below the interval of %s", g.Check.Timeout, g.Check.Interval)
		return
	}
	a.annotate(f, g, "set-health-check", fmt.Sprintf("the way to %d of %d targets is open, only the check gives up after %s", len(f.Affects), len(g.registered()), g.Check.Timeout),
		newSetting{"healthcheck-timeout-seconds", strconv.Itoa(int(longer.Seconds()))})
}

// fixCodes offers another success code for answers that are right by design: 2xx, or status 0 of gRPC. It reports whether
// there is one; anything else would hide failures.
func (a *analysis) fixCodes(f diagnostics.Finding) bool {
	g := a.groupFor(f)
	var codes []int
	for _, t := range g.of(code) {
		codes = append(codes, t.codes...)
	}
	slices.Sort(codes)
	codes = slices.Compact(codes)
	if len(codes) == 0 {
		return false
	}
	if g.ProtocolVersion == "GRPC" {
		if codes[len(codes)-1] > 0 {
			return false
		}
		a.annotate(f, g, "set-success-codes", fmt.Sprintf("%d of %d targets answer with status 0, which is OK in gRPC", len(g.of(code)), len(g.registered())), newSetting{"success-codes", "0"})
		return true
	}
	var value strings.Builder
	value.WriteString(g.Check.Codes)
	for _, c := range codes {
		if c < 200 || c >= 300 {
			return false
		}
		value.WriteString("," + strconv.Itoa(c))
	}
	a.annotate(f, g, "set-success-codes", fmt.Sprintf("%d of %d targets answer %s with a success", len(g.of(code)), len(g.registered()), g.Check.Path), newSetting{"success-codes", value.String()})
	return true
}
