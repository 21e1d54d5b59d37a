package kube_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	corev1 "k8s.io/api/core/v1"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/kube"
	"github.com/netdiag/netdiag/internal/sim/fault"
	simkube "github.com/netdiag/netdiag/internal/sim/kube"
)

// Whatever goes wrong with a call is a gap that names the permission, or a refusal where nothing can be read at all.
func TestFaultsAreGapsOrRefusals(t *testing.T) {
	reads := map[string]func(context.Context, *kube.Reader) error{
		"list pods": func(ctx context.Context, r *kube.Reader) error {
			_, err := r.Pods(ctx, diagnostics.PodQuery{Namespace: "a"})
			return err
		},
		"get nodes":       func(ctx context.Context, r *kube.Reader) error { _, err := r.Node(ctx, "node-1"); return err },
		"get pods/log":    func(ctx context.Context, r *kube.Reader) error { _, err := r.Log(ctx, "a", "p", "c", 5); return err },
		"list jobs.batch": func(ctx context.Context, r *kube.Reader) error { _, err := r.Jobs(ctx, "a"); return err },
		"get pods/proxy": func(ctx context.Context, r *kube.Reader) error {
			_, err := r.CNIMetrics(ctx, "a", "p")
			return err
		},
		"list targetgroupbindings.elbv2.k8s.aws": func(ctx context.Context, r *kube.Reader) error {
			_, err := r.TargetGroupBindings(ctx, "")
			return err
		},
	}
	for name, c := range map[string]struct {
		fault   fault.Fault
		reason  string // of the gap
		refusal string
	}{
		"denied":    {fault.Fault{Kind: fault.Denied}, diagnostics.Denied, ""},
		"throttled": {fault.Fault{Kind: fault.Throttled}, diagnostics.Throttled, ""},
		"broken":    {fault.Fault{Kind: fault.Broken}, diagnostics.Timeout, ""},
		"cut":       {fault.Fault{Kind: fault.Cut}, diagnostics.Timeout, ""},
		"too late":  {fault.Fault{Delay: time.Hour}, diagnostics.Timeout, ""},
		"expired":   {fault.Fault{Kind: fault.Expired}, "", "renew the token"},
	} {
		for permission, read := range reads {
			if (c.fault.Kind == fault.Throttled || c.fault.Kind == fault.Cut) && permission != "list pods" && permission != "get pods/proxy" {
				continue // client-go waits a second between its attempts
			}
			t.Run(name+"/"+permission, func(t *testing.T) {
				t.Parallel()
				s, client := within(t, 3*time.Second)
				if c.fault.Delay > 0 {
					s, client = within(t, 50*time.Millisecond)
				}
				s.Faults().On(permission, c.fault)
				err := read(context.Background(), client.Reader())
				var re *diagnostics.ReadError
				var refusal diagnostics.Unreachable
				switch {
				case c.refusal != "":
					if !errors.As(err, &refusal) || !strings.Contains(err.Error(), c.refusal) {
						t.Errorf("%v, want a refusal with %q", err, c.refusal)
					}
				case !errors.As(err, &re) || re.Permission != permission || re.Reason != c.reason:
					t.Errorf("%v, want %s: %s", err, permission, c.reason)
				}
			})
		}
	}
}

// within serves a small cluster to a client whose requests may take so long.
func within(t *testing.T, limit time.Duration) (*simkube.Server, *kube.Client) {
	t.Helper()
	s := simkube.New(small(
		"apiVersion: v1\nkind: Node\nmetadata: {name: node-1}\n",
		"apiVersion: v1\nkind: Pod\nmetadata: {namespace: a, name: p}\nspec: {containers: [{name: c}]}\n",
		"apiVersion: elbv2.k8s.aws/v1beta1\nkind: TargetGroupBinding\nmetadata: {namespace: a, name: b}\n",
	), simkube.Options{})
	h := httptest.NewServer(s)
	t.Cleanup(h.Close)
	t.Cleanup(s.Close)
	c, err := kube.New(&rest.Config{Host: h.URL, BearerToken: simkube.Token("netdiag"), Timeout: limit})
	if err != nil {
		t.Fatal(err)
	}
	return s, c
}

