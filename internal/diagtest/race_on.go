//go:build race

package diagtest

// Race reports that the race detector is on.
const Race = true
