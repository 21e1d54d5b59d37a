package kube_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/netdiag/netdiag/internal/sim/kube"
)

func TestSelectors(t *testing.T) {
	pod := func(name, ns, node, phase, label string) string {
		return "apiVersion: v1\nkind: Pod\nmetadata: {name: " + name + ", namespace: " + ns + ", labels: {app: " + label + "}}\nspec: {nodeName: '" + node + "', containers: []}\nstatus: {phase: " + phase + "}\n"
	}
	_, cfg := serve(t, small(t, pod("a", "x", "n1", "Running", "web"), pod("b", "x", "", "Pending", "web"), pod("c", "z", "n1", "Failed", "job"), pod("d", "z", "n2", "Running", "db")))
	c := typed(t, cfg).CoreV1()
	for _, tc := range []struct{ ns, fields, labels, want string }{
		{"", "", "", "a b c d"},
		{"x", "", "", "a b"},
		{"none", "", "", ""},
		{"", "status.phase=Pending", "", "b"},
		{"", "spec.nodeName=n1,status.phase!=Succeeded,status.phase!=Failed", "", "a"},
		{"", "spec.nodeName=", "", "b"},
		{"", "metadata.name=d", "", "d"},
		{"", "metadata.namespace=z", "", "c d"},
		{"", "", "app=web", "a b"},
		{"", "", "app in (web, db)", "a b d"},
		{"", "", "app!=web", "c d"},
		{"", "", "app,!gone", "a b c d"},
		{"z", "status.phase=Running", "app=db", "d"},
	} {
		l, err := c.Pods(tc.ns).List(context.Background(), metav1.ListOptions{FieldSelector: tc.fields, LabelSelector: tc.labels})
		if err != nil {
			t.Errorf("%+v: %v", tc, err)
			continue
		}
		var got []string
		for _, p := range l.Items {
			got = append(got, p.Name)
		}
		if s := strings.Join(got, " "); s != tc.want {
			t.Errorf("%+v: got %q", tc, s)
		}
	}
	_, err := c.Pods("").List(context.Background(), metav1.ListOptions{FieldSelector: "spec.color=red"})
	if !apierrors.IsBadRequest(err) || !strings.Contains(err.Error(), "field label not supported: spec.color") {
		t.Errorf("unknown field: %v", err)
	}
	if _, err = c.ConfigMaps("").List(context.Background(), metav1.ListOptions{FieldSelector: "data.k=v"}); !apierrors.IsBadRequest(err) || !strings.Contains(err.Error(), `"data.k" is not a known field selector: only "metadata.name", "metadata.namespace"`) {
		t.Errorf("unknown field of a ConfigMap: %v", err)
	}
}

func TestErrorsHaveTheRealTexts(t *testing.T) {
	w := small(t)
	w.Meta.Denied.Kubernetes = []string{"list events", "get pods/proxy", "list networkpolicies.networking.k8s.io", "list nodes"}
	_, cfg := serve(t, w)
	c, ctx := typed(t, cfg), context.Background()
	get := func(err error) string {
		if err == nil {
			return "no error"
		}
		return err.Error()
	}
	_, events := c.CoreV1().Events("a").List(ctx, metav1.ListOptions{})
	_, policies := c.NetworkingV1().NetworkPolicies("").List(ctx, metav1.ListOptions{})
	_, nodes := c.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	_, proxy := c.CoreV1().Pods("a").ProxyGet("", "p", "61678", "metrics", nil).Stream(ctx)
	_, pod := c.CoreV1().Pods("a").Get(ctx, "p", metav1.GetOptions{})
	_, group := untyped(t, cfg).Resource(schema.GroupVersionResource{Group: "karpenter.sh", Version: "v1", Resource: "nodepools"}).List(ctx, metav1.ListOptions{})
	for _, e := range [][2]string{
		{get(events), `events is forbidden: User "tester" cannot list resource "events" in API group "" in the namespace "a"`},
		{get(policies), `networkpolicies.networking.k8s.io is forbidden: User "tester" cannot list resource "networkpolicies" in API group "networking.k8s.io" at the cluster scope`},
		{get(nodes), `nodes is forbidden: User "tester" cannot list resource "nodes" in API group "" at the cluster scope`},
		{get(proxy), `pods "p:61678" is forbidden: User "tester" cannot get resource "pods/proxy" in API group "" in the namespace "a"`},
		{get(pod), `pods "p" not found`},
		{get(group), `the server could not find the requested resource`},
	} {
		if e[0] != e[1] {
			t.Errorf("got  %s\nwant %s", e[0], e[1])
		}
	}
	// A client learns from a review what it may do.
	for verb, want := range map[string]bool{"list": false, "get": true} {
		r, err := c.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: verb, Resource: "events"}}}, metav1.CreateOptions{})
		if err != nil || r.Status.Allowed != want {
			t.Errorf("%s events: allowed %v, %v", verb, r.Status.Allowed, err)
		}
	}
	cfg.BearerToken = "stolen"
	if _, err := typed(t, cfg).CoreV1().Pods("a").List(ctx, metav1.ListOptions{}); !apierrors.IsUnauthorized(err) {
		t.Errorf("unknown token: %v", err)
	}
}

