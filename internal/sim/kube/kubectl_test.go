package kube_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/netdiag/netdiag/internal/sim/kube"
	"github.com/netdiag/netdiag/internal/world"
)

// kubectlCommand finds an unmodified kubectl: that of KUBEBUILDER_ASSETS, that in PATH, or one built from its module.
// NETDIAG_KUBECTL=build builds it in any case. A cold build takes some minutes, so that -short goes without.
func kubectlCommand(t *testing.T) string {
	t.Helper()
	build := os.Getenv("NETDIAG_KUBECTL") == "build"
	if assets := os.Getenv("KUBEBUILDER_ASSETS"); assets != "" && !build {
		return filepath.Join(assets, "kubectl")
	}
	if path, err := exec.LookPath("kubectl"); err == nil && !build {
		return path
	}
	if testing.Short() {
		t.Skip("SKIPPED: there is no kubectl in PATH, and -short builds none")
	}
	out := filepath.Join(t.TempDir(), "kubectl")
	cmd := exec.Command("go", "build", "-o", out, ".")
	cmd.Dir = filepath.Join("testdata", "kubectl")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build kubectl: %v\n%s", err, text)
	}
	return out
}

// cluster runs kubectl against a served world.
type cluster struct {
	t       *testing.T
	command string
	env     []string
}

func kubectl(t *testing.T, w *world.World) cluster {
	t.Helper()
	command := kubectlCommand(t)
	s := kube.New(w, kube.Options{Now: func() time.Time { return w.Meta.Now }})
	h := httptest.NewServer(s)
	t.Cleanup(h.Close)
	t.Cleanup(s.Close)
	home := t.TempDir() // kubectl keeps its discovery cache there
	file := filepath.Join(home, "config")
	if err := os.WriteFile(file, kube.Kubeconfig(h.URL, "tester"), 0o600); err != nil {
		t.Fatal(err)
	}
	return cluster{t, command, append(os.Environ(), "KUBECONFIG="+file, "HOME="+home)}
}

