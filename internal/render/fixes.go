package render

import (
	"fmt"
	"strings"

	"github.com/netdiag/netdiag/diagnostics"
)

// fixes arranges the offered fixes: the first is the one to take now, the others last.
func fixes(r diagnostics.Report) []Section {
	now := Section{Kind: Now, Title: "Resolution now", Note: sentence(Clean(r.Resolution))}
	lasting := Section{Kind: Lasting, Title: "Lasting resolution"}
	for i, f := range r.Fixes {
		if i == 0 {
			now.Items = append(now.Items, FixItem(f))
			continue
		}
		lasting.Items = append(lasting.Items, FixItem(f))
	}
	if len(r.Fixes) == 0 && now.Note == "" {
		switch StateOf(r) {
		case Found:
			now.Note = "No fix is offered: nothing that netdiag knows is proved to help here."
		case Latent:
			now.Note = "No fix is offered."
		case Unknown:
			now.Note = "No fix is offered: no cause was found."
		case Undecided:
			now.Note = "No fix is offered before the question is decided."
		case Healthy: // nothing to resolve
		}
	}
	return []Section{now, lasting}
}

// FixItem tells of a fix what a person needs to know to decide on it.
func FixItem(f diagnostics.Fix) Item {
	it := Item{Lead: Clean(f.ID), Text: sentence(Clean(f.Title))}
	for _, c := range f.Changes {
		it.Facts = append(it.Facts, facts("Changes", c)...)
	}
	for line := range strings.Lines(f.Proof) {
		it.Facts = append(it.Facts, facts("Proof", strings.TrimSuffix(line, "\n"))...)
	}
	it.Facts = append(it.Facts, facts(
		"Gain", gain(f), "Owner", f.Owner, "Blast radius", f.Blast, "Risk", f.Risk,
		"Shows within", f.SettlesIn, "Undo", f.Undo, "Carried out", carrier(f),
	)...)
	it.Commands = commands(f.Commands...)
	return it
}

func gain(f diagnostics.Fix) string {
	switch {
	case f.Frees > 0 && f.Needs > 0:
		return fmt.Sprintf("gives %d where %d are missing", f.Frees, f.Needs)
	case f.Frees > 0:
		return fmt.Sprintf("gives %d", f.Frees)
	case f.Needs > 0:
		return fmt.Sprintf("%d are missing", f.Needs)
	}
	return ""
}

func carrier(f diagnostics.Fix) string {
	if !f.Executable {
		return "by hand"
	}
	return "by netdiag where fixes are enabled, once approved by " + Approvals(f.Risk)
}

// summary is the line of the report that goes into a ticket.
func summary(r diagnostics.Report) Section {
	line := Item{Text: Question(r.Diagnosis, r.Target)}
	line.Facts = facts(
		"Issue", sentence(r.Summary), "Layer", string(r.Layer), "Severity", Severity(r.Severity),
		"Root cause", rootCause(r), "Resolution", resolution(r), "Prevention", joined(r.Prevention),
	)
	return Section{Kind: Summary, Title: "Summary", Items: []Item{line}}
}

func rootCause(r diagnostics.Report) string {
	if len(r.Causes) == 0 {
		return Verdict(r)
	}
	var out []string
	for _, f := range r.Causes {
		out = append(out, fmt.Sprintf("%s (%s)", f.Summary, f.Confidence))
	}
	if StateOf(r) == Undecided {
		out = append(out, Verdict(r))
	}
	return joined(out)
}

func resolution(r diagnostics.Report) string {
	switch {
	case r.Resolution != "":
		return r.Resolution
	case len(r.Fixes) > 0:
		return r.Fixes[0].Title
	case StateOf(r) == Healthy:
		return "nothing to do"
	}
	return "none offered"
}

func joined(ss []string) string { return strings.Join(ss, "; ") }
