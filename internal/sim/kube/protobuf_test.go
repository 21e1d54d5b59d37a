package kube_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"

	"github.com/netdiag/netdiag/internal/sim/kube"
)

// as makes a client that takes one media type only, so that nothing can fall back to another.
func as(t *testing.T, cfg *rest.Config, media string) kubernetes.Interface {
	t.Helper()
	cfg = rest.CopyConfig(cfg)
	cfg.ContentType, cfg.AcceptContentTypes = media, media
	c, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// The same objects come in protobuf as in JSON: one by one, in pages and in a watch.
func TestProtobufSaysWhatJSONSays(t *testing.T) {
	w := load(t, "pending-s01-warm-pool")
	_, cfg := serve(t, w)
	text, binary := as(t, cfg, runtime.ContentTypeJSON), as(t, cfg, runtime.ContentTypeProtobuf)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	read := func(c kubernetes.Interface) map[string]any {
		out := map[string]any{}
		for name, list := range map[string]func(metav1.ListOptions) (any, error){
			"pods":     func(o metav1.ListOptions) (any, error) { return c.CoreV1().Pods("").List(ctx, o) },
			"nodes":    func(o metav1.ListOptions) (any, error) { return c.CoreV1().Nodes().List(ctx, o) },
			"events":   func(o metav1.ListOptions) (any, error) { return c.CoreV1().Events("").List(ctx, o) },
			"regarded": func(o metav1.ListOptions) (any, error) { return c.EventsV1().Events("").List(ctx, o) },
			"daemons":  func(o metav1.ListOptions) (any, error) { return c.AppsV1().DaemonSets("").List(ctx, o) },
			"sets":     func(o metav1.ListOptions) (any, error) { return c.AppsV1().ReplicaSets("").List(ctx, o) },
		} {
			l, err := list(metav1.ListOptions{Limit: 5})
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			out[name] = l
		}
		return out
	}
	// Only JSON names the kind of an item, and only JSON tells an empty map from none.
	if diff := cmp.Diff(read(text), read(binary), cmpopts.IgnoreTypes(metav1.TypeMeta{}), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("(-JSON +protobuf):\n%s", diff)
	}
	pods := read(text)["pods"].(*corev1.PodList).Items
	one, err := binary.CoreV1().Pods(pods[0].Namespace).Get(ctx, pods[0].Name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(pods[0].Spec, one.Spec); diff != "" {
		t.Errorf("one pod (-JSON +protobuf):\n%s", diff)
	}
	seen, err := binary.CoreV1().Pods(one.Namespace).Watch(ctx, metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer seen.Stop()
	first := <-seen.ResultChan()
	if first.Type != watch.Added || first.Object.(*corev1.Pod).Name != one.Name {
		t.Errorf("the watch begins with %s of %v, want %s added", first.Type, first.Object, one.Name)
	}
}

// Errors come in protobuf too, and custom resources, which have none, are not acceptable to a client that takes nothing else.
func TestProtobufOfWhatHasNone(t *testing.T) {
	_, cfg := serve(t, load(t, "alb-c01-health-path-404"))
	_, err := as(t, cfg, runtime.ContentTypeProtobuf).CoreV1().Nodes().Get(context.Background(), "gone", metav1.GetOptions{})
	if !apierrors.IsNotFound(err) || !strings.Contains(err.Error(), `nodes "gone" not found`) {
		t.Errorf("%v, want not found", err)
	}
	const bindings = "/apis/elbv2.k8s.aws/v1beta1/targetgroupbindings"
	for accept, want := range map[string]struct {
		code  int
		media string
	}{
		runtime.ContentTypeProtobuf:                        {http.StatusNotAcceptable, runtime.ContentTypeProtobuf},
		runtime.ContentTypeProtobuf + ", application/json": {http.StatusOK, "application/json"},
		"": {http.StatusOK, "application/json"},
		"application/json;as=Table;g=meta.k8s.io;v=v1,application/json": {http.StatusOK, "application/json"},
	} {
		req, err := http.NewRequest(http.MethodGet, cfg.Host+bindings, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Accept", accept)
		req.Header.Set("Authorization", "Bearer "+kube.Token("tester"))
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || resp.StatusCode != want.code || resp.Header.Get("Content-Type") != want.media {
			t.Errorf("%q: %s, %s, %d bytes, %v; want %d as %s", accept, resp.Status, resp.Header.Get("Content-Type"), len(b), err, want.code, want.media)
		}
	}
}

// The metadata client prefers protobuf, and gets it of custom resources as well.
func TestMetadataInProtobuf(t *testing.T) {
	w := load(t, "alb-c01-health-path-404")
	_, cfg := serve(t, w)
	cfg.ContentType, cfg.AcceptContentTypes = runtime.ContentTypeProtobuf, runtime.ContentTypeProtobuf
	c, err := metadata.NewForConfig(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range w.Objects {
		if o.GetKind() != "TargetGroupBinding" {
			continue
		}
		got, err := c.Resource(o.GroupVersionKind().GroupVersion().WithResource("targetgroupbindings")).Namespace(o.GetNamespace()).Get(context.Background(), o.GetName(), metav1.GetOptions{})
		if err != nil || got.Name != o.GetName() || got.Labels["ingress.k8s.aws/stack"] != o.GetLabels()["ingress.k8s.aws/stack"] {
			t.Errorf("%v, %v", got, err)
		}
		return
	}
	t.Fatal("the world has no binding")
}