// run gives what a command prints; one that fails, fails the test.
func (c cluster) run(args ...string) string {
	c.t.Helper()
	out, err := c.try(args...)
	if err != nil {
		c.t.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

func (c cluster) try(args ...string) (string, error) {
	cmd := exec.Command(c.command, args...)
	cmd.Env = c.env
	var out, problem bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problem
	err := cmd.Run()
	return out.String() + problem.String(), err
}

// fields cuts a table into its words, a line each.
func fields(table string) [][]string {
	var out [][]string
	for line := range strings.SplitSeq(strings.TrimSpace(table), "\n") {
		out = append(out, strings.Fields(line))
	}
	return out
}

func pods(t *testing.T, w *world.World, keep func(*corev1.Pod) bool) []corev1.Pod {
	t.Helper()
	var out []corev1.Pod
	for _, o := range w.Objects {
		if o.GetKind() != "Pod" {
			continue
		}
		b, err := o.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		var p corev1.Pod
		if err := json.Unmarshal(b, &p); err != nil {
			t.Fatal(err)
		}
		if keep(&p) {
			out = append(out, p)
		}
	}
	return out
}

// What a person types about pods that get no address, on an unmodified kubectl.
func TestKubectlLooksAtPendingPods(t *testing.T) {
	w := load(t, "pending-s14-iam-lost")
	k := kubectl(t, w)
	pending := pods(t, w, func(p *corev1.Pod) bool { return p.Status.Phase == corev1.PodPending })

	table := fields(k.run("get", "pods", "-A", "--field-selector=status.phase=Pending"))
	if got := strings.Join(table[0], " "); got != "NAMESPACE NAME READY STATUS RESTARTS AGE" {
		t.Errorf("head %q", got)
	}
	var names, want []string
	for _, line := range table[1:] {
		names = append(names, line[0]+"/"+line[1])
		if line[3] != "ContainerCreating" || line[2] != "0/1" {
			t.Errorf("line %v", line)
		}
	}
	for _, p := range pending {
		want = append(want, p.Namespace+"/"+p.Name)
	}
	slices.Sort(want)
	if !slices.Equal(names, want) || len(want) == 0 {
		t.Errorf("pending %v, want %v", names, want)
	}

	described := k.run("describe", "pod", pending[0].Name, "-n", pending[0].Namespace)
	_, events, _ := strings.Cut(described, "\nEvents:\n")
	if !strings.Contains(events, "FailedCreatePodSandBox") || !strings.Contains(events, "failed to assign an IP address to container") {
		t.Errorf("describe has these events:\n%s", events)
	}

	var nodes corev1.NodeList
	if err := json.Unmarshal([]byte(k.run("get", "nodes", "-o", "json")), &nodes); err != nil {
		t.Fatal(err)
	}
	if len(nodes.Items) != count(w, "Node") || nodes.Items[0].Status.Allocatable.Pods().IsZero() {
		t.Errorf("%d nodes", len(nodes.Items))
	}

	logs := k.run("logs", "-n", "kube-system", "-l", "k8s-app=aws-node", "-c", "aws-node", "--tail=50")
	for of, text := range w.Logs {
		lines := strings.Split(strings.TrimSpace(text), "\n")
		if last := lines[len(lines)-1]; strings.HasSuffix(of, "/aws-node") && !strings.Contains(logs, last) {
			t.Errorf("the log of %s isn't there: %s", of, last)
		}
	}

	var ds struct {
		Metadata metav1.ObjectMeta `json:"metadata"`
	}
	if err := json.Unmarshal([]byte(k.run("get", "ds", "aws-node", "-n", "kube-system", "-o", "json", "--show-managed-fields")), &ds); err != nil {
		t.Fatal(err)
	}
	if len(ds.Metadata.ManagedFields) == 0 {
		t.Error("no managedFields")
	}
	metrics := k.run("get", "--raw", "/api/v1/namespaces/kube-system/pods/"+awsNode(t, w)+":61678/proxy/metrics")
	if metrics != w.Metrics["kube-system/"+awsNode(t, w)] {
		t.Errorf("metrics: %d bytes", len(metrics))
	}
}

func awsNode(t *testing.T, w *world.World) string {
	for _, p := range pods(t, w, func(p *corev1.Pod) bool { return p.Labels["k8s-app"] == "aws-node" }) {
		if w.Metrics["kube-system/"+p.Name] != "" {
			return p.Name
		}
	}
	t.Fatal("no aws-node pod with metrics")
	return ""
}

func count(w *world.World, kind string) int {
	n := 0
	for _, o := range w.Objects {
		if o.GetKind() == kind {
			n++
		}
	}
	return n
}

// What a person types about a load balancer that answers 502.
func TestKubectlLooksAtAnIngress(t *testing.T) {
	w := load(t, "alb-s07-drift-removed")
	k := kubectl(t, w)
	for _, o := range w.Objects {
		switch o.GetKind() {
		case "Ingress":
			lb := o.Object["status"].(map[string]any)["loadBalancer"].(map[string]any)["ingress"].([]any)[0].(map[string]any)["hostname"]
			host := k.run("get", "ingress", o.GetName(), "-n", o.GetNamespace(), "-o", "jsonpath={.status.loadBalancer.ingress[0].hostname}")
			if host != fmt.Sprint(lb) || host == "" {
				t.Errorf("host %q, want %v", host, lb)
			}
			text := k.run("get", "ingress", o.GetName(), "-n", o.GetNamespace(), "-o", "yaml")
			for key, value := range o.GetAnnotations() {
				if !strings.Contains(text, key+": ") || !strings.Contains(text, value) {
					t.Errorf("annotation %s isn't in\n%s", key, text)
				}
			}
			k.run("describe", "ingress", o.GetName(), "-n", o.GetNamespace())
		case "TargetGroupBinding":
			table := fields(k.run("get", "targetgroupbindings", "-n", o.GetNamespace()))
			if strings.Join(table[0], " ") != "NAME SERVICE-NAME SERVICE-PORT TARGET-TYPE AGE" || table[1][0] != o.GetName() {
				t.Errorf("%v", table)
			}
		}
	}
	api := pods(t, w, func(p *corev1.Pod) bool { return p.Labels["app"] == "api-server" })
	table := fields(k.run("get", "pods", "-n", "backend", "-l", "app=api-server", "-o", "wide"))
	if len(table) != len(api)+1 || len(api) == 0 {
		t.Fatalf("%d pods, want %d", len(table)-1, len(api))
	}
	for i, p := range api {
		if line := strings.Join(table[i+1], " "); !strings.Contains(line, p.Name+" 1/1 Running") || !strings.Contains(line, p.Status.PodIP+" "+p.Spec.NodeName) {
			t.Errorf("line %q of pod %s", line, p.Name)
		}
	}
	empty, err := k.try("get", "pods", "-n", "nowhere")
	if err != nil || !strings.Contains(empty, "No resources found in nowhere namespace.") {
		t.Errorf("%q, %v", empty, err)
	}
	gone, err := k.try("get", "pod", "nothing", "-n", "backend")
	if err == nil || strings.TrimSpace(gone) != `Error from server (NotFound): pods "nothing" not found` {
		t.Errorf("%q, %v", gone, err)
	}
}

// What the seeds' fix and its like write.
func TestKubectlChangesThings(t *testing.T) {
	w := load(t, "pending-s14-iam-lost")
	k := kubectl(t, w)
	k.run("set", "env", "daemonset", "aws-node", "-n", "kube-system", "ENABLE_PREFIX_DELEGATION=true", "WARM_PREFIX_TARGET=1")
	if out := k.run("set", "env", "ds/aws-node", "-n", "kube-system", "--list"); !strings.Contains(out, "ENABLE_PREFIX_DELEGATION=true") {
		t.Errorf("env: %s", out)
	}
	managers := k.run("get", "ds", "aws-node", "-n", "kube-system", "--show-managed-fields", "-o", "jsonpath={.metadata.managedFields[*].manager}")
	if !slices.Contains(strings.Fields(managers), "kubectl-set") {
		t.Errorf("managers %q", managers)
	}
	k.run("rollout", "restart", "daemonset/aws-node", "-n", "kube-system")
	if at := k.run("get", "ds", "aws-node", "-n", "kube-system", "-o", `jsonpath={.spec.template.metadata.annotations.kubectl\.kubernetes\.io/restartedAt}`); at == "" {
		t.Error("not restarted")
	}
	k.run("create", "namespace", "x")
	k.run("create", "configmap", "netdiag-halt", "-n", "x", "--from-literal=halt=true")
	k.run("patch", "configmap", "netdiag-halt", "-n", "x", "--type=merge", "-p", `{"data":{"halt":"false"}}`, "--dry-run=server")
	if halt := k.run("get", "configmap", "netdiag-halt", "-n", "x", "-o", "jsonpath={.data.halt}"); halt != "true" {
		t.Errorf("halt is %q after a dry run", halt)
	}
	file := filepath.Join(t.TempDir(), "cm.yaml")
	if err := os.WriteFile(file, []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: applied, namespace: x}\ndata: {a: b}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	k.run("apply", "-f", file)
	k.run("apply", "--server-side", "--field-manager=other", "--force-conflicts", "-f", file)
	k.run("scale", "deployment", "api", "-n", "backend", "--replicas=2")
	if n := k.run("get", "deployment", "api", "-n", "backend", "-o", "jsonpath={.spec.replicas}"); n != "2" {
		t.Errorf("%s replicas", n)
	}
	k.run("delete", "configmap", "applied", "-n", "x")
	if yes := strings.TrimSpace(k.run("auth", "can-i", "list", "pods")); yes != "yes" {
		t.Errorf("can list pods: %s", yes)
	}
}
