package alb

import (
	"fmt"
	"slices"
	"strings"

	"github.com/netdiag/netdiag/diagnostics"
)

// analysis gathers what the questions find.
type analysis struct {
	*model
	out    diagnostics.Result
	blocks []*block
	// disproved are targets that answered although the model calls every path to them blocked.
	disproved []*target
	// outdated are groups whose health check is not the one that the annotations ask for, where a finding says so.
	outdated map[*group]bool
}

// Analyze judges a snapshot. It asks the cheap and exonerating questions first, every target group and every target in
// its own right, and never stops at the first finding.
func Analyze(s Snapshot) diagnostics.Result {
	a := &analysis{model: newModel(&s)}
	a.reconciliation()
	a.routing()
	for _, g := range a.groups {
		a.unfilled(g)
		a.idle(g)
	}
	a.owners()
	for _, g := range a.groups {
		a.reused(g)
	}
	a.reachability()
	a.config()
	for _, g := range a.groups {
		a.unanswered(g)
		a.refused(g)
		a.answered(g)
		a.secretTraffic(g)
		a.open(g)
	}
	a.traffic()
	a.starting()
	a.fixes()
	a.tell()
	return a.out
}

// report adds a finding; the id comes without the name of the diagnosis.
func (a *analysis) report(f diagnostics.Finding) {
	if g := a.groupNamed(f); g != nil && g.standsBy() && !strings.HasPrefix(f.ID, "rule.") {
		f.Latent = true // no request goes there
	}
	f.ID = "alb/" + f.ID
	slices.Sort(f.Affects)
	f.Affects = slices.Compact(f.Affects)
	slices.Sort(f.Because)
	a.out.Findings = append(a.out.Findings, f)
}

// found reports whether one of these causes was found (contributing factors and latent ones aside).
func (a *analysis) found(ids ...string) bool {
	return slices.ContainsFunc(a.out.Findings, func(f diagnostics.Finding) bool {
		return !f.Latent && slices.Contains(ids, strings.TrimPrefix(f.ID, "alb/"))
	})
}

// findings lists the findings with one of these ids.
func (a *analysis) findings(ids ...string) []diagnostics.Finding {
	return slices.DeleteFunc(slices.Clone(a.out.Findings), func(f diagnostics.Finding) bool {
		return !slices.Contains(ids, strings.TrimPrefix(f.ID, "alb/"))
	})
}

// troubled reports whether any root cause was found so far.
func (a *analysis) troubled() bool {
	return slices.ContainsFunc(a.out.Findings, func(f diagnostics.Finding) bool {
		return !f.Latent && !diagnostics.CauseByID(f.ID).Contributing
	})
}

func (a *analysis) pass(id, format string, args ...any) {
	if id != "" {
		id = "alb/" + id
	}
	a.out.Passed = append(a.out.Passed, diagnostics.Passed{ID: id, Summary: fmt.Sprintf(format, args...)})
}

func (a *analysis) contradict(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if !slices.Contains(a.out.Contradictions, text) {
		a.out.Contradictions = append(a.out.Contradictions, text)
	}
}

// affected lists targets as findings do.
func affected(ts []*target) []string {
	var out []string
	for _, t := range ts {
		out = append(out, t.affects())
	}
	return out
}

// weight orders causes by damage: the share of requests, in percent, that the group gets and loses by it.
func (g *group) weight(ts []*target) int {
	r := len(g.registered())
	if r == 0 {
		return 100
	}
	return 10 + 80*len(ts)/r
}
