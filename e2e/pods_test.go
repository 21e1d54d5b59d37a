package e2e

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	policy "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/netdiag/netdiag/internal/kube"
	"github.com/netdiag/netdiag/internal/remedy"
)

// making is what made a pod.
func making(kind, name string) []metav1.OwnerReference {
	yes := true
	return []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: kind, Name: name, UID: "5f2c6f9e-0000-4000-8000-000000000001", Controller: &yes}}
}

// pod makes a pod on node n1 with a status.
func (p *plane) pod(t *testing.T, namespace, name string, owners []metav1.OwnerReference, status core.PodStatus) *core.Pod {
	t.Helper()
	client, err := kubernetes.NewForConfig(p.admin)
	if err != nil {
		t.Fatal(err)
	}
	no := false
	pod, err := client.CoreV1().Pods(namespace).Create(t.Context(), &core.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, OwnerReferences: owners},
		Spec:       core.PodSpec{NodeName: "n1", AutomountServiceAccountToken: &no, Containers: []core.Container{{Name: "c", Image: "i"}}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	pod.Status = status
	if pod, err = client.CoreV1().Pods(namespace).UpdateStatus(t.Context(), pod, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.CoreV1().Pods(namespace).Delete(background(t), name, *metav1.NewDeleteOptions(0)); err != nil && !apierrors.IsNotFound(err) {
			t.Error(err)
		}
	})
	return pod
}

