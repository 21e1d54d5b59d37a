package e2e

import (
	"encoding/json"
	"testing"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	"github.com/netdiag/netdiag/internal/kube"
	"github.com/netdiag/netdiag/internal/remedy"
)

// awsNode is the DaemonSet of the VPC CNI, or one like it.
func awsNode(namespace, name string) *apps.DaemonSet {
	labels := map[string]string{"k8s-app": name}
	return &apps.DaemonSet{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: labels, Annotations: map[string]string{"owner": "eks"}},
		Spec: apps.DaemonSetSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: core.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec: core.PodSpec{
					HostNetwork: true, ServiceAccountName: "aws-node",
					InitContainers: []core.Container{{Name: "aws-vpc-cni-init", Image: "cni-init:v1"}},
					Containers: []core.Container{
						{Name: "aws-node", Image: "cni:v1", Env: []core.EnvVar{{Name: "WARM_ENI_TARGET", Value: "1"}, {Name: "AWS_VPC_K8S_CNI_LOGLEVEL", Value: "DEBUG"}}},
						{Name: "aws-eks-nodeagent", Image: "agent:v1", Env: []core.EnvVar{{Name: "MODE", Value: "standard"}}},
					},
				},
			},
		},
	}
}

const setEnv = `{"spec":{"template":{"spec":{"containers":[{"name":"aws-node","env":[{"name":"WARM_IP_TARGET","value":"2"}]}]}}}}`

// patch is a write that somebody tries.
type patch struct {
	resource, namespace, name, sub string
	body                           string
	message                        string
}

func (c patch) try(t *testing.T, client dynamic.Interface) error {
	t.Helper()
	gvr := map[string]schema.GroupVersionResource{
		"daemonsets": apps.SchemeGroupVersion.WithResource("daemonsets"), "ingresses": networking.SchemeGroupVersion.WithResource("ingresses"),
		"services": core.SchemeGroupVersion.WithResource("services"), "targetgroupbindings": bindings,
	}[c.resource]
	kind, sub := types.StrategicMergePatchType, []string{}
	if c.resource == "targetgroupbindings" {
		kind = types.MergePatchType
	}
	if c.sub != "" {
		sub = append(sub, c.sub)
	}
	_, err := client.Resource(gvr).Namespace(c.namespace).Patch(t.Context(), c.name, kind, []byte(c.body), metav1.PatchOptions{DryRun: []string{metav1.DryRunAll}}, sub...)
	return err
}

