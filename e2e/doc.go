// Package e2e holds tests against a real control plane: kube-apiserver and etcd, built once from their Go modules into the
// user's cache folder, or taken from KUBEBUILDER_ASSETS. The chart is installed in it as Helm would render it. make e2e
// runs them; go test skips them unless NETDIAG_E2E is set, because the first build takes a quarter of an hour on two cores.
package e2e
