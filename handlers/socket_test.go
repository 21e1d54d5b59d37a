package handlers

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/netdiag/netdiag/internal/meters"
	"github.com/netdiag/netdiag/internal/sim/slack"
)

// An answer that is too big for Slack must not cost the acknowledgement.
func TestAnswerTooBig(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := slack.New(slack.Options{
			Users: []slack.User{{ID: "U0MAYA", Name: "maya"}}, Channels: []slack.Channel{{ID: "C0OPS", Name: "ops"}},
			App: slack.App{Commands: []slack.Command{{Name: "/netdiag"}}},
		})
		w := s.Wire()
		b := &Bot{Config: Config{
			AppToken: "xapp-sim", BotToken: "xoxb-sim", APIURL: "http://slack.invalid/api/", Log: zap.NewNop(), Dial: w.Dial, DialEvery: time.Second, Connections: 1,
		}}
		b.pulse, b.http = newPulse(), transport(b.Config)
		b.Meters = meters.New("test")
		b.meters = newSlackMeters(b)
		l := newLine(b.Config, b.http, b.pulse, b.meters)
		ctx, stop := context.WithCancel(t.Context())
		ended, acks := make(chan error, 1), make(chan error, 1)
		go func() {
			ended <- l.run(ctx, func(e envelope) {
				if e.hello == "" {
					acks <- e.ack(ctx, map[string]any{"text": strings.Repeat("x", 30<<10)})
				}
			})
		}()
		if err := s.Wait(ctx, func(s *slack.State) bool { return s.Sockets() == 1 }); err != nil {
			t.Fatal(err)
		}
		if reply, err := s.Slash(ctx, "U0MAYA", "C0OPS", "/netdiag ping"); err != nil || reply.Message != nil {
			t.Errorf("%v, %v", reply.Message, err)
		}
		if err := <-acks; err == nil || !strings.Contains(err.Error(), "20480") {
			t.Errorf("the ack says %v", err)
		}
		stop()
		<-ended
		b.http.CloseIdleConnections()
		s.Close()
		if err := w.Shut(); err != nil {
			t.Error(err)
		}
	})
}
