package main

import (
	"log/slog"

	"go.uber.org/zap"
	"go.uber.org/zap/exp/zapslog"
	"go.uber.org/zap/zapcore"
	"k8s.io/klog/v2"
)

// logger writes what is at least of a level, which may change while the program runs.
func logger(level zap.AtomicLevel) (*zap.Logger, error) {
	cfg := zap.NewProductionConfig()
	cfg.Level = level
	cfg.Sampling = nil
	cfg.DisableStacktrace = true
	cfg.EncoderConfig.EncodeTime = zapcore.RFC3339NanoTimeEncoder
	log, err := cfg.Build()
	if err == nil {
		adopt(log)
	}
	return log, err
}

// adopt has the Kubernetes clients write into our log: left alone they write lines of their own to standard error, which are not
// JSON.
func adopt(log *zap.Logger) {
	klog.SetSlogLogger(slog.New(zapslog.NewHandler(log.Core(), zapslog.WithName("kubernetes"))))
}
