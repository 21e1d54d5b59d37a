//go:build race

package casebook_test

// raceDetector reports that the race detector is on.
const raceDetector = true
