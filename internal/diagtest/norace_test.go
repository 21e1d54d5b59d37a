//go:build !race

package diagtest_test

const raced = false
