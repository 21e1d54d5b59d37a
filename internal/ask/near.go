package ask

import "sort"

// Near reports whether a and b are so alike that one may be a typing error of the other.
func Near(a, b string) bool { return distance(a, b) <= max(1, max(len(a), len(b))/3) }

// Nearest gives at most n of the names that are nearest to name, the nearest first.
func Nearest(name string, names []string, n int) []string {
	out := append([]string(nil), names...)
	sort.SliceStable(out, func(i, j int) bool {
		a, b := distance(name, out[i]), distance(name, out[j])
		return a < b || a == b && out[i] < out[j]
	})
	return out[:min(n, len(out))]
}

// distance counts the insertions, deletions, replacements and swaps of neighbours between two texts (optimal string alignment).
func distance(a, b string) int {
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
