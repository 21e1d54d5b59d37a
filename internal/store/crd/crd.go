// Package crd keeps records as custom resources of the group netdiag.io: investigations and remediations. The question
// and the plan are the spec, which is never written again; everything else is the status subresource. The
// resourceVersion makes every write a compare-and-swap.
package crd

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	kjson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/netdiag/netdiag/internal/casebook"
)

// Group and version of the custom resources.
const (
	Group   = "netdiag.io"
	Version = "v1alpha1"
)

// Options are how a Store in Kubernetes is reached.
type Options struct {
	// Namespace holds the custom resources.
	Namespace string
	// Fault is told of trouble that a watch recovers from by itself; nil where nobody listens.
	Fault func(error)
}

// New makes a Store of the custom resources in one namespace. It makes no call.
func New(cfg *rest.Config, o Options) (casebook.Store, error) {
	cfg = rest.CopyConfig(cfg)
	if cfg.QPS == 0 {
		cfg.QPS = -1 // a click must not wait behind client-go's own limit of 5 calls a second; the API server has its own
	}
	client, err := dynamic.NewForConfig(cfg)
	if err != nil {
		return casebook.Store{}, fmt.Errorf("client of %s: %w", Group, err)
	}
	of := func(plural string) dynamic.ResourceInterface {
		return client.Resource(schema.GroupVersionResource{Group: Group, Version: Version, Resource: plural}).Namespace(o.Namespace)
	}
	texts := client.Resource(schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}).Namespace(o.Namespace)
	return casebook.Store{
		Halt:  brake{texts},
		Memos: memos{texts},
		Investigations: &records[casebook.Investigation]{
			kind: "Investigation", api: of("investigations"), fault: o.Fault, check: casebook.CheckInvestigation,
			split: func(i *casebook.Investigation) parts {
				return parts{&i.Name, &i.Version, &i.Created, &i.Question, &i.Status}
			},
			begin: func(i *casebook.Investigation) { i.Status.Phase = cmp.Or(i.Status.Phase, casebook.Received) },
		},
		Remediations: &records[casebook.Remediation]{
			kind: "Remediation", api: of("remediations"), fault: o.Fault, check: casebook.Check,
			split: func(r *casebook.Remediation) parts {
				return parts{&r.Name, &r.Version, &r.Created, &r.Plan, &r.Status}
			},
			begin: func(r *casebook.Remediation) { r.Status.Phase = cmp.Or(r.Status.Phase, casebook.Proposed) },
		},
	}, nil
}

// parts points to where the parts of a custom resource stand in a record.
type parts struct {
	name, version *string
	created       *time.Time
	spec, status  any
}

type records[T any] struct {
	kind  string
	api   dynamic.ResourceInterface
	fault func(error)
	check func(old, new T) error
	split func(*T) parts
	// begin gives a record without a status, as the API server makes every new one, the phase that it starts in.
	begin func(*T)
}

// Create stores a new record. The API server drops the status of a new object; reads put the first phase in its place.
func (s *records[T]) Create(ctx context.Context, r T) (T, error) {
	var none T
	p := s.split(&r)
	if err := s.check(none, r); err != nil {
		return r, fmt.Errorf("create %s: %w", *p.name, err)
	}
	u, err := s.encode(r)
	if err != nil {
		return r, err
	}
	unstructured.RemoveNestedField(u.Object, "status")
	u.SetResourceVersion("")
	made, err := s.api.Create(ctx, u, metav1.CreateOptions{})
	if err != nil {
		return r, wrong("create", *p.name, err)
	}
	return s.decode(made)
}

// Get reads a record.
func (s *records[T]) Get(ctx context.Context, name string) (r T, err error) {
	u, err := s.api.Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return r, wrong("get", name, err)
	}
	return s.decode(u)
}

