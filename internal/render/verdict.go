package render

import (
	"fmt"
	"strings"
	"time"

	"github.com/netdiag/netdiag/diagnostics"
)

// State is what a report amounts to.
type State string

// The states. Healthy needs checks that passed: silence is Unknown.
const (
	Found     State = "found"     // at least one root cause
	Latent    State = "latent"    // no trouble now, but something that will cause some
	Unknown   State = "unknown"   // there is trouble, or nothing was checked, and no cause was found
	Undecided State = "undecided" // reads that would decide were not possible
	Healthy   State = "healthy"
)

// StateOf tells what a report amounts to.
func StateOf(r diagnostics.Report) State {
	switch {
	case r.Open():
		return Undecided
	case len(r.Causes) > 0:
		return Found
	case len(r.Contributing) > 0 && r.Severity != "P1" && r.Severity != "P2":
		return Latent
	case r.Severity != "" || !r.Healthy() || len(r.Passed) == 0:
		return Unknown
	}
	return Healthy
}

// Verdict says in a few words what the report amounts to: "root cause found, confirmed", "cause unknown".
func Verdict(r diagnostics.Report) string {
	switch StateOf(r) {
	case Found:
		if len(r.Causes) == 1 {
			return "root cause found, " + string(r.Causes[0].Confidence)
		}
		return fmt.Sprintf("%d root causes found, the first %s", len(r.Causes), r.Causes[0].Confidence)
	case Latent:
		if r.Outlook {
			return count(len(r.Contributing), "thing found that causes", "things found that cause") + " trouble sooner or later"
		}
		return "no trouble now, but " + count(len(r.Contributing), "thing", "things") + " that will cause some"
	case Undecided:
		return "not decided: reads that would decide were not possible"
	case Unknown:
		if len(r.Passed) == 0 && r.Severity == "" {
			return "no trouble found, but nothing was checked either"
		}
		return "cause unknown: none of the causes that netdiag knows fits"
	}
	if r.Outlook {
		return "nothing found that would cause trouble, " + count(len(r.Passed), "check", "checks") + " in order"
	}
	return "no trouble found, " + count(len(r.Passed), "check", "checks") + " in order"
}

// Severity spells a severity out: "P2 (high)"; "none" where there is no trouble.
func Severity(s diagnostics.Severity) string {
	words := map[diagnostics.Severity]string{"P1": "outage", "P2": "high", "P3": "degraded or latent", "P4": "advice"}
	if s == "" {
		return "none"
	}
	if w, ok := words[s]; ok {
		return fmt.Sprintf("%s (%s)", s, w)
	}
	return Clean(string(s))
}

// Question is what was asked, as it is typed after /netdiag: "alb api-ingress -n backend", "pending backend api-1", "ip".
func Question(diagnosis string, t diagnostics.Target) string {
	text := diagnosis + " " + t.Name
	switch {
	case t.Name == "":
		text = diagnosis + " " + t.Namespace
	case diagnosis == "pending":
		text = diagnosis + " " + t.Namespace + " " + t.Name
	case t.Namespace != "":
		text += " -n " + t.Namespace
	}
	return Clean(text)
}

// Place is where a target lives: "prod-cluster, us-west-2, account 111122223333".
func Place(t diagnostics.Target) string {
	var parts []string
	if t.Cluster != "" {
		parts = append(parts, Clean(t.Cluster))
	}
	if t.Region != "" {
		parts = append(parts, Clean(t.Region))
	}
	if t.Account != "" {
		parts = append(parts, "account "+Clean(t.Account))
	}
	return strings.Join(parts, ", ")
}

// Time spells a time for people, always in UTC.
func Time(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// Approvals says whose approval a risk asks for.
func Approvals(risk string) string {
	switch risk {
	case "low":
		return "one person, the requester too"
	case "medium":
		return "one person other than the requester"
	case "high":
		return "two persons other than the requester"
	}
	return "nobody can approve it: its risk is not known"
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
