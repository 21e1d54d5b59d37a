package main

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/diagnostics/all"
	"github.com/netdiag/netdiag/handlers"
	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/sim/slack"
	"github.com/netdiag/netdiag/internal/store/memory"
)

func TestHealth(t *testing.T) {
	workspace := slack.New(slack.Options{})
	h := httptest.NewServer(workspace)
	defer h.Close()
	defer workspace.Close()
	core, logs := observer.New(zap.InfoLevel)
	b, err := handlers.New(handlers.Config{
		AppToken: "xapp-sim", BotToken: "xoxb-sim", APIURL: h.URL + "/api/", Log: zap.New(core), Holder: "bot-1", Now: time.Now,
		Book: &casebook.Book{Store: memory.New(time.Now), Now: time.Now}, Diagnoses: all.Diagnoses(),
		Diagnose: func(context.Context, diagnostics.Diagnosis, diagnostics.Target, func(string)) (diagnostics.Outcome, error) {
			return diagnostics.Outcome{}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- beside(ctx, zap.New(core), b.Run, health("127.0.0.1:0", b.Health())) }()
	if err := workspace.Wait(t.Context(), func(s *slack.State) bool { return s.Sockets() > 0 }); err != nil {
		t.Fatal(err)
	}
	address := logs.FilterMessage("health checks").All()[0].ContextMap()["address"].(string)
	for status := 0; status != http.StatusOK; { // the hello is on its way
		status, _ = fetch(t, address, "/readyz")
	}
	if status, body := fetch(t, address, "/healthz"); status != http.StatusOK || body != "alive\n" {
		t.Errorf("%d %q", status, body)
	}
	if _, body := fetch(t, address, "/metrics"); !strings.Contains(body, "netdiag_slack_deaf 0\n") || !strings.Contains(body, "go_goroutines") {
		t.Errorf("metrics:\n%s", body)
	}
	if status, _ := fetch(t, address, "/"); status != http.StatusNotFound {
		t.Errorf("/: %d", status)
	}
	stop()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if err := beside(t.Context(), zap.New(core), b.Run, health("127.0.0.1:0", b.Health()), site{name: "debugging", address: "256.0.0.1:1"}); err == nil || !strings.Contains(err.Error(), "listen for debugging") {
		t.Errorf("%v", err)
	}
}
