package awsnet

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"sigs.k8s.io/yaml"
)

// configurationOf reads configurationValues, JSON or YAML; empty text is an empty object.
func configurationOf(text string) (map[string]any, error) {
	out := map[string]any{}
	if err := yaml.Unmarshal([]byte(text), &out); err != nil {
		return nil, fmt.Errorf("configuration values %q: %w", text, err)
	}
	if out == nil { // empty text, or null
		out = map[string]any{}
	}
	return out, nil
}

// merge sets and unsets environment variables in configurationValues and keeps everything else. The result is JSON.
func merge(text string, put map[string]string, drop []string) (string, error) {
	values, err := configurationOf(text)
	if err != nil {
		return "", err
	}
	env := map[string]any{}
	if old, ok := values["env"]; ok && old != nil {
		if env, ok = old.(map[string]any); !ok {
			return "", fmt.Errorf("configuration values %q: env is not an object", text)
		}
	}
	for name, v := range put {
		env[name] = v
	}
	for _, name := range drop {
		delete(env, name)
	}
	if values["env"] = env; len(env) == 0 {
		delete(values, "env")
	}
	out, err := json.Marshal(values)
	if err != nil {
		return "", fmt.Errorf("configuration values %q: %w", text, err)
	}
	return string(out), nil
}

// sameConfiguration compares what two texts mean.
func sameConfiguration(a, b string) bool {
	x, errA := merge(a, nil, nil)
	y, errB := merge(b, nil, nil)
	return errA == nil && errB == nil && x == y
}

// environment gives the environment variables of configurationValues as text.
func environment(text string) map[string]string {
	out := map[string]string{}
	values, err := configurationOf(text)
	if err != nil {
		return out
	}
	env, _ := values["env"].(map[string]any)
	for name, v := range env {
		s, ok := v.(string)
		if !ok {
			s = fmt.Sprint(v)
		}
		out[name] = s
	}
	return out
}

func keysOf(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }
