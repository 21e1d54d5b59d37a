package world

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// A world may be written as what differs from another one: its world.yaml names a base and lists changes, and there are
// no other files. So a look-alike shows the one fact that decides, and nothing else.

// change is one entry of changes: it selects something by exactly one of object, add, aws, log and metrics.
type change struct {
	Object  string            `yaml:"object"` // "<Kind> [<namespace>/]<name>", * matches within a part
	Add     []map[string]any  `yaml:"add"`    // Kubernetes objects, or items of the AWS list
	AWS     string            `yaml:"aws"`    // "<service>.<List>"
	Key     string            `yaml:"key"`    // the ARN, in a list that is an object keyed by ARN
	Where   map[string]any    `yaml:"where"`  // items that have these fields, nested ones too
	Log     string            `yaml:"log"`    // "<namespace>/<pod>/<container>"
	Metrics string            `yaml:"metrics"`
	Merge   map[string]any    `yaml:"merge"` // JSON merge patch (RFC 7386)
	Patch   []map[string]any  `yaml:"patch"` // JSON patch (RFC 6902)
	Set     []map[string]any  `yaml:"set"`   // the whole list
	Remove  bool              `yaml:"remove"`
	Text    *string           `yaml:"text"`    // the whole text
	Replace map[string]string `yaml:"replace"` // parts of the text; each must occur
}

// loadOverlay loads the base of w, and changes it.
func (w *World) loadOverlay() error {
	file := filepath.Join(w.Dir, "world.yaml")
	base, err := load(filepath.Join(w.Dir, filepath.FromSlash(w.Meta.Base)), w.depth+1)
	if err != nil {
		return err
	}
	w.Objects, w.AWS, w.Logs, w.Metrics = base.Objects, base.AWS, base.Logs, base.Metrics
	for _, node := range w.Meta.Changes {
		c, err := decodeChange(&node)
		if err == nil {
			err = w.apply(c)
		}
		if err != nil {
			return &Problem{File: file, Line: node.Line, Field: "changes", Want: err.Error()}
		}
	}
	return nil
}

// decodeChange is strict, as the decoder of the other fields is.
func decodeChange(node *yaml.Node) (change, error) {
	text, err := yaml.Marshal(node)
	if err != nil {
		return change{}, err
	}
	var c change
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	if err := dec.Decode(&c); err != nil {
		p := &Problem{}
		if errors.As(yamlProblem("", 0, err), &p) && p.Field != "" {
			return c, fmt.Errorf("no such key as %s in a change", p.Field)
		}
		return c, fmt.Errorf("expected a change: %w", err)
	}
	return c, nil
}

func (w *World) apply(c change) error {
	switch {
	case c.Object != "":
		return w.changeObjects(c)
	case c.AWS != "":
		return w.changeList(c)
	case c.Log != "":
		return changeText(w.Logs, c.Log, c)
	case c.Metrics != "":
		return changeText(w.Metrics, c.Metrics, c)
	case len(c.Add) > 0:
		for _, m := range c.Add {
			u := &unstructured.Unstructured{}
			if err := recode(m, &u.Object); err != nil {
				return err
			}
			if u.GetAPIVersion() == "" || u.GetKind() == "" || u.GetName() == "" {
				return errors.New("add: expected objects with apiVersion, kind and metadata.name")
			}
			w.Objects = append(w.Objects, u)
		}
		return nil
	}
	return errors.New("expected one of object, add, aws, log, metrics")
}

func (w *World) changeObjects(c change) error {
	kind, name, _ := strings.Cut(c.Object, " ")
	hit := false
	var out []*unstructured.Unstructured
	for _, u := range w.Objects {
		full := u.GetName()
		if ns := u.GetNamespace(); ns != "" {
			full = ns + "/" + full
		}
		matches, err := path.Match(name, full)
		if err != nil {
			return fmt.Errorf("object %s: %w", c.Object, err)
		}
		if u.GetKind() != kind || !matches {
			out = append(out, u)
			continue
		}
		hit = true
		if c.Remove {
			continue
		}
		changed, err := c.patched(u.Object)
		if err != nil {
			return fmt.Errorf("object %s: %w", c.Object, err)
		}
		out = append(out, &unstructured.Unstructured{Object: changed})
	}
	if !hit {
		return fmt.Errorf("object %s: nothing in the base matches", c.Object)
	}
	w.Objects = out
	return nil
}

