package main

import (
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
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
		done <- demo{address: "127.0.0.1:0", bot: bot, worlds: worlds, speed: 60, log: log}.run(ctx, func(url string) { ready <- url })
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
// approved by the other, applied, verified, told, and undone again.
func TestDemo(t *testing.T) {
	bot := build(t)
	for _, story := range []struct {
		world, ask, verdict, fix, verified string
	}{
		{"seed-ip-exhaustion", "/netdiag pending backend", "0 of 251 addresses available", "Fix: Keep 2 spare addresses", "all pods run"},
		{"seed-alb-502", "/netdiag alb api-ingress", "no rule that admits the load balancer on tcp 8080", "Fix: ", "Targets of api-server: 3 of 3 healthy"},
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

			b.ClickIn(story.fix, "Approve") // the one who asked may not
			b.WaitText("somebody else has to approve it")
			b.SwitchUser("Jonas Weber")
			b.ClickIn(story.fix, "Approve")
			b.WaitText("Approve this fix?")
			shot("approve")
			b.Submit()
			b.WaitText("Done:")
			b.WaitText(story.verified)
			shot("verified")

			b.Click("Undo") // by the same gate: asked for by one, approved by the other
			b.WaitText("Undo this fix?")
			shot("undo")
			b.Submit()
			b.WaitText("The undo is asked for")
			b.WaitText("ask again, and approve the fix anew") // the card of the undo
			b.SwitchUser("Maya Okafor")
			b.Click("Approve")
			b.WaitText("Approve this fix?")
			b.Submit()
			b.WaitText("Undone:")
		})
	}
}

// One page has every world; a bot that is killed is missed and comes back; a reload shows the same.
func TestDemoWorlds(t *testing.T) {
	b := browsertest.New(t)
	worlds := menu()
	for i := range worlds {
		worlds[i].dir = "../../" + worlds[i].dir
	}
	url := start(t, build(t), worlds)
	shot := func(name string) {
		if dir := os.Getenv("NETDIAG_SCREENSHOTS"); dir != "" {
			b.Screenshot(filepath.Join(dir, name+".png"))
		}
	}
	b.Goto(url)
	b.Follow("All targets healthy, clients get 504")
	b.WaitText("FIRING IngressErrors")
	b.WaitGone("netdiag is not connected")
	b.Type("/netdiag alb api-ingress -n backend")
	b.WaitText("root cause found, confirmed")
	shot("demo-worlds")

	kill(t, "serve")
	b.WaitText("netdiag is not connected")
	b.Reload()
	b.WaitText("root cause found, confirmed")
	b.WaitGone("netdiag is not connected")
	b.Type("/netdiag ping")
	b.WaitText("Only visible to you")

	b.Follow("Pods stay in ContainerCreating")
	b.WaitText("FIRING KubePodNotReady")
	b.WaitGone("root cause found, confirmed")
	b.WaitGone("netdiag is not connected")
	b.Click("More actions")
	b.Click("Diagnose this message\nnetdiag")
	b.WaitText("Ask netdiag")
	b.WaitText("Answer in")
	shot("demo-form")
	b.Submit()
	b.OpenThread("FIRING KubePodNotReady") // the answer stands where the alarm is
	b.WaitText("root cause found, confirmed")

	b.OpenChannel("netdiag")
	b.Click("Home")
	b.WaitText("What you asked lately")
	b.WaitText("pending backend")
	shot("demo-home")
}

// kill ends the newest bot process that this test started for a purpose.
func kill(t *testing.T, purpose string) {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil || len(stats) == 0 {
		t.Skip("SKIPPED IN PART: there is no /proc, so no bot was killed")
	}
	newest := 0
	for _, f := range stats {
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(f)))
		stat, err := os.ReadFile(f)
		args, argsErr := os.ReadFile(filepath.Join(filepath.Dir(f), "cmdline"))
		if err != nil || argsErr != nil {
			continue // it has ended
		}
		_, after, _ := strings.Cut(string(stat), ") ")
		if fields := strings.Fields(after); len(fields) > 1 && fields[1] == strconv.Itoa(os.Getpid()) && slices.Contains(strings.Split(string(args), "\x00"), purpose) {
			newest = max(newest, pid)
		}
	}
	p, err := os.FindProcess(newest)
	if err != nil || newest == 0 || p.Kill() != nil {
		t.Fatalf("no bot %s to kill", purpose)
	}
}
