package diagtest_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
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
	if err := c.Run(); err != nil {
		t.Fatalf("%v\n%s", err, said.String())
	}
	usage, ok := c.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		t.Skip("this system does not tell how much memory a process took")
	}
	const most = 256
	if peak := usage.Maxrss >> 10; peak > most { // KiB on Linux
		t.Errorf("%d MiB, and at most %d are wanted", peak, most)
	}
}
