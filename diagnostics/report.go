package diagnostics

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// APIVersion stands in every report.
const APIVersion = "netdiag.io/v1alpha1"

// Report is what a diagnosis says: one model for every renderer. Its JSON is a fixed format; fields may be added, never renamed.
type Report struct {
	APIVersion     string    `json:"apiVersion"`
	Diagnosis      string    `json:"diagnosis"`
	Target         Target    `json:"target"`
	At             time.Time `json:"at"`
	TookSeconds    float64   `json:"tookSeconds"`
	Severity       Severity  `json:"severity"`
	Layer          Layer     `json:"layer"`
	Summary        string    `json:"summary"`
	Causes         []Finding `json:"causes"`
	Contributing   []Finding `json:"contributing"`
	Symptoms       []Finding `json:"symptoms"`
	Passed         []Passed  `json:"passed"`
	Gaps           []Gap     `json:"gaps"`
	Fixes          []Fix     `json:"fixes"`
	Refused        []Refused `json:"refused"`
	Timeline       []Moment  `json:"timeline"`
	Impact         string    `json:"impact"`
	Resolution     string    `json:"resolution,omitempty"`
	Prevention     []string  `json:"prevention"`
	Contradictions []string  `json:"contradictions,omitempty"`
	Steps          []Step    `json:"steps,omitempty"`
	Tables         []Table   `json:"tables,omitempty"`
	// Outlook means that the question was what will cause trouble: it was not looked whether there is any.
	Outlook bool `json:"outlook,omitempty"`
}

// Healthy reports that no trouble was found and nothing that could hide one was left unread.
func (r Report) Healthy() bool {
	return len(r.Causes) == 0 && len(r.Contributing) == 0 && len(r.Symptoms) == 0 && !r.Open()
}

// Open reports that a gap left the question open: causes stay undecided for want of a read, and none was found above possible.
func (r Report) Open() bool {
	for _, f := range r.Causes {
		if f.Confidence != Possible {
			return false
		}
	}
	return slices.ContainsFunc(r.Gaps, func(g Gap) bool { return len(g.Caps) > 0 })
}

// Finding finds a cause, contributing factor or symptom by Finding.Key.
func (r Report) Finding(key string) (Finding, bool) {
	for _, fs := range [][]Finding{r.Causes, r.Contributing, r.Symptoms} {
		for _, f := range fs {
			if f.Key() == key {
				return f, true
			}
		}
	}
	return Finding{}, false
}

// assemble makes a Report of a Result: root causes, contributing factors and symptoms told apart, everything in an
// order that depends on nothing but its content.
func assemble(d Diagnosis, r Result, t Target, at time.Time) Report {
	rep := Report{
		APIVersion: APIVersion, Diagnosis: d.Name, Target: t, At: at.UTC(),
		Severity: r.Severity, Layer: r.Layer, Summary: r.Summary, Impact: r.Impact, Resolution: r.Resolution,
		Causes: []Finding{}, Contributing: []Finding{}, Symptoms: []Finding{},
		Passed: list(r.Passed), Gaps: mergeGaps(r.Gaps), Fixes: list(r.Fixes), Refused: list(r.Refused),
		Timeline: list(r.Timeline), Prevention: list(r.Prevention),
		Contradictions: r.Contradictions, Steps: r.Steps, Tables: r.Tables, Outlook: d.Outlook,
	}
	if rep.Target.Namespace == "" {
		rep.Target.Namespace = r.Namespace
	}
	explains := explainers(r.Findings)
	for i, f := range r.Findings {
		f.Evidence = list(f.Evidence)
		switch {
		case f.Latent || CauseByID(f.ID).Contributing:
			rep.Contributing = append(rep.Contributing, f)
		case explains[i]:
			rep.Symptoms = append(rep.Symptoms, f)
		default:
			rep.Causes = append(rep.Causes, f)
		}
	}
	for _, fs := range [][]Finding{rep.Causes, rep.Contributing, rep.Symptoms} {
		slices.SortStableFunc(fs, compareFindings)
	}
	slices.SortStableFunc(rep.Passed, func(a, b Passed) int {
		return cmp.Or(strings.Compare(a.ID, b.ID), strings.Compare(a.Summary, b.Summary))
	})
	slices.SortStableFunc(rep.Timeline, func(a, b Moment) int {
		return cmp.Or(a.At.Compare(b.At), strings.Compare(a.What, b.What))
	})
	for i := range rep.Fixes {
		rep.Fixes[i].Changes = list(rep.Fixes[i].Changes)
		rep.Fixes[i].Commands = list(rep.Fixes[i].Commands)
	}
	return rep
}

// explainers tells for each finding whether another cause explains it. A circle of causes that explain one another hides none of them.
func explainers(fs []Finding) []bool {
	at := map[string]int{}
	for i, f := range fs {
		if !f.Latent && !CauseByID(f.ID).Contributing {
			at[f.Key()] = i
		}
	}
	var reach func(from int, seen map[int]bool)
	reach = func(from int, seen map[int]bool) {
		for _, key := range fs[from].Because {
			if to, ok := at[key]; ok && !seen[to] {
				seen[to] = true
				reach(to, seen)
			}
		}
	}
	reached := make([]map[int]bool, len(fs))
	for i := range fs {
		reached[i] = map[int]bool{}
		reach(i, reached[i])
	}
	out := make([]bool, len(fs))
	for i := range fs {
		for j := range reached[i] {
			if !reached[j][i] {
				out[i] = true
			}
		}
	}
	return out
}

var rank = map[Confidence]int{Confirmed: 0, Likely: 1, Possible: 2}

func compareFindings(a, b Finding) int {
	return cmp.Or(
		cmp.Compare(b.Weight, a.Weight),
		cmp.Compare(rank[a.Confidence], rank[b.Confidence]),
		strings.Compare(a.ID, b.ID),
		strings.Compare(a.Subject, b.Subject),
	)
}

// mergeGaps joins gaps of one permission and reason, so that each missing permission is named once.
func mergeGaps(gs []Gap) []Gap {
	out := []Gap{}
	for _, g := range gs {
		i := slices.IndexFunc(out, func(o Gap) bool { return o.Permission == g.Permission && o.Reason == g.Reason })
		if i < 0 {
			g.Caps = slices.Clone(g.Caps)
			out = append(out, g)
			continue
		}
		if !strings.Contains(out[i].Summary, g.Summary) {
			out[i].Summary += "; " + g.Summary
		}
		out[i].Caps = append(out[i].Caps, g.Caps...)
	}
	for i := range out {
		slices.Sort(out[i].Caps)
		out[i].Caps = slices.Compact(out[i].Caps)
	}
	slices.SortStableFunc(out, func(a, b Gap) int {
		return cmp.Or(strings.Compare(a.Permission, b.Permission), strings.Compare(a.Reason, b.Reason))
	})
	return out
}

// list is s, but never nil: a list is never null in JSON.
func list[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}
