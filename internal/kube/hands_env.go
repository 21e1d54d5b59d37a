package kube

import (
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/netdiag/netdiag/internal/remedy"
)

// daemonSetEnv changes environment variables of one container of a DaemonSet, and nothing else of it.
type daemonSetEnv struct{ *remedy.DaemonSetEnv }

func (d daemonSetEnv) object() (schema.GroupVersionResource, string, string) {
	return schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "daemonsets"}, d.Namespace, d.Name
}

// keys lists the variables that the action touches, sorted.
func (d daemonSetEnv) keys() []string {
	return slices.Sorted(maps.Keys(d.wanted()))
}

// wanted is the value of each variable after the change; nil is unset.
func (d daemonSetEnv) wanted() map[string]*string {
	out := map[string]*string{}
	for k, v := range d.Set {
		out[k] = &v
	}
	for _, k := range d.Unset {
		out[k] = nil
	}
	return out
}

func (d daemonSetEnv) state(o *unstructured.Unstructured) (state, error) {
	c, err := d.find(o)
	if err != nil {
		return state{}, err
	}
	s := state{done: true}
	want := d.wanted()
	for _, k := range d.keys() {
		was, planned := d.Was[k]
		if !planned {
			return state{}, fmt.Errorf("%w: the plan doesn't say what %s was before", remedy.ErrRefused, k)
		}
		v, err := c.value(k)
		if err != nil {
			return state{}, fmt.Errorf("%w: env of container %s of daemonset %s/%s: %w", remedy.ErrRefused, d.Container, d.Namespace, d.Name, err)
		}
		s.done = s.done && same(v, want[k])
		if s.changed == nil && !same(v, was) {
			s.changed = &Changed{
				What: fmt.Sprintf("env %s of container %s of daemonset %s/%s", k, d.Container, d.Namespace, d.Name), Want: quoted(was), Got: quoted(v),
			}
		}
	}
	return s, nil
}

// container is a container as it stands in the DaemonSet.
type container struct {
	index int
	env   []any // nil where there is none
}

func (d daemonSetEnv) find(o *unstructured.Unstructured) (container, error) {
	list, _, err := unstructured.NestedSlice(o.Object, "spec", "template", "spec", "containers")
	if err != nil {
		return container{}, fmt.Errorf("daemonset %s/%s: %w", d.Namespace, d.Name, err)
	}
	for i, e := range list {
		m, _ := e.(map[string]any)
		if m["name"] == d.Container {
			env, _ := m["env"].([]any)
			return container{i, env}, nil
		}
	}
	return container{}, fmt.Errorf("%w: daemonset %s/%s has no container %s", remedy.ErrRefused, d.Namespace, d.Name, d.Container)
}

// at finds a variable in the list; -1 where it isn't there. One that is there twice has no single value to go by.
func (c container) at(name string) (int, error) {
	at := -1
	for i, e := range c.env {
		if m, _ := e.(map[string]any); m["name"] == name {
			if at >= 0 {
				return 0, fmt.Errorf("%s is set twice", name)
			}
			at = i
		}
	}
	return at, nil
}

// value reads a variable; nil where it is unset. One that is taken from elsewhere (valueFrom) isn't ours to change.
func (c container) value(name string) (*string, error) {
	i, err := c.at(name)
	if err != nil || i < 0 {
		return nil, err
	}
	m, _ := c.env[i].(map[string]any)
	if m["valueFrom"] != nil {
		return nil, fmt.Errorf("%s is set by valueFrom", name)
	}
	v, _ := m["value"].(string)
	return &v, nil
}

// jsonOp is one operation of a JSON patch (RFC 6902).
type jsonOp struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value,omitempty"`
}

// patch tests that the object is the version that was read, then sets, removes and adds variables one by one, so that
// whatever else stands in the list stays.
func (d daemonSetEnv) patch(o *unstructured.Unstructured, m remedy.Mark) (types.PatchType, any, error) {
	c, err := d.find(o)
	if err != nil {
		return "", nil, err
	}
	at := fmt.Sprintf("/spec/template/spec/containers/%d", c.index)
	ops := []jsonOp{
		{"test", "/metadata/resourceVersion", o.GetResourceVersion()},
		{"test", at + "/name", d.Container},
	}
	if c.env == nil {
		ops = append(ops, jsonOp{"add", at + "/env", []any{}})
	}
	var removed []int
	var added []jsonOp
	want := d.wanted()
	for _, k := range d.keys() {
		i, err := c.at(k)
		if err != nil {
			return "", nil, err
		}
		switch v := want[k]; {
		case v == nil && i >= 0:
			removed = append(removed, i)
		case v != nil && i >= 0:
			ops = append(ops, jsonOp{"add", fmt.Sprintf("%s/env/%d/value", at, i), *v})
		case v != nil:
			added = append(added, jsonOp{"add", at + "/env/-", map[string]any{"name": k, "value": *v}})
		}
	}
	slices.Sort(removed)
	for _, i := range slices.Backward(removed) { // from the end, so that the other indices hold
		ops = append(ops, jsonOp{Op: "remove", Path: fmt.Sprintf("%s/env/%d", at, i)})
	}
	ops = append(ops, added...)
	if m.Remediation != "" {
		if o.GetAnnotations() == nil {
			ops = append(ops, jsonOp{"add", "/metadata/annotations", map[string]any{}})
		}
		ops = append(ops, jsonOp{"add", "/metadata/annotations/netdiag.io~1remediation", m.Remediation})
	}
	return types.JSONPatchType, ops, nil
}

func (d daemonSetEnv) undo() remedy.Action {
	back := &remedy.DaemonSetEnv{Namespace: d.Namespace, Name: d.Name, Container: d.Container, Set: map[string]string{}, Was: d.wanted()}
	for _, k := range d.keys() {
		if was := d.Was[k]; was != nil {
			back.Set[k] = *was
		} else {
			back.Unset = append(back.Unset, k)
		}
	}
	return remedy.Action{DaemonSetEnv: back}
}

func (daemonSetEnv) grant() Grant { return cniGrant() }
