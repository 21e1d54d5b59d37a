package crd

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	core "k8s.io/api/core/v1"
	events "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"

	"github.com/netdiag/netdiag/internal/casebook"
)

// NewLedger makes the ledger that keeps entries as Events on the custom resources of one namespace, for as long as the API
// server keeps Events. holder names the process. It makes no call.
func NewLedger(cfg *rest.Config, namespace, holder string) (casebook.Ledger, error) {
	cfg = rest.CopyConfig(cfg)
	client, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		return nil, fmt.Errorf("client of events: %w", err)
	}
	objects, err := metadata.NewForConfig(cfg)
	if err != nil {
		return nil, fmt.Errorf("client of %s: %w", Group, err)
	}
	return ledger{client, objects, namespace, holder}, nil
}

type ledger struct {
	client    kubernetes.Interface
	objects   metadata.Interface
	namespace string
	holder    string
}

// Limits of an Event (ValidateEventCreate in k8s.io/kubernetes/pkg/apis/core/validation).
const (
	noteBytes     = 1024
	reasonBytes   = 128
	instanceBytes = 128
)

// Enter makes an Event whose name follows from the entry: whoever comes second finds it there.
func (l ledger) Enter(ctx context.Context, e casebook.Entry) (fresh bool, err error) {
	resource := schema.GroupVersionResource{Group: Group, Version: Version, Resource: strings.ToLower(e.Kind) + "s"}
	// kubectl describe finds the Events of an object by its uid.
	o, err := l.objects.Resource(resource).Namespace(l.namespace).Get(ctx, e.Record, metav1.GetOptions{})
	if err != nil {
		return false, wrong("get", e.Record, err)
	}
	sum := sha256.Sum256([]byte(e.Key))
	severity := core.EventTypeNormal
	if e.Bad {
		severity = core.EventTypeWarning
	}
	_, err = l.client.EventsV1().Events(l.namespace).Create(ctx, &events.Event{
		ObjectMeta:          metav1.ObjectMeta{Name: e.Record + "." + hex.EncodeToString(sum[:8]), Namespace: l.namespace},
		EventTime:           metav1.NewMicroTime(e.At),
		ReportingController: Group + "/bot",
		ReportingInstance:   cut(l.holder, instanceBytes),
		Action:              cut(e.Reason, reasonBytes),
		Reason:              cut(e.Reason, reasonBytes),
		Type:                severity,
		Note:                cut(e.Text, noteBytes),
		Regarding: core.ObjectReference{
			APIVersion: Group + "/" + Version, Kind: e.Kind, Namespace: l.namespace, Name: e.Record, UID: o.GetUID(),
		},
	}, metav1.CreateOptions{})
	switch {
	case err == nil:
		return true, nil
	case apierrors.IsAlreadyExists(err):
		return false, nil
	}
	return false, fmt.Errorf("create event %s of %s: %w", e.Reason, e.Record, err)
}

// cut shortens s to at most n bytes, at a rune.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	const more = "…"
	return strings.ToValidUTF8(s[:n-len(more)], "") + more
}
