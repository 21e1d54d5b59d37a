package diagtest_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/netdiag/netdiag/internal/diagtest"
	"github.com/netdiag/netdiag/internal/sim/access"
	"github.com/netdiag/netdiag/internal/sim/fleet"
	"github.com/netdiag/netdiag/internal/sim/slack"
	"github.com/netdiag/netdiag/internal/store/crd"
	"github.com/netdiag/netdiag/internal/watch"
)

// bot serve that watches 5,000 nodes and their ingress fits into 256 MiB: the whole program, in a process of its own, so that
// nothing of the simulators counts, from its start to the end of a look that saw the subnets.
func TestWatching5000NodesFitsInMemory(t *testing.T) {
	if diagtest.Race || testing.Short() {
		t.Skip("dear, and the race detector takes memory of its own")
	}
	dir := t.TempDir()
	bot, settings := filepath.Join(dir, "bot"), filepath.Join(dir, "netdiag.yaml")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", bot, "../../cmd/bot").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	s, err := diagtest.ServeFleet(fleet.New(5000, 40, time.Now()))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	workspace := slack.New(slack.Options{AppToken: "xapp-sim", BotToken: "xoxb-sim", Team: slack.Team{ID: team}, Channels: []slack.Channel{{ID: warned, Name: "oncall"}}})
	defer workspace.Close()
	api, stop, err := diagtest.Listen(workspace)
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	text := fmt.Sprintf("cluster: %s\nregion: %s\nhealth: none\nslack: {apiURL: %q}\npolicy: {team: %s, askers: [\"*\"]}\nwatch: {channel: %s, ingresses: [all], interval: 1m}\n",
		s.World.Meta.Cluster, s.World.Meta.Region, api+"/api/", team, warned)
	if err := os.WriteFile(settings, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	env, err := s.Environment(dir)
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), bot, "serve", "--config", settings) // which ends it with the test
	c.Env = append(env, "SLACK_APP_TOKEN=xapp-sim", "SLACK_BOT_TOKEN=xoxb-sim")
	var said bytes.Buffer
	c.Stderr = &said
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	store, err := crd.New(access.Kubernetes(s.KubeURL, "netdiag"), crd.Options{Namespace: "netdiag"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute) // for several looks: reads end where the machine is too busy
	defer cancel()
	look := time.NewTicker(100 * time.Millisecond)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			t.Fatalf("no look saw the subnets\n%s", said.String())
		case err := <-ended:
			t.Fatalf("it has ended: %v\n%s", err, said.String())
		case <-look.C:
		}
		m, err := store.Memos.Get(ctx, watch.Memo)
		if err != nil {
			t.Fatal(err)
		}
		seen, err := watch.Parse(m.Text, s.World.Meta.Cluster)
		if err != nil {
			t.Fatal(err)
		}
		if len(seen.Past) > 0 {
			break
		}
	}
	peak := diagtest.Memory(c.Process.Pid, "VmHWM")
	if err := c.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Errorf("%v\n%s", err, said.String())
	}
	const most = 256
	switch {
	case peak == 0 && runtime.GOOS != "linux":
		t.Skip("this system does not tell how much memory a process takes")
	case peak == 0 || peak > most:
		t.Errorf("%d MiB, and at most %d are wanted", peak, most)
	}
	t.Logf("%d MiB", peak)
}
