package kube

import (
	"strings"

	"k8s.io/client-go/tools/clientcmd"
)

// ClusterOf is the name of the EKS cluster that a kubeconfig context (empty: the current one) points to, as far as it can
// be told: aws eks update-kubeconfig names the cluster by its ARN. Empty where it can't, and in a pod.
func ClusterOf(kubeconfig, context string) string {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = kubeconfig
	raw, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, nil).RawConfig()
	if err != nil {
		return ""
	}
	if context == "" {
		context = raw.CurrentContext
	}
	c, ok := raw.Contexts[context]
	if !ok {
		return ""
	}
	_, name, _ := strings.Cut(c.Cluster, ":cluster/")
	return name
}
