package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http/httptest"
	"slices"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/diagnostics/all"
	"github.com/netdiag/netdiag/handlers"
	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/policy"
	"github.com/netdiag/netdiag/internal/sim/slack"
	"github.com/netdiag/netdiag/internal/store/memory"
)

// acks is how long Slack waited for acknowledgements, sorted: of the commands that were typed all at once, and of those
// that came one by one while as many others were without an answer.
type acks struct{ burst, steady []time.Duration }

// acksInFlight is how many people ask at a time where it is measured for the table.
const acksInFlight = 200

// measureAcks lets so many people type commands into a simulated Slack on loopback, in this process, with the real handlers and
// slack-go behind it: all at once at first, and then each again when their last question is answered, which takes one to
// three times the given time. Each command is recorded before it is acknowledged.
func measureAcks(ctx context.Context, people, rounds int, answer time.Duration) (acks, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	const channel = "C0000OPS"
	o := slack.Options{Channels: []slack.Channel{{ID: channel, Name: "ops"}}, App: slack.App{Commands: []slack.Command{{Name: "/netdiag"}}}}
	for i := range people {
		o.Users = append(o.Users, slack.User{ID: fmt.Sprintf("U%07d", i), Name: fmt.Sprint("person-", i)})
	}
	s := slack.New(o)
	h := httptest.NewServer(s)
	defer h.Close()
	defer s.Close()
	answered := make(map[string]chan struct{}, people)
	for _, u := range o.Users {
		answered[u.Name] = make(chan struct{}, 1)
	}
	b, err := handlers.New(handlers.Config{
		AppToken: "xapp-sim", BotToken: "xoxb-sim", APIURL: h.URL + "/api/", Log: zap.NewNop(), Holder: "bot", Now: time.Now,
		Book:      &casebook.Book{Store: memory.New(time.Now), Policy: policy.Policy{Team: "T00000001", Askers: []string{policy.Anyone}}, Now: time.Now},
		Diagnoses: all.Diagnoses(), Workers: people, Queue: people, Drain: time.Millisecond, DialEvery: time.Millisecond,
		Diagnose: func(ctx context.Context, d diagnostics.Diagnosis, t diagnostics.Target, _ func(string)) (diagnostics.Outcome, error) {
			select {
			case <-time.After(answer + rand.N(2*answer)):
				answered[t.Namespace] <- struct{}{}
			case <-ctx.Done():
			}
			return diagnostics.Outcome{Report: diagnostics.Report{Diagnosis: d.Name, Target: t}}, ctx.Err()
		},
	})
	if err != nil {
		return acks{}, err
	}
	life, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- b.Run(life) }()
	if err = s.Wait(ctx, func(s *slack.State) bool { return s.Sockets() == 2 }); err == nil {
		err = typeAll(ctx, s, o.Users, channel, rounds, answered)
	}
	stop()
	if bot := <-ended; err == nil && !errors.Is(bot, context.Canceled) {
		err = bot
	}
	if err != nil {
		return acks{}, err
	}
	var took []time.Duration
	for _, e := range s.Envelopes() {
		if e.Took < 0 {
			return acks{}, fmt.Errorf("%s was never acknowledged", e.ID)
		}
		took = append(took, e.Took)
	}
	out := acks{took[:people], took[people:]}
	slices.Sort(out.burst)
	slices.Sort(out.steady)
	return out, nil
}

// typeAll has everybody ask so many times.
func typeAll(ctx context.Context, s *slack.Server, people []slack.User, channel string, rounds int, answered map[string]chan struct{}) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, p := range people {
		g.Go(func() error {
			for i := range rounds {
				// Each question is another one: who asks the same again while it is looked into is answered by the first.
				reply, err := s.Slash(ctx, p.ID, channel, fmt.Sprintf("/netdiag pending %s pod-%d", p.Name, i))
				if err == nil && reply.Message != nil {
					err = fmt.Errorf("answered %q", reply.Message.Plain())
				}
				if err != nil {
					return fmt.Errorf("command %d of %s: %w", i, p.Name, err)
				}
				select {
				case <-answered[p.Name]:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			return nil
		})
	}
	return g.Wait()
}

// at is the time within which so many of a thousand came.
func at(took []time.Duration, thousandths int) time.Duration {
	return took[(len(took)-1)*thousandths/1000]
}

func tellAcks(w io.Writer, a acks) {
	ms := func(d time.Duration) string { return fmt.Sprintf("%.1f ms", d.Seconds()*1000) }
	fmt.Fprintf(w, "\n## Slack\n\nFrom an envelope's sending to its acknowledgement, each command recorded in between: the real handlers and slack-go, a simulated Slack\non loopback in the same process, two connections, the memory store. At most 50 ms for the 99th percentile are allowed with %d commands\nin flight; Slack itself gives up after 3 s.\n\n", acksInFlight)
	fmt.Fprint(w, "| commands | number | median | 99th percentile | slowest |\n| --- | --- | --- | --- | --- |\n")
	for _, row := range []struct {
		name string
		took []time.Duration
	}{
		{fmt.Sprintf("while %d others wait for their answer", acksInFlight-1), a.steady},
		{fmt.Sprintf("%d typed in the same instant, by people whom Slack has to be asked about", acksInFlight), a.burst},
	} {
		fmt.Fprintf(w, "| %s | %d | %s | %s | %s |\n", row.name, len(row.took), ms(at(row.took, 500)), ms(at(row.took, 990)), ms(at(row.took, 1000)))
	}
}