func TestAuthorizeHook(t *testing.T) {
	w := small(t, daemonSet)
	s := kube.New(w, kube.Options{Authorize: func(user, verb, resource, namespace, name string) bool {
		return verb == "get" || (user == "executor" && resource == "daemonsets.apps" && namespace == "kube-system" && name == "aws-node")
	}})
	h := httptest.NewServer(s)
	defer h.Close()
	for user, want := range map[string]bool{"executor": true, "front": false} {
		cfg, err := clientcmd.RESTConfigFromKubeConfig(kube.Kubeconfig(h.URL, user))
		if err != nil {
			t.Fatal(err)
		}
		_, err = typed(t, cfg).AppsV1().DaemonSets("kube-system").Patch(context.Background(), "aws-node", types.MergePatchType, []byte(`{}`), metav1.PatchOptions{})
		if (err == nil) != want || (err != nil && !apierrors.IsForbidden(err)) {
			t.Errorf("%s: %v", user, err)
		}
	}
}

func TestLogsAndMetrics(t *testing.T) {
	w := small(t, "apiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: a}\nspec: {initContainers: [{name: i}], containers: [{name: c}, {name: d}]}\nstatus: {podIP: 10.0.0.5}\n")
	w.Logs = map[string]string{"a/p/c": "one\ntwo\nthree\n"}
	w.Metrics = map[string]string{}
	s, cfg := serve(t, w)
	pods, ctx := typed(t, cfg).CoreV1().Pods("a"), context.Background()
	log := func(container string, tail *int64) string {
		r, err := pods.GetLogs("p", &corev1.PodLogOptions{Container: container, TailLines: tail}).Stream(ctx)
		if err != nil {
			return err.Error()
		}
		defer r.Close()
		b, err := io.ReadAll(r)
		if err != nil {
			return err.Error()
		}
		return string(b)
	}
	n := func(n int64) *int64 { return &n }
	for _, c := range []struct {
		container string
		tail      *int64
		want      string
	}{
		{"c", nil, "one\ntwo\nthree\n"}, {"c", n(2), "two\nthree\n"}, {"c", n(3), "one\ntwo\nthree\n"}, {"c", n(9), "one\ntwo\nthree\n"}, {"c", n(0), ""}, {"d", n(5), ""}, {"i", nil, ""},
		{"", nil, "a container name must be specified for pod p, choose one of: [c d] or one of the init containers: [i]"}, {"x", nil, "container x is not valid for pod p"},
	} {
		if got := log(c.container, c.tail); got != c.want {
			t.Errorf("log of %q: %q, want %q", c.container, got, c.want)
		}
	}
	_, err := pods.ProxyGet("", "p", "61678", "metrics", nil).Stream(ctx)
	if !apierrors.IsServiceUnavailable(err) || !strings.Contains(err.Error(), "error trying to reach service: dial tcp 10.0.0.5:61678") {
		t.Errorf("no metrics: %v", err)
	}
	s.SetMetrics("a", "p", "awscni_eni_max 3\n")
	for _, scheme := range []string{"", "http"} {
		if b, err := pods.ProxyGet(scheme, "p", "61678", "metrics", nil).DoRaw(ctx); err != nil || string(b) != "awscni_eni_max 3\n" {
			t.Errorf("metrics: %q, %v", b, err)
		}
	}
}

// next waits for an event of a watch.
func next(t *testing.T, w watch.Interface) watch.Event {
	t.Helper()
	select {
	case e, ok := <-w.ResultChan():
		if !ok {
			t.Fatal("the watch ended")
		}
		return e
	case <-time.After(10 * time.Second):
		t.Fatal("nothing came")
	}
	return watch.Event{}
}

