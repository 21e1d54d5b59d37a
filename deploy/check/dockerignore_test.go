package check

import (
	"bytes"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

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
	needed := map[string]bool{"go.mod": true, "go.sum": true}
	for _, name := range copied(t) {
		needed[name] = true
	}
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

// sources lists the files that bot is compiled of, relative to the repository.
func sources(t *testing.T) []string {
	t.Helper()
	at, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, p := range packages(t, "./cmd/bot") {
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
	return out
}
