package kube_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"path/filepath"
	"sort"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/cache"

	"github.com/netdiag/netdiag/internal/diagtest"
	"github.com/netdiag/netdiag/internal/sim/kube"
	"github.com/netdiag/netdiag/internal/world"
	"github.com/netdiag/netdiag/internal/world/worldtest"
)

const worlds = "../../../testdata/worlds/public"

func load(t testing.TB, name string) *world.World {
	t.Helper()
	return worldtest.Load(t, filepath.Join(worlds, name))
}

// serve runs a world's API server until the test ends.
func serve(t testing.TB, w *world.World) (*kube.Server, *rest.Config) {
	t.Helper()
	s := kube.New(w, kube.Options{Now: func() time.Time { return w.Meta.Now }})
	h := httptest.NewServer(s)
	t.Cleanup(h.Close)
	t.Cleanup(s.Close)
	return s, &rest.Config{Host: h.URL, BearerToken: kube.Token("tester"), QPS: -1}
}

// Every object of every world is listed, by a client that finds its resource through discovery.
func TestEveryObjectOfEveryWorldIsListed(t *testing.T) {
	dirs, err := diagtest.All(worlds)
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			t.Parallel()
			w := load(t, filepath.Base(dir))
			want := map[string][]string{}
			for _, o := range w.Objects {
				want[o.GetAPIVersion()+" "+o.GetKind()] = append(want[o.GetAPIVersion()+" "+o.GetKind()], o.GetNamespace()+"/"+o.GetName())
			}
			denied := w.Meta.Denied.Kubernetes
			w.Meta.Denied.Kubernetes = nil
			_, cfg := serve(t, w)
			w.Meta.Denied.Kubernetes = denied
			d, err := discovery.NewDiscoveryClientForConfig(cfg)
			if err != nil {
				t.Fatal(err)
			}
			groups, err := restmapper.GetAPIGroupResources(d)
			if err != nil {
				t.Fatal(err)
			}
			mapper := restmapper.NewDiscoveryRESTMapper(groups)
			client, err := dynamic.NewForConfig(cfg)
			if err != nil {
				t.Fatal(err)
			}
			got := map[string][]string{}
			seen := map[string]bool{}
			for _, o := range w.Objects {
				gvk := o.GroupVersionKind()
				if seen[gvk.String()] {
					continue
				}
				seen[gvk.String()] = true
				m, err := mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
				if err != nil {
					t.Fatalf("%s isn't in discovery: %v", gvk, err)
				}
				opts := metav1.ListOptions{Limit: 7}
				for {
					l, err := client.Resource(m.Resource).List(context.Background(), opts)
					if err != nil {
						t.Fatal(err)
					}
					for _, i := range l.Items {
						k := i.GetAPIVersion() + " " + i.GetKind()
						got[k] = append(got[k], i.GetNamespace()+"/"+i.GetName())
					}
					if opts.Continue = l.GetContinue(); opts.Continue == "" {
						break
					}
					if len(l.Items) != 7 {
						t.Fatalf("page of %d, want 7", len(l.Items))
					}
				}
			}
			for _, l := range want {
				sort.Strings(l)
			}
			for _, l := range got {
				sort.Strings(l)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("objects (-world +served):\n%s", diff)
			}
		})
	}
}

func TestSharedInformerSeesEveryPodAndChange(t *testing.T) {
	w := load(t, "pending-s01-warm-pool")
	_, cfg := serve(t, w)
	client, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		t.Fatal(err)
	}
	f := informers.NewSharedInformerFactory(client, 0)
	pods := f.Core().V1().Pods()
	changes := make(chan string, 10)
	reg, err := pods.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		UpdateFunc: func(_, o any) { changes <- "updated " + o.(*corev1.Pod).Labels["seen"] },
		DeleteFunc: func(any) { changes <- "deleted" },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer func() { cancel(); f.Shutdown() }()
	f.Start(ctx.Done())
	if !cache.WaitForCacheSync(ctx.Done(), pods.Informer().HasSynced, reg.HasSynced) {
		t.Fatal("the informer didn't sync")
	}
	want := 0
	for _, o := range w.Objects {
		if o.GetKind() == "Pod" {
			want++
		}
	}
	if got := len(pods.Informer().GetStore().List()); got != want {
		t.Errorf("%d pods in the store, want %d", got, want)
	}
	one := pods.Informer().GetStore().List()[0].(*corev1.Pod)
	if _, err := client.CoreV1().Pods(one.Namespace).Patch(ctx, one.Name, types.MergePatchType, []byte(`{"metadata":{"labels":{"seen":"yes"}}}`), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := client.CoreV1().Pods(one.Namespace).Delete(ctx, one.Name, *metav1.NewDeleteOptions(0)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"updated yes", "deleted"} {
		select {
		case got := <-changes:
			if got != want {
				t.Errorf("the informer saw %q, want %q", got, want)
			}
		case <-ctx.Done():
			t.Fatalf("the informer never saw %q", want)
		}
	}
}

func ExampleToken() {
	fmt.Println(kube.Token("netdiag"))
	// Output: sim:netdiag
}
