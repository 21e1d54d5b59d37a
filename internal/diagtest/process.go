package diagtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Peak runs a program to its end, and gives the most memory that it had resident (VmHWM), in MiB; 0 where the system doesn't
// tell. What the system tells of a process that has ended counts its parent too, of the moment before it became another
// program, and is of no use: so it is asked every 10 ms while the program runs.
func Peak(c *exec.Cmd) (int, error) {
	if err := c.Start(); err != nil {
		return 0, err
	}
	ended, peak := make(chan struct{}), make(chan int)
	go func() {
		most, look := 0, time.NewTicker(10*time.Millisecond)
		defer look.Stop()
		for {
			select {
			case <-ended:
				peak <- most
				return
			case <-look.C:
				most = max(most, Memory(c.Process.Pid, "VmHWM"))
			}
		}
	}()
	err := c.Wait()
	close(ended)
	return <-peak, err
}

// Memory reads a field of /proc/[pid]/status that tells of memory, such as VmRSS, in MiB, rounded up; 0 where the system
// doesn't tell (proc_pid_status(5)).
func Memory(pid int, field string) int {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == field+":" {
			kib, _ := strconv.Atoi(f[1])
			return (kib + 1023) >> 10
		}
	}
	return 0
}
