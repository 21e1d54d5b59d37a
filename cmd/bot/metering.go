package main

import (
	"go.uber.org/zap"

	"github.com/netdiag/netdiag/internal/awsnet"
	"github.com/netdiag/netdiag/internal/kube"
	"github.com/netdiag/netdiag/internal/meters"
)

// metering counts every call to AWS and to the API server; at level debug each is a line of the log, without what it is about.
func metering(m *meters.Meters, log *zap.Logger) listener {
	return listener{
		aws: func(a awsnet.Answer) {
			m.AWS(a)
			log.Debug("aws", zap.String("operation", a.Service+":"+a.Action), zap.String("code", a.Code), zap.String("reason", a.Reason), zap.Bool("throttled", a.Throttled), zap.Duration("took", a.Took))
		},
		kubernetes: kube.Observed(func(c kube.Call) {
			m.Kubernetes(c)
			log.Debug("kubernetes", zap.String("verb", c.Verb), zap.String("resource", c.Resource), zap.String("code", c.Code), zap.Duration("took", c.Took))
		}),
	}
}
