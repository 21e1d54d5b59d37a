//go:build race

package handlers_test

// racing reports that the race detector is on.
const racing = true
