package diagtest_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
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
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	peak, look := 0, time.NewTicker(10*time.Millisecond)
	defer look.Stop()
	for running := true; running; {
		select {
		case err := <-ended:
			if err != nil {
				t.Fatalf("%v\n%s", err, said.String())
			}
			running = false
		case <-look.C:
			peak = max(peak, resident(c.Process.Pid))
		}
	}
	const most = 256
	switch {
	case peak == 0:
		t.Skip("this system does not tell how much memory a process takes")
	case peak > most:
		t.Errorf("%d MiB, and at most %d are wanted", peak, most)
	}
	t.Logf("%d MiB", peak)
}

// resident is the most memory that a running program had resident so far, in MiB; 0 where that can't be read. What the system
// accounts to a process that has ended counts its parent's too, of the moment before it became another program.
func resident(pid int) int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "VmHWM:" {
			kib, _ := strconv.Atoi(f[1])
			return kib >> 10
		}
	}
	return 0
}
