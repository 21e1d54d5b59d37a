package kube

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/recall"
)

// pageSize is how many objects one answer of a list holds; what kubectl asks for too.
const pageSize = 500

// Reader reads for one run of a diagnosis: it asks each question once and answers it from memory from then on. What it
// returns is shared and must not be modified. It is safe for use by several goroutines.
//
// It is every Kubernetes reader of diagnostics.Inputs.
type Reader struct {
	client *Client
	memory recall.Memory
}

// Reader starts a run.
func (c *Client) Reader() *Reader { return &Reader{client: c} }

var (
	_ diagnostics.Namespaces  = (*Reader)(nil)
	_ diagnostics.Pods        = (*Reader)(nil)
	_ diagnostics.AllPods     = (*Reader)(nil)
	_ diagnostics.PodFiles    = (*Reader)(nil)
	_ diagnostics.Events      = (*Reader)(nil)
	_ diagnostics.Nodes       = (*Reader)(nil)
	_ diagnostics.Controllers = (*Reader)(nil)
	_ diagnostics.Daemons     = (*Reader)(nil)
	_ diagnostics.Volumes     = (*Reader)(nil)
	_ diagnostics.Configs     = (*Reader)(nil)
	_ diagnostics.Quotas      = (*Reader)(nil)
	_ diagnostics.Ingresses   = (*Reader)(nil)
	_ diagnostics.Services    = (*Reader)(nil)
	_ diagnostics.Policies    = (*Reader)(nil)
	_ diagnostics.Bindings    = (*Reader)(nil)
	_ diagnostics.Customs     = (*Reader)(nil)
)

// Fill sets the Kubernetes readers of in.
func (r *Reader) Fill(in *diagnostics.Inputs) {
	in.Namespaces, in.Pods, in.AllPods, in.PodFiles, in.Events, in.Nodes = r, r, r, r, r, r
	in.Controllers, in.Daemons, in.Volumes, in.Ingresses = r, r, r, r
	in.Services, in.Policies, in.Bindings, in.Customs = r, r, r, r
	in.Configs, in.Quotas = r, r
}

// once makes one request within its time and says what became of it.
func once[T any](ctx context.Context, c *Client, permission string, ask func(context.Context) (T, error)) (T, error) {
	limited, cancel := context.WithTimeout(ctx, c.within)
	defer cancel()
	limited, made := countTries(limited)
	v, err := ask(limited)
	if err != nil {
		var none T
		return none, c.readError(ctx, made, permission, err)
	}
	return v, nil
}

// lister is the List of a typed client.
type lister[L any] func(context.Context, metav1.ListOptions) (L, error)

// pages reads a list page by page; each page has a request's time of its own. A continue token that expired (410) starts
// the list again; where that happens twice, the server forgets faster than pages are read, and gives the list whole.
func pages[L metav1.ListInterface, T any](ctx context.Context, c *Client, permission string, o metav1.ListOptions, list lister[L], items func(L) []T) ([]T, error) {
	var out []T
	err := eachPage(ctx, c, permission, o, list, func(l L) { out = append(out, items(l)...) }, func() { out = nil })
	if err != nil {
		return nil, err
	}
	return out, nil
}

// eachPage is pages without keeping any; again is called before the list starts again.
func eachPage[L metav1.ListInterface](ctx context.Context, c *Client, permission string, o metav1.ListOptions, list lister[L], take func(L), again func()) error {
	expired := 0
	o.Limit = pageSize
	for {
		l, err := once(ctx, c, permission, func(ctx context.Context) (L, error) { return list(ctx, o) })
		if err != nil && o.Continue != "" && apierrors.IsResourceExpired(err) {
			if expired++; expired > 1 {
				o.Limit = 0
			}
			again()
			o.Continue = ""
			continue
		}
		if err != nil {
			return err
		}
		take(l)
		if o.Continue = l.GetContinue(); o.Continue == "" {
			return nil
		}
	}
}

// all lists one resource of a namespace once per run; namespace empty means all namespaces.
func all[L metav1.ListInterface, T any](ctx context.Context, r *Reader, resource, namespace string, o metav1.ListOptions, list lister[L], items func(L) []T) ([]T, error) {
	permission := "list " + resource
	key := fmt.Sprintf("%s\x00%s\x00%s\x00%s", permission, namespace, o.LabelSelector, o.FieldSelector)
	return recall.List(ctx, &r.memory, key, func(ctx context.Context) ([]T, error) {
		return pages(ctx, r.client, permission, o, list, items)
	})
}

// bare drops who manages which fields, of kinds that come in thousands and of which no diagnosis asks it.
func bare[T any, O interface {
	*T
	metav1.Object
}](l []T) []T {
	for i := range l {
		O(&l[i]).SetManagedFields(nil)
	}
	return l
}

// withoutImages drops the list of the images on each node, the largest part of it.
func withoutImages(l []corev1.Node) []corev1.Node {
	for i := range l {
		l[i].Status.Images = nil
	}
	return l
}

