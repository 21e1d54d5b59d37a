package handlers_test

import (
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"text/template"
	"time"

	"github.com/netdiag/netdiag/internal/page"
)

// reliability writes docs/reliability.md: the text of testdata/reliability.md with the figures of the days.
func reliability(file string, days []day, crashes []crash) error {
	text, err := template.ParseFiles("testdata/reliability.md")
	if err != nil {
		return err
	}
	var sum day
	sum.Ended = map[string]float64{}
	for _, d := range days {
		sum.add(d)
	}
	var rows strings.Builder
	for _, d := range days {
		fmt.Fprintf(&rows, "| %d %s\n", d.Seed, d.row())
	}
	fmt.Fprintf(&rows, "| all %s", sum.row())
	var ended strings.Builder
	for _, reason := range endings() {
		fmt.Fprintf(&ended, "| `%s` | %.0f | %s |\n", reason.name, sum.Ended[reason.name], reason.means)
	}
	var out strings.Builder
	err = text.Execute(&out, map[string]any{
		"Days": len(days), "Rows": rows.String(), "Ended": strings.TrimSpace(ended.String()), "Took": sum.Took.Round(time.Second), "Crashes": len(crashes), "CrashRows": crashRows(crashes), "CPUs": runtime.NumCPU(), "Go": runtime.Version(),
	})
	if err != nil {
		return err
	}
	return page.Write(file, out.String())
}

// crashRows has a row for each kind of write.
func crashRows(all []crash) string {
	kinds := map[string]*struct{ times, doubled, lost int }{}
	for _, c := range all {
		k := kinds[c.after]
		if k == nil {
			k = &struct{ times, doubled, lost int }{}
			kinds[c.after] = k
		}
		k.times++
		k.doubled += c.doubled
		if c.lost {
			k.lost++
		}
	}
	var rows strings.Builder
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		k := kinds[kind]
		fmt.Fprintf(&rows, "| %s | %d | %d | %d |\n", strings.TrimSpace(strings.TrimPrefix(kind, "POST /api/")), k.times, k.doubled, k.lost)
	}
	return strings.TrimSpace(rows.String())
}

func (d *day) add(o day) {
	d.Asked, d.Refused, d.Sockets, d.Restarts = d.Asked+o.Asked, d.Refused+o.Refused, d.Sockets+o.Sockets, d.Restarts+o.Restarts
	d.Again, d.Lost, d.Doubled, d.Took = d.Again+o.Again, d.Lost+o.Lost, d.Doubled+o.Doubled, d.Took+o.Took
	d.Deaf, d.DeafAll = max(d.Deaf, o.Deaf), d.DeafAll+o.DeafAll
	for reason, n := range o.Ended {
		d.Ended[reason] += n
	}
}

func (d *day) row() string {
	var ended float64
	for _, n := range d.Ended {
		ended += n
	}
	return fmt.Sprintf("| %d | %d | %d | %.0f | %.0f | %d | %.0f | %d | %d | %.0f s | %.1f s |", d.Asked, d.Refused, d.Sockets, d.Ended["warning"], ended-d.Ended["warning"],
		d.Restarts, d.Again, d.Lost, d.Doubled, d.Deaf, d.Took.Seconds())
}

type ending struct{ name, means string }

// endings are the reasons that netdiag_slack_connections_ended_total counts.
func endings() []ending {
	return []ending{
		{"warning", "Slack announced a refresh; slack-go leaves the connection at once"},
		{"refresh_requested", "Slack ended the connection without a warning"},
		{"too_many_websockets", "Slack allows an app 10 connections"},
		{"silent", "half open: no ping of Slack within 30 to 60 s"},
		{"cut", "the connection was cut"},
		{"unreachable", "no answer to the opening of one, or none within 15 s"},
		{"rate_limited", "429 to the opening of one"},
		{"refused", "another error of Slack to the opening of one"},
		{"no_hello", "opened, and no hello came within 45 s"},
		{"unwritable", "an acknowledgement could not be written"},
		{"other", "a reason that this release does not know"},
	}
}
