package crd_test

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/netdiag/netdiag/internal/casebook"
)

// schema is what is compared of a structural schema.
type schema struct {
	Type       string            `json:"type"`
	Format     string            `json:"format"`
	Nullable   bool              `json:"nullable"`
	Properties map[string]schema `json:"properties"`
	Additional *schema           `json:"additionalProperties"`
	Items      *schema           `json:"items"`
	Required   []string          `json:"required"`
	Enum       []any             `json:"enum"`
	Open       bool              `json:"x-kubernetes-preserve-unknown-fields"`
}

func read(t *testing.T, plural string) map[string]schema {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("../../../deploy/helm/netdiag/crds", plural+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var crd struct {
		Spec struct {
			Versions []struct {
				Schema struct {
					V3 schema `json:"openAPIV3Schema"`
				} `json:"schema"`
			} `json:"versions"`
		} `json:"spec"`
	}
	if err := yaml.Unmarshal(b, &crd); err != nil {
		t.Fatal(err)
	}
	return crd.Spec.Versions[0].Schema.V3.Properties
}

// TestSchemaFitsRecords: what a record can hold, its custom resource keeps, and nothing else. A field that the schema
// doesn't know would be dropped without a word.
func TestSchemaFitsRecords(t *testing.T) {
	for plural, parts := range map[string]map[string]any{
		"investigations": {"spec": casebook.Question{}, "status": casebook.InvestigationStatus{}},
		"remediations":   {"spec": casebook.Plan{}, "status": casebook.RemediationStatus{}},
	} {
		s := read(t, plural)
		for part, v := range parts {
			fits(t, plural+"."+part, reflect.TypeOf(v), s[part], false)
		}
	}
}

func fits(t *testing.T, at string, is reflect.Type, s schema, null bool) {
	t.Helper()
	if is.Kind() == reflect.Pointer {
		is = is.Elem()
	}
	if s.Open {
		t.Errorf("%s: is open to anything", at)
	}
	if null != s.Nullable {
		t.Errorf("%s: nullable is %t, want %t", at, s.Nullable, null)
	}
	want, format := kind(is)
	if s.Type != want || s.Format != "int64" && s.Format != format {
		t.Errorf("%s: type %q %q, want %q %q", at, s.Type, s.Format, want, format)
		return
	}
	switch {
	case want == "object" && is.Kind() == reflect.Map && s.Additional != nil:
		fits(t, at+"{}", is.Elem(), *s.Additional, is.Elem().Kind() == reflect.Pointer)
	case want == "array" && s.Items != nil:
		fits(t, at+"[]", is.Elem(), *s.Items, nilable(is.Elem()))
	case want == "object" && is.Kind() == reflect.Struct:
		fitsStruct(t, at, is, s)
	case want == "array" || want == "object":
		t.Errorf("%s: says nothing about what is in it", at)
	}
}

func fitsStruct(t *testing.T, at string, is reflect.Type, s schema) {
	t.Helper()
	known := map[string]bool{}
	for field := range is.Fields() {
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name == "-" {
			continue
		}
		known[name] = true
		p, ok := s.Properties[name]
		if !ok {
			t.Errorf("%s.%s: the schema lacks it", at, name)
			continue
		}
		fits(t, at+"."+name, field.Type, p, options == "" && nilable(field.Type))
	}
	for name := range s.Properties {
		if !known[name] {
			t.Errorf("%s.%s: no record has it", at, name)
		}
	}
	for _, name := range s.Required {
		if !known[name] {
			t.Errorf("%s.%s: required, and no record has it", at, name)
		}
	}
}

// nilable reports whether JSON may write null for it.
func nilable(is reflect.Type) bool {
	return slices.Contains([]reflect.Kind{reflect.Slice, reflect.Map, reflect.Pointer}, is.Kind())
}

func kind(is reflect.Type) (name, format string) {
	switch is.Kind() {
	case reflect.String:
		return "string", ""
	case reflect.Bool:
		return "boolean", ""
	case reflect.Float64:
		return "number", ""
	case reflect.Slice:
		return "array", ""
	case reflect.Struct:
		if is == reflect.TypeFor[time.Time]() {
			return "string", "date-time"
		}
		return "object", ""
	case reflect.Map:
		return "object", ""
	}
	return "integer", ""
}

// TestSchemaKnowsTheCatalogue: the fixes that can be stored are those that the catalogue marks executable, at its risk.
func TestSchemaKnowsTheCatalogue(t *testing.T) {
	b, err := os.ReadFile("../../../diagnostics/catalogue.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var catalogue map[string]struct {
		Fixes map[string]struct {
			Executable bool   `json:"executable"`
			Risk       string `json:"risk"`
		} `json:"fixes"`
	}
	if err := yaml.Unmarshal(b, &catalogue); err != nil {
		t.Fatal(err)
	}
	crd, err := os.ReadFile("../../../deploy/helm/netdiag/crds/remediations.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var got, want []string
	for _, id := range read(t, "remediations")["spec"].Properties["fix"].Properties["id"].Enum {
		got = append(got, id.(string))
	}
	for diagnosis, d := range catalogue {
		for name, f := range d.Fixes {
			if !f.Executable {
				continue
			}
			id := diagnosis + "/" + name
			want = append(want, id)
			if !strings.Contains(string(crd), fmt.Sprintf("'%s': '%s'", id, f.Risk)) {
				t.Errorf("the rule on spec.risk doesn't know %s as %s", id, f.Risk)
			}
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" || len(want) == 0 {
		t.Errorf("enum of spec.fix.id (-catalogue +schema):\n%s", diff)
	}
}
