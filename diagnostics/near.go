package diagnostics

import (
	"cmp"
	"slices"
	"strings"
)

// Near reports whether a and b are so alike that one may be a typing error of the other, or a part of it.
func Near(a, b string) bool { return apart(a, b) <= max(1, max(len(a), len(b))/3) }

// Nearest gives at most n of the names that are nearest to name, the nearest first.
func Nearest(name string, names []string, n int) []string {
	out := slices.Clone(names)
	slices.SortFunc(out, func(a, b string) int {
		return cmp.Or(apart(name, a)-apart(name, b), strings.Compare(a, b))
	})
	return out[:min(n, len(out))]
}

// Suggest is a sentence about the names that exist, for a message about one that doesn't: those that may have been meant,
// or else the nearest ones. It begins with a space; it is empty where there are no names.
func Suggest(name string, names []string) string {
	nearest := Nearest(name, names, 3)
	if len(nearest) == 0 {
		return ""
	}
	meant := slices.DeleteFunc(slices.Clone(nearest), func(n string) bool { return !Near(name, n) })
	if len(meant) == 0 {
		return " The nearest are: " + strings.Join(nearest, ", ") + "."
	}
	return " Did you mean " + strings.Join(meant, ", ") + "?"
}

// apart is the distance of two names, whatever their case; of one within the other it is two at most.
func apart(a, b string) int {
	a, b = strings.ToLower(a), strings.ToLower(b)
	d := Distance(a, b)
	if short := min(len(a), len(b)); short > 2 && (strings.Contains(a, b) || strings.Contains(b, a)) {
		d = min(d, 2)
	}
	return d
}

// Distance counts the insertions, deletions, replacements and swaps of neighbours between two texts (optimal string alignment).
func Distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	rows := [3][]int{make([]int, len(y)+1), make([]int, len(y)+1), make([]int, len(y)+1)}
	before, previous, current := rows[0], rows[1], rows[2]
	for j := range previous {
		previous[j] = j
	}
	for i := 1; i <= len(x); i++ {
		current[0] = i
		for j := 1; j <= len(y); j++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			current[j] = min(previous[j]+1, current[j-1]+1, previous[j-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				current[j] = min(current[j], before[j-2]+1)
			}
		}
		before, previous, current = previous, current, before
	}
	return previous[len(y)]
}
