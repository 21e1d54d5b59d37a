//go:build !race

package slack_test

// racing reports that the race detector is on.
const racing = false
