package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/netdiag/netdiag/internal/sim/slack"
)

// wait is how long the person before the page of one world waits, seen as the browser sees it.
type wait struct {
	world, ask   string
	start        time.Duration // from opening the page of a world that does not run yet to a connected bot
	first, found time.Duration // from the command to the first message in the channel, and to the verdict in its thread
}

// measureWaits plays the demo over HTTP: it opens the page of each world, types the world's question, and watches.
func measureWaits(ctx context.Context, bot string, progress io.Writer) (ready time.Duration, waits []wait, err error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	begin := time.Now()
	up := make(chan string, 1)
	ended := make(chan error, 1)
	d := demo{address: "127.0.0.1:0", bot: bot, worlds: menu(), speed: 10, log: io.Discard}
	go func() { ended <- d.run(ctx, func(url string) { up <- url }) }()
	select {
	case url := <-up:
		ready = time.Since(begin)
		for _, c := range d.worlds {
			w, err := watch(ctx, url+"w/"+c.slug())
			if err != nil {
				return 0, nil, errors.Join(fmt.Errorf("demo, %s: %w", c.dir, err), finish(stop, ended))
			}
			w.world = c.title
			fmt.Fprintf(progress, "demo, %s: first message after %s, verdict after %s\n", c.slug(), w.first.Round(time.Millisecond), w.found.Round(time.Millisecond))
			waits = append(waits, w)
		}
	case err := <-ended:
		return 0, nil, fmt.Errorf("demo: it ended: %w", err)
	}
	return ready, waits, finish(stop, ended)
}

func finish(stop func(), ended <-chan error) error {
	stop()
	return <-ended
}

// watch asks a world's question on its page and waits for the verdict, a minute at most.
func watch(ctx context.Context, page string) (wait, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	open := time.Now()
	s, err := listen(ctx, page, people[0].ID)
	if err != nil {
		return wait{}, err
	}
	defer s.body.Close()
	var w wait
	if err := s.until(func() bool { return s.state.Sockets > 0 && len(s.workspace.Hints) > 0 }); err != nil {
		return w, fmt.Errorf("wait for the bot: %w", err)
	}
	w.start, w.ask = time.Since(open), s.workspace.Hints[0]
	body, err := json.Marshal(map[string]string{"user": people[0].ID, "channel": oncall, "text": w.ask})
	if err != nil {
		return w, err
	}
	asked := time.Now()
	sent := make(chan error, 1)
	go func() { sent <- post(ctx, page+"/client/slash", body) }()
	if err := s.until(func() bool { return s.root() != nil }); err != nil {
		return w, fmt.Errorf("wait for the first message: %w", err)
	}
	w.first = time.Since(asked)
	if err := s.until(func() bool { return s.root().ReplyCount > 0 }); err != nil {
		return w, fmt.Errorf("wait for the verdict: %w", err)
	}
	w.found = time.Since(asked)
	return w, <-sent
}

func post(ctx context.Context, url string, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var out struct {
		OK    bool
		Error string
	}
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil || !out.OK {
		return fmt.Errorf("post %s: %s %w", url, out.Error, err)
	}
	return nil
}

// stream is what the page of a person hears.
type stream struct {
	body      io.ReadCloser
	lines     *bufio.Reader
	workspace struct{ Hints []string }
	state     struct {
		Sockets  int
		Channels []struct {
			ID       string
			Messages []slack.Message
		}
	}
}

func listen(ctx context.Context, page, user string) (*stream, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, page+"/client/stream?user="+user, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		defer resp.Body.Close()
		text, _ := io.ReadAll(resp.Body) // whatever it says
		return nil, fmt.Errorf("%s: %s", resp.Status, bytes.TrimSpace(text))
	}
	return &stream{body: resp.Body, lines: bufio.NewReader(resp.Body)}, nil
}

// until reads on until what holds.
func (s *stream) until(what func() bool) error {
	event := ""
	for !what() {
		line, err := s.lines.ReadString('\n')
		if err != nil {
			return err
		}
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch {
		case name == "event":
			event = value
		case name == "data" && event == "workspace":
			err = json.Unmarshal([]byte(value), &s.workspace)
		case name == "data" && event == "state":
			s.state.Channels = nil
			err = json.Unmarshal([]byte(value), &s.state)
		}
		if err != nil {
			return fmt.Errorf("event %s: %w", event, err)
		}
	}
	return nil
}

// root is the bot's first message in the channel of those on call.
func (s *stream) root() *slack.Message {
	for _, c := range s.state.Channels {
		for i, m := range c.Messages {
			if c.ID == oncall && m.AppID != "" && (m.ThreadTS == "" || m.ThreadTS == m.TS) {
				return &c.Messages[i]
			}
		}
	}
	return nil
}

// tellWaits writes the section of docs/performance.md about the demo.
func tellWaits(w io.Writer, ready time.Duration, waits []wait) {
	fmt.Fprintf(w, `
## Demo

What somebody before the page of `+"`lab demo`"+` waits for, measured over HTTP with Slack's own rate limits simulated, once a world. The first page
was ready %.1f s after the start of the program. A world that nobody has looked at is started when its page is opened; it is ready once its
bot is connected. The aims are 1 s to the first message in the channel and 3 s to the verdict in its thread.

| world | command | world ready | first message | verdict |
| --- | --- | --- | --- | --- |
`, ready.Seconds())
	for _, v := range waits {
		fmt.Fprintf(w, "| %s | `%s` | %.1f s | %.2f s | %.2f s |\n", v.world, v.ask, v.start.Seconds(), v.first.Seconds(), v.found.Seconds())
	}
}