// node makes the node n1.
func (p *plane) node(t *testing.T) {
	t.Helper()
	client, err := kubernetes.NewForConfig(p.admin)
	if err != nil {
		t.Fatal(err)
	}
	n := &core.Node{ObjectMeta: metav1.ObjectMeta{Name: "n1", Labels: map[string]string{"zone": "a"}, Annotations: map[string]string{"a": "b"}}, Spec: core.NodeSpec{ProviderID: "aws:///us-west-2a/i-0123456789abcdef0"}}
	if _, err := client.CoreV1().Nodes().Create(t.Context(), n, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.CoreV1().Nodes().Delete(background(t), "n1", metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
}

var (
	neverRan = core.PodStatus{Phase: core.PodPending, ContainerStatuses: []core.ContainerStatus{{Name: "c", State: core.ContainerState{Waiting: &core.ContainerStateWaiting{Reason: "ContainerCreating"}}}}}
	runs     = core.PodStatus{Phase: core.PodRunning, ContainerStatuses: []core.ContainerStatus{{Name: "c", State: core.ContainerState{Running: &core.ContainerStateRunning{}}}}}
	crashed  = core.PodStatus{Phase: core.PodPending, ContainerStatuses: []core.ContainerStatus{{Name: "c", RestartCount: 1, State: core.ContainerState{Waiting: &core.ContainerStateWaiting{Reason: "CrashLoopBackOff"}}}}}
)

// TestPods: with every right there is, the executor deletes pods of aws-node and pods that never ran, and no others.
func TestPods(t *testing.T) {
	p := need(t)
	namespace := p.namespace(t)
	p.node(t)
	asFront, asExecutor := omnipotent(t, p)
	client, err := kubernetes.NewForConfig(asExecutor)
	if err != nil {
		t.Fatal(err)
	}
	const system, ran, elsewhere = "no pods of kube-system but those of the DaemonSet aws-node", "netdiag deletes no pod that has run", "no pod that nothing makes again elsewhere"
	dry := metav1.DeleteOptions{DryRun: []string{metav1.DryRunAll}}
	for _, c := range []struct {
		what, namespace string
		owners          []metav1.OwnerReference
		status          core.PodStatus
		message         string
	}{
		{"of aws-node", "kube-system", making("DaemonSet", "aws-node"), runs, ""},
		{"of kube-proxy", "kube-system", making("DaemonSet", "kube-proxy"), runs, system},
		{"of coredns", "kube-system", making("ReplicaSet", "coredns"), neverRan, system},
		{"of a deployment aws-node", "kube-system", making("ReplicaSet", "aws-node"), neverRan, system},
		{"of the system without a controller", "kube-system", nil, neverRan, system},
		{"that never ran", namespace, making("ReplicaSet", "web"), neverRan, ""},
		{"of a job that never ran", namespace, making("Job", "web"), neverRan, ""},
		{"that runs", namespace, making("ReplicaSet", "web"), runs, ran},
		{"that has crashed", namespace, making("ReplicaSet", "web"), crashed, ran},
		{"of an aws-node elsewhere", namespace, making("DaemonSet", "aws-node"), runs, ran},
		{"of a daemonset", namespace, making("DaemonSet", "agent"), neverRan, elsewhere},
		{"without a controller", namespace, nil, neverRan, elsewhere},
	} {
		pod := p.pod(t, c.namespace, strings.ReplaceAll("pod-"+c.what, " ", "-"), c.owners, c.status)
		eventually(t, "the policy", func() bool {
			_, err := client.CoreV1().Pods(c.namespace).Update(t.Context(), pod, metav1.UpdateOptions{DryRun: dry.DryRun})
			return apierrors.IsInvalid(err)
		})
		err := client.CoreV1().Pods(c.namespace).Delete(t.Context(), pod.Name, dry)
		if c.message != "" {
			refused(t, "a pod "+c.what, err, c.message)
		} else if err != nil {
			t.Errorf("a pod %s: %v", c.what, err)
		}
	}
	const only = "netdiag makes, changes and evicts no pods"
	pods := client.CoreV1().Pods(namespace)
	_, err = pods.Create(t.Context(), &core.Pod{ObjectMeta: metav1.ObjectMeta{Name: "x"}, Spec: core.PodSpec{Containers: []core.Container{{Name: "c", Image: "i"}}}}, metav1.CreateOptions{})
	refused(t, "a pod made", err, only)
	_, err = pods.Patch(t.Context(), "pod-that-never-ran", types.MergePatchType, []byte(`{"metadata":{"labels":{"a":"b"}}}`), metav1.PatchOptions{})
	refused(t, "a label", err, only)
	_, err = pods.Patch(t.Context(), "pod-that-never-ran", types.MergePatchType, []byte(`{"status":{"phase":"Failed"}}`), metav1.PatchOptions{}, "status")
	refused(t, "a status", err, only)
	refused(t, "an eviction", pods.EvictV1(t.Context(), &policy.Eviction{ObjectMeta: metav1.ObjectMeta{Name: "pod-that-never-ran", Namespace: namespace}}), only)
	refused(t, "all at once", pods.DeleteCollection(t.Context(), dry, metav1.ListOptions{}), "netdiag deletes no pod")
	if front, err := kubernetes.NewForConfig(asFront); err != nil {
		t.Fatal(err)
	} else if err := front.CoreV1().Pods(namespace).Delete(t.Context(), "pod-that-runs", dry); err != nil {
		t.Errorf("others than the executor are none of this policy's business: %v", err)
	}
}

// TestNodes: with every right there is, the executor cordons nodes and does nothing else to them.
func TestNodes(t *testing.T) {
	p := need(t)
	p.node(t)
	_, asExecutor := omnipotent(t, p)
	client, err := kubernetes.NewForConfig(asExecutor)
	if err != nil {
		t.Fatal(err)
	}
	const only, cordon, mark = "neither makes nor deletes nodes, nor changes their status", "changes nothing of a node but its cordon", "nothing of the metadata of a node but its own mark"
	try := func(body string, sub ...string) error {
		_, err := client.CoreV1().Nodes().Patch(t.Context(), "n1", types.MergePatchType, []byte(body), metav1.PatchOptions{DryRun: []string{metav1.DryRunAll}}, sub...)
		return err
	}
	eventually(t, "the policy", func() bool { return try(`{"metadata":{"labels":{"a":"b"}}}`) != nil })
	for what, c := range map[string]struct{ body, message string }{
		"a cordon":               {`{"spec":{"unschedulable":true},"metadata":{"annotations":{"netdiag.io/remediation":"rem-1"}}}`, ""},
		"a cordon taken back":    {`{"spec":{"unschedulable":null}}`, ""},
		"a taint":                {`{"spec":{"taints":[{"key":"a","effect":"NoExecute"}]}}`, cordon},
		"a block of addresses":   {`{"spec":{"podCIDR":"10.0.0.0/24","podCIDRs":["10.0.0.0/24"]}}`, cordon},
		"a label":                {`{"metadata":{"labels":{"a":"b"}}}`, mark},
		"a label removed":        {`{"metadata":{"labels":{"zone":null}}}`, mark},
		"an annotation":          {`{"metadata":{"annotations":{"c":"d"}}}`, mark},
		"an annotation changed":  {`{"metadata":{"annotations":{"a":"c"}}}`, mark},
		"an annotation removed":  {`{"metadata":{"annotations":{"a":null}}}`, mark},
		"a finalizer":            {`{"metadata":{"finalizers":["netdiag.io/x"]}}`, mark},
		"a cordon and a label":   {`{"spec":{"unschedulable":true},"metadata":{"labels":{"a":"b"}}}`, mark},
		"a cordon and one taint": {`{"spec":{"unschedulable":true,"taints":[{"key":"a","effect":"NoExecute"}]}}`, cordon},
	} {
		if err := try(c.body); c.message != "" {
			refused(t, what, err, c.message)
		} else if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	refused(t, "a status", try(`{"status":{"conditions":[{"type":"Ready","status":"False"}]}}`, "status"), only)
	dry := metav1.DeleteOptions{DryRun: []string{metav1.DryRunAll}}
	refused(t, "a node deleted", client.CoreV1().Nodes().Delete(t.Context(), "n1", dry), only)
	_, err = client.CoreV1().Nodes().Create(t.Context(), &core.Node{ObjectMeta: metav1.ObjectMeta{Name: "n2"}}, metav1.CreateOptions{DryRun: dry.DryRun})
	refused(t, "a node made", err, only)
}

// TestHandsOnPods moves pods and restarts aws-node under the roles of the chart, as the executor does; what those roles don't
// give is named with the role that does.
func TestHandsOnPods(t *testing.T) {
	p := need(t)
	namespace := p.namespace(t)
	p.node(t)
	admin, err := kubernetes.NewForConfig(p.admin)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := admin.AppsV1().DaemonSets("kube-system").Create(t.Context(), awsNode("kube-system", "aws-node"), metav1.CreateOptions{}); err == nil { // no other test has
		t.Cleanup(func() {
			if err := admin.AppsV1().DaemonSets("kube-system").Delete(background(t), "aws-node", metav1.DeleteOptions{}); err != nil {
				t.Error(err)
			}
		})
	}
	d, err := admin.AppsV1().DaemonSets("kube-system").Get(t.Context(), "aws-node", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	stuck := p.pod(t, namespace, "stuck", making("ReplicaSet", "web"), neverRan)
	started := p.pod(t, namespace, "started", making("ReplicaSet", "web"), runs)
	agent := p.pod(t, "kube-system", "aws-node-x", []metav1.OwnerReference{*metav1.NewControllerRef(d, apps.SchemeGroupVersion.WithKind("DaemonSet"))}, runs)
	as := func(cfg *rest.Config) *kube.Hands {
		client, err := kube.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		return client.Hands()
	}
	move := remedy.Action{MovePods: &remedy.MovePods{Node: "n1", Pods: []remedy.NamespacedPod{
		{Namespace: namespace, Name: "started", UID: string(started.UID)}, {Namespace: namespace, Name: "stuck", UID: string(stuck.UID)},
	}}}
	restart := remedy.Action{RestartPods: &remedy.RestartPods{Namespace: "kube-system", DaemonSet: "aws-node", Pods: []remedy.Pod{{Name: "aws-node-x", UID: string(agent.UID), Node: "n1"}}}}
	executor, mark := as(p.as(t, "netdiag-executor")), remedy.Mark{Remediation: "rem-1"}
	for _, a := range []remedy.Action{move, restart} {
		eventually(t, "rights", func() bool { return executor.DryRun(t.Context(), a, mark) == nil })
		r, err := executor.Apply(t.Context(), a, mark)
		if err != nil || !r.Owned {
			t.Fatalf("%s: %+v, error %v", a.Target(), r, err)
		}
		t.Logf("%s: %q", a.Target(), r.Did)
	}
	for _, c := range []struct {
		pod  *core.Pod
		gone bool
	}{{stuck, true}, {started, false}, {agent, true}} {
		now, err := admin.CoreV1().Pods(c.pod.Namespace).Get(t.Context(), c.pod.Name, metav1.GetOptions{})
		if gone := apierrors.IsNotFound(err) || err == nil && now.DeletionTimestamp != nil; gone != c.gone {
			t.Errorf("pod %s deleted: %v, want %v", c.pod.Name, gone, c.gone)
		}
	}
	if done, r, err := executor.Look(t.Context(), move, mark); !done || err != nil || len(r.Did) != 3 {
		t.Errorf("look: %v, %+v, %v", done, r, err)
	}
	n, err := admin.CoreV1().Nodes().Get(t.Context(), "n1", metav1.GetOptions{})
	if err != nil || !n.Spec.Unschedulable {
		t.Errorf("node: %+v, %v", n.Spec, err)
	}
	if _, err := executor.Apply(t.Context(), remedy.Action{Cordon: &remedy.Cordon{Node: "n1", Was: true}}, remedy.Mark{Remediation: "rem-2"}); err != nil {
		t.Error(err)
	}
	if n, err = admin.CoreV1().Nodes().Get(t.Context(), "n1", metav1.GetOptions{}); err != nil || n.Spec.Unschedulable {
		t.Errorf("node after the undo: %+v, %v", n.Spec, err)
	}

	p.pod(t, namespace, "again", making("ReplicaSet", "web"), neverRan)
	again, err := admin.CoreV1().Pods(namespace).Get(t.Context(), "again", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	move.MovePods.Pods = []remedy.NamespacedPod{{Namespace: namespace, Name: "again", UID: string(again.UID)}}
	var forbidden *kube.Forbidden
	if err := as(p.as(t, "netdiag")).DryRun(t.Context(), move, mark); !errors.As(err, &forbidden) || forbidden.Verb != "get" || forbidden.Resource.Resource != "pods" || !strings.Contains(err.Error(), "netdiag-fix-move") {
		t.Errorf("the front end: %v", err)
	}
	if !strings.Contains(p.chart, "name: netdiag-fix-move") {
		t.Error("the chart has no role of that name")
	}
}

// TestKindsThatAreOff renders the chart with each kind switched off: neither its role nor what its policy lets through is left.
func TestKindsThatAreOff(t *testing.T) {
	need(t)
	for kind, gone := range map[string][]string{
		"annotate":     {"name: netdiag-fix\n", "'elbv2.k8s.aws/checkpoint'", "Annotate"},
		"daemonSetEnv": {"name: netdiag-fix-cni\n", "'WARM_IP_TARGET'", "DaemonSetEnv"},
		"restartPods":  {"name: netdiag-fix-restart\n", "o.name == 'aws-node'", "RestartPods"},
		"movePods":     {"name: netdiag-fix-move\n", "variables.now.?taints", "oldObject.?status.?phase.orValue('') == 'Pending'", "MovePods", "Cordon"},
	} {
		var on, off map[string]any
		for _, v := range []*map[string]any{&on, &off} {
			if err := json.Unmarshal([]byte(values), v); err != nil {
				t.Fatal(err)
			}
		}
		off["fixes"].(map[string]any)["kinds"] = map[string]any{kind: false}
		with, without := rendered(t, on), rendered(t, off)
		for _, text := range gone {
			if !strings.Contains(with, text) {
				t.Errorf("%q isn't in the chart to begin with", text)
			}
			if strings.Contains(without, text) {
				t.Errorf("without %s, %q is left", kind, text)
			}
		}
	}
}

// rendered is the chart with these values.
func rendered(t *testing.T, values map[string]any) string {
	t.Helper()
	b, err := json.Marshal(values)
	if err != nil {
		t.Fatal(err)
	}
	text, err := render(t.Context(), string(b))
	if err != nil {
		t.Fatal(err)
	}
	return text
}
