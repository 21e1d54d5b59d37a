package netpol_test

import (
	"net/netip"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/yaml"

	"github.com/netdiag/netdiag/internal/netpol"
)

func TestIngress(t *testing.T) {
	pod := corev1.Pod{}
	pod.Namespace, pod.Labels = "backend", map[string]string{"app": "api", "tier": "web"}
	pod.Spec.Containers = []corev1.Container{{Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 8080}}}}

	for name, tc := range map[string]struct {
		policies string // specs, separated by ---
		from     string
		port     int
		want     bool
	}{
		"no policy":                     {"", "10.0.0.10", 8080, true},
		"default deny":                  {"podSelector: {}", "10.0.0.10", 8080, false},
		"egress only":                   {"{podSelector: {}, policyTypes: [Egress]}", "10.0.0.10", 8080, true},
		"selects another pod":           {"podSelector: {matchLabels: {app: db}}", "10.0.0.10", 8080, true},
		"empty rule allows all":         {"{podSelector: {}, ingress: [{}]}", "10.0.0.10", 8080, true},
		"namespaces are no addresses":   {"{podSelector: {}, ingress: [{from: [{namespaceSelector: {}}, {podSelector: {}}]}]}", "10.0.0.10", 8080, false},
		"ipBlock":                       {"{podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/24}}]}]}", "10.0.0.10", 8080, true},
		"ipBlock of others":             {"{podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 10.0.9.0/24}}]}]}", "10.0.0.10", 8080, false},
		"except":                        {"{podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/16, except: [10.0.0.0/24]}}]}]}", "10.0.0.10", 8080, false},
		"port":                          {"{podSelector: {}, ingress: [{ports: [{port: 8080}]}]}", "10.0.0.10", 8080, true},
		"other port":                    {"{podSelector: {}, ingress: [{ports: [{port: 9090}]}]}", "10.0.0.10", 8080, false},
		"named port":                    {"{podSelector: {}, ingress: [{ports: [{port: http}]}]}", "10.0.0.10", 8080, true},
		"unknown named port":            {"{podSelector: {}, ingress: [{ports: [{port: admin}]}]}", "10.0.0.10", 8080, false},
		"port range":                    {"{podSelector: {}, ingress: [{ports: [{port: 8000, endPort: 8100}]}]}", "10.0.0.10", 8080, true},
		"UDP":                           {"{podSelector: {}, ingress: [{ports: [{port: 8080, protocol: UDP}]}]}", "10.0.0.10", 8080, false},
		"union of policies":             {"podSelector: {}\n---\n{podSelector: {matchExpressions: [{key: tier, operator: In, values: [web]}]}, ingress: [{}]}", "10.0.0.10", 8080, true},
		"expression keeps the pod out":  {"{podSelector: {matchExpressions: [{key: tier, operator: NotIn, values: [web]}]}}", "10.0.0.10", 8080, true},
		"expression on a missing label": {"{podSelector: {matchExpressions: [{key: zone, operator: DoesNotExist}]}}", "10.0.0.10", 8080, false},
		"IPv6":                          {"{podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 'fd00::/8'}}]}]}", "fd00::10", 8080, true},
	} {
		t.Run(name, func(t *testing.T) {
			var ps []networkingv1.NetworkPolicy
			for i, spec := range split(tc.policies) {
				p := networkingv1.NetworkPolicy{}
				p.Namespace, p.Name = "backend", string(rune('a'+i))
				if err := yaml.UnmarshalStrict([]byte(spec), &p.Spec); err != nil {
					t.Fatal(err)
				}
				ps = append(ps, p)
			}
			other := networkingv1.NetworkPolicy{} // of another namespace: says nothing here
			other.Namespace, other.Name = "shop", "deny"
			got := netpol.Ingress(append(ps, other), pod, netip.MustParseAddr(tc.from), tc.port)
			if got.Allowed != tc.want {
				t.Errorf("allowed = %v (%s), want %v", got.Allowed, got.Reason, tc.want)
			}
		})
	}
}

func split(text string) []string {
	var out []string
	start := 0
	for i := 0; i+5 <= len(text); i++ {
		if text[i:i+5] == "\n---\n" {
			out, start = append(out, text[start:i]), i+5
		}
	}
	if text[start:] != "" {
		out = append(out, text[start:])
	}
	return out
}
