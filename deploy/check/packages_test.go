package check

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const root = "../../"

// pkg is a package that a program is linked of.
type pkg struct {
	ImportPath, Dir, Root string
	Standard              bool
	Module                *struct {
		Path, Dir string
		Main      bool
	}
	GoFiles, EmbedFiles []string
}

// packages lists what a program is linked of, on the platforms of a release.
func packages(t *testing.T, program string) []pkg {
	t.Helper()
	var out []pkg
	for _, arch := range []string{"amd64", "arm64"} {
		cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-json=ImportPath,Dir,Root,Standard,Module,GoFiles,EmbedFiles", program)
		cmd.Dir, cmd.Env = root, append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
		text, err := cmd.Output()
		if err != nil {
			t.Fatal(tell(cmd, err))
		}
		for dec := json.NewDecoder(bytes.NewReader(text)); ; {
			var p pkg
			if err := dec.Decode(&p); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			out = append(out, p)
		}
	}
	return out
}

// run runs a command in the root of the repository and gives its standard output.
func run(t *testing.T, name string, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(tell(cmd, err))
	}
	return out
}

// tell is an error with what the command wrote about it.
func tell(cmd *exec.Cmd, err error) error {
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		err = errors.New(err.Error() + ": " + string(exit.Stderr))
	}
	return errors.New(strings.Join(cmd.Args, " ") + ": " + err.Error())
}

func sorted(s []string) []string { return slices.Sorted(slices.Values(s)) }
