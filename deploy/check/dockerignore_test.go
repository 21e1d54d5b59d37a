package check

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

func sorted(s []string) []string { return slices.Sorted(slices.Values(s)) }

// run runs a command in the root of the repository and gives its standard output.
func run(t *testing.T, name string, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = errors.New(err.Error() + ": " + string(exit.Stderr))
		}
		t.Fatalf("%s %s: %v", name, strings.Join(args, " "), err)
	}
	return out
}

// sources lists the files that bot is compiled of, relative to the repository.
func sources(t *testing.T) []string {
	t.Helper()
	at, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	out := []string{"go.mod", "go.sum"}
	for _, arch := range []string{"amd64", "arm64"} {
		cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-json=Dir,Standard,Module,GoFiles,EmbedFiles", "./cmd/bot")
		cmd.Dir, cmd.Env = root, append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
		text, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		for dec := json.NewDecoder(bytes.NewReader(text)); ; {
			var p struct {
				Dir                 string
				Module              *struct{ Main bool }
				GoFiles, EmbedFiles []string
			}
			if err := dec.Decode(&p); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			if p.Module == nil || !p.Module.Main {
				continue
			}
			for _, name := range append(p.GoFiles, p.EmbedFiles...) {
				rel, err := filepath.Rel(at, filepath.Join(p.Dir, name))
				if err != nil {
					t.Fatal(err)
				}
				out = append(out, filepath.ToSlash(rel))
			}
		}
	}
	return slices.Compact(sorted(out))
}

// The image can be built of what .dockerignore lets through. What gets through besides is Go that bot does without: no test, no
// world, no document, no history.
func TestDockerignore(t *testing.T) {
	text, err := os.ReadFile(root + ".dockerignore")
	if err != nil {
		t.Fatal(err)
	}
	patterns, err := ignorefile.ReadAll(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	m, err := patternmatcher.New(patterns)
	if err != nil {
		t.Fatal(err)
	}
	through := func(name string) bool {
		ignored, err := m.MatchesOrParentMatches(name)
		if err != nil {
			t.Fatal(err)
		}
		return !ignored
	}
	needed := map[string]bool{"LICENSE": true}
	for _, name := range sources(t) {
		needed[name] = true
	}
	for name := range needed {
		if !through(name) {
			t.Errorf("%s is needed, but .dockerignore keeps it out", name)
		}
	}
	var extra []string
	for name := range strings.Lines(string(run(t, "git", "ls-files", "--cached", "--others", "--exclude-standard"))) {
		if name = strings.TrimSpace(name); through(name) && !needed[name] && (path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go")) {
			extra = append(extra, name)
		}
	}
	if len(extra) > 0 {
		t.Errorf("not needed, but .dockerignore lets them through: %v", extra)
	}
	for _, name := range []string{".git/config", "bin/bot", ".env", "deploy/netdiag.yaml"} {
		if through(name) {
			t.Errorf(".dockerignore lets %s through", name)
		}
	}
}
