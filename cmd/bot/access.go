package main

import (
	"context"
	"net/http"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/awsnet"
	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/kube"
	"github.com/netdiag/netdiag/internal/live"
	"github.com/netdiag/netdiag/internal/program"
	"github.com/netdiag/netdiag/internal/store/crd"
	"github.com/netdiag/netdiag/internal/world/record"
)

// access says how to reach the cluster and the account.
type access struct {
	kubeconfig
	cluster, region string
}

func (a *access) flags(c *cobra.Command) {
	c.PersistentFlags().StringVar(&a.cluster, "cluster", os.Getenv("NETDIAG_CLUSTER"), "name of the EKS cluster (default: $NETDIAG_CLUSTER, or that of the kubeconfig context)")
	c.PersistentFlags().StringVar(&a.region, "region", "", "AWS region (default: that of the AWS configuration)")
	a.kubeconfig.flags(c)
}

// connection is a cluster and account that can be read.
type connection struct {
	source live.Source
	target diagnostics.Target // that every question starts from
	// store opens the records in a namespace of the cluster; fault is told of trouble that it recovers from by itself.
	store func(namespace string, fault func(error)) (casebook.Store, error)
	// ledger writes what happens to them as Events; holder names this process.
	ledger func(namespace, holder string) (casebook.Ledger, error)
	// lead is the wish to be the one process that looks for early warnings.
	lead func(namespace, holder string) (*crd.Lead, error)
}

// listener is told of what is read and written; nil functions hear nothing.
type listener struct {
	aws        func(awsnet.Answer)
	kubernetes func(http.RoundTripper) http.RoundTripper // wraps the transport
}

// recording lets a recorder listen; nil hears nothing.
func recording(r *record.Recorder) listener {
	if r == nil {
		return listener{}
	}
	return listener{r.AWS, r.Kubernetes}
}

// connect finds the cluster and the account. It asks neither anything yet.
func (a *access) connect(ctx context.Context, l listener) (connection, error) {
	cfg, err := kube.Config(a.file, a.context)
	if err != nil {
		return connection{}, &program.Exit{Status: program.Unreadable, Err: err}
	}
	if l.kubernetes != nil {
		cfg.Wrap(l.kubernetes)
	}
	k, err := kube.New(cfg)
	if err != nil {
		return connection{}, &program.Exit{Status: program.Unreadable, Err: err}
	}
	cluster := a.cluster
	if cluster == "" {
		cluster = kube.ClusterOf(a.file, a.context)
	}
	if cluster == "" {
		return connection{}, program.Misuse("which EKS cluster is this? Give its name with --cluster, or set NETDIAG_CLUSTER")
	}
	n, err := awsnet.New(ctx, awsnet.Options{Region: a.region, Observe: l.aws})
	if err != nil {
		return connection{}, &program.Exit{Status: program.Unreadable, Err: err}
	}
	return connection{
		source: live.Source{AWS: n, Kube: k, Now: time.Now, Clock: time.Now},
		target: diagnostics.Target{Cluster: cluster, Region: n.Region()},
		store: func(namespace string, fault func(error)) (casebook.Store, error) {
			return crd.New(cfg, crd.Options{Namespace: namespace, Fault: fault})
		},
		ledger: func(namespace, holder string) (casebook.Ledger, error) { return crd.NewLedger(cfg, namespace, holder) },
		lead:   func(namespace, holder string) (*crd.Lead, error) { return crd.NewLead(cfg, namespace, holder) },
	}, nil
}
