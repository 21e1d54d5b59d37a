package diagtest_test

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/netdiag/netdiag/diagnostics"
)

// TestReportsHaveTheFiguresThatAChangeIsJudgedBy holds the tables from which the casebook reads whether a change helps or
// harms: with another title or column it would see nothing, and say nothing.
func TestReportsHaveTheFiguresThatAChangeIsJudgedBy(t *testing.T) {
	for world, tables := range map[string]map[string][]string{
		"seed-alb-502":       {"Targets": {"Target", "State", "Reason"}},
		"seed-ip-exhaustion": {"Nodes": {"Node", "Waiting"}, "Subnets": {"Subnet", "Available"}},
	} {
		r := diagnose(t, load(t, filepath.Join(worlds, "seeds", world)))
		for title, columns := range tables {
			at := slices.IndexFunc(r.Tables, func(t diagnostics.Table) bool { return t.Title == title })
			if at < 0 || len(r.Tables[at].Rows) == 0 {
				t.Errorf("%s: no table %s with rows", world, title)
				continue
			}
			for _, c := range columns {
				if !slices.Contains(r.Tables[at].Columns, c) {
					t.Errorf("%s: table %s has columns %v, none of them %s", world, title, r.Tables[at].Columns, c)
				}
			}
		}
	}
}
