package diagtest_test

import (
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/netdiag/netdiag/internal/diagtest"
	"github.com/netdiag/netdiag/internal/sim/fleet"
)

// One look at 5,000 nodes, which is what the watch does again and again, fits into 256 MiB: the whole program, in a process of
// its own, so that nothing of the simulators counts.
func TestALookAt5000NodesFitsInMemory(t *testing.T) {
	if diagtest.Race || testing.Short() {
		t.Skip("dear, and the race detector takes memory of its own")
	}
	bot := filepath.Join(t.TempDir(), "bot")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", bot, "../../cmd/bot").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	s, err := diagtest.ServeFleet(fleet.New(5000, 40, time.Now()))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	env, err := s.Environment(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), bot, "diagnose", "--cluster", s.World.Meta.Cluster, "ip", "-o", "json")
	c.Env = env
	var said strings.Builder
	c.Stderr = &said
	peak, err := diagtest.Peak(c)
	if err != nil {
		t.Fatalf("%v\n%s", err, said.String())
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
