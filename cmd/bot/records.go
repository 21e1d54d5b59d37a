package main

import (
	"github.com/spf13/cobra"

	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/kube"
	"github.com/netdiag/netdiag/internal/program"
	"github.com/netdiag/netdiag/internal/store/crd"
)

// kubeconfig says how to reach the cluster.
type kubeconfig struct{ file, context string }

func (k *kubeconfig) flags(c *cobra.Command) {
	c.PersistentFlags().StringVar(&k.file, "kubeconfig", "", "kubeconfig file (default: the service account in a pod, else $KUBECONFIG or ~/.kube/config)")
	c.PersistentFlags().StringVar(&k.context, "context", "", "kubeconfig context")
}

// namespaced adds the flag for where the records are.
func namespaced(c *cobra.Command, namespace *string) {
	c.Flags().StringVar(namespace, "namespace", "netdiag", "namespace of the Investigations and Remediations")
}

// records says where the records are, for the commands that need nothing else.
type records struct {
	kubeconfig
	namespace string
}

func (r *records) flags(c *cobra.Command) {
	r.kubeconfig.flags(c)
	namespaced(c, &r.namespace)
}

func (r *records) open() (casebook.Store, error) {
	cfg, err := kube.Config(r.file, r.context)
	if err != nil {
		return casebook.Store{}, &program.Exit{Status: program.Unreadable, Err: err}
	}
	return crd.New(cfg, crd.Options{Namespace: r.namespace})
}