// Update replaces the status of a record that is still as it was read.
func (s *records[T]) Update(ctx context.Context, r T) (T, error) {
	p := s.split(&r)
	was, err := s.api.Get(ctx, *p.name, metav1.GetOptions{})
	if err != nil {
		return r, wrong("update", *p.name, err)
	}
	old, err := s.decode(was)
	if err != nil {
		return r, err
	}
	if *s.split(&old).version != *p.version {
		return r, fmt.Errorf("update %s: %w", *p.name, casebook.ErrConflict)
	}
	if err := s.check(old, r); err != nil {
		return r, fmt.Errorf("update %s: %w", *p.name, err)
	}
	if _, begun, _ := unstructured.NestedString(was.Object, "status", "phase"); !begun {
		// The rules of the custom resource know no way to a later phase but through the first.
		first, err := s.write(ctx, old)
		if err != nil {
			return r, err
		}
		*p.version = *s.split(&first).version
	}
	return s.write(ctx, r)
}

func (s *records[T]) write(ctx context.Context, r T) (T, error) {
	u, err := s.encode(r)
	if err != nil {
		return r, err
	}
	stored, err := s.api.UpdateStatus(ctx, u, metav1.UpdateOptions{})
	if err != nil {
		return r, wrong("update", u.GetName(), err)
	}
	return s.decode(stored)
}

// Delete removes a record that is still as it was read.
func (s *records[T]) Delete(ctx context.Context, r T) error {
	p := s.split(&r)
	err := s.api.Delete(ctx, *p.name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{ResourceVersion: p.version}})
	if err != nil {
		return wrong("delete", *p.name, err)
	}
	return nil
}

// List reads all records, as they are when it is called.
func (s *records[T]) List(ctx context.Context) ([]T, error) {
	out, _, err := s.list(ctx)
	return out, err
}

// page is how many objects are read at a time: each may carry a long report.
const page = 100

func (s *records[T]) list(ctx context.Context) (out []T, version string, err error) {
	o := metav1.ListOptions{Limit: page}
	for {
		l, err := s.api.List(ctx, o)
		if err != nil {
			return nil, "", wrong("list", s.kind+"s", err)
		}
		for i := range l.Items {
			r, err := s.decode(&l.Items[i])
			if err != nil {
				return nil, "", err
			}
			out = append(out, r)
		}
		if o.Continue = l.GetContinue(); o.Continue == "" {
			return out, l.GetResourceVersion(), nil
		}
	}
}

// wrong names the operation, and gives the answers of the API server that the casebook knows their names there.
func wrong(operation, name string, err error) error {
	var known error
	switch {
	case apierrors.IsAlreadyExists(err):
		known = casebook.ErrExists
	case apierrors.IsNotFound(err):
		known = casebook.ErrNotFound
	case apierrors.IsConflict(err):
		known = casebook.ErrConflict
	case apierrors.IsInvalid(err): // the rules of the custom resource's own schema
		known = casebook.ErrIllegal
	default:
		return fmt.Errorf("%s %s: %w", operation, name, err)
	}
	return fmt.Errorf("%s %s: %w (%w)", operation, name, known, err)
}

func (s *records[T]) encode(r T) (*unstructured.Unstructured, error) {
	p := s.split(&r)
	u := &unstructured.Unstructured{Object: map[string]any{}}
	u.SetAPIVersion(Group + "/" + Version)
	u.SetKind(s.kind)
	u.SetName(*p.name)
	u.SetResourceVersion(*p.version)
	for field, part := range map[string]any{"spec": p.spec, "status": p.status} {
		text, err := json.Marshal(part)
		if err != nil {
			return nil, fmt.Errorf("encode %s of %s: %w", field, *p.name, err)
		}
		var v map[string]any
		if err := kjson.Unmarshal(text, &v); err != nil { // whole numbers stay whole
			return nil, fmt.Errorf("encode %s of %s: %w", field, *p.name, err)
		}
		u.Object[field] = v
	}
	return u, nil
}

func (s *records[T]) decode(u *unstructured.Unstructured) (r T, err error) {
	p := s.split(&r)
	*p.name, *p.version, *p.created = u.GetName(), u.GetResourceVersion(), u.GetCreationTimestamp().UTC()
	for field, part := range map[string]any{"spec": p.spec, "status": p.status} {
		v, there := u.Object[field]
		if !there {
			continue
		}
		text, err := json.Marshal(v)
		if err == nil {
			err = json.Unmarshal(text, part)
		}
		if err != nil {
			return r, fmt.Errorf("decode %s of %s %s: %w", field, s.kind, u.GetName(), err)
		}
	}
	s.begin(&r)
	return r, nil
}
