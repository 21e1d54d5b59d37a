// Package e2e holds tests against a real control plane: etcd, kube-apiserver, kube-controller-manager, kube-scheduler and
// kwok, built once from their Go modules into the user's cache folder, or taken from KUBEBUILDER_ASSETS. The chart is
// installed in it as Helm would render it. make e2e runs them; go test skips them unless NETDIAG_E2E is set, because the
// first build takes a quarter of an hour on two cores.
//
// # Who plays what
//
// The tests of the rules (CEL, admission policies, roles) share one API server that nothing else runs in. The stories bring
// a recorded world to life, each in a control plane of its own: its objects are put into etcd, as one restores a backup, so
// that they keep their UIDs, times and field managers; from then on the real controllers and the real scheduler work on
// them. Both kwok and internal/sim/nature could run the pods, and they would fight. kwok keeps the nodes alive, their leases
// and heartbeats (testdata/kwok.yaml), and has no stage for pods. Nature is the kubelets: a pod starts only once the CNI has
// an address for it, out of the interfaces of the simulated account, which is what the stories are about and what kwok
// knows nothing of. Nature is also EKS, which applies add-ons, and the controller and the health checkers of load balancers.
// Making, placing and counting pods it leaves to the real controllers and scheduler (nature.Options.ControlPlane). What the
// API server asks kubelets and pods for (metrics of aws-node, logs) it asks through an egress proxy of the test, which
// answers what was recorded.
//
// bot serve and bot execute run as processes beside the cluster, with the arguments, settings and service accounts of the
// chart's Deployments. AWS and Slack are simulated on loopback.
//
// # Another version of Kubernetes
//
// controlplane/go.mod pins one version. To try another, build its programs and point KUBEBUILDER_ASSETS at their folder:
// kube-apiserver, kube-controller-manager and kube-scheduler of one version, and etcd; those that aren't there are taken
// from the pinned ones. In a copy of controlplane, set k8s.io/kubernetes to v1.N.P and all its replacements to v0.N.P, drop
// kwok, run go mod tidy, and build as build_test.go does, with that version in -ldflags.
package e2e
