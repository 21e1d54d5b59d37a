package config

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/netdiag/netdiag/diagnostics"
)

// sheet is a file being read: it knows where each setting stands.
type sheet struct {
	file  string
	lines map[string]int // by path, such as policy.approvers[0].users
}

func (s *sheet) wrong(line int, format string, args ...any) error {
	return &Error{File: s.file, Line: line, Text: fmt.Sprintf(format, args...)}
}

// at blames the setting at path, or the nearest one around it that the file has.
func (s *sheet) at(path, format string, args ...any) error {
	text := path + ": " + fmt.Sprintf(format, args...)
	for p := path; ; {
		if line := s.lines[p]; line > 0 {
			return &Error{File: s.file, Line: line, Text: text}
		}
		cut := strings.LastIndexAny(p, ".[")
		if cut < 0 {
			return &Error{File: s.file, Text: text}
		}
		p = p[:cut]
	}
}

// read fills into from the node, after it has looked at every key.
func (s *sheet) read(n *yaml.Node, into any) error {
	if err := s.walk(n, reflect.TypeOf(into).Elem(), ""); err != nil {
		return err
	}
	if err := n.Decode(into); err != nil {
		return syntax(s.file, err)
	}
	return nil
}

var duration = reflect.TypeFor[time.Duration]()

// walk checks the keys and kinds of a node against the type that it is read into.
func (s *sheet) walk(n *yaml.Node, t reflect.Type, path string) error {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if path != "" {
		s.lines[path] = n.Line
	}
	if n.Tag == "!!null" {
		return nil
	}
	switch t.Kind() {
	case reflect.Struct, reflect.Map:
		if n.Kind != yaml.MappingNode {
			return s.wrong(n.Line, "%s takes settings of its own, not %s", named(path), described(n))
		}
		return s.keys(n, t, path)
	case reflect.Slice:
		if n.Kind != yaml.SequenceNode {
			return s.wrong(n.Line, "%s takes a list, such as [%s], not %s", named(path), cmp.Or(n.Value, "…"), described(n))
		}
		for i, item := range n.Content {
			if err := s.walk(item, t.Elem(), fmt.Sprintf("%s[%d]", path, i)); err != nil {
				return err
			}
		}
		return nil
	}
	return s.scalar(n, t, path)
}

func (s *sheet) keys(n *yaml.Node, t reflect.Type, path string) error {
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		name := strings.TrimPrefix(path+"."+key.Value, ".")
		if seen[key.Value] {
			return s.wrong(key.Line, "%s is set twice", name)
		}
		seen[key.Value] = true
		of := reflect.Type(nil)
		if t.Kind() == reflect.Map {
			of = t.Elem()
		} else {
			fields := settings(t)
			of = fields[key.Value]
			if of == nil {
				return s.wrong(key.Line, "%s is no setting.%s", name, diagnostics.Suggest(key.Value, names(fields)))
			}
		}
		if err := s.walk(value, of, name); err != nil {
			return err
		}
		s.lines[name] = key.Line
	}
	return nil
}

func (s *sheet) scalar(n *yaml.Node, t reflect.Type, path string) error {
	if n.Kind != yaml.ScalarNode {
		return s.wrong(n.Line, "%s takes one value, not %s", named(path), described(n))
	}
	var err error
	var want string
	switch {
	case t == duration:
		_, err = time.ParseDuration(n.Value)
		want = "a time such as 30s"
	case t.Kind() == reflect.Bool:
		_, err = strconv.ParseBool(n.Value)
		if n.Tag != "!!bool" {
			err = errors.New("no boolean")
		}
		want = "true or false"
	case t.Kind() == reflect.Int:
		_, err = strconv.Atoi(n.Value)
		want = "a whole number"
	}
	if err != nil {
		return s.wrong(n.Line, "%s takes %s, not %s", named(path), want, described(n))
	}
	return nil
}

// settings lists the fields of a struct by the key that stands for them.
func settings(t reflect.Type) map[string]reflect.Type {
	out := map[string]reflect.Type{}
	for f := range t.Fields() {
		if f.Anonymous { // its settings stand among the others
			maps.Copy(out, settings(f.Type))
			continue
		}
		out[key(f)] = f.Type
	}
	return out
}

func names(fields map[string]reflect.Type) []string {
	var out []string
	for name := range fields {
		out = append(out, name)
	}
	return out
}

func named(path string) string { return cmp.Or(path, "the file") }

func described(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "settings"
	case yaml.SequenceNode:
		return "a list"
	}
	return strconv.Quote(n.Value)
}

var yamlLine = regexp.MustCompile(`^(?:yaml: )?(?:unmarshal errors:\s*)?line (\d+): `)

// syntax turns an error of the YAML library into ours.
func syntax(file string, err error) error {
	text := strings.TrimPrefix(strings.ReplaceAll(err.Error(), "\n", " "), "yaml: ")
	line := 0
	if m := yamlLine.FindStringSubmatch(err.Error()); m != nil {
		line, _ = strconv.Atoi(m[1])
		text = strings.TrimSpace(yamlLine.ReplaceAllString(err.Error(), ""))
	}
	return &Error{File: file, Line: line, Text: "this is no YAML: " + text}
}
