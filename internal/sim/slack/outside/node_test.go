// Package outside_test asks judges from outside about the simulated Slack and about what netdiag sends: Slack's own bot
// framework (Bolt for JavaScript) and Slack's own types of blocks, views and manifests.
package outside_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// oldest is the oldest Node.js that the judges run on: Debian 12's.
const oldest = 18

// stamp says for which package-lock.json the judges were installed.
const stamp = "node_modules/.installed"

var install struct {
	sync.Mutex
	done bool
}

// node gives the path of Node.js, with the judges installed from the npm registry, once for each package-lock.json. Without a
// Node.js on the machine the test is skipped.
func node(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("node")
	npm, npmErr := exec.LookPath("npm")
	if err != nil || npmErr != nil {
		t.Skip("SKIPPED, NOTHING WAS TESTED: no node and npm found; install Debian's packages nodejs and npm (make packages)")
	}
	out := run(t, exec.CommandContext(t.Context(), path, "--version"))
	major, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(out), "v"), ".")
	if n, err := strconv.Atoi(major); err != nil || n < oldest {
		t.Skipf("SKIPPED, NOTHING WAS TESTED: Node.js %s is older than %d", strings.TrimSpace(out), oldest)
	}
	install.Lock()
	defer install.Unlock()
	if install.done {
		return path
	}
	lock, err := os.ReadFile("package-lock.json")
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(lock)
	want := hex.EncodeToString(sum[:])
	if have, err := os.ReadFile(stamp); err != nil || string(have) != want {
		run(t, exec.CommandContext(t.Context(), npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"))
		if err := os.WriteFile(stamp, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	install.done = true
	return path
}

// run runs a program to its end and gives what it wrote.
func run(t *testing.T, c *exec.Cmd) string {
	t.Helper()
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", c, err, out)
	}
	return string(out)
}

// typeCheck has tsc check TypeScript, written beside the judges so that it finds their types, and gives its complaints.
func typeCheck(t *testing.T, source string) string {
	t.Helper()
	program := node(t)
	dir, err := os.MkdirTemp("node_modules", ".check-") //nolint:usetesting // types are looked for in the folders above
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	for name, text := range map[string]string{
		"check.ts":      source,
		"tsconfig.json": `{"extends": "../../tsconfig.json", "files": ["check.ts"]}`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	c := exec.CommandContext(t.Context(), program, "node_modules/typescript/bin/tsc", "--pretty", "false", "--project", dir)
	out, err := c.CombinedOutput()
	if err != nil && len(out) == 0 {
		t.Fatalf("%s: %v", c, err)
	}
	return string(out)
}

// start runs a script on Node.js until the test ends; what it wrote to its standard error is shown where the test fails.
func start(t *testing.T, script string, env ...string) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	c := exec.CommandContext(ctx, node(t), script)
	c.Env = append(os.Environ(), env...)
	var said bytes.Buffer
	c.Stdout, c.Stderr = &said, &said
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop()
		_ = c.Wait() // killed
		if t.Failed() {
			t.Logf("%s said:\n%s", script, said.String())
		}
	})
}
