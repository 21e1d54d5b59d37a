package casebook

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/netdiag/netdiag/diagnostics"
)

// figures are the numbers of a report that tell whether it gets better or worse: those of its tables Targets, Nodes and
// Subnets. What a report doesn't show isn't there.
type figures struct {
	states, reasons map[string]string // of each target
	waiting         map[string]int    // pods that wait for an address, by node
	available       map[string]int    // addresses, by subnet
	subnets         []string          // in the order of the report
}

func figuresOf(r diagnostics.Report) figures {
	f := figures{
		states: cells(r, "Targets", "Target", "State"), reasons: cells(r, "Targets", "Target", "Reason"),
		waiting: numbers(cells(r, "Nodes", "Node", "Waiting")), available: numbers(cells(r, "Subnets", "Subnet", "Available")),
	}
	for _, t := range r.Tables {
		if at := slices.Index(t.Columns, "Subnet"); t.Title == "Subnets" && at >= 0 {
			for _, row := range t.Rows {
				f.subnets = append(f.subnets, cell(row, at))
			}
		}
	}
	return f
}

// cells reads one column of a table by another.
func cells(r diagnostics.Report, title, by, what string) map[string]string {
	out := map[string]string{}
	for _, t := range r.Tables {
		key, value := slices.Index(t.Columns, by), slices.Index(t.Columns, what)
		if t.Title != title || key < 0 || value < 0 {
			continue
		}
		for _, row := range t.Rows {
			out[cell(row, key)] = cell(row, value)
		}
	}
	return out
}

func cell(row []string, at int) string {
	if at >= len(row) {
		return ""
	}
	return row[at]
}

// numbers leaves out what is none, such as "not read".
func numbers(text map[string]string) map[string]int {
	out := map[string]int{}
	for key, v := range text {
		if n, err := strconv.Atoi(v); err == nil {
			out[key] = n
		}
	}
	return out
}

// turned says what became of targets that timed out and now fail in another way: the network lets the health check
// through, and the next fault shows. Empty where there are none.
func turned(was, is figures) string {
	n, codes := map[string]int{}, map[string]bool{}
	for target, reason := range was.reasons {
		if !strings.Contains(reason, "Target.Timeout") || is.states[target] != "unhealthy" {
			continue
		}
		switch now := is.reasons[target]; {
		case codesIn.MatchString(now):
			n["code"]++
			codes[codesIn.FindString(now)] = true
		case strings.Contains(now, "Target.ResponseCodeMismatch"):
			n["code"]++
			codes["a wrong code"] = true
		case strings.Contains(now, "Target.FailedHealthChecks"):
			n["refused"]++
		}
	}
	var out []string
	if n["code"] > 0 {
		var all []string
		for c := range codes {
			all = append(all, c)
		}
		slices.Sort(all)
		out = append(out, fmt.Sprintf("%s: Timeout became %s. The network is fixed; the application answers the wrong code", targets(n["code"]), strings.Join(all, " and ")))
	}
	if n["refused"] > 0 {
		out = append(out, fmt.Sprintf("%s: Timeout became Failed. The network is fixed; the target refuses the connection or breaks it off", targets(n["refused"])))
	}
	return strings.Join(out, "; ")
}

// codesIn finds the codes of a health check's description: "Health checks failed with these codes: [404]".
var codesIn = regexp.MustCompile(`\[\d{3}(?:, ?\d{3})*\]`)

func targets(n int) string {
	if n == 1 {
		return "1 target"
	}
	return fmt.Sprintf("%d targets", n)
}

// gained says how many addresses subnets have that had fewer before: of three at most.
func gained(was, is figures) string {
	var out []string
	for _, s := range is.subnets {
		before, known := was.available[s]
		now, read := is.available[s]
		if known && read && now > before && len(out) < 3 {
			out = append(out, fmt.Sprintf("%s has %d addresses, %d before", s, now, before))
		}
	}
	return strings.Join(out, "; ")
}