// What goes wrong for a moment is not told: the request is made again.
func TestMomentaryFaultsAreOvercome(t *testing.T) {
	for name, f := range map[string]fault.Fault{"throttled": {Kind: fault.Throttled, Calls: 1}, "cut": {Kind: fault.Cut, Calls: 1}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, c := within(t, 5*time.Second)
			s.Faults().On("list pods", f)
			pods, err := c.Reader().Pods(context.Background(), diagnostics.PodQuery{})
			if err != nil || len(pods) != 1 {
				t.Errorf("%d pods, %v", len(pods), err)
			}
		})
	}
}

// A world throttles Kubernetes calls as it throttles those of AWS: the first two.
func TestAWorldThrottles(t *testing.T) {
	t.Parallel()
	w := small("apiVersion: v1\nkind: Node\nmetadata: {name: node-1}\n")
	w.Meta.Throttled = []string{"list nodes"}
	s, c := serve(t, w)
	nodes, err := c.Reader().Nodes(context.Background())
	if err != nil || len(nodes) != 1 || len(s.Requests()) != 3 {
		t.Errorf("%d nodes after %d requests, %v; want 1 after 3", len(nodes), len(s.Requests()), err)
	}
}

// A request that would have to wait for its turn beyond the deadline of the run is one that came too late.
func TestWaitingForATurnEndsWithTheRun(t *testing.T) {
	t.Parallel()
	_, c := within(t, time.Minute)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	r := c.Reader()
	late := 0
	for i := range 400 { // more than the burst and what comes within the time
		_, err := r.Pods(ctx, diagnostics.PodQuery{Node: fmt.Sprint("n", i)})
		var re *diagnostics.ReadError
		switch {
		case err == nil:
		case errors.As(err, &re) && re.Reason == diagnostics.Timeout && re.Permission == "list pods":
			late++
		default:
			t.Fatalf("read %d: %v, want a timeout", i, err)
		}
		if late > 3 {
			return
		}
	}
	t.Error("no read came too late")
}

// The server forgets the version of a list while its pages are read, once or each time: the list is whole all the same.
func TestAListGoesOnAfterItsTokenExpired(t *testing.T) {
	for name, times := range map[string]int{"once": 1, "again and again": 100} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var objects []string
			for i := range 1200 {
				objects = append(objects, fmt.Sprintf("apiVersion: v1\nkind: Event\nmetadata: {namespace: a, name: e%04d}\n", i))
			}
			w := small(objects...)
			s := simkube.New(w, simkube.Options{})
			left, forgotten := times, 0
			forget := &forgetful{handler: s, forget: func() {
				if left--; left < 0 {
					return
				}
				forgotten++
				s.Compact()
			}}
			h := httptest.NewServer(forget)
			t.Cleanup(h.Close)
			t.Cleanup(s.Close)
			cfg := &rest.Config{Host: h.URL, BearerToken: simkube.Token("netdiag")}
			writer, err := kubernetes.NewForConfig(cfg)
			if err != nil {
				t.Fatal(err)
			}
			forget.change = func() {
				_, err := writer.CoreV1().ConfigMaps("a").Create(context.Background(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{GenerateName: "c"}}, metav1.CreateOptions{})
				if err != nil {
					t.Error(err)
				}
			}
			c, err := kube.New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			events, err := c.Reader().Events(context.Background(), "a")
			if err != nil || len(events) != 1200 || forgotten == 0 {
				t.Errorf("%d events, %v, forgotten %d times; want 1200", len(events), err, forgotten)
			}
			seen := map[string]bool{}
			for _, e := range events {
				seen[e.Name] = true
			}
			if len(seen) != len(events) {
				t.Errorf("%d events, but %d names", len(events), len(seen))
			}
		})
	}
}

// forgetful is an API server whose history is lost before each further page of a list.
type forgetful struct {
	handler        http.Handler
	change, forget func()
}

// ServeHTTP changes something and forgets what was before, where a list is gone on with.
func (f *forgetful) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Query().Has("continue") {
		f.change()
		f.forget()
	}
	f.handler.ServeHTTP(w, r)
}
