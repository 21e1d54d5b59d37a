package main

import (
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/netdiag/netdiag/internal/sim/slack/browsertest"
)

const seeds = "../../testdata/worlds/seeds/"

// build builds the real bot program.
func build(t *testing.T) string {
	t.Helper()
	bot := filepath.Join(t.TempDir(), "bot")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", bot, "../bot").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return bot
}

// start runs the demo with the bot program until the test ends, and gives the URL of its page.
func start(t *testing.T, bot string, worlds []choice) string {
	t.Helper()
	var log io.Writer = io.Discard
	if testing.Verbose() {
		log = os.Stderr
	}
	ctx, stop := context.WithCancel(context.Background())
	ready := make(chan string, 1)
	done := make(chan error, 1)
	go func() {
		done <- demo{address: "127.0.0.1:0", bot: bot, worlds: worlds, speed: 20, log: log}.run(ctx, func(url string) { ready <- url })
	}()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	select {
	case url := <-ready:
		return url
	case err := <-done:
		done <- nil
		t.Fatal(err)
		return ""
	}
}

// Both stories play in a real browser from the question to the verified fix: asked by one, refused to the one who asked,
// approved by the other, applied, verified, told.
func TestDemo(t *testing.T) {
	bot := build(t)
	for _, story := range []struct {
		world, ask, verdict, verified string
	}{
		{"seed-ip-exhaustion", "/netdiag pending backend", "0 of 251 addresses available", "all pods run"},
		{"seed-alb-502", "/netdiag alb api-ingress", "no rule that admits the load balancer on tcp 8080", "Targets of api-server: 3 of 3 healthy"},
	} {
		t.Run(story.world, func(t *testing.T) {
			b := browsertest.New(t)
			b.Goto(start(t, bot, named([]string{seeds + story.world})))
			shot := func(name string) {
				if dir := os.Getenv("NETDIAG_SCREENSHOTS"); dir != "" {
					b.Screenshot(filepath.Join(dir, story.world+"-"+name+".png"))
				}
			}
			b.Type(story.ask)
			b.WaitText(story.verdict)
			b.OpenThread(story.verdict)
			b.WaitText("Approve")
			browsertest.Eval[bool](b, `document.querySelector("#thread .list").scrollTop = 0; true`)
			shot("verdict")

			b.Click("Approve") // the one who asked may not
			b.Confirm()
			b.WaitText("somebody else has to approve it")
			b.SwitchUser("Jonas Weber")
			b.Click("Approve")
			shot("approve")
			b.Confirm()
			b.WaitText("Done:")
			b.WaitText(story.verified)
			shot("verified")
		})
	}
}
