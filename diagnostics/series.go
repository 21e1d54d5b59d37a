package diagnostics

import "strings"

// Series joins names as people do: "a", "a and b", "a, b and c".
func Series(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}
