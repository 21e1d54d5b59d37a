package crd

import (
	"context"
	"fmt"
	"regexp"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"

	"github.com/netdiag/netdiag/internal/casebook"
)

// HaltName is the ConfigMap that stops all changes while its key "halted" isn't "false". Whoever may write it in netdiag's
// namespace can stop them without Slack:
//
//	kubectl create configmap netdiag-halt -n netdiag --from-literal=halted=true
const HaltName = "netdiag-halt"

// brake keeps the halt in a ConfigMap; where there is none, nobody has stopped anything.
type brake struct{ api dynamic.ResourceInterface }

var userID = regexp.MustCompile(`^[UW][A-Z0-9]{2,20}$`)

// Get reads the halt.
func (b brake) Get(ctx context.Context) (casebook.Halt, error) {
	u, err := b.api.Get(ctx, HaltName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return casebook.Halt{}, nil
	}
	if err != nil {
		return casebook.Halt{}, fmt.Errorf("get ConfigMap %s: %w", HaltName, err)
	}
	return halt(u)
}

// halt understands the ConfigMap. By and since are for people to read, and left out where they make no sense.
func halt(u *unstructured.Unstructured) (casebook.Halt, error) {
	data, _, err := unstructured.NestedStringMap(u.Object, "data")
	h := casebook.Halt{Version: u.GetResourceVersion()}
	switch on := data["halted"]; {
	case err != nil:
		return h, &casebook.OddHalt{Version: h.Version, Why: fmt.Sprintf("ConfigMap %s: %v", HaltName, err)}
	case on != "true" && on != "false":
		return h, &casebook.OddHalt{Version: h.Version, Why: fmt.Sprintf("ConfigMap %s: its key halted is %q, neither true nor false", HaltName, on)}
	default:
		h.On = on == "true"
	}
	if userID.MatchString(data["by"]) {
		h.By = data["by"]
	}
	if t, err := time.Parse(time.RFC3339Nano, data["since"]); err == nil {
		h.Since = t.UTC()
	}
	return h, nil
}

// Set replaces a halt that is still as it was read.
func (b brake) Set(ctx context.Context, h casebook.Halt) (casebook.Halt, error) {
	u := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": HaltName},
		"data": map[string]any{"halted": fmt.Sprint(h.On), "by": h.By, "since": h.Since.UTC().Format(time.RFC3339Nano)},
	}}
	var stored *unstructured.Unstructured
	var err error
	if h.Version == "" {
		stored, err = b.api.Create(ctx, u, metav1.CreateOptions{})
	} else {
		u.SetResourceVersion(h.Version)
		stored, err = b.api.Update(ctx, u, metav1.UpdateOptions{})
	}
	switch {
	case apierrors.IsAlreadyExists(err), apierrors.IsConflict(err), apierrors.IsNotFound(err): // somebody was faster
		return h, fmt.Errorf("write ConfigMap %s: %w (%w)", HaltName, casebook.ErrConflict, err)
	case err != nil:
		return h, fmt.Errorf("write ConfigMap %s: %w", HaltName, err)
	}
	return halt(stored)
}
