package kube_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"github.com/netdiag/netdiag/internal/sim/kube"
	"github.com/netdiag/netdiag/internal/world"
)

// small is a world of the given objects, in YAML.
func small(t testing.TB, objects ...string) *world.World {
	t.Helper()
	w := &world.World{Dir: "small", Meta: world.Meta{Now: time.Date(2026, 11, 22, 10, 30, 0, 0, time.UTC)}}
	for _, text := range objects {
		w.Objects = append(w.Objects, object(t, text))
	}
	return w
}

func object(t testing.TB, text string) *unstructured.Unstructured {
	t.Helper()
	u := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), &u.Object); err != nil {
		t.Fatal(err)
	}
	return u
}

func typed(t testing.TB, cfg *rest.Config) kubernetes.Interface {
	t.Helper()
	c, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func untyped(t testing.TB, cfg *rest.Config) dynamic.Interface {
	t.Helper()
	c, err := dynamic.NewForConfig(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

var remediations = schema.GroupVersionResource{Group: "netdiag.io", Version: "v1alpha1", Resource: "remediations"}

const remediation = `
apiVersion: netdiag.io/v1alpha1
kind: Remediation
metadata: {name: rem-1, namespace: netdiag}
spec: {plan: {hash: abc}}
status: {phase: Approved}
`

func TestCustomResourceLifeCycle(t *testing.T) {
	_, cfg := serve(t, small(t))
	c, ctx := untyped(t, cfg).Resource(remediations).Namespace("netdiag"), context.Background()
	got, err := c.Create(ctx, object(t, remediation), metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got.Object["status"] != nil || got.GetGeneration() != 1 || got.GetUID() == "" || got.GetResourceVersion() == "" || got.GetCreationTimestamp().UTC() != time.Date(2026, 11, 22, 10, 30, 0, 0, time.UTC) {
		t.Errorf("created: %v", got.Object)
	}
	if _, err := c.Create(ctx, object(t, remediation), metav1.CreateOptions{}); !apierrors.IsAlreadyExists(err) || err.Error() != `remediations.netdiag.io "rem-1" already exists` {
		t.Errorf("create again: %v", err)
	}
	// The status is written by itself, and nothing else with it.
	step := got.DeepCopy()
	step.Object["status"] = map[string]any{"phase": "Proposed"}
	step.Object["spec"] = map[string]any{"plan": "another"}
	after, err := c.UpdateStatus(ctx, step, metav1.UpdateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if phase, _, _ := unstructured.NestedString(after.Object, "status", "phase"); phase != "Proposed" || after.GetGeneration() != 1 || !cmp.Equal(after.Object["spec"], got.Object["spec"]) {
		t.Errorf("after the status update: %v", after.Object)
	}
	if _, err := c.UpdateStatus(ctx, step, metav1.UpdateOptions{}); !apierrors.IsConflict(err) || !strings.HasSuffix(err.Error(), "the object has been modified; please apply your changes to the latest version and try again") {
		t.Errorf("update of an old version: %v", err)
	}
	// An update of the rest leaves the status alone and counts a generation.
	after.Object["spec"] = map[string]any{"plan": map[string]any{"hash": "def"}}
	delete(after.Object, "status")
	again, err := c.Update(ctx, after, metav1.UpdateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if phase, _, _ := unstructured.NestedString(again.Object, "status", "phase"); phase != "Proposed" || again.GetGeneration() != 2 {
		t.Errorf("after the update: %v", again.Object)
	}
	same, err := c.Update(ctx, again, metav1.UpdateOptions{})
	if err != nil || same.GetResourceVersion() != again.GetResourceVersion() {
		t.Errorf("an update that changes nothing: %v, version %s, want %s", err, same.GetResourceVersion(), again.GetResourceVersion())
	}
	again.SetResourceVersion("")
	if _, err := c.Update(ctx, again, metav1.UpdateOptions{}); !apierrors.IsInvalid(err) {
		t.Errorf("update without a version: %v", err)
	}
	if err := c.Delete(ctx, "rem-1", metav1.DeleteOptions{DryRun: []string{metav1.DryRunAll}}); err != nil {
		t.Error(err)
	}
	uid := types.UID("another")
	if err := c.Delete(ctx, "rem-1", metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid}}); !apierrors.IsConflict(err) {
		t.Errorf("delete of another uid: %v", err)
	}
	if err := c.Delete(ctx, "rem-1", metav1.DeleteOptions{}); err != nil {
		t.Error(err)
	}
	if _, err := c.Get(ctx, "rem-1", metav1.GetOptions{}); !apierrors.IsNotFound(err) || err.Error() != `remediations.netdiag.io "rem-1" not found` {
		t.Errorf("get after delete: %v", err)
	}
}

func TestCreateIsChecked(t *testing.T) {
	_, cfg := serve(t, small(t))
	c, ctx := untyped(t, cfg).Resource(remediations).Namespace("netdiag"), context.Background()
	for want, text := range map[string]string{
		"metadata.name: Invalid value":                    strings.Replace(remediation, "rem-1", "Rem_1", 1),
		"name or generateName is required":                strings.Replace(remediation, "name: rem-1, ", "", 1),
		"does not match the namespace sent":               strings.Replace(remediation, "namespace: netdiag", "namespace: other", 1),
		"resourceVersion should not be set":               strings.Replace(remediation, "name: rem-1", `name: rem-1, resourceVersion: "5"`, 1),
		"does not match the expected API version":         strings.Replace(remediation, "v1alpha1", "v2", 1),
		"got kind \"Investigation\"":                      strings.Replace(remediation, "kind: Remediation", "kind: Investigation", 1),
		"metadata.labels: Invalid value: \"not a label\"": strings.Replace(remediation, "name: rem-1", `name: rem-1, labels: {a: not a label}`, 1),
	} {
		if _, err := c.Create(ctx, object(t, text), metav1.CreateOptions{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	dry, err := c.Create(ctx, object(t, remediation), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	if err != nil || dry.GetUID() == "" {
		t.Errorf("dry run: %v", err)
	}
	generated := object(t, strings.Replace(remediation, "name: rem-1", "generateName: rem-", 1))
	named, err := c.Create(ctx, generated, metav1.CreateOptions{})
	if err != nil || len(named.GetName()) != len("rem-")+5 {
		t.Errorf("generateName: %v, %v", named, err)
	}
	l, err := c.List(ctx, metav1.ListOptions{})
	if err != nil || len(l.Items) != 1 {
		t.Errorf("%d objects, %v: a dry run stores nothing", len(l.Items), err)
	}
}

// Of many writers that read the same version one gets through, each time.
func TestConcurrentUpdatesLoseNothing(t *testing.T) {
	_, cfg := serve(t, small(t, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: count, namespace: a}\ndata: {count: '0'}\n"))
	c, ctx := typed(t, cfg).CoreV1().ConfigMaps("a"), context.Background()
	const writers = 8
	var wg sync.WaitGroup
	var mu sync.Mutex
	conflicts := 0
	start := make(chan struct{})
	for range writers {
		wg.Go(func() {
			<-start
			for {
				cm, err := c.Get(ctx, "count", metav1.GetOptions{})
				if err != nil {
					t.Error(err)
					return
				}
				var n int
				if _, err := fmt.Sscan(cm.Data["count"], &n); err != nil {
					t.Error(err)
					return
				}
				cm.Data["count"] = fmt.Sprint(n + 1)
				_, err = c.Update(ctx, cm, metav1.UpdateOptions{})
				if err == nil {
					return
				}
				if !apierrors.IsConflict(err) {
					t.Error(err)
					return
				}
				mu.Lock()
				conflicts++
				mu.Unlock()
			}
		})
	}
	close(start)
	wg.Wait()
	cm, err := c.Get(ctx, "count", metav1.GetOptions{})
	if err != nil || cm.Data["count"] != fmt.Sprint(writers) {
		t.Errorf("n is %s after %d updates and %d conflicts: %v", cm.Data["count"], writers, conflicts, err)
	}
}

const daemonSet = `
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: aws-node, namespace: kube-system, uid: u1, resourceVersion: "77"}
spec:
  selector: {matchLabels: {k8s-app: aws-node}}
  template:
    metadata: {labels: {k8s-app: aws-node}}
    spec:
      containers:
      - {name: aws-node, image: cni, env: [{name: A, value: "1"}, {name: B, value: "2"}]}
status: {observedGeneration: 3}
`

func TestPatches(t *testing.T) {
	for name, c := range map[string]struct {
		kind        types.PatchType
		patch       string
		subresource []string
		env         string // after it
		err         string
	}{
		"strategic":        {kind: types.StrategicMergePatchType, patch: `{"spec":{"template":{"spec":{"containers":[{"name":"aws-node","env":[{"name":"B","value":"3"},{"name":"A","$patch":"delete"}]}]}}}}`, env: "B=3"},
		"merge":            {kind: types.MergePatchType, patch: `{"metadata":{"resourceVersion":"77"},"spec":{"template":{"spec":{"containers":[{"name":"aws-node","env":[]}]}}}}`, env: ""},
		"merge, old":       {kind: types.MergePatchType, patch: `{"metadata":{"resourceVersion":"76"}}`, err: `Operation cannot be fulfilled on daemonsets.apps "aws-node": the object has been modified`},
		"json":             {kind: types.JSONPatchType, patch: `[{"op":"test","path":"/metadata/resourceVersion","value":"77"},{"op":"replace","path":"/spec/template/spec/containers/0/env/0/value","value":"9"}]`, env: "A=9 B=2"},
		"json, test fails": {kind: types.JSONPatchType, patch: `[{"op":"test","path":"/metadata/resourceVersion","value":"76"}]`, err: "the server rejected our request due to an error in our request"},
		"json, wrong type": {kind: types.JSONPatchType, patch: `[{"op":"replace","path":"/spec/template/spec/containers/0/env/0/value","value":9}]`, err: "cannot unmarshal number"},
		"not JSON":         {kind: types.MergePatchType, patch: `{`, err: "error decoding patch"},
		"unknown kind":     {kind: "text/plain", patch: `{}`, err: "accepted media types include"},
		"status ignored":   {kind: types.MergePatchType, patch: `{"status":{"observedGeneration":9}}`, env: "A=1 B=2"},
		"no subresource":   {kind: types.MergePatchType, patch: `{}`, subresource: []string{"scale"}, err: "could not find the requested resource"},
	} {
		t.Run(name, func(t *testing.T) {
			_, cfg := serve(t, small(t, daemonSet))
			ds := typed(t, cfg).AppsV1().DaemonSets("kube-system")
			for _, dry := range [][]string{{metav1.DryRunAll}, nil} {
				got, err := ds.Patch(context.Background(), "aws-node", c.kind, []byte(c.patch), metav1.PatchOptions{DryRun: dry, FieldManager: "tester"}, c.subresource...)
				if c.err != "" {
					if err == nil || !strings.Contains(err.Error(), c.err) {
						t.Errorf("%v, want %q", err, c.err)
					}
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				var env []string
				for _, e := range got.Spec.Template.Spec.Containers[0].Env {
					env = append(env, e.Name+"="+e.Value)
				}
				if s := strings.Join(env, " "); s != c.env || got.Status.ObservedGeneration != 3 {
					t.Errorf("env %q, want %q; status %+v", s, c.env, got.Status)
				}
				if stored, err := ds.Get(context.Background(), "aws-node", metav1.GetOptions{}); err != nil || (len(dry) > 0 && stored.ResourceVersion != "77") {
					t.Errorf("stored version %s, %v", stored.ResourceVersion, err)
				}
			}
		})
	}
}

// A custom resource has no merge keys.
func TestCustomResourcesTakeNoStrategicPatch(t *testing.T) {
	_, cfg := serve(t, small(t, remediation))
	_, err := untyped(t, cfg).Resource(remediations).Namespace("netdiag").Patch(context.Background(), "rem-1", types.StrategicMergePatchType, []byte(`{}`), metav1.PatchOptions{})
	if !apierrors.IsUnsupportedMediaType(err) {
		t.Errorf("%v, want unsupported media type", err)
	}
}

func TestManagedFieldsSayWhoChangedAnEnv(t *testing.T) {
	w := load(t, "pending-s14-iam-lost")
	_, cfg := serve(t, w)
	cfg.UserAgent = "kubectl-ish/v1"
	ds, ctx := typed(t, cfg).AppsV1().DaemonSets("kube-system"), context.Background()
	before, err := ds.Get(ctx, "aws-node", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	patch := []byte(`{"spec":{"template":{"spec":{"containers":[{"name":"aws-node","env":[{"name":"WARM_IP_TARGET","value":"5"}]}]}}}}`)
	for _, c := range []struct{ given, want string }{{"kubectl-set", "kubectl-set"}, {"", "kubectl-ish"}} {
		got, err := ds.Patch(ctx, "aws-node", types.StrategicMergePatchType, patch, metav1.PatchOptions{FieldManager: c.given})
		if err != nil {
			t.Fatal(err)
		}
		if c.given == "" {
			continue // the same value again changes nothing, so nobody is noted
		}
		var found *metav1.ManagedFieldsEntry
		for i, e := range got.ManagedFields {
			if e.Manager == c.want {
				found = &got.ManagedFields[i]
			}
		}
		if found == nil || len(got.ManagedFields) != len(before.ManagedFields)+1 || !found.Time.Time.Equal(w.Meta.Now) || found.Operation != metav1.ManagedFieldsOperationUpdate {
			t.Fatalf("managers: %v", got.ManagedFields)
		}
		var fields map[string]any
		if err := json.Unmarshal(found.FieldsV1.GetRawBytes(), &fields); err != nil {
			t.Fatal(err)
		}
		if _, ok, _ := unstructured.NestedMap(fields, "f:spec", "f:template", "f:spec", "f:containers", `k:{"name":"aws-node"}`, "f:env", `k:{"name":"WARM_IP_TARGET"}`); !ok {
			t.Errorf("fields of %s: %s", c.want, found.FieldsV1.GetRawBytes())
		}
	}
}

func TestServerSideApplyConflicts(t *testing.T) {
	_, cfg := serve(t, small(t))
	cms, ctx := untyped(t, cfg).Resource(schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}).Namespace("a"), context.Background()
	cm := func(v string) *unstructured.Unstructured {
		return object(t, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, namespace: a}\ndata: {k: '"+v+"'}\n")
	}
	first, err := cms.Apply(ctx, "c", cm("1"), metav1.ApplyOptions{FieldManager: "one"})
	if err != nil || first.GetUID() == "" {
		t.Fatalf("%v, %v", first, err)
	}
	if again, err := cms.Apply(ctx, "c", cm("1"), metav1.ApplyOptions{FieldManager: "one"}); err != nil || again.GetResourceVersion() != first.GetResourceVersion() {
		t.Errorf("the same again: %v", err)
	}
	_, err = cms.Apply(ctx, "c", cm("2"), metav1.ApplyOptions{FieldManager: "two"})
	if !apierrors.IsConflict(err) || !strings.Contains(err.Error(), `conflict with "one": .data.k`) {
		t.Errorf("conflict: %v", err)
	}
	forced, err := cms.Apply(ctx, "c", cm("2"), metav1.ApplyOptions{FieldManager: "two", Force: true})
	if err != nil || forced.Object["data"].(map[string]any)["k"] != "2" {
		t.Errorf("forced: %v, %v", forced, err)
	}
}

func TestDeletionWaitsForFinalizersAndKubelets(t *testing.T) {
	_, cfg := serve(t, small(t,
		"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, namespace: a, finalizers: [x.io/y]}\n",
		"apiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: a, uid: u}\nspec: {nodeName: n1, containers: [{name: c, image: i}]}\nstatus: {phase: Running}\n",
		"apiVersion: v1\nkind: Pod\nmetadata: {name: waiting, namespace: a, uid: v}\nspec: {containers: [{name: c, image: i}]}\nstatus: {phase: Pending}\n",
	))
	c, ctx := typed(t, cfg), context.Background()
	if err := c.CoreV1().ConfigMaps("a").Delete(ctx, "c", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	cm, err := c.CoreV1().ConfigMaps("a").Get(ctx, "c", metav1.GetOptions{})
	if err != nil || cm.DeletionTimestamp == nil {
		t.Fatalf("%v, %v", cm, err)
	}
	cm.Finalizers = nil
	if _, err := c.CoreV1().ConfigMaps("a").Update(ctx, cm, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.CoreV1().ConfigMaps("a").Get(ctx, "c", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("after the last finalizer: %v", err)
	}
	if err := c.CoreV1().Pods("a").EvictV1(ctx, &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Name: "p", Namespace: "a"}}); err != nil {
		t.Fatal(err)
	}
	if p, err := c.CoreV1().Pods("a").Get(ctx, "p", metav1.GetOptions{}); err != nil || p.DeletionTimestamp == nil || *p.DeletionGracePeriodSeconds != 30 {
		t.Errorf("a running pod: %v, %v", p, err)
	}
	if err := c.CoreV1().Pods("a").Delete(ctx, "p", *metav1.NewDeleteOptions(0)); err != nil {
		t.Fatal(err)
	}
	if err := c.CoreV1().Pods("a").Delete(ctx, "waiting", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if l, err := c.CoreV1().Pods("a").List(ctx, metav1.ListOptions{}); err != nil || len(l.Items) != 0 {
		t.Errorf("%d pods left, %v", len(l.Items), err)
	}
}

// A pod is made, bound and run by three clients, one of them speaking protobuf, as in a real cluster.
func TestPodIsBoundAndRun(t *testing.T) {
	_, cfg := serve(t, small(t))
	proto := rest.CopyConfig(cfg)
	proto.ContentType = "application/vnd.kubernetes.protobuf"
	pods, ctx := typed(t, proto).CoreV1().Pods("a"), context.Background()
	p, err := pods.Create(ctx, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{GenerateName: "p-"}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "i"}}}}, metav1.CreateOptions{})
	if err != nil || p.Status.Phase != corev1.PodPending {
		t.Fatalf("%v, %v", p, err)
	}
	bind := &corev1.Binding{ObjectMeta: metav1.ObjectMeta{Name: p.Name, Namespace: "a"}, Target: corev1.ObjectReference{Kind: "Node", Name: "n1"}}
	if err := pods.Bind(ctx, bind, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := pods.Bind(ctx, bind, metav1.CreateOptions{}); !apierrors.IsConflict(err) {
		t.Errorf("bind again: %v", err)
	}
	if p, err = pods.Get(ctx, p.Name, metav1.GetOptions{}); err != nil || p.Spec.NodeName != "n1" {
		t.Fatalf("%v, %v", p, err)
	}
	p.Status.Phase = corev1.PodRunning
	if p, err = pods.UpdateStatus(ctx, p, metav1.UpdateOptions{}); err != nil || p.Status.Phase != corev1.PodRunning {
		t.Errorf("%v, %v", p, err)
	}
}

func TestEventsHaveTwoFaces(t *testing.T) {
	_, cfg := serve(t, small(t))
	c, ctx := typed(t, cfg), context.Background()
	if _, err := c.EventsV1().Events("a").Create(ctx, &eventsv1.Event{
		ObjectMeta: metav1.ObjectMeta{Name: "e"}, EventTime: metav1.NowMicro(), Note: "no address", Reason: "FailedCreatePodSandBox", Type: "Warning", Action: "Sandbox",
		Regarding: corev1.ObjectReference{Kind: "Pod", Name: "p", Namespace: "a", UID: "u"}, ReportingController: "kubelet", ReportingInstance: "n1",
	}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	l, err := c.CoreV1().Events("a").List(ctx, metav1.ListOptions{FieldSelector: "involvedObject.uid=u,reason=FailedCreatePodSandBox,type!=Normal"})
	if err != nil || len(l.Items) != 1 || l.Items[0].Message != "no address" || l.Items[0].InvolvedObject.Name != "p" || l.Items[0].ReportingController != "kubelet" {
		t.Errorf("%+v, %v", l, err)
	}
	n, err := c.EventsV1().Events("a").List(ctx, metav1.ListOptions{FieldSelector: "regarding.name=p"})
	if err != nil || len(n.Items) != 1 || n.Items[0].Note != "no address" {
		t.Errorf("%+v, %v", n, err)
	}
}

func TestFaultsAndRequests(t *testing.T) {
	s, cfg := serve(t, small(t))
	c, ctx := typed(t, cfg), context.Background()
	for _, f := range []struct {
		fault kube.Fault
		is    func(error) bool
	}{
		{kube.Fault{Status: 409}, apierrors.IsConflict}, {kube.Fault{Status: 429}, apierrors.IsTooManyRequests}, {kube.Fault{Status: 500}, apierrors.IsInternalError},
		{kube.Fault{Status: 403, Message: "no"}, apierrors.IsForbidden}, {kube.Fault{Delay: time.Millisecond}, func(err error) bool { return err == nil }},
		{kube.Fault{Drop: true}, func(err error) bool { return err != nil && !apierrors.IsNotFound(err) }},
	} {
		s.SetFault(func(r *http.Request) *kube.Fault {
			if r.Method == http.MethodPost {
				return &f.fault
			}
			return nil
		})
		_, err := c.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "x"}}, metav1.CreateOptions{})
		if !f.is(err) {
			t.Errorf("%+v: %v", f.fault, err)
		}
	}
	s.SetFault(nil)
	if n := len(s.Requests()); n != 6 || s.Requests()[0].User != "tester" || s.Requests()[0].Method != http.MethodPost || s.Requests()[0].Path != "/api/v1/namespaces" {
		t.Errorf("%d requests, the first is %+v", n, s.Requests()[0])
	}
}