// TestEnv: with every right there is, the executor changes the allow-listed variables of aws-node and nothing else.
func TestEnv(t *testing.T) {
	p := need(t)
	admin, err := kubernetes.NewForConfig(p.admin)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []*apps.DaemonSet{awsNode("kube-system", "aws-node"), awsNode("kube-system", "kube-proxy"), awsNode("netdiag", "aws-node")} {
		if _, err := admin.AppsV1().DaemonSets(d.Namespace).Create(t.Context(), d, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	asFront, asExecutor := omnipotent(t, p)
	client, err := dynamic.NewForConfig(asExecutor)
	if err != nil {
		t.Fatal(err)
	}
	const (
		only, in = "netdiag changes no daemonset but kube-system/aws-node", "netdiag changes nothing in a container but env"
		env      = "netdiag changes only the allow-listed env of container aws-node, to a number or a switch"
		pods     = "netdiag changes nothing else of the pods of aws-node"
		rollout  = "netdiag changes neither the labels and annotations of the pods of aws-node nor how they are rolled out"
		metadata = "netdiag changes nothing of the metadata of aws-node but its own mark"
	)
	pod := func(body string) string { return `{"spec":{"template":{"spec":` + body + `}}}` }
	one := func(name, body string) string {
		return pod(`{"containers":[{"name":"` + name + `",` + body + `}]}`)
	}
	node := func(body, message string) patch {
		return patch{"daemonsets", "kube-system", "aws-node", "", body, message}
	}
	eventually(t, "the policy", func() bool { return node(one("aws-node", `"image":"evil"`), "").try(t, client) != nil })
	for what, c := range map[string]patch{
		"a variable":                      node(setEnv, ""),
		"a switch":                        node(one("aws-node", `"env":[{"name":"ENABLE_PREFIX_DELEGATION","value":"true"}]`), ""),
		"a variable unset":                node(one("aws-node", `"env":[{"name":"WARM_ENI_TARGET","$patch":"delete"}]`), ""),
		"its own mark":                    node(`{"metadata":{"annotations":{"netdiag.io/remediation":"rem-1"}}}`, ""),
		"another daemonset":               {"daemonsets", "kube-system", "kube-proxy", "", one("aws-node", `"env":[{"name":"WARM_IP_TARGET","value":"2"}]`), only},
		"the same in another namespace":   {"daemonsets", "netdiag", "aws-node", "", setEnv, only},
		"its status":                      {"daemonsets", "kube-system", "aws-node", "status", `{"status":{"numberReady":9}}`, only},
		"another variable":                node(one("aws-node", `"env":[{"name":"LD_PRELOAD","value":"/evil.so"}]`), env),
		"a variable that was there":       node(one("aws-node", `"env":[{"name":"AWS_VPC_K8S_CNI_LOGLEVEL","value":"ERROR"}]`), env),
		"one that was there removed":      node(one("aws-node", `"env":[{"name":"AWS_VPC_K8S_CNI_LOGLEVEL","$patch":"delete"}]`), env),
		"a variable of another container": node(one("aws-eks-nodeagent", `"env":[{"name":"WARM_IP_TARGET","value":"2"}]`), env),
		"a value from a secret":           node(one("aws-node", `"env":[{"name":"WARM_IP_TARGET","valueFrom":{"secretKeyRef":{"name":"s","key":"k"}}}]`), env),
		"a value that is no number":       node(one("aws-node", `"env":[{"name":"WARM_IP_TARGET","value":"$(TOKEN)"}]`), env),
		"an image":                        node(one("aws-node", `"image":"evil"`), in),
		"a command":                       node(one("aws-node", `"command":["sh"]`), in),
		"arguments":                       node(one("aws-node", `"args":["-c"]`), in),
		"environment from a secret":       node(one("aws-node", `"envFrom":[{"secretRef":{"name":"s"}}]`), in),
		"a privileged container":          node(one("aws-node", `"securityContext":{"privileged":true}`), in),
		"a hook":                          node(one("aws-node", `"lifecycle":{"postStart":{"exec":{"command":["sh"]}}}`), in),
		"a probe":                         node(one("aws-node", `"livenessProbe":{"exec":{"command":["sh"]}}`), in),
		"a mount of a new volume":         node(pod(`{"volumes":[{"name":"v","emptyDir":{}}],"containers":[{"name":"aws-node","volumeMounts":[{"name":"v","mountPath":"/x"}]}]}`), in),
		"one more container":              node(one("evil", `"image":"evil"`), in),
		"a container less":                node(one("aws-eks-nodeagent", `"$patch":"delete"`), in),
		"the image of an init container":  node(pod(`{"initContainers":[{"name":"aws-vpc-cni-init","image":"evil"}]}`), pods),
		"one more init container":         node(pod(`{"initContainers":[{"name":"evil","image":"evil"}]}`), pods),
		"a volume":                        node(pod(`{"volumes":[{"name":"root","hostPath":{"path":"/"}}]}`), pods),
		"a service account":               node(pod(`{"serviceAccountName":"admin"}`), pods),
		"the host's processes":            node(pod(`{"hostPID":true}`), pods),
		"a node selector":                 node(pod(`{"nodeSelector":{"a":"b"}}`), pods),
		"a toleration":                    node(pod(`{"tolerations":[{"operator":"Exists"}]}`), pods),
		"a restart":                       node(`{"spec":{"template":{"metadata":{"annotations":{"kubectl.kubernetes.io/restartedAt":"now"}}}}}`, rollout),
		"how it is rolled out":            node(`{"spec":{"updateStrategy":{"type":"OnDelete"}}}`, rollout),
		"a label":                         node(`{"metadata":{"labels":{"a":"b"}}}`, metadata),
		"another annotation":              node(`{"metadata":{"annotations":{"a":"b"}}}`, metadata),
		"an annotation removed":           node(`{"metadata":{"annotations":{"owner":null}}}`, metadata),
		"a finalizer":                     node(`{"metadata":{"finalizers":["netdiag.io/x"]}}`, metadata),
	} {
		if err := c.try(t, client); c.message != "" {
			refused(t, what, err, c.message)
		} else if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	if front, err := dynamic.NewForConfig(asFront); err != nil {
		t.Fatal(err)
	} else if err := node(one("aws-node", `"image":"v2"`), "").try(t, front); err != nil {
		t.Errorf("others than the executor are none of this policy's business: %v", err)
	}
}

// TestHands lets the executor's own hands change what they may, under the roles of the chart.
func TestHands(t *testing.T) {
	p := need(t)
	admin, err := kubernetes.NewForConfig(p.admin)
	if err != nil {
		t.Fatal(err)
	}
	namespace := p.namespace(t)
	web := ingress(namespace)
	if _, err := admin.NetworkingV1().Ingresses(namespace).Create(t.Context(), web, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	_, _ = admin.AppsV1().DaemonSets("kube-system").Create(t.Context(), awsNode("kube-system", "aws-node"), metav1.CreateOptions{}) // where TestEnv didn't run
	client, err := kube.New(p.as(t, "netdiag-executor"))
	if err != nil {
		t.Fatal(err)
	}
	path := "/healthz"
	mark := remedy.Mark{Remediation: "rem-1", Requester: "U0ASKER", Approver: "U0APPROVER"}
	for _, a := range []remedy.Action{
		{DaemonSetEnv: &remedy.DaemonSetEnv{Namespace: "kube-system", Name: "aws-node", Container: "aws-node", Set: map[string]string{"WARM_IP_TARGET": "2"}, Was: map[string]*string{"WARM_IP_TARGET": nil}}},
		{Annotate: &remedy.Annotate{APIVersion: "networking.k8s.io/v1", Resource: "ingresses", Namespace: namespace, Name: "web", Key: "alb.ingress.kubernetes.io/healthcheck-path", Value: &path}},
	} {
		if err := client.Hands().DryRun(t.Context(), a, mark); err != nil {
			t.Errorf("dry run of %s: %v", a.Target(), err)
		}
		r, err := client.Hands().Apply(t.Context(), a, mark)
		if err != nil || !r.Owned || r.Undo == nil {
			t.Fatalf("apply %s: %+v, error %v", a.Target(), r, err)
		}
		if done, _, err := client.Hands().Look(t.Context(), a, mark); err != nil || !done {
			t.Errorf("look at %s: %t, error %v", a.Target(), done, err)
		}
		if _, err := client.Hands().Apply(t.Context(), *r.Undo, remedy.Mark{Remediation: "rem-2"}); err != nil {
			t.Errorf("undo %s: %v", a.Target(), err)
		}
	}
}

func ingress(namespace string) *networking.Ingress {
	return &networking.Ingress{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "web", Annotations: map[string]string{"alb.ingress.kubernetes.io/scheme": "internal", "alb.ingress.kubernetes.io/success-codes": "200"}},
		Spec:       networking.IngressSpec{DefaultBackend: &networking.IngressBackend{Service: &networking.IngressServiceBackend{Name: "web", Port: networking.ServiceBackendPort{Number: 80}}}},
	}
}

var bindings = schema.GroupVersionResource{Group: "elbv2.k8s.aws", Version: "v1beta1", Resource: "targetgroupbindings"}

// TestAnnotations: with every right there is, the executor sets the allow-listed annotations and nothing else.
func TestAnnotations(t *testing.T) {
	p := need(t)
	namespace := p.namespace(t)
	admin, err := kubernetes.NewForConfig(p.admin)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := admin.NetworkingV1().Ingresses(namespace).Create(t.Context(), ingress(namespace), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := admin.CoreV1().Services(namespace).Create(t.Context(), &core.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "web"}, Spec: core.ServiceSpec{Ports: []core.ServicePort{{Port: 80}}},
	}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	p.bindings(t, namespace)
	_, asExecutor := omnipotent(t, p)
	client, err := dynamic.NewForConfig(asExecutor)
	if err != nil {
		t.Fatal(err)
	}
	const only, set, remove = "netdiag changes nothing but annotations here", "netdiag doesn't set this annotation", "netdiag doesn't remove this annotation"
	note := func(resource, key, value, message string) patch {
		v := any(value)
		if value == "" {
			v = nil
		}
		b, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": map[string]any{key: v}}})
		if err != nil {
			t.Fatal(err)
		}
		return patch{resource, namespace, "web", "", string(b), message}
	}
	on := func(resource, body, message string) patch {
		return patch{resource, namespace, "web", "", body, message}
	}
	alb := "alb.ingress.kubernetes.io/"
	eventually(t, "the policy", func() bool { return note("ingresses", alb+"scheme", "internet-facing", "").try(t, client) != nil })
	for what, c := range map[string]patch{
		"path":                     note("ingresses", alb+"healthcheck-path", "/healthz", ""),
		"port":                     note("ingresses", alb+"healthcheck-port", "8080", ""),
		"codes":                    note("ingresses", alb+"success-codes", "200-299", ""),
		"codes removed, an undo":   note("ingresses", alb+"success-codes", "", ""),
		"rules":                    note("ingresses", alb+"manage-backend-security-group-rules", "true", ""),
		"path of a service":        note("services", alb+"healthcheck-path", "/healthz", ""),
		"kick":                     note("targetgroupbindings", "elbv2.k8s.aws/checkpoint", "x", ""),
		"own mark":                 note("services", "netdiag.io/remediation", "rem-1", ""),
		"rules of a service":       note("services", alb+"manage-backend-security-group-rules", "true", set),
		"scheme":                   note("ingresses", alb+"scheme", "internet-facing", set),
		"scheme removed":           note("ingresses", alb+"scheme", "", remove),
		"addresses":                note("ingresses", alb+"inbound-cidrs", "0.0.0.0/0", set),
		"security groups":          note("ingresses", alb+"security-groups", "sg-1", set),
		"an action":                note("ingresses", alb+"actions.x", "{}", set),
		"kick on an ingress":       note("ingresses", "elbv2.k8s.aws/checkpoint", "x", set),
		"path of a binding":        note("targetgroupbindings", alb+"healthcheck-path", "/", set),
		"spec of an ingress":       on("ingresses", `{"spec":{"defaultBackend":{"service":{"name":"evil"}}}}`, only),
		"selector of a service":    on("services", `{"spec":{"selector":{"a":"b"}}}`, only),
		"external addresses":       on("services", `{"spec":{"externalIPs":["1.2.3.4"]}}`, only),
		"a binding's target group": on("targetgroupbindings", `{"spec":{"targetGroupARN":"arn:evil"}}`, only),
		"a label":                  on("ingresses", `{"metadata":{"labels":{"a":"b"}}}`, only),
		"a finalizer":              on("services", `{"metadata":{"finalizers":["netdiag.io/x"]}}`, only),
		"the status of an ingress": {"ingresses", namespace, "web", "status", `{"status":{"loadBalancer":{"ingress":[{"hostname":"evil"}]}}}`, only},
	} {
		if err := c.try(t, client); c.message != "" {
			refused(t, what, err, c.message)
		} else if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// bindings serves target group bindings, as the load balancer controller's own chart would, and makes one.
func (p *plane) bindings(t *testing.T, namespace string) {
	t.Helper()
	client, err := dynamic.NewForConfig(p.admin)
	if err != nil {
		t.Fatal(err)
	}
	open := map[string]any{"type": "object", "x-kubernetes-preserve-unknown-fields": true}
	crd := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": map[string]any{"name": "targetgroupbindings.elbv2.k8s.aws"},
		"spec": map[string]any{
			"group": bindings.Group, "scope": "Namespaced", "names": map[string]any{"plural": "targetgroupbindings", "kind": "TargetGroupBinding"},
			"versions": []any{map[string]any{"name": bindings.Version, "served": true, "storage": true, "subresources": map[string]any{"status": map[string]any{}},
				"schema": map[string]any{"openAPIV3Schema": map[string]any{"type": "object", "properties": map[string]any{"spec": open, "status": open}}}}},
		},
	}}
	if _, err := client.Resource(schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}).Create(t.Context(), crd, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	web := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": bindings.GroupVersion().String(), "kind": "TargetGroupBinding", "metadata": map[string]any{"name": "web"}, "spec": map[string]any{"targetGroupARN": "arn:x"},
	}}
	eventually(t, "bindings", func() bool {
		_, err := client.Resource(bindings).Namespace(namespace).Create(t.Context(), web, metav1.CreateOptions{})
		return err == nil
	})
}