func TestWatchSeesChangesThroughItsSelector(t *testing.T) {
	s, cfg := serve(t, small(t, "apiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: a}\nspec: {containers: []}\nstatus: {phase: Pending}\n"))
	pods, ctx := typed(t, cfg).CoreV1().Pods("a"), context.Background()
	l, err := pods.List(ctx, metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	w, err := pods.Watch(ctx, metav1.ListOptions{FieldSelector: "status.phase=Running", ResourceVersion: l.ResourceVersion})
	if err != nil {
		t.Fatal(err)
	}
	phase := func(p corev1.PodPhase) {
		t.Helper()
		if _, err := pods.Patch(ctx, "p", types.MergePatchType, []byte(`{"status":{"phase":"`+string(p)+`"}}`), metav1.PatchOptions{}, "status"); err != nil {
			t.Fatal(err)
		}
	}
	phase(corev1.PodRunning)
	if e := next(t, w); e.Type != watch.Added {
		t.Errorf("%v, want added", e)
	}
	if _, err := pods.Patch(ctx, "p", types.MergePatchType, []byte(`{"metadata":{"labels":{"a":"b"}}}`), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	if e := next(t, w); e.Type != watch.Modified {
		t.Errorf("%v, want modified", e)
	}
	phase(corev1.PodFailed)
	if e := next(t, w); e.Type != watch.Deleted {
		t.Errorf("%v, want deleted", e)
	}
	s.Close()
	if _, ok := <-w.ResultChan(); ok {
		t.Error("the watch goes on after Close")
	}
	if _, err := pods.Watch(ctx, metav1.ListOptions{ResourceVersion: "1"}); err != nil {
		t.Error(err) // nothing was written before version 1
	}
}

func TestWatchTooOldIsExpired(t *testing.T) {
	_, cfg := serve(t, small(t, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, namespace: a, resourceVersion: '500'}\n"))
	_, err := typed(t, cfg).CoreV1().ConfigMaps("a").Watch(context.Background(), metav1.ListOptions{ResourceVersion: "499"})
	if !apierrors.IsResourceExpired(err) || err.Error() != "too old resource version: 499 (500)" {
		t.Errorf("%v, want expired", err)
	}
}

// table asks for a Table and gives its lines, columns joined by |.
func table(t *testing.T, s *kube.Server, path string, wide bool) []string {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Header.Set("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io,application/json")
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	var tab metav1.Table
	b, err := io.ReadAll(w.Body)
	if err == nil {
		err = json.Unmarshal(b, &tab)
	}
	if err != nil || tab.Kind != "Table" {
		t.Fatalf("%s: %v: %s", path, err, b)
	}
	var head []string
	var lines []string
	for _, c := range tab.ColumnDefinitions {
		if c.Priority == 0 || wide {
			head = append(head, c.Name)
		}
	}
	lines = append(lines, strings.Join(head, "|"))
	for _, row := range tab.Rows {
		var cells []string
		for i, c := range tab.ColumnDefinitions {
			if c.Priority == 0 || wide {
				b, err := json.Marshal(row.Cells[i])
				if err != nil {
					t.Fatal(err)
				}
				cells = append(cells, strings.Trim(string(b), `"`))
			}
		}
		lines = append(lines, strings.Join(cells, "|"))
	}
	return lines
}

func TestTableOfPods(t *testing.T) {
	pod := func(name, spec, status string) string {
		return "apiVersion: v1\nkind: Pod\nmetadata: {name: " + name + ", namespace: a, creationTimestamp: '2026-11-22T10:15:00Z'}\nspec: {" + spec + "}\nstatus: {" + status + "}\n"
	}
	one := "containers: [{name: c}]"
	waiting := func(reason string) string {
		return "phase: Pending, containerStatuses: [{name: c, ready: false, restartCount: 0, state: {waiting: {reason: " + reason + "}}}]"
	}
	w := small(t,
		pod("a-pending", one, "phase: Pending"),
		pod("b-creating", one+", nodeName: n1", waiting("ContainerCreating")),
		pod("c-pull", one, waiting("ImagePullBackOff")),
		pod("d-init", "initContainers: [{name: i}, {name: j}], "+one, "phase: Pending, initContainerStatuses: [{name: i, state: {terminated: {exitCode: 0}}}, {name: j, state: {running: {}}}], containerStatuses: [{name: c, state: {waiting: {reason: PodInitializing}}}]"),
		pod("e-init-crash", "initContainers: [{name: i}], "+one, "phase: Pending, initContainerStatuses: [{name: i, restartCount: 2, state: {waiting: {reason: CrashLoopBackOff}}, lastState: {terminated: {exitCode: 1, finishedAt: '2026-11-22T10:28:00Z'}}}]"),
		pod("f-running", one+", nodeName: n1, readinessGates: [{conditionType: g}]", "phase: Running, podIP: 10.0.0.9, conditions: [{type: Ready, status: 'True'}, {type: g, status: 'True'}], containerStatuses: [{name: c, ready: true, restartCount: 3, state: {running: {}}, lastState: {terminated: {exitCode: 1, finishedAt: '2026-11-22T10:25:00Z'}}}]"),
		pod("g-oom", one, "phase: Running, containerStatuses: [{name: c, ready: false, restartCount: 1, state: {terminated: {exitCode: 137, reason: OOMKilled}}}]"),
		pod("h-exit", one, "phase: Failed, containerStatuses: [{name: c, state: {terminated: {exitCode: 3}}}]"),
		pod("i-done", one, "phase: Succeeded, containerStatuses: [{name: c, state: {terminated: {exitCode: 0, reason: Completed}}}]"),
		pod("j-gated", one, "phase: Pending, conditions: [{type: PodScheduled, status: 'False', reason: SchedulingGated}]"),
		pod("k-evicted", one, "phase: Failed, reason: Evicted"),
		pod("l-sidecar", "initContainers: [{name: s, restartPolicy: Always}], "+one, "phase: Running, conditions: [{type: Initialized, status: 'True'}], initContainerStatuses: [{name: s, ready: true, started: true, state: {running: {}}}], containerStatuses: [{name: c, ready: true, state: {running: {}}}]"),
		strings.Replace(pod("m-leaving", one+", nodeName: n1", "phase: Running, containerStatuses: [{name: c, ready: true, state: {running: {}}}]"), "namespace: a", "namespace: a, deletionTimestamp: '2026-11-22T10:29:00Z'", 1),
	)
	s, _ := serve(t, w)
	want := []string{
		"Name|Ready|Status|Restarts|Age|IP|Node|Nominated Node|Readiness Gates",
		"a-pending|0/1|Pending|0|15m|<none>|<none>|<none>|<none>",
		"b-creating|0/1|ContainerCreating|0|15m|<none>|n1|<none>|<none>",
		"c-pull|0/1|ImagePullBackOff|0|15m|<none>|<none>|<none>|<none>",
		"d-init|0/1|Init:1/2|0|15m|<none>|<none>|<none>|<none>",
		"e-init-crash|0/1|Init:CrashLoopBackOff|2 (2m ago)|15m|<none>|<none>|<none>|<none>",
		"f-running|1/1|Running|3 (5m ago)|15m|10.0.0.9|n1|<none>|1/1",
		"g-oom|0/1|OOMKilled|1|15m|<none>|<none>|<none>|<none>",
		"h-exit|0/1|ExitCode:3|0|15m|<none>|<none>|<none>|<none>",
		"i-done|0/1|Completed|0|15m|<none>|<none>|<none>|<none>",
		"j-gated|0/1|SchedulingGated|0|15m|<none>|<none>|<none>|<none>",
		"k-evicted|0/1|Evicted|0|15m|<none>|<none>|<none>|<none>",
		"l-sidecar|2/2|Running|0|15m|<none>|<none>|<none>|<none>",
		"m-leaving|1/1|Terminating|0|15m|<none>|n1|<none>|<none>",
	}
	got := table(t, s, "/api/v1/namespaces/a/pods", true)
	for i := range got { // a client that decodes the JSON again escapes < and >
		got[i] = strings.NewReplacer(`\u003c`, "<", `\u003e`, ">").Replace(got[i])
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
}

func TestTablesOfOtherKinds(t *testing.T) {
	s, _ := serve(t, small(t,
		"apiVersion: v1\nkind: Node\nmetadata: {name: n1, creationTimestamp: '2026-11-19T10:30:00Z', labels: {node-role.kubernetes.io/worker: ''}}\nspec: {unschedulable: true}\nstatus: {conditions: [{type: Ready, status: 'True'}], nodeInfo: {kubeletVersion: v1.34.1}}\n",
		"apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: i, namespace: a, creationTimestamp: '2026-11-19T10:30:00Z'}\nspec: {ingressClassName: alb, tls: [{}], rules: [{host: x.example.com}, {}]}\nstatus: {loadBalancer: {ingress: [{hostname: lb.example.com}]}}\n",
		"apiVersion: v1\nkind: Service\nmetadata: {name: s, namespace: a, creationTimestamp: '2026-11-19T10:30:00Z'}\nspec: {type: NodePort, clusterIP: 172.20.0.1, ports: [{port: 80, nodePort: 30080, protocol: TCP}]}\n",
		strings.Replace(daemonSet, `uid: u1`, `uid: u1, creationTimestamp: '2026-11-19T10:30:00Z'`, 1),
		"apiVersion: v1\nkind: Event\nmetadata: {name: e, namespace: a}\ninvolvedObject: {kind: Pod, name: p}\nreason: Failed\ntype: Warning\nmessage: 'no address '\ncount: 7\nfirstTimestamp: '2026-11-22T10:00:00Z'\nlastTimestamp: '2026-11-22T10:29:00Z'\n",
		"apiVersion: elbv2.k8s.aws/v1beta1\nkind: TargetGroupBinding\nmetadata: {name: t, namespace: a, creationTimestamp: '2026-11-19T10:30:00Z'}\nspec: {targetType: ip, targetGroupARN: arn, serviceRef: {name: s, port: 80}}\n",
	))
	for path, want := range map[string][]string{
		"/api/v1/nodes": {"Name|Status|Roles|Age|Version", "n1|Ready,SchedulingDisabled|worker|3d|v1.34.1"},
		"/apis/networking.k8s.io/v1/namespaces/a/ingresses":            {"Name|Class|Hosts|Address|Ports|Age", "i|alb|x.example.com,*|lb.example.com|80, 443|3d"},
		"/api/v1/namespaces/a/services":                                {"Name|Type|Cluster-IP|External-IP|Port(s)|Age", "s|NodePort|172.20.0.1|<none>|80:30080/TCP|3d"},
		"/apis/apps/v1/namespaces/kube-system/daemonsets":              {"Name|Desired|Current|Ready|Up-to-date|Available|Node Selector|Age", "aws-node|0|0|0|0|0|<none>|3d"},
		"/api/v1/namespaces/a/events":                                  {"Last Seen|Type|Reason|Object|Message", "60s (x7 over 30m)|Warning|Failed|pod/p|no address"},
		"/apis/events.k8s.io/v1/namespaces/a/events":                   {"Last Seen|Type|Reason|Object|Message", "60s (x7 over 30m)|Warning|Failed|pod/p|no address"},
		"/apis/elbv2.k8s.aws/v1beta1/namespaces/a/targetgroupbindings": {"Name|Service-Name|Service-Port|Target-Type|Age", "t|s|80|ip|3d"},
		"/api/v1/namespaces/a/secrets":                                 {"Name|Age"},
	} {
		got := table(t, s, path, false)
		for i := range got {
			got[i] = strings.NewReplacer(`\u003c`, "<", `\u003e`, ">").Replace(got[i])
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
}

func TestMetadataOnly(t *testing.T) {
	_, cfg := serve(t, small(t, daemonSet))
	c, err := metadata.NewForConfig(cfg)
	if err != nil {
		t.Fatal(err)
	}
	l, err := c.Resource(schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "daemonsets"}).List(context.Background(), metav1.ListOptions{})
	if err != nil || len(l.Items) != 1 || l.Items[0].Name != "aws-node" {
		t.Errorf("%v, %v", l, err)
	}
}

func TestNewCopiesTheWorld(t *testing.T) {
	w := small(t, daemonSet)
	before := w.Objects[0].DeepCopy()
	_, cfg := serve(t, w)
	if _, err := typed(t, cfg).AppsV1().DaemonSets("kube-system").Patch(context.Background(), "aws-node", types.MergePatchType, []byte(`{"metadata":{"labels":{"a":"b"}}}`), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, w.Objects[0], cmp.AllowUnexported(unstructured.Unstructured{})); diff != "" {
		t.Errorf("the world changed:\n%s", diff)
	}
}
