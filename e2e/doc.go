// Package e2e holds tests against a real control plane: kube-apiserver and etcd, built from their Go modules. make e2e
// runs them; go test skips them unless NETDIAG_E2E is set, because the first build takes minutes.
package e2e
