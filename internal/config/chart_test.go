package config_test

import (
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/netdiag/netdiag/internal/config"
)

// schema is what a value of the chart may be.
type schema struct {
	Properties           map[string]schema
	PatternProperties    map[string]schema
	Items                *schema
	AdditionalProperties any
	Ref                  string `json:"$ref"`
	Definitions          map[string]schema
}

// in puts in the definitions that a schema refers to.
func (s schema) in(definitions map[string]schema) schema {
	if s.Ref != "" {
		return definitions[strings.TrimPrefix(s.Ref, "#/definitions/")].in(definitions)
	}
	for _, below := range []map[string]schema{s.Properties, s.PatternProperties} {
		for name, b := range below {
			below[name] = b.in(definitions)
		}
	}
	if s.Items != nil {
		items := s.Items.in(definitions)
		s.Items = &items
	}
	return s
}

// TestChartKnowsSettings: the chart takes under settings what bot serve does, but for what the chart itself sets.
func TestChartKnowsSettings(t *testing.T) {
	text, err := os.ReadFile("../../deploy/helm/netdiag/values.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var all schema
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	compare(t, "settings", reflect.TypeFor[config.Config](), all.Properties["settings"].in(all.Definitions), "cluster", "region", "namespace", "fixes", "policy")
}

// fields are those of a struct, with those of the structs that it holds among its own.
func fields(of reflect.Type) (out []reflect.StructField) {
	for f := range of.Fields() {
		if f.Anonymous {
			out = append(out, fields(f.Type)...)
		} else {
			out = append(out, f)
		}
	}
	return out
}

func compare(t *testing.T, path string, of reflect.Type, s schema, besides ...string) {
	t.Helper()
	switch of.Kind() {
	case reflect.Slice:
		if s.Items != nil {
			compare(t, path+"[]", of.Elem(), *s.Items)
		}
	case reflect.Map:
		for _, below := range s.PatternProperties {
			compare(t, path+".*", of.Elem(), below)
		}
	case reflect.Struct:
		if s.AdditionalProperties != false {
			t.Errorf("%s: the schema lets anything through", path)
			return
		}
		var known []string
		for _, f := range fields(of) {
			name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
			known = append(known, name)
			below, ok := s.Properties[name]
			if ok == slices.Contains(besides, name) {
				t.Errorf("%s.%s: in the schema: %v", path, name, ok)
			} else if ok {
				compare(t, path+"."+name, f.Type, below)
			}
		}
		for name := range s.Properties {
			if !slices.Contains(known, name) {
				t.Errorf("%s.%s is in the schema, and no setting", path, name)
			}
		}
	}
}
