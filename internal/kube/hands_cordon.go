package kube

import (
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/netdiag/netdiag/internal/remedy"
)

// cordon keeps new pods off a node or lets them on again, and changes nothing else of it.
type cordon struct{ *remedy.Cordon }

func (c cordon) object() (schema.GroupVersionResource, string, string) {
	return schema.GroupVersionResource{Version: "v1", Resource: "nodes"}, "", c.Node
}

func (c cordon) state(o *unstructured.Unstructured) (state, error) {
	on, _, err := unstructured.NestedBool(o.Object, "spec", "unschedulable")
	if err != nil {
		return state{}, fmt.Errorf("node %s: %w", c.Node, err)
	}
	s := state{done: on == c.On}
	if on != c.Was {
		s.changed = &Changed{What: "node " + c.Node, Want: cordoned(c.Was), Got: cordoned(on)}
	}
	return s, nil
}

func cordoned(on bool) string {
	if on {
		return "cordoned"
	}
	return "schedulable"
}

// patch is a merge patch with the version that was read. A node that takes pods has no spec.unschedulable at all.
func (c cordon) patch(o *unstructured.Unstructured, m remedy.Mark) (types.PatchType, any, error) {
	meta := map[string]any{"resourceVersion": o.GetResourceVersion()}
	if m.Remediation != "" {
		meta["annotations"] = map[string]any{marked: m.Remediation}
	}
	var on any
	if c.On {
		on = true
	}
	return types.MergePatchType, map[string]any{"metadata": meta, "spec": map[string]any{"unschedulable": on}}, nil
}

func (c cordon) undo() remedy.Action {
	return remedy.Action{Cordon: &remedy.Cordon{Node: c.Node, On: c.Was, Was: c.On}}
}

func (cordon) grant() Grant { return moveGrant() }
