// Package chart makes the one chart of a report, how full the subnets are or how the targets fare, and draws it as a
// picture for a Slack that has no charts of its own. Its functions are pure: the same report always gives the same bytes.
package chart

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/render"
)

// Chart is a value for each series in each category. Its text is clean (render.Clean); names are unique.
type Chart struct {
	Title      string // at most maxTitle characters
	Zeros      bool   // a value of 0 is worth saying
	Categories []string
	Series     []Series
	Omitted    int // categories left out
}

// Series is a named value for each category, 0 or above.
type Series struct {
	Name   string
	Values []int
}

// Limits of a chart, which are those of Slack's data_visualization block.
const (
	maxTitle      = 50
	maxName       = 20
	maxCategories = 20
	maxSeries     = 6
	maxValue      = 1 << 30 // far above the addresses of any subnet
)

// Of gives the chart of a report; ok is false where it has no table to make one of.
func Of(r diagnostics.Report) (c Chart, ok bool) {
	for _, t := range r.Tables {
		if c, ok = subnets(t); ok {
			return c, true
		}
		if c, ok = targets(t); ok {
			return c, true
		}
	}
	return Chart{}, false
}

// columns finds the columns of a table by name, or reports that one is missing.
func columns(t diagnostics.Table, names ...string) (at []int, ok bool) {
	for _, n := range names {
		i := slices.Index(t.Columns, n)
		if i < 0 {
			return nil, false
		}
		at = append(at, i)
	}
	return at, true
}

// cell is a cell of a row that may be too short.
func cell(row []string, i int) string {
	if i >= len(row) {
		return ""
	}
	return render.Clean(row[i])
}

// subnets shows how many addresses of each subnet are in use.
func subnets(t diagnostics.Table) (Chart, bool) {
	at, ok := columns(t, "Subnet", "Zone", "Usable", "Available")
	if !ok {
		return Chart{}, false
	}
	c := Chart{Title: "Addresses of the subnets", Zeros: true, Omitted: t.Omitted}
	used, free := Series{Name: "in use"}, Series{Name: "available"}
	for _, row := range t.Rows {
		usable, err1 := strconv.Atoi(cell(row, at[2]))
		available, err2 := strconv.Atoi(cell(row, at[3]))
		if err1 != nil || err2 != nil || usable < 0 || available < 0 || usable > maxValue || len(c.Categories) == maxCategories {
			c.Omitted++
			continue
		}
		c.Categories = append(c.Categories, c.name(cell(row, at[1]), cell(row, at[0])))
		used.Values = append(used.Values, max(usable-available, 0))
		free.Values = append(free.Values, max(available, 0))
	}
	c.Series = []Series{used, free}
	return c.finished()
}

// name makes a short name that no category has yet: the zone, and the end of the id.
func (c *Chart) name(zone, id string) string {
	short := []rune(cmp.Or(zone, "–"))
	short = short[:min(len(short), maxName)]
	if tail := []rune(id); len(short)+2 < maxName {
		short = append(short, ' ', '…')
		short = append(short, tail[max(0, len(tail)-min(5, maxName-len(short))):]...)
	}
	name := string(short)
	for n := 2; slices.Contains(c.Categories, name); n++ {
		mark := fmt.Sprintf(" #%d", n)
		name = string(short[:min(len(short), maxName-len(mark))]) + mark
	}
	return name
}

// states orders the states of targets: what serves first, then what is in trouble, then what comes and goes.
var states = []string{"healthy", "unhealthy", "unavailable", "initial", "draining"}

const otherStates = "other states"

// targets shows in which state the targets of each zone are.
func targets(t diagnostics.Table) (Chart, bool) {
	at, ok := columns(t, "Target", "Zone", "State")
	if !ok {
		return Chart{}, false
	}
	count := map[string]map[string]int{} // zone → state
	var zones []string
	for _, row := range t.Rows {
		zone, state := cell(row, at[1]), cell(row, at[2])
		if !slices.Contains(states, state) {
			state = otherStates
		}
		if count[zone] == nil {
			count[zone] = map[string]int{}
			zones = append(zones, zone)
		}
		count[zone][state]++
	}
	slices.Sort(zones)
	c := Chart{Title: "Targets by zone"}
	if t.Omitted > 0 {
		c.Title = fmt.Sprintf("The first %d of %d targets, by zone", len(t.Rows), len(t.Rows)+t.Omitted)
	}
	if len(zones) > maxCategories {
		c.Omitted, zones = len(zones)-maxCategories, zones[:maxCategories]
	}
	for _, zone := range zones {
		short := []rune(cmp.Or(zone, "–"))
		name := string(short[:min(len(short), maxName)])
		if slices.Contains(c.Categories, name) {
			name = c.name(name, "")
		}
		c.Categories = append(c.Categories, name)
	}
	for _, state := range append(slices.Clone(states), otherStates) {
		s := Series{Name: state}
		sum := 0
		for _, zone := range zones {
			s.Values = append(s.Values, count[zone][state])
			sum += count[zone][state]
		}
		if sum > 0 {
			c.Series = append(c.Series, s)
		}
	}
	return c.finished()
}

// finished reports whether there is anything to be seen.
func (c Chart) finished() (Chart, bool) {
	sum := 0
	for _, s := range c.Series {
		for _, v := range s.Values {
			sum += v
		}
	}
	if len(c.Categories) == 0 || sum == 0 || len(c.Series) > maxSeries {
		return Chart{}, false
	}
	if c.Omitted > 0 {
		more := fmt.Sprintf(" (%d more not shown)", c.Omitted)
		c.Title = render.Cut(c.Title, maxTitle-len(more)) + more
	}
	return c, true
}

// Alt says in words what the chart shows, for those who can't see it.
func (c Chart) Alt() string {
	var parts []string
	for i, name := range c.Categories {
		parts = append(parts, name+": "+c.row(i))
	}
	return render.Cut(fmt.Sprintf("%s. %s", c.Title, strings.Join(parts, "; ")), 2000)
}

// row says the values of one category.
func (c Chart) row(i int) string {
	var values []string
	for _, s := range c.Series {
		if s.Values[i] > 0 || c.Zeros {
			values = append(values, fmt.Sprintf("%d %s", s.Values[i], s.Name))
		}
	}
	if len(values) == 0 {
		return "none"
	}
	return strings.Join(values, ", ")
}
