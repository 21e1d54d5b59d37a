package check

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/goreleaser/goreleaser/v2/pkg/config"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/rhysd/actionlint"
)

// loaded reads .goreleaser.yaml as GoReleaser does: a key that it doesn't know is an error.
func loaded(t *testing.T) config.Project {
	t.Helper()
	c, err := config.Load(root + ".goreleaser.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestGoReleaserComplaints(t *testing.T) {
	if _, err := config.Load("testdata/goreleaser.bad.yaml"); err == nil || !strings.Contains(err.Error(), "field ldflag not found") {
		t.Error(err)
	}
}

// Who makes a release is who read its settings here.
func TestGoReleaserVersion(t *testing.T) {
	_, used := action(t, "goreleaser/goreleaser-action")
	mod, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(mod), "\tgithub.com/goreleaser/goreleaser/v2 "+used["version"]+"\n") {
		t.Errorf("release.yaml runs %s, go.mod here has another version", used["version"])
	}
	if _, settings := action(t, "actions/setup-go"); !strings.Contains(imageOfCompiler(t), ":"+settings["go-version"]+"-") {
		t.Errorf("a release is compiled by Go %s, an image by %s", settings["go-version"], imageOfCompiler(t))
	}
}

// The three places that compile for a release give the compiler the same flags, or nobody could check one by the other.
func TestBuildsAreTheSame(t *testing.T) {
	b := loaded(t).Builds[0]
	got := strings.Join(append(b.Flags, b.Ldflags...), " ")
	if want := "-trimpath -buildvcs=true -s -w -buildid="; got != want {
		t.Errorf(".goreleaser.yaml builds with %s, want %s", got, want)
	}
	if !slices.Contains(b.Env, "CGO_ENABLED=0") || b.ModTimestamp != "{{ .CommitTimestamp }}" {
		t.Errorf(".goreleaser.yaml: env %v, mod_timestamp %s", b.Env, b.ModTimestamp)
	}
	made := string(run(t, "make", "--no-print-directory", "-n", "release-binary", "GOARCH=arm64"))
	if want := `CGO_ENABLED=0 GOOS=linux GOARCH=arm64 go build -trimpath -buildvcs=true -ldflags="-s -w -buildid=" `; !strings.HasPrefix(made, want) {
		t.Errorf("make release-binary runs %s, want %s", made, want)
	}
	_, dockerfile := stages(t)
	if want := regexp.MustCompile(`go build -trimpath -buildvcs=false \\\s+-ldflags="-s -w -buildid= -X `); !want.Match(dockerfile) {
		t.Errorf("the Dockerfile does not build with %s", want)
	}
}

// The image that a release builds of the Dockerfile gets all that this asks for.
func TestReleasedImage(t *testing.T) {
	d := loaded(t).DockersV2[0]
	all, _ := stages(t)
	args, names := map[string]bool{"SOURCE_DATE_EPOCH": true}, map[string]bool{} // that one is BuildKit's own
	for _, s := range all {
		names[s.Name] = true
		for _, c := range s.Commands {
			if c, ok := c.(*instructions.ArgCommand); ok {
				for _, a := range c.Args {
					args[a.Key] = true
				}
			}
		}
	}
	args["BINARY"] = true // before the first stage
	for name := range d.BuildArgs {
		if !args[name] {
			t.Errorf("build argument %s is none of the Dockerfile", name)
		}
	}
	if !names[d.BuildArgs["BINARY"]] {
		t.Errorf("BINARY=%s is no stage of the Dockerfile", d.BuildArgs["BINARY"])
	}
	if diff := cmp.Diff(sorted(copied(t)), sorted(d.ExtraFiles)); diff != "" {
		t.Errorf("what the Dockerfile copies (-) and what is there for it (+):\n%s", diff)
	}
	b := loaded(t).Builds[0]
	var platforms []string
	for _, arch := range b.Goarch {
		platforms = append(platforms, b.Goos[0]+"/"+arch)
	}
	if diff := cmp.Diff(platforms, d.Platforms); diff != "" {
		t.Error(diff)
	}
}

// The chart installs the image that a release pushes: from the same place, by the version that make chart gives both.
func TestChartTakesTheReleasedImage(t *testing.T) {
	text, err := os.ReadFile(root + "deploy/helm/netdiag/values.yaml")
	if err != nil {
		t.Fatal(err)
	}
	d := loaded(t).DockersV2[0]
	if want := "\n  repository: " + d.Images[0] + "\n  tag: \"\" "; !strings.Contains(string(text), want) {
		t.Errorf("values.yaml does not have%s", want)
	}
	if !slices.Contains(d.Tags, "{{ .Version }}") {
		t.Errorf("no image has the version of the chart as its tag, but %v", d.Tags)
	}
	made := string(run(t, "make", "--no-print-directory", "-n", "chart", "VERSION=1.2.3"))
	if want := "--version 1.2.3 --app-version 1.2.3 "; !strings.Contains(made, want) {
		t.Errorf("make chart runs %s, want %s", made, want)
	}
}

// Everything that a release hands out is signed or named in what is signed, and each file that it packs is there.
func TestReleaseIsWhole(t *testing.T) {
	c := loaded(t)
	for _, f := range c.Archives[0].Files {
		if _, err := os.Stat(root + f.Source); err != nil {
			t.Error(err)
		}
	}
	if diff := cmp.Diff(c.Release.ExtraFiles, c.Checksum.ExtraFiles); diff != "" {
		t.Errorf("released without a checksum, or the other way round:\n%s", diff)
	}
	if len(c.Signs) != 1 || c.Signs[0].Artifacts != "checksum" || len(c.DockerSigns) != 1 || len(c.SBOMs) != 2 {
		t.Error("checksums and images are signed, and every archive has both parts lists")
	}
	var subjects []string
	for _, file := range workflows(t) {
		w, _ := parse(t, file)
		for _, j := range w.Jobs {
			for _, s := range j.Steps {
				if a, ok := s.Exec.(*actionlint.ExecAction); ok && strings.HasPrefix(a.Uses.Value, "actions/attest@") {
					for _, by := range []string{"subject-checksums", "subject-name"} {
						if in := a.Inputs[by]; in != nil {
							subjects = append(subjects, in.Value.Value)
						}
					}
				}
			}
		}
	}
	if diff := cmp.Diff([]string{"dist/" + c.Checksum.NameTemplate, "dist/digests.txt", "ghcr.io/netdiag/charts/netdiag"}, subjects); diff != "" {
		t.Errorf("provenance is said of (+), wanted of (-):\n%s", diff)
	}
}

// action gives the first use of an action in release.yaml, and its settings.
func action(t *testing.T, name string) (string, map[string]string) {
	t.Helper()
	w, _ := parse(t, root+".github/workflows/release.yaml")
	for _, s := range w.Jobs["release"].Steps {
		a, ok := s.Exec.(*actionlint.ExecAction)
		if !ok || !strings.HasPrefix(a.Uses.Value, name+"@") {
			continue
		}
		settings := map[string]string{}
		for key, in := range a.Inputs {
			settings[key] = in.Value.Value
		}
		return a.Uses.Value, settings
	}
	t.Fatalf("release.yaml does not use %s", name)
	return "", nil
}

func imageOfCompiler(t *testing.T) string {
	t.Helper()
	all, _ := stages(t)
	return all[0].BaseName
}
