package main

import (
	"cmp"
	"context"
	"fmt"

	"go.uber.org/zap"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/handlers"
	"github.com/netdiag/netdiag/internal/config"
	"github.com/netdiag/netdiag/internal/live"
	"github.com/netdiag/netdiag/internal/meters"
)

// reach is every cluster that questions can be about.
type reach struct {
	targets []diagnostics.Target // the first one is what a question means that names none
	sources map[string]live.Source
	meters  *meters.Meters
	resting *resting
}

// reach connects the further clusters of the settings beside the first one. It asks them nothing yet but their account.
func (s settings) reach(ctx context.Context, first connection, m *meters.Meters, log *zap.Logger) (reach, error) {
	r := reach{sources: map[string]live.Source{}, meters: m, resting: newResting()}
	add := func(c connection) {
		c.source.Limit = s.Limits.Diagnosis
		account, err := c.source.AWS.Account(ctx)
		if err != nil {
			log.Warn("the AWS account is unknown", zap.String("cluster", c.target.Cluster), zap.Error(err))
		}
		c.target.Account = account
		r.targets = append(r.targets, c.target)
		r.sources[c.target.Cluster] = c.source
	}
	add(first)
	for _, k := range s.Clusters {
		a := access{cluster: k.Name, region: cmp.Or(k.Region, first.target.Region), kubeconfig: kubeconfig{k.Kubeconfig, k.Context}}
		c, err := a.connect(ctx, metering(m, log))
		if err != nil {
			return reach{}, fmt.Errorf("cluster %s: %w", k.Name, err)
		}
		add(c)
	}
	return r, nil
}

// diagnose answers a question where its cluster is.
func (r reach) diagnose(ctx context.Context, d diagnostics.Diagnosis, t diagnostics.Target, progress func(string)) (diagnostics.Outcome, error) {
	source, ok := r.sources[t.Cluster]
	if !ok { // the settings have changed since it was asked
		return diagnostics.Outcome{}, diagnostics.Refusal("I don't look at cluster " + t.Cluster + " any more.")
	}
	defer r.resting.begin()()
	out, err := source.Diagnose(ctx, d, t, progress)
	r.meters.Diagnosed(d, out, err)
	return out, err
}

// places gives forms what there is in each cluster.
func (r reach) places() map[string]handlers.Places {
	out := map[string]handlers.Places{}
	for cluster, source := range r.sources {
		out[cluster] = places{source.Kube}
	}
	return out
}

func usual(channels map[string]config.Channel) map[string]handlers.Usual {
	out := map[string]handlers.Usual{}
	for id, c := range channels {
		out[id] = handlers.Usual{Namespace: c.Namespace, Cluster: c.Cluster}
	}
	return out
}