// Namespaces lists the names of all namespaces, sorted.
func (r *Reader) Namespaces(ctx context.Context) ([]string, error) {
	l, err := all(ctx, r, "namespaces", "", metav1.ListOptions{}, r.client.typed.CoreV1().Namespaces().List, func(l *corev1.NamespaceList) []corev1.Namespace { return l.Items })
	var out []string
	for _, n := range l {
		out = append(out, n.Name)
	}
	return out, err
}

// Pods lists the pods that q selects.
func (r *Reader) Pods(ctx context.Context, q diagnostics.PodQuery) ([]corev1.Pod, error) {
	var fields []string
	if q.Phase != "" {
		fields = append(fields, "status.phase="+q.Phase)
	}
	if q.Node != "" {
		fields = append(fields, "spec.nodeName="+q.Node)
	}
	if q.Name != "" {
		fields = append(fields, "metadata.name="+q.Name)
	}
	if q.Address != "" {
		fields = append(fields, "status.podIP="+q.Address)
	}
	o := metav1.ListOptions{LabelSelector: q.Labels, FieldSelector: strings.Join(fields, ",")}
	return all(ctx, r, "pods", q.Namespace, o, r.client.typed.CoreV1().Pods(q.Namespace).List, func(l *corev1.PodList) []corev1.Pod { return bare(l.Items) })
}

// EachPod gives every pod of the cluster to f, page by page, and remembers none.
func (r *Reader) EachPod(ctx context.Context, f func(*corev1.Pod)) error {
	take := func(l *corev1.PodList) {
		for i := range l.Items {
			f(&l.Items[i])
		}
	}
	return eachPage(ctx, r.client, "list pods", metav1.ListOptions{}, r.client.typed.CoreV1().Pods("").List, take, func() {})
}

// routine are the reasons of events that only say that things go as they should, which are most of all events. No
// diagnosis asks for them, so the API server leaves them out.
const routine = "reason!=Pulling,reason!=Pulled,reason!=Created,reason!=Started,reason!=Scheduled,reason!=SuccessfulCreate"

// Events lists the events of a namespace as v1 events, series included, but for those that are mere routine.
func (r *Reader) Events(ctx context.Context, namespace string) ([]corev1.Event, error) {
	return all(ctx, r, "events", namespace, metav1.ListOptions{FieldSelector: routine}, r.client.typed.CoreV1().Events(namespace).List, func(l *corev1.EventList) []corev1.Event { return bare(l.Items) })
}

// Nodes lists all nodes, without the lists of their images.
func (r *Reader) Nodes(ctx context.Context) ([]corev1.Node, error) {
	return all(ctx, r, "nodes", "", metav1.ListOptions{}, r.client.typed.CoreV1().Nodes().List, func(l *corev1.NodeList) []corev1.Node { return withoutImages(bare(l.Items)) })
}

// Node reads one node. One that is gone is a *diagnostics.ReadError with reason absent.
func (r *Reader) Node(ctx context.Context, name string) (*corev1.Node, error) {
	return recall.Once(ctx, &r.memory, "get nodes\x00"+name, func(ctx context.Context) (*corev1.Node, error) {
		return once(ctx, r.client, "get nodes", func(ctx context.Context) (*corev1.Node, error) {
			return r.client.typed.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
		})
	})
}

// CNIMetrics reads the metrics of an aws-node pod through the API server's proxy. A pod that doesn't serve any is a
// *diagnostics.ReadError with reason absent.
func (r *Reader) CNIMetrics(ctx context.Context, namespace, pod string) (string, error) {
	const permission = "get pods/proxy"
	b, err := recall.Once(ctx, &r.memory, permission+"\x00"+namespace+"\x00"+pod, func(ctx context.Context) ([]byte, error) {
		b, err := once(ctx, r.client, permission, r.client.typed.CoreV1().Pods(namespace).ProxyGet("", pod, "61678", "metrics", nil).DoRaw)
		if statusCode(err) == http.StatusServiceUnavailable { // the API server could not connect to the pod
			err = &diagnostics.ReadError{Permission: permission, Reason: diagnostics.Absent, Err: err}
		}
		return b, err
	})
	return string(b), err
}

// Log reads the last lines of a container's log. A container that never started is a *diagnostics.ReadError with reason absent.
func (r *Reader) Log(ctx context.Context, namespace, pod, container string, lines int) (string, error) {
	const permission = "get pods/log"
	key := fmt.Sprintf("%s\x00%s\x00%s\x00%s\x00%d", permission, namespace, pod, container, lines)
	b, err := recall.Once(ctx, &r.memory, key, func(ctx context.Context) ([]byte, error) {
		n := int64(lines)
		b, err := once(ctx, r.client, permission, r.client.typed.CoreV1().Pods(namespace).GetLogs(pod, &corev1.PodLogOptions{Container: container, TailLines: &n}).DoRaw)
		if statusCode(err) == http.StatusBadRequest { // the container has not started, or isn't in this pod
			err = &diagnostics.ReadError{Permission: permission, Reason: diagnostics.Absent, Err: err}
		}
		return b, err
	})
	return string(b), err
}
