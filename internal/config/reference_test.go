package config_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/netdiag/netdiag/internal/config"
)

// placed is a file with one setting at a path of the reference, written as key: value, and the line of it.
func placed(path, key, value string) (text string, line int) {
	var b strings.Builder
	if !strings.HasPrefix(path, "policy.") {
		b.WriteString("policy: {team: T0123ABCD}\n")
	}
	parts := strings.Split(path, ".")
	indent, item := "", ""
	for _, part := range parts[:len(parts)-1] {
		name, list := strings.CutSuffix(part, "[]")
		if name == "*" {
			name = "C0123ABCD"
		}
		b.WriteString(indent + item + name + ":\n")
		indent, item = indent+strings.Repeat(" ", len(item))+"  ", ""
		if list {
			item = "- "
		}
	}
	line = strings.Count(b.String(), "\n") + 1
	return b.String() + indent + item + key + ": " + value + "\n", line
}

type reader struct {
	name     string
	settings []config.Setting
	read     func(text string) error
}

func readers(t *testing.T) []reader {
	t.Helper()
	return []reader{
		{"serve", config.Reference(), func(text string) error {
			_, err := config.Parse("f.yaml", []byte(text))
			return err
		}},
		{"execute", config.ExecutorReference(), func(text string) error {
			file := filepath.Join(t.TempDir(), "f.yaml")
			if err := os.WriteFile(file, []byte(strings.TrimPrefix(text, "policy: {team: T0123ABCD}\n")), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := config.ReadExecutor(file)
			return err
		}},
	}
}

// Each setting that is misspelled, of a wrong type or out of its range is told with file, line, path, and what was meant.
func TestEveryMistakeIsTold(t *testing.T) {
	for _, r := range readers(t) {
		for _, s := range r.settings {
			key := s.Path[strings.LastIndex(s.Path, ".")+1:]
			told := func(key, value string, want ...string) {
				t.Helper()
				text, line := placed(s.Path, key, value)
				if r.name == "execute" {
					line--
				}
				err := r.read(text)
				if err == nil {
					t.Errorf("%s: taken:\n%s", r.name, text)
					return
				}
				for _, w := range append(want, fmt.Sprintf("f.yaml:%d: ", line)) {
					if !strings.Contains(err.Error(), w) {
						t.Errorf("%s: %v\nlacks %q, for\n%s", r.name, err, w, text)
					}
				}
			}
			path := strings.NewReplacer("[]", "[0]", "*", "C0123ABCD").Replace(s.Path)
			told(key+"x", "1", path+"x is no setting.", "Did you mean ", key)
			told(strings.ToUpper(key), "1", strings.TrimSuffix(path, key)+strings.ToUpper(key)+" is no setting.", key)
			told(key, "{a: b}", path+" takes ", "not settings")
			switch s.Type {
			case "text":
				told(key, "[a]", path+" takes one value, not a list")
			case "list of text":
				told(key, "a", path+" takes a list, such as [a], not \"a\"")
				told(key, "[[a]]", path+"[0] takes one value, not a list")
			case "whole number":
				told(key, "many", path+` takes a whole number, not "many"`)
				told(key, "1.5", path+` takes a whole number, not "1.5"`)
			case "true or false":
				told(key, "\"yes\"", path+` takes true or false, not "yes"`)
			case "time":
				told(key, "5", path+` takes a time such as 30s, not "5"`)
			default:
				t.Errorf("%s: type %q", s.Path, s.Type)
			}
			bounds := regexp.MustCompile(`^(\S+) to (\S+)$`).FindStringSubmatch(s.Values)
			if bounds == nil {
				continue
			}
			for value, wrong := range map[string]bool{
				bounds[1]: false, bounds[2]: false, s.Default: false,
				"0" + strings.TrimLeft(bounds[1], "0123456789"): true, "9999" + strings.TrimLeft(bounds[2], "0123456789"): true,
			} {
				if wrong {
					told(key, value, path+": ", " is not between "+bounds[1]+" and "+bounds[2])
				} else if text, _ := placed(s.Path, key, value); r.read(text) != nil {
					t.Errorf("%s: %v:\n%s", r.name, r.read(text), text)
				}
			}
		}
	}
}

// The defaults that the reference names are those that count: a file that writes them out says the same as one that doesn't.
func TestDefaultsAreThose(t *testing.T) {
	text := "policy:\n  team: T0123ABCD\n"
	for _, s := range config.Reference() {
		if s.Default != "" && !strings.Contains(s.Path, ".") {
			text += s.Path + ": " + s.Default + "\n"
		}
	}
	got, err := config.Parse("f.yaml", []byte(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	want := config.Default()
	want.Policy.Team = "T0123ABCD"
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}
