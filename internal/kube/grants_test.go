package kube_test

import (
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/rest"

	"github.com/netdiag/netdiag/diagnostics/all"
	"github.com/netdiag/netdiag/internal/kube"
	"github.com/netdiag/netdiag/internal/remedy"
	simkube "github.com/netdiag/netdiag/internal/sim/kube"
)

// TestGrantsAreWhatChangesUse carries out every change with the rights of its role, and what diagnoses read, alone: it
// needs all of them and no others.
func TestGrantsAreWhatChangesUse(t *testing.T) {
	annotated := func(apiVersion, resource, name, key string) remedy.Action {
		return remedy.Action{Annotate: &remedy.Annotate{APIVersion: apiVersion, Resource: resource, Namespace: "backend", Name: name, Key: key, Value: new("x")}}
	}
	by := map[string][]remedy.Action{
		"fixes.kinds.annotate": {
			annotateAction(), annotated("v1", "services", "web", "alb.ingress.kubernetes.io/healthcheck-path"),
			annotated("elbv2.k8s.aws/v1beta1", "targetgroupbindings", "web", "elbv2.k8s.aws/checkpoint"),
		},
		"fixes.kinds.daemonSetEnv": {envAction()},
		"fixes.kinds.restartPods":  {restartAction(remedy.Pod{Name: "x1", UID: "u-x1", Node: "n1"})},
		"fixes.kinds.movePods":     {moveAction("a"), {Cordon: &remedy.Cordon{Node: "n1", Was: true}}},
	}
	_, reads := all.Reads()
	for _, g := range kube.Grants() {
		t.Run(g.Switch, func(t *testing.T) {
			var mu sync.Mutex
			used := map[kube.Need]bool{}
			w := small(fullNode, daemonSet, ingress, waitingPod("a", "n1", "ReplicaSet"), agent("x1", "n1", "u1"),
				"apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: backend}\n",
				"apiVersion: elbv2.k8s.aws/v1beta1\nkind: TargetGroupBinding\nmetadata: {name: web, namespace: backend}\nspec: {targetGroupARN: arn, serviceRef: {name: web, port: 80}}\n")
			s := simkube.New(w, simkube.Options{
				Now: func() time.Time { return w.Meta.Now },
				Authorize: func(_, verb, kind, namespace, name string) bool {
					mu.Lock()
					defer mu.Unlock()
					for _, n := range g.Needs {
						if n.Permission == verb+" "+kind && (n.Name == "" || n.Name == name) && (g.Namespace == "" || g.Namespace == namespace) {
							used[n] = true
							return true
						}
					}
					return slices.Contains(reads, verb+" "+kind)
				},
			})
			srv := httptest.NewServer(s)
			defer srv.Close()
			defer s.Close()
			client, err := kube.New(&rest.Config{Host: srv.URL, BearerToken: simkube.Token("netdiag-executor")})
			if err != nil {
				t.Fatal(err)
			}
			h, mark := client.Hands(), remedy.Mark{Remediation: "rem-1"}
			for _, a := range by[g.Switch] {
				if err := h.DryRun(t.Context(), a, mark); err != nil {
					t.Errorf("%s: %v", a.Kind(), err)
				}
				if _, err := h.Apply(t.Context(), a, mark); err != nil {
					t.Errorf("%s: %v", a.Kind(), err)
				}
				if _, _, err := h.Look(t.Context(), a, mark); err != nil {
					t.Errorf("%s: %v", a.Kind(), err)
				}
			}
			var unused []kube.Need
			for _, n := range g.Needs {
				if !used[n] {
					unused = append(unused, n)
				}
			}
			if diff := cmp.Diff([]kube.Need(nil), unused); diff != "" {
				t.Errorf("granted, and not used:\n%s", diff)
			}
		})
	}
}
