package world

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Problem is what is wrong with a world file: where, in which field, and what was expected there.
type Problem struct {
	File  string
	Line  int // 0 where no line can be named
	Field string
	Want  string

	err error // of the file system, where it is that
}

// Unwrap gives the error of the file system, if that is the problem.
func (p *Problem) Unwrap() error { return p.err }

// read reads a file of a world; what says what it holds.
func read(file, what string) ([]byte, error) {
	text, err := os.ReadFile(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, &Problem{File: file, Want: "there is no such file; expected " + what, err: err}
	case err != nil:
		return nil, &Problem{File: file, Want: fmt.Sprintf("expected %s: %v", what, err), err: err}
	}
	return text, nil
}

// Error gives file, line, field and what was expected, in one line.
func (p *Problem) Error() string {
	where := p.File
	if p.Line > 0 {
		where = fmt.Sprintf("%s:%d", p.File, p.Line)
	}
	if p.Field != "" {
		where += ": " + p.Field
	}
	return where + ": " + p.Want
}

// lineOf finds the line of a key by its last part; 0 where it isn't there.
func lineOf(text []byte, field string) int {
	key := field[strings.LastIndex(field, ".")+1:] + ":"
	for i, line := range strings.Split(string(text), "\n") {
		if strings.HasPrefix(strings.TrimSpace(line), key) {
			return i + 1
		}
	}
	return 0
}

// yamlProblem turns an error of the YAML decoder ("yaml: line 3: …", "yaml: unmarshal errors:\n  line 3: …") into a Problem; offset is added to its line.
func yamlProblem(file string, offset int, err error) error {
	msg := err.Error()
	var te *yaml.TypeError
	if errors.As(err, &te) && len(te.Errors) > 0 {
		msg = te.Errors[0]
	}
	msg = strings.TrimPrefix(strings.TrimPrefix(msg, "error converting YAML to JSON: "), "yaml: ")
	p := &Problem{File: file, Want: msg}
	var line int
	if _, scan := fmt.Sscanf(msg, "line %d:", &line); scan == nil {
		p.Line = line + offset
		p.Want = strings.TrimSpace(msg[strings.Index(msg, ":")+1:])
		if f, rest, ok := strings.Cut(strings.TrimPrefix(p.Want, "field "), " not found in type"); ok && rest != "" {
			p.Field, p.Want = f, "no such field in world.yaml (see the format in testdata/worlds/README.md)"
		}
	} else {
		p.Line = offset + 1
	}
	return p
}

// mistyped is how the YAML decoder says that a value has another type than its field.
var mistyped = regexp.MustCompile("^cannot unmarshal !!(\\w+)(?: `(.*?)`)? into (.+)$")

// shapes names the types of world.yaml for people.
var shapes = map[string]string{
	"[]string": "a list of texts", "string": "a text", "time.Time": "a time such as 2026-11-22T10:30:00Z", "[]yaml.Node": "a list of changes",
	"world.Denied": "aws and kubernetes, a list of texts each", "world.Want": "the fields of the ground truth", "world.Meta": "the fields of a world",
}

// metaProblem is yamlProblem for world.yaml: a value of a wrong type is told with its field, and with what would fit there.
func metaProblem(file string, text []byte, err error) error {
	problem := yamlProblem(file, 0, err)
	p := &Problem{}
	if !errors.As(problem, &p) {
		return problem
	}
	m := mistyped.FindStringSubmatch(p.Want)
	if m == nil || shapes[m[3]] == "" {
		return p
	}
	p.Want = fmt.Sprintf("expected %s, not %s", shapes[m[3]], strings.Trim(m[1]+" "+m[2], " "))
	lines := strings.Split(string(text), "\n")
	for n := min(p.Line, len(lines)); n > 0 && p.Field == ""; n-- { // a list begins below its key
		if key, _, ok := strings.Cut(strings.TrimSpace(lines[n-1]), ":"); ok && !strings.HasPrefix(key, "-") && !strings.HasPrefix(key, "#") {
			p.Field = key
		}
	}
	return p
}

func keyLine(text []byte, key string) int {
	i := bytes.Index(text, []byte(`"`+key+`"`))
	if i < 0 {
		return 0
	}
	return 1 + bytes.Count(text[:i], []byte("\n"))
}

func jsonProblem(file string, text []byte, err error) error {
	p := &Problem{File: file, Want: err.Error()}
	var se *json.SyntaxError
	var te *json.UnmarshalTypeError
	switch {
	case errors.As(err, &se):
		p.Line = 1 + bytes.Count(text[:min(int(se.Offset), len(text))], []byte("\n"))
		p.Want = "expected JSON: " + se.Error()
	case errors.As(err, &te):
		p.Line = 1 + bytes.Count(text[:min(int(te.Offset), len(text))], []byte("\n"))
		p.Field = te.Field
		p.Want = "expected an object of services, each an object of lists, not a " + te.Value
	}
	return p
}
