package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/yannh/kubeconform/pkg/resource"
	"github.com/yannh/kubeconform/pkg/validator"
)

// conform is kubeconform with the schemas of the Kubernetes version of the control plane of the tests.
type conform struct {
	validator.Validator
	known map[string]string // document → what is wrong with it: renderings differ little from each other
}

// custom are kinds that Kubernetes itself doesn't have; they are decoded strictly into their own types.
var custom = map[string]struct{}{"PodMonitor": {}, "ServiceMonitor": {}, "PrometheusRule": {}}

// schemas makes the schemas that kubeconform would fetch, out of the description of the API in the module k8s.io/kubernetes.
func schemas(t *testing.T) conform {
	t.Helper()
	// The module alone: its dependencies aren't needed for a file of it.
	out, err := exec.Command("go", "-C", "../controlplane", "mod", "download", "-json", "k8s.io/kubernetes").Output()
	if err != nil {
		t.Fatalf("go mod download k8s.io/kubernetes: %v", err)
	}
	var module struct{ Dir string }
	if err := json.Unmarshal(out, &module); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(module.Dir, "api/openapi-spec/swagger.json"))
	if err != nil {
		t.Fatal(err)
	}
	var api struct{ Definitions map[string]map[string]any }
	if err := json.Unmarshal(text, &api); err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	for name, d := range api.Definitions {
		strict(name, d)
	}
	for name, d := range api.Definitions {
		kinds, _ := d["x-kubernetes-group-version-kind"].([]any)
		for _, k := range kinds {
			k := k.(map[string]any)
			if strings.HasSuffix(name, "List") || strings.Contains(name, ".meta.") {
				continue
			}
			schema := map[string]any{"$schema": "http://json-schema.org/draft-07/schema#", "allOf": []any{map[string]any{"$ref": "#/definitions/" + name}}}
			schema["definitions"] = closure(api.Definitions, name)
			b, err := json.Marshal(schema)
			if err != nil {
				t.Fatal(err)
			}
			group, kind := k["group"].(string), strings.ToLower(k["kind"].(string))
			if group == "" {
				group = k["version"].(string) // as kubeconform takes v1
			}
			if err := os.WriteFile(filepath.Join(folder, fmt.Sprintf("%s_%s_%s.json", kind, group, k["version"])), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	v, err := validator.New([]string{filepath.Join(folder, "{{.ResourceKind}}_{{.Group}}_{{.ResourceAPIVersion}}.json")}, validator.Opts{Strict: true, SkipKinds: custom})
	if err != nil {
		t.Fatal(err)
	}
	return conform{v, map[string]string{}}
}

// strict makes a definition refuse what it doesn't list. Two types of the API are JSON schemas themselves, and any value.
func strict(name string, d map[string]any) {
	if _, lists := d["properties"]; lists && !strings.HasSuffix(name, ".JSONSchemaProps") {
		d["additionalProperties"] = false
	}
	if strings.HasSuffix(name, ".IntOrString") || strings.HasSuffix(name, ".Quantity") {
		d["type"] = []any{"string", "number"}
		delete(d, "format")
	}
}

// closure is a definition with all that it refers to.
func closure(all map[string]map[string]any, name string) map[string]any {
	out := map[string]any{}
	var add func(any)
	add = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if ref, ok := v["$ref"].(string); ok {
				if to := strings.TrimPrefix(ref, "#/definitions/"); out[to] == nil {
					out[to] = all[to]
					add(all[to])
				}
			}
			for _, below := range v {
				add(below)
			}
		case []any:
			for _, below := range v {
				add(below)
			}
		}
	}
	out[name] = all[name]
	add(all[name])
	return out
}

// problems are what the schemas say against a rendering.
func (c conform) problems(manifests string) (out []string) {
	for _, doc := range documents(manifests) {
		problem, known := c.known[doc]
		if !known {
			switch r := c.ValidateResource(resource.Resource{Bytes: []byte(doc)}); r.Status {
			case validator.Valid, validator.Skipped:
			default:
				problem = fmt.Sprintf("%v in\n%s", r.Err, doc)
			}
			c.known[doc] = problem
		}
		if problem != "" {
			out = append(out, problem)
		}
	}
	return out
}
