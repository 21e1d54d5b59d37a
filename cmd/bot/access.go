package main

import (
	"context"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/awsnet"
	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/kube"
	"github.com/netdiag/netdiag/internal/live"
	"github.com/netdiag/netdiag/internal/store/crd"
)

// access says how to reach the cluster and the account.
type access struct {
	cluster, region, kubeconfig, context string
}

func (a *access) flags(c *cobra.Command) {
	c.Flags().StringVar(&a.cluster, "cluster", os.Getenv("NETDIAG_CLUSTER"), "name of the EKS cluster (default: $NETDIAG_CLUSTER, or that of the kubeconfig context)")
	c.Flags().StringVar(&a.region, "region", "", "AWS region (default: that of the AWS configuration)")
	c.Flags().StringVar(&a.kubeconfig, "kubeconfig", "", "kubeconfig file (default: the service account in a pod, else $KUBECONFIG or ~/.kube/config)")
	c.Flags().StringVar(&a.context, "context", "", "kubeconfig context")
}

// connection is a cluster and account that can be read.
type connection struct {
	source live.Source
	target diagnostics.Target // that every question starts from
	// store opens the records in a namespace of the cluster; fault is told of trouble that it recovers from by itself.
	store func(namespace string, fault func(error)) (casebook.Store, error)
}

// connect finds the cluster and the account. It asks neither anything yet.
func (a *access) connect(ctx context.Context) (connection, error) {
	cfg, err := kube.Config(a.kubeconfig, a.context)
	if err != nil {
		return connection{}, &exitError{exitUnreadable, err}
	}
	k, err := kube.New(cfg)
	if err != nil {
		return connection{}, &exitError{exitUnreadable, err}
	}
	cluster := a.cluster
	if cluster == "" {
		cluster = kube.ClusterOf(a.kubeconfig, a.context)
	}
	if cluster == "" {
		return connection{}, &exitError{exitUsage, diagnostics.Refusal("which EKS cluster is this? Give its name with --cluster, or set NETDIAG_CLUSTER")}
	}
	n, err := awsnet.New(ctx, awsnet.Options{Region: a.region})
	if err != nil {
		return connection{}, &exitError{exitUnreadable, err}
	}
	return connection{
		source: live.Source{AWS: n, Kube: k, Now: time.Now, Clock: time.Now},
		target: diagnostics.Target{Cluster: cluster, Region: n.Region()},
		store: func(namespace string, fault func(error)) (casebook.Store, error) {
			return crd.New(cfg, crd.Options{Namespace: namespace, Fault: fault})
		},
	}, nil
}
