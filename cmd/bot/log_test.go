package main

import (
	"errors"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
	"k8s.io/klog/v2"
)

// What the Kubernetes clients say stands in our log, as what it is.
func TestKubernetesClientsWriteIntoOurLog(t *testing.T) {
	core, seen := observer.New(zapcore.InfoLevel)
	adopt(zap.New(core))
	t.Cleanup(klog.ClearLogger)
	klog.InfoS("attempting to acquire leader lease", "lease", "netdiag/netdiag-watch")
	klog.ErrorS(errors.New("no such host"), "Failed to watch")
	klog.V(4).InfoS("much more")
	all := seen.All()
	if len(all) != 2 || all[0].Level != zapcore.InfoLevel || all[0].LoggerName != "kubernetes" || all[0].ContextMap()["lease"] != "netdiag/netdiag-watch" {
		t.Fatalf("%+v", all)
	}
	if all[1].Level != zapcore.ErrorLevel || all[1].ContextMap()["err"] == nil {
		t.Errorf("%+v", all[1])
	}
}
