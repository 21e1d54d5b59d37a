// Package check tests the files that a release is made with, none of which netdiag's own tests run: the Dockerfile by
// BuildKit's own rules, the workflows, and whatever else here reads ../.. . It is a module of its own, so that netdiag's
// go.mod stays free of the judges.
package check
