package pending

import (
	"slices"
	"strings"
)

// nearest lists up to three names that are close to one that doesn't exist, the closest first.
func nearest(name string, names []string) []string {
	type near struct {
		name     string
		distance int
	}
	var out []near
	for _, n := range names {
		d := distance(strings.ToLower(name), n)
		if strings.Contains(n, strings.ToLower(name)) || strings.Contains(strings.ToLower(name), n) {
			d = min(d, 2)
		}
		if d <= max(2, len(name)/3) {
			out = append(out, near{n, d})
		}
	}
	slices.SortFunc(out, func(a, b near) int {
		if a.distance != b.distance {
			return a.distance - b.distance
		}
		return strings.Compare(a.name, b.name)
	})
	var list []string
	for _, n := range out[:min(len(out), 3)] {
		list = append(list, n.name)
	}
	return list
}

// distance is the number of edits between two names (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		before := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			before, row[j] = row[j], min(row[j]+1, row[j-1]+1, before+cost)
		}
	}
	return row[len(b)]
}
