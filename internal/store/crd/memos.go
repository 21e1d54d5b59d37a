package crd

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"

	"github.com/netdiag/netdiag/internal/casebook"
)

// memos keeps texts in ConfigMaps, each in one named netdiag-<name>, under the key text.
type memos struct{ api dynamic.ResourceInterface }

func memoName(name string) string { return "netdiag-" + name }

// Get reads a memo.
func (m memos) Get(ctx context.Context, name string) (casebook.Memo, error) {
	u, err := m.api.Get(ctx, memoName(name), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return casebook.Memo{}, nil
	}
	if err != nil {
		return casebook.Memo{}, fmt.Errorf("get ConfigMap %s: %w", memoName(name), err)
	}
	return memo(u), nil
}

// memo understands the ConfigMap. Where its text is none, because somebody wrote there by hand, it is empty.
func memo(u *unstructured.Unstructured) casebook.Memo {
	text, _, _ := unstructured.NestedString(u.Object, "data", "text")
	return casebook.Memo{Text: text, Version: u.GetResourceVersion()}
}

// Set replaces a memo that is still as it was read.
func (m memos) Set(ctx context.Context, name string, v casebook.Memo) (casebook.Memo, error) {
	if len(v.Text) > casebook.MaxMemo {
		return v, fmt.Errorf("write ConfigMap %s: %d bytes, and at most %d are kept", memoName(name), len(v.Text), casebook.MaxMemo)
	}
	u := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": memoName(name)},
		"data": map[string]any{"text": v.Text},
	}}
	var stored *unstructured.Unstructured
	var err error
	if v.Version == "" {
		stored, err = m.api.Create(ctx, u, metav1.CreateOptions{})
	} else {
		u.SetResourceVersion(v.Version)
		stored, err = m.api.Update(ctx, u, metav1.UpdateOptions{})
	}
	switch {
	case apierrors.IsAlreadyExists(err), apierrors.IsConflict(err), apierrors.IsNotFound(err): // somebody was faster
		return v, fmt.Errorf("write ConfigMap %s: %w (%w)", memoName(name), casebook.ErrConflict, err)
	case err != nil:
		return v, fmt.Errorf("write ConfigMap %s: %w", memoName(name), err)
	}
	return memo(stored), nil
}
