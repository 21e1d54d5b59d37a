package crd_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/netdiag/netdiag/internal/casebook"
	simkube "github.com/netdiag/netdiag/internal/sim/kube"
	"github.com/netdiag/netdiag/internal/store/crd"
	"github.com/netdiag/netdiag/internal/store/storetest"
	"github.com/netdiag/netdiag/internal/world"
)

func serve(t *testing.T) (*simkube.Server, *rest.Config) {
	t.Helper()
	s := simkube.New(&world.World{Meta: world.Meta{Now: time.Now(), Cluster: "prod", Region: "us-west-2"}}, simkube.Options{Now: time.Now})
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	t.Cleanup(s.Close)
	return s, &rest.Config{Host: srv.URL, BearerToken: simkube.Token("netdiag"), QPS: -1}
}

func open(t *testing.T, cfg *rest.Config) casebook.Store {
	t.Helper()
	s, err := crd.New(cfg, crd.Options{Namespace: "netdiag"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) casebook.Store {
		_, cfg := serve(t)
		return open(t, cfg)
	})
}

// TestTwoProcesses lets two stores of their own, as serve and execute have, meet in the API server.
func TestTwoProcesses(t *testing.T) {
	_, cfg := serve(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	front, executor := open(t, cfg), open(t, cfg)
	changes, err := executor.Remediations.Watch(ctx)
	if err != nil {
		t.Fatal(err)
	}
	r, err := front.Remediations.Create(ctx, storetest.Remediation("rem-1"))
	if err != nil {
		t.Fatal(err)
	}
	r.Status.Phase, r.Status.Nonce = casebook.AwaitingApproval, "00"
	if r, err = front.Remediations.Update(ctx, r); err != nil {
		t.Fatal(err)
	}
	for seen := range changes {
		if seen.Version != r.Version {
			continue
		}
		if seen.Plan.Fix.Action.Hash() != r.Plan.Hash || seen.Status.Nonce != "00" {
			t.Errorf("the other process sees %+v", seen)
		}
		break
	}
}

// TestWatchSurvives breaks watches in every way that an API server has, while records change.
func TestWatchSurvives(t *testing.T) {
	s, cfg := serve(t)
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	store := open(t, cfg)
	r, err := store.Remediations.Create(ctx, storetest.Remediation("rem-1"))
	if err != nil {
		t.Fatal(err)
	}
	for name, fault := range map[string]simkube.Fault{
		"cut at once":        {Drop: true},
		"expired":            {Status: http.StatusGone},
		"overloaded":         {Status: http.StatusTooManyRequests, RetryAfter: 1},
		"broken":             {Status: http.StatusInternalServerError},
		"answered and cut":   {Drop: true, After: true},
		"forbidden for once": {Status: http.StatusForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			var watches, faults atomic.Int32
			s.SetFault(func(q *http.Request) *simkube.Fault {
				if q.URL.Query().Get("watch") == "" || !strings.Contains(q.URL.Path, "remediations") {
					return nil
				}
				if watches.Add(1) > 2 {
					return nil
				}
				return &fault
			})
			defer s.SetFault(nil)
			watching, stop := context.WithCancel(ctx)
			defer stop()
			st, err := crd.New(cfg, crd.Options{Namespace: "netdiag", Fault: func(error) { faults.Add(1) }})
			if err != nil {
				t.Fatal(err)
			}
			changes, err := st.Remediations.Watch(watching)
			if err != nil {
				t.Fatal(err)
			}
			for n := range 5 {
				r.Status.Nonce = name + string(rune('0'+n))
				if r, err = store.Remediations.Update(ctx, r); err != nil {
					t.Fatal(err)
				}
			}
			for seen := range changes {
				if seen.Version == r.Version {
					// client-go itself tries again after a cut and after 429; everything else is ours, and told.
					if f := fault.Status; f != 0 && f != http.StatusTooManyRequests && faults.Load() == 0 {
						t.Error("nobody was told that watches failed")
					}
					return
				}
			}
			t.Errorf("the last version never came (%d watches, %d faults)", watches.Load(), faults.Load())
		})
	}
}

func TestErrorsThatCallersTellApart(t *testing.T) {
	s, cfg := serve(t)
	store := open(t, cfg)
	r, err := store.Remediations.Create(t.Context(), storetest.Remediation("rem-1"))
	if err != nil {
		t.Fatal(err)
	}
	s.SetFault(func(q *http.Request) *simkube.Fault {
		if q.Method != http.MethodPut {
			return nil
		}
		return &simkube.Fault{Status: http.StatusUnprocessableEntity, Message: "illegal phase transition"}
	})
	r.Status.Nonce = "00"
	if _, err := store.Remediations.Update(t.Context(), r); !errors.Is(err, casebook.ErrIllegal) {
		t.Errorf("refused by the schema of the custom resource: %v, want ErrIllegal", err)
	}
	s.SetFault(func(*http.Request) *simkube.Fault { return &simkube.Fault{Status: http.StatusForbidden} })
	if _, err := store.Remediations.List(t.Context()); !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "list Remediations") {
		t.Errorf("forbidden: %v, want it to name the operation", err)
	}
	if _, err := store.Remediations.Watch(t.Context()); !apierrors.IsForbidden(err) {
		t.Errorf("watch where it is forbidden: %v, want an error at once", err)
	}
}

// What people write into the ConfigMap by hand is a halt unless it plainly says that it is none.
func TestHaltByHand(t *testing.T) {
	_, cfg := serve(t)
	s := open(t, cfg)
	client, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, maps := t.Context(), client.CoreV1().ConfigMaps("netdiag")
	cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: crd.HaltName}}
	if cm, err = maps.Create(ctx, cm, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		data    map[string]string
		on, odd bool
		by      string
	}{
		{nil, false, true, ""},
		{map[string]string{"halted": "yes"}, false, true, ""},
		{map[string]string{"halt": "true"}, false, true, ""},
		{map[string]string{"halted": "true"}, true, false, ""},
		{map[string]string{"halted": "true", "by": "<!channel>", "since": "today"}, true, false, ""},
		{map[string]string{"halted": "true", "by": "U0MAYA"}, true, false, "U0MAYA"},
		{map[string]string{"halted": "false"}, false, false, ""},
	} {
		cm.Data = c.data
		if cm, err = maps.Update(ctx, cm, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		h, err := s.Halt.Get(ctx)
		var odd *casebook.OddHalt
		if errors.As(err, &odd) != c.odd || !c.odd && (err != nil || h.On != c.on || h.By != c.by || !h.Since.IsZero()) {
			t.Errorf("%v: %+v, %v", c.data, h, err)
		}
		if !c.odd {
			continue
		}
		if _, err := s.Halt.Set(ctx, casebook.Halt{On: true, Version: odd.Version}); err != nil {
			t.Errorf("%v can't be written anew: %v", c.data, err)
		}
		if cm, err = maps.Get(ctx, crd.HaltName, metav1.GetOptions{}); err != nil {
			t.Fatal(err)
		}
	}
}
