package kube_test

import (
	"context"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"

	"github.com/netdiag/netdiag/internal/sim/fleet"
	"github.com/netdiag/netdiag/internal/sim/kube"
)

// Objects that are made when they are asked for are served like those that are kept: page by page, selected, in JSON, in
// protobuf and as tables, with their logs and metrics; but nobody can watch or change them.
func TestCrowdIsServedLikeTheRest(t *testing.T) {
	f := fleet.New(50, 40, time.Date(2026, 11, 22, 10, 30, 0, 0, time.UTC))
	s := kube.New(f.World(), kube.Options{Crowd: f})
	h := httptest.NewServer(s)
	t.Cleanup(h.Close)
	t.Cleanup(s.Close)
	cfg := &rest.Config{Host: h.URL, BearerToken: kube.Token("tester"), QPS: -1}
	text, binary, ctx := as(t, cfg, runtime.ContentTypeJSON), as(t, cfg, runtime.ContentTypeProtobuf), context.Background()

	var names []string
	o := metav1.ListOptions{Limit: 19}
	for pages := 0; ; pages++ {
		l, err := binary.CoreV1().Nodes().List(ctx, o)
		if err != nil {
			t.Fatal(err)
		}
		plain, err := text.CoreV1().Nodes().List(ctx, o)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(plain, l, cmpopts.IgnoreTypes(metav1.TypeMeta{}), cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("page %d (-JSON +protobuf):\n%s", pages, diff)
		}
		for _, n := range l.Items {
			names = append(names, n.Name)
		}
		if o.Continue = l.Continue; o.Continue == "" {
			break
		}
		if len(l.Items) != 19 {
			t.Fatalf("page of %d, want 19", len(l.Items))
		}
	}
	if len(names) != 50 || !slices.IsSorted(names) {
		t.Errorf("%d nodes, sorted %t", len(names), slices.IsSorted(names))
	}
	waiting, err := binary.CoreV1().Pods("checkout").List(ctx, metav1.ListOptions{FieldSelector: "status.phase=Pending"})
	if err != nil || len(waiting.Items) != 40 {
		t.Fatalf("%v, %v", waiting, err)
	}
	one := waiting.Items[0]
	if got, err := text.CoreV1().Pods("checkout").Get(ctx, one.Name, metav1.GetOptions{}); err != nil || got.UID != one.UID {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := text.CoreV1().Pods("checkout").Get(ctx, "gone", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("%v, want not found", err)
	}
	agents, err := text.CoreV1().Pods("kube-system").List(ctx, metav1.ListOptions{LabelSelector: "k8s-app=aws-node", Limit: 1})
	if err != nil || len(agents.Items) != 1 {
		t.Fatalf("%v, %v", agents, err)
	}
	metrics, err := text.CoreV1().Pods("kube-system").ProxyGet("", agents.Items[0].Name, "61678", "metrics", nil).DoRaw(ctx)
	if err != nil || !strings.Contains(string(metrics), "awscni_total_ip_addresses 28") {
		t.Errorf("%s, %v", metrics, err)
	}
	if rows := table(t, s, "/api/v1/namespaces/checkout/pods?fieldSelector=status.phase=Pending&limit=3", false); len(rows) != 4 || !strings.Contains(rows[1], "ContainerCreating") {
		t.Errorf("%q", rows)
	}
	if _, err := text.CoreV1().Pods("checkout").Watch(ctx, metav1.ListOptions{}); !apierrors.IsMethodNotSupported(err) {
		t.Errorf("watch: %v, want not allowed", err)
	}
	if err := text.CoreV1().Pods("checkout").Delete(ctx, one.Name, metav1.DeleteOptions{}); !apierrors.IsMethodNotSupported(err) {
		t.Errorf("delete: %v, want not allowed", err)
	}
}
