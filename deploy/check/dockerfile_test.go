package check

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/frontend/dockerfile/dockerfile2llb"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// unread answers for images that aren't fetched: of the platform that is asked for, and with nothing set. BuildKit's rules
// need no more of them.
type unread struct{}

func (unread) ResolveImageConfig(_ context.Context, ref string, opt sourceresolver.Opt) (string, digest.Digest, []byte, error) {
	config, err := json.Marshal(ocispecs.Image{Platform: *opt.ImageOpt.Platform})
	return ref, "", config, err
}

// complaints gives BuildKit's warnings on a Dockerfile, as rule and line, with the error that ended the reading.
func complaints(t *testing.T, file, arch string, args map[string]string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	source := llb.NewSourceMap(nil, file, "Dockerfile", text)
	source.Definition = &llb.Definition{}
	opt := dockerfile2llb.ConvertOpt{MetaResolver: unread{}, SourceMap: source}
	opt.BuildArgs = args
	opt.BuildPlatforms = []ocispecs.Platform{{OS: "linux", Architecture: "amd64"}}
	opt.TargetPlatform = &ocispecs.Platform{OS: "linux", Architecture: arch}
	found, err := dockerfile2llb.DockerfileLint(t.Context(), text, opt)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, w := range found.Warnings {
		out = append(out, fmt.Sprintf("%s, line %d", w.RuleName, w.Location.Ranges[0].Start.Line))
	}
	if found.Error != nil {
		out = append(out, found.Error.Message)
	}
	return out
}

func TestDockerfile(t *testing.T) {
	for _, arch := range []string{"amd64", "arm64"} {
		for _, binary := range []string{"compiled", "released"} {
			if found := complaints(t, root+"Dockerfile", arch, map[string]string{"BINARY": binary}); len(found) > 0 {
				t.Errorf("linux/%s, BINARY=%s: %v", arch, binary, found)
			}
		}
	}
}

func TestDockerfileComplaints(t *testing.T) {
	want := []string{
		"FromAsCasing, line 1",
		"JSONArgsRecommended, line 5",
		"LegacyKeyValueFormat, line 2",
		"SecretsUsedInArgOrEnv, line 2",
		"UndefinedVar, line 3",
		"WorkdirRelativePath, line 4",
	}
	got := complaints(t, "testdata/Dockerfile.bad", "amd64", nil)
	if diff := cmp.Diff(want, sorted(got)); diff != "" {
		t.Error(diff)
	}
	if got := complaints(t, "testdata/Dockerfile.broken", "amd64", nil); len(got) != 1 || !strings.Contains(got[0], "unknown instruction: RUNE") {
		t.Error(got)
	}
}

// stages parses the Dockerfile.
func stages(t *testing.T) ([]instructions.Stage, []byte) {
	t.Helper()
	text, err := os.ReadFile(root + "Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := parser.Parse(strings.NewReader(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	all, _, err := instructions.Parse(parsed.AST, nil)
	if err != nil {
		t.Fatal(err)
	}
	return all, text
}

// pinned is a reference to an image by digest and by tag: Renovate reads from the tag what to look for.
var pinned = regexp.MustCompile(`^[\w./-]+:[\w.-]+@sha256:[0-9a-f]{64}$`)

func TestImagesArePinned(t *testing.T) {
	all, text := stages(t)
	syntax, _, _, ok := parser.DetectSyntax(text)
	if !ok || !pinned.MatchString(syntax) {
		t.Errorf("syntax %q is not pinned by digest", syntax)
	}
	named := map[string]bool{"scratch": true, "$BINARY": true}
	for _, s := range all {
		if !named[s.BaseName] && !pinned.MatchString(s.BaseName) {
			t.Errorf("line %d: %s is not pinned by digest", s.Location[0].Start.Line, s.BaseName)
		}
		named[s.Name] = true
	}
}

// What the chart relies on: /bot is what starts, its arguments begin with the subcommand, and the user is a number other than 0.
func TestImageRuns(t *testing.T) {
	all, _ := stages(t)
	var user, entry, command string
	for _, c := range all[len(all)-1].Commands {
		switch c := c.(type) {
		case *instructions.UserCommand:
			user = c.User
		case *instructions.EntrypointCommand:
			entry = strings.Join(c.CmdLine, " ")
		case *instructions.CmdCommand:
			command = strings.Join(c.CmdLine, " ")
		}
	}
	if got, want := []string{user, entry, command}, []string{"65532:65532", "/bot", "serve"}; !cmp.Equal(got, want) {
		t.Error(cmp.Diff(want, got))
	}
}

// BuildKit's rules don't read shell: a variable that is no ARG of its stage is empty there, and an image of the wrong platform
// or without a version the result.
func TestVariablesAreDeclared(t *testing.T) {
	all, _ := stages(t)
	used := 0
	for _, s := range all {
		declared := map[string]bool{}
		for _, c := range s.Commands {
			switch c := c.(type) {
			case *instructions.ArgCommand:
				for _, a := range c.Args {
					declared[a.Key] = true
				}
			case *instructions.RunCommand:
				for _, v := range regexp.MustCompile(`\$(\w+)`).FindAllStringSubmatch(strings.Join(c.CmdLine, " "), -1) {
					used++
					if !declared[v[1]] {
						t.Errorf("line %d: $%s is no ARG of its stage", c.Location()[0].Start.Line, v[1])
					}
				}
			}
		}
	}
	if used < 4 {
		t.Errorf("%d variables found, want at least the platform's two and the version's", used)
	}
}

// copied lists the files that the image takes from the repository as they are.
func copied(t *testing.T) []string {
	t.Helper()
	all, _ := stages(t)
	var out []string
	for _, c := range all[len(all)-1].Commands {
		if c, ok := c.(*instructions.CopyCommand); ok && c.From == "" {
			out = append(out, c.SourcePaths...)
		}
	}
	if len(out) == 0 {
		t.Fatal("the image takes no file from the repository")
	}
	return out
}
