package ask_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netdiag/netdiag/internal/ask"
)

func TestReadAlert(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want ask.Hint
	}{
		"alertmanager": {
			"[FIRING:1] KubePodNotReady\n*Alert:* Pod backend/api-5d9c7b-x2x9q has been in a non-ready state for longer than 15 minutes.\n*Details:*\n • *namespace:* `backend`\n • *pod:* `api-5d9c7b-x2x9q`",
			ask.Hint{Verb: "pending", Namespace: "backend", Pod: "api-5d9c7b-x2x9q"},
		},
		"labels of the exporter": {
			`KubePodPending{namespace="monitoring", pod="kube-state-metrics-6f8-abcde", exported_namespace="backend", exported_pod="api-7"}`,
			ask.Hint{Verb: "pending", Namespace: "backend", Pod: "api-7"},
		},
		"event of all namespaces": {
			"NAMESPACE   LAST SEEN   TYPE   REASON   OBJECT   MESSAGE\nbackend     2m13s       Warning   FailedCreatePodSandBox   pod/api-5d9c7b-x2x9q   Failed to create pod sandbox: plugin type=\"aws-cni\" name=\"aws-cni\" failed (add)",
			ask.Hint{Verb: "pending", Namespace: "backend", Pod: "api-5d9c7b-x2x9q"},
		},
		"event of one namespace": {
			"2m13s  Warning  FailedScheduling  pod/api-1  0/12 nodes are available: 12 Too many pods.",
			ask.Hint{Verb: "pending", Pod: "api-1"},
		},
		"kubelet": {
			`failed to "CreatePodSandbox" for "api-5d9_backend(0f3c1b2a-1111-2222-3333-444455556666)"`,
			ask.Hint{Verb: "pending", Namespace: "backend", Pod: "api-5d9"},
		},
		"kubectl":    {"I ran kubectl -n web get deploy/shop and it hangs in ContainerCreating", ask.Hint{Verb: "pending", Namespace: "web", Pod: "shop"}},
		"a sentence": {"pods in namespace backend are pending", ask.Hint{Verb: "pending", Namespace: "backend"}},
		"nothing":    {"the pod is stuck and the namespace is odd", ask.Hint{Verb: "pending"}},
		"empty":      {"", ask.Hint{Verb: "pending"}},
		"ingress":    {"many 502 from ingress web/shop-ingress since 10:30", ask.Hint{Verb: "alb", Namespace: "web", Ingress: "shop-ingress"}},
		"ingress label": {
			`NginxHigh5xx{exported_ingress="shop", exported_namespace="web", namespace="ingress-nginx"}`,
			ask.Hint{Verb: "alb", Namespace: "web", Ingress: "shop"},
		},
		"host": {
			"HTTP 502 from https://k8s-backend-apiingre-1a2b3c4d5e-1234567890.us-west-2.elb.amazonaws.com/login",
			ask.Hint{Verb: "alb", Balancers: []string{"k8s-backend-apiingre-1a2b3c4d5e-1234567890"}},
		},
		"internal host": {"internal-k8s-backend-api-1a2b3c4d5e-12.eu-central-1.elb.amazonaws.com: bad gateway", ask.Hint{Verb: "alb", Balancers: []string{"k8s-backend-api-1a2b3c4d5e-12"}}},
		"cloudwatch": {
			"ALARM: HTTPCode_ELB_5XX_Count LoadBalancer app/k8s-backend-apiingre-1a2b3c4d5e/50dc6c495c0c9188",
			ask.Hint{Verb: "alb", Balancers: []string{"k8s-backend-apiingre-1a2b3c4d5e"}},
		},
		"hostile": {"namespace=<!channel> pod=../../etc ingress=$(reboot) namespace: BACKEND", ask.Hint{Verb: "pending", Namespace: "backend"}},
		"503":     {"we see 503s", ask.Hint{Verb: "alb"}},
		"number":  {"502 pods run, 1503 requests, pod web-1 Pending", ask.Hint{Verb: "pending", Pod: "web-1"}},
	} {
		if d := cmp.Diff(c.want, ask.ReadAlert(c.text)); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

// Whatever a message says, what comes of it can be typed as a command, or isn't there.
func FuzzReadAlert(f *testing.F) {
	for _, s := range []string{
		"namespace=backend pod=api-1", "pod/a/b/c", "backend 2m Warning X pod/api", "app/a/0123456789abcdef", "ingress ../x", "-n -n", "api_b(01234567-",
		"a.us-west-2.elb.amazonaws.com", "deployment: web/shop.",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		h := ask.ReadAlert(text)
		for _, line := range []string{"pending " + h.Namespace + " " + h.Pod, "alb " + h.Ingress + " -n " + h.Namespace} {
			if h.Namespace == "" || h.Pod == "" && line[0] == 'p' || h.Ingress == "" && line[0] == 'a' {
				continue
			}
			c, err := ask.Parse(line)
			if err != nil || c.Namespace != h.Namespace || c.Name != h.Pod+h.Ingress && c.Name != h.Pod && c.Name != h.Ingress {
				t.Errorf("ReadAlert(%q) = %+v: Parse(%q) = %+v, %v", text, h, line, c, err)
			}
		}
		if h.Verb != "pending" && h.Verb != "alb" {
			t.Errorf("ReadAlert(%q): verb %q", text, h.Verb)
		}
	})
}
