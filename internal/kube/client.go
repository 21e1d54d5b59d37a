// Package kube reads a cluster for the diagnoses, and changes it for approved fixes, through client-go.
package kube

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/util/flowcontrol"

	"github.com/netdiag/netdiag/diagnostics"
)

const (
	// within is how long one request may take, its retries included. A diagnosis makes a few dozen, several at a time.
	within = 5 * time.Second
	// dialing is how long a connection may take: shorter than within, so that a server that isn't there is told from a slow one.
	dialing = 3 * time.Second
	// A run asks some thirty questions at once, a large cluster in several pages; client-go's own default is 5 a second.
	qps, burst = 50, 100
)

// Client talks to one cluster. It is safe for use by several goroutines.
type Client struct {
	host    string
	within  time.Duration
	typed   kubernetes.Interface
	dynamic dynamic.Interface
}

// Config finds the cluster to talk to: the context (empty: the current one) of the kubeconfig file that is named; else,
// within a pod, the pod's own cluster; else what kubectl would use, $KUBECONFIG or ~/.kube/config. Its error is a
// diagnostics.Refusal.
func Config(kubeconfig, context string) (*rest.Config, error) {
	if kubeconfig == "" && context == "" {
		cfg, err := rest.InClusterConfig()
		switch {
		case err == nil:
			return cfg, nil
		case !errors.Is(err, rest.ErrNotInCluster):
			return nil, diagnostics.Refusal(fmt.Sprintf("This pod can't talk to its cluster: %v. Is its service account token mounted?", err))
		}
	}
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	if kubeconfig != "" {
		if _, err := os.Stat(kubeconfig); err != nil {
			return nil, diagnostics.Refusal(fmt.Sprintf("The kubeconfig file can't be read: %v.", err))
		}
		rules.ExplicitPath = kubeconfig
	}
	cfg, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: context}).ClientConfig()
	switch {
	case err == nil:
		return cfg, nil
	case clientcmd.IsEmptyConfig(err):
		return nil, diagnostics.Refusal("There is no cluster to talk to: this is no pod, and there is no kubeconfig (looked at " +
			strings.Join(rules.GetLoadingPrecedence(), ", ") + "). Make one with: aws eks update-kubeconfig --name CLUSTER")
	}
	return nil, diagnostics.Refusal(fmt.Sprintf("The kubeconfig (%s) can't be used: %v.", strings.Join(rules.GetLoadingPrecedence(), ", "), err))
}

// New makes a client of a configuration, which it doesn't modify. Its Timeout is how long one request may take with its
// retries; 0 means 5 seconds.
func New(cfg *rest.Config) (*Client, error) {
	cfg = rest.CopyConfig(cfg)
	limit := cmp.Or(cfg.Timeout, within)
	cfg.Timeout = 0 // it would bound each attempt alone
	cfg.RateLimiter = turns{flowcontrol.NewTokenBucketRateLimiter(qps, burst)}
	cfg.UserAgent = "netdiag"
	if cfg.Dial == nil {
		cfg.Dial = (&net.Dialer{Timeout: dialing, KeepAlive: 30 * time.Second}).DialContext
	}
	cfg.Wrap(bounded)
	typed := rest.CopyConfig(cfg)
	typed.ContentType = runtime.ContentTypeProtobuf
	typed.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	h, err := rest.HTTPClientFor(cfg)
	if err != nil {
		return nil, fmt.Errorf("client for %s: %w", cfg.Host, err)
	}
	t, err := kubernetes.NewForConfigAndClient(typed, h)
	if err != nil {
		return nil, fmt.Errorf("client for %s: %w", cfg.Host, err)
	}
	d, err := dynamic.NewForConfigAndClient(cfg, h)
	if err != nil {
		return nil, fmt.Errorf("client for %s: %w", cfg.Host, err)
	}
	return &Client{host: cfg.Host, within: limit, typed: t, dynamic: d}, nil
}
