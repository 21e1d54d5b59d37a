//go:build race

package diagtest

const raceDetector = true
