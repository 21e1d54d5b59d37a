package awsnet

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// schema is the part of JSON Schema that EKS add-ons use. What it doesn't know it lets pass: EKS checks again.
type schema struct {
	Ref         string            `json:"$ref"`
	Definitions map[string]schema `json:"definitions"`
	Defs        map[string]schema `json:"$defs"`
	Type        any               `json:"type"` // a name, or a list of names
	Properties  map[string]schema `json:"properties"`
	Additional  json.RawMessage   `json:"additionalProperties"` // a boolean or a schema
	Required    []string          `json:"required"`
	Enum        []any             `json:"enum"`
	Pattern     string            `json:"pattern"`
	Items       *schema           `json:"items"`
}

// conforms checks configurationValues against the schema of an add-on.
func conforms(schemaText, values string) error {
	var root schema
	if err := json.Unmarshal([]byte(schemaText), &root); err != nil {
		return nil // a schema of another kind can't be checked here
	}
	v, err := configurationOf(values)
	if err != nil {
		return err
	}
	return root.check(&root, v, "configuration values")
}

func (s schema) check(root *schema, v any, at string) error {
	if name, ok := strings.CutPrefix(s.Ref, "#/definitions/"); ok {
		return root.Definitions[name].check(root, v, at)
	}
	if name, ok := strings.CutPrefix(s.Ref, "#/$defs/"); ok {
		return root.Defs[name].check(root, v, at)
	}
	if want := s.types(); len(want) > 0 && !slices.ContainsFunc(want, func(t string) bool { return is(v, t) }) {
		return fmt.Errorf("%s: %v is not of type %s", at, v, strings.Join(want, " or "))
	}
	if len(s.Enum) > 0 && !slices.ContainsFunc(s.Enum, func(e any) bool { return reflect.DeepEqual(e, v) }) {
		return fmt.Errorf("%s: %v is not one of %v", at, v, s.Enum)
	}
	if text, ok := v.(string); ok && s.Pattern != "" {
		if p, err := regexp.Compile(s.Pattern); err == nil && !p.MatchString(text) {
			return fmt.Errorf("%s: %q does not match %s", at, text, s.Pattern)
		}
	}
	switch v := v.(type) {
	case map[string]any:
		return s.object(root, v, at)
	case []any:
		for i, e := range v {
			if s.Items == nil {
				break
			}
			if err := s.Items.check(root, e, fmt.Sprintf("%s[%d]", at, i)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s schema) object(root *schema, v map[string]any, at string) error {
	for _, name := range s.Required {
		if _, ok := v[name]; !ok {
			return fmt.Errorf("%s: %s is missing", at, name)
		}
	}
	var rest schema
	others := string(s.Additional)
	if others != "" && others != "true" && others != "false" {
		if err := json.Unmarshal(s.Additional, &rest); err != nil {
			return nil // not a schema that can be read
		}
	}
	for _, name := range slices.Sorted(maps.Keys(v)) {
		p, known := s.Properties[name]
		switch {
		case !known && others == "false":
			return fmt.Errorf("%s: %s is not a setting of this add-on", at, name)
		case !known:
			p = rest
		}
		if err := p.check(root, v[name], at+"."+name); err != nil {
			return err
		}
	}
	return nil
}

func (s schema) types() []string {
	switch t := s.Type.(type) {
	case string:
		return []string{t}
	case []any:
		var out []string
		for _, e := range t {
			if name, ok := e.(string); ok {
				out = append(out, name)
			}
		}
		return out
	}
	return nil
}

func is(v any, kind string) bool {
	switch v := v.(type) {
	case nil:
		return kind == "null"
	case bool:
		return kind == "boolean"
	case string:
		return kind == "string"
	case float64:
		return kind == "number" || kind == "integer" && v == float64(int64(v))
	case map[string]any:
		return kind == "object"
	case []any:
		return kind == "array"
	}
	return true
}