// patched applies merge or patch.
func (c change) patched(item map[string]any) (map[string]any, error) {
	doc, err := json.Marshal(item)
	if err != nil {
		return nil, err
	}
	if c.Merge == nil && c.Patch == nil {
		return nil, errors.New("expected merge, patch or remove")
	}
	if c.Merge != nil {
		merge, err := json.Marshal(c.Merge)
		if err != nil {
			return nil, err
		}
		if doc, err = jsonpatch.MergePatch(doc, merge); err != nil {
			return nil, err
		}
	}
	if c.Patch != nil {
		var patch jsonpatch.Patch
		if err := recode(c.Patch, &patch); err != nil {
			return nil, err
		}
		if doc, err = patch.Apply(doc); err != nil {
			return nil, err
		}
	}
	var out map[string]any
	return out, json.Unmarshal(doc, &out)
}

func (w *World) changeList(c change) error {
	service, name, _ := strings.Cut(c.AWS, ".")
	byARN, known := recorded[service][name]
	if !known {
		return fmt.Errorf("aws %s: expected <service>.<List>, such as ec2.Subnets", c.AWS)
	}
	if byARN != (c.Key != "") {
		return fmt.Errorf("aws %s: key is given for lists that are keyed by ARN, and only for them", c.AWS)
	}
	lists := map[string][]map[string]any{}
	raw, there := w.AWS[service][name]
	if there {
		var err error
		if byARN {
			err = json.Unmarshal(raw, &lists)
		} else {
			var l []map[string]any
			err = json.Unmarshal(raw, &l)
			lists[""] = l
		}
		if err != nil {
			return err
		}
	}
	switch {
	case c.Set != nil:
		lists[c.Key] = c.Set
	case len(c.Add) > 0:
		lists[c.Key] = append(lists[c.Key], c.Add...)
	case c.Where == nil && c.Remove: // not recorded, or no such key, from here on
		delete(lists, c.Key)
		there = byARN
	default:
		l, err := c.items(lists[c.Key])
		if err != nil {
			return err
		}
		lists[c.Key] = l
	}
	if w.AWS[service] == nil {
		w.AWS[service] = map[string]json.RawMessage{}
	}
	if c.Set == nil && len(c.Add) == 0 && !there {
		delete(w.AWS[service], name)
		return nil
	}
	var v any = lists
	if !byARN {
		v = lists[""]
	}
	text, err := json.Marshal(v)
	w.AWS[service][name] = text
	return err
}

// items changes or removes the items that have the fields of where.
func (c change) items(list []map[string]any) ([]map[string]any, error) {
	var where map[string]any
	if err := recode(c.Where, &where); err != nil {
		return nil, err
	}
	hit := false
	out := []map[string]any{}
	for _, item := range list {
		if !within(where, item) {
			out = append(out, item)
			continue
		}
		hit = true
		if c.Remove {
			continue
		}
		changed, err := c.patched(item)
		if err != nil {
			return nil, fmt.Errorf("aws %s: %w", c.AWS, err)
		}
		out = append(out, changed)
	}
	if !hit {
		return nil, fmt.Errorf("aws %s: no item of the base matches where", c.AWS)
	}
	return out, nil
}

// within reports whether every field of part is in whole; lists must be equal.
func within(part, whole any) bool {
	p, ok := part.(map[string]any)
	if !ok {
		return reflect.DeepEqual(part, whole)
	}
	m, ok := whole.(map[string]any)
	if !ok {
		return false
	}
	for k, v := range p {
		if there, ok := m[k]; !ok || !within(v, there) {
			return false
		}
	}
	return true
}

func changeText(texts map[string]string, name string, c change) error {
	switch {
	case c.Remove:
		if _, ok := texts[name]; !ok {
			return fmt.Errorf("%s: the base has no such text", name)
		}
		delete(texts, name)
	case c.Text != nil:
		texts[name] = *c.Text
	case len(c.Replace) > 0:
		for _, old := range slices.Sorted(maps.Keys(c.Replace)) {
			if !strings.Contains(texts[name], old) {
				return fmt.Errorf("%s: %q does not occur in it", name, old)
			}
			texts[name] = strings.ReplaceAll(texts[name], old, c.Replace[old])
		}
	default:
		return fmt.Errorf("%s: expected text, replace or remove", name)
	}
	return nil
}

// recode brings a decoded YAML value into the form of decoded JSON.
func recode(from, to any) error {
	text, err := json.Marshal(from)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, to)
}
