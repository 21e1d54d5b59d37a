package main

import (
	"fmt"
	"strings"
	"testing"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	apps "k8s.io/api/apps/v1"
	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	network "k8s.io/api/networking/v1"
	disruption "k8s.io/api/policy/v1"
	rbac "k8s.io/api/rbac/v1"
	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

// objects are those of a rendering, by name.
type objects struct {
	deployments map[string]*apps.Deployment
	pods        map[string]core.PodTemplateSpec // of Deployments and CronJobs
	rules       map[string][]rbac.PolicyRule    // of Roles and ClusterRoles
	at          map[string]string               // namespaces of Roles
	accounts    map[string]*core.ServiceAccount
	maps        map[string]bool // ConfigMaps
	networks    []*network.NetworkPolicy
	selectors   map[string]*metav1.LabelSelector // of whatever selects pods
	bindings    map[string]binding
	wrong       []string
}

type binding struct {
	role     string
	subjects []rbac.Subject
}

// decoder reads what an API server would, and refuses what it doesn't know.
func decoder() runtime.Decoder {
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{scheme.AddToScheme, apiextensions.AddToScheme, monitoring.AddToScheme} {
		if err := add(s); err != nil {
			panic(err)
		}
	}
	return serializer.NewCodecFactory(s, serializer.EnableStrict).UniversalDeserializer()
}

// documents splits a rendering; those that hold only comments are left out.
func documents(manifests string) (out []string) {
	for doc := range strings.SplitSeq("\n"+manifests, "\n---\n") {
		for line := range strings.Lines(doc) {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
				out = append(out, doc)
				break
			}
		}
	}
	return out
}

// reader decodes documents, each once: renderings differ little from each other.
type reader struct {
	runtime.Decoder
	known map[string]runtime.Object
}

func newReader() reader { return reader{decoder(), map[string]runtime.Object{}} }

func (r reader) object(doc string) (runtime.Object, error) {
	if o := r.known[doc]; o != nil {
		return o, nil
	}
	o, _, err := r.Decode([]byte(doc), nil, nil)
	if err == nil {
		r.known[doc] = o
	}
	return o, err
}

func (r reader) objects(manifests string) objects {
	o := objects{
		deployments: map[string]*apps.Deployment{}, pods: map[string]core.PodTemplateSpec{}, rules: map[string][]rbac.PolicyRule{}, at: map[string]string{},
		accounts: map[string]*core.ServiceAccount{}, maps: map[string]bool{}, selectors: map[string]*metav1.LabelSelector{}, bindings: map[string]binding{},
	}
	seen := map[string]bool{}
	for _, doc := range documents(manifests) {
		object, err := r.object(doc)
		if err != nil {
			o.wrong = append(o.wrong, fmt.Sprintf("%v in\n%s", err, doc))
			continue
		}
		meta := object.(metav1.Object)
		kind := object.GetObjectKind().GroupVersionKind().Kind
		id := kind + " " + meta.GetNamespace() + "/" + meta.GetName()
		if seen[id] {
			o.wrong = append(o.wrong, id+" is there twice")
		}
		seen[id] = true
		o.add(id, object)
	}
	return o
}

func (o *objects) add(id string, object runtime.Object) {
	switch x := object.(type) {
	case *apps.Deployment:
		o.deployments[x.Name], o.pods[id], o.selectors[id] = x, x.Spec.Template, x.Spec.Selector
	case *batch.CronJob:
		o.pods[id] = x.Spec.JobTemplate.Spec.Template
	case *rbac.Role:
		o.rules[x.Name], o.at[x.Name] = x.Rules, x.Namespace
	case *rbac.ClusterRole:
		o.rules[x.Name] = x.Rules
	case *rbac.RoleBinding:
		o.bindings[id] = binding{x.RoleRef.Name, x.Subjects}
	case *rbac.ClusterRoleBinding:
		o.bindings[id] = binding{x.RoleRef.Name, x.Subjects}
	case *core.ServiceAccount:
		o.accounts[x.Name] = x
	case *core.ConfigMap:
		o.maps[x.Name] = true
	case *network.NetworkPolicy:
		o.networks, o.selectors[id] = append(o.networks, x), &x.Spec.PodSelector
	case *disruption.PodDisruptionBudget:
		o.selectors[id] = x.Spec.Selector
	case *core.Service:
		o.selectors[id] = &metav1.LabelSelector{MatchLabels: x.Spec.Selector}
	case *monitoring.PodMonitor:
		o.selectors[id] = &x.Spec.Selector
	}
}

// problems are what is wrong with the objects of a rendering.
func (o *objects) problems(t *testing.T) []string {
	t.Helper()
	out := o.wrong
	for id, pod := range o.pods {
		out = append(out, o.unsafe(t, id, pod)...)
		for _, v := range pod.Spec.Volumes {
			if v.ConfigMap == nil || !o.maps[v.ConfigMap.Name] {
				out = append(out, id+": volume "+v.Name+" is of nothing that is there")
			}
		}
	}
	for id, s := range o.selectors {
		selector, err := metav1.LabelSelectorAsSelector(s)
		if err != nil || !o.any(selector) {
			out = append(out, fmt.Sprintf("%s selects no pod: %v", id, err))
		}
	}
	for id, b := range o.bindings {
		if len(o.rules[b.role]) == 0 {
			out = append(out, id+" is to "+b.role+", which is not there")
		}
		for _, s := range b.subjects {
			if s.Kind != "ServiceAccount" || s.Namespace != "netdiag" {
				out = append(out, id+" is for "+s.Kind+" "+s.Namespace+"/"+s.Name)
			}
		}
	}
	return append(out, o.open()...)
}

func (o *objects) any(s labels.Selector) bool {
	for _, p := range o.pods {
		if s.Matches(labels.Set(p.Labels)) {
			return true
		}
	}
	return false
}

// unsafe is where a pod is not safe by the Pod Security Standard restricted, or less safe than we want.
func (o *objects) unsafe(t *testing.T, id string, pod core.PodTemplateSpec) (out []string) {
	t.Helper()
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range evaluator.EvaluatePod(api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}, &pod.ObjectMeta, &pod.Spec) {
		if !r.Allowed {
			out = append(out, id+": "+r.ForbiddenReason+": "+r.ForbiddenDetail)
		}
	}
	for _, c := range pod.Spec.Containers {
		if ro := c.SecurityContext.ReadOnlyRootFilesystem; ro == nil || !*ro {
			out = append(out, id+": the root of "+c.Name+" can be written")
		}
		if c.Resources.Requests.Cpu().IsZero() && c.Resources.Limits.Memory().IsZero() {
			out = append(out, id+": "+c.Name+" has no resources")
		}
	}
	if links := pod.Spec.EnableServiceLinks; links == nil || *links {
		out = append(out, id+": other services are in its environment")
	}
	if account := o.accounts[pod.Spec.ServiceAccountName]; account != nil && (account.AutomountServiceAccountToken == nil || *account.AutomountServiceAccountToken) {
		out = append(out, id+": any pod gets the token of its account")
	}
	if pod.Labels["app.kubernetes.io/name"] != "netdiag" {
		out = append(out, id+": policies that select netdiag don't select it")
	}
	return out
}

// open is what the network policies let in or out that they must not, where there are any.
func (o *objects) open() (out []string) {
	for _, n := range o.networks {
		for _, rule := range n.Spec.Ingress {
			if len(rule.Ports) != 1 || rule.Ports[0].Port.IntValue() != 8080 {
				out = append(out, fmt.Sprintf("NetworkPolicy %s lets in %v", n.Name, rule.Ports))
			}
		}
		for _, rule := range n.Spec.Egress {
			if len(rule.Ports) == 0 && len(rule.To) == 0 {
				out = append(out, "NetworkPolicy "+n.Name+" lets out everything")
			}
			for _, p := range rule.Ports {
				if p.Port == nil || p.Port.IntValue() == 80 && (len(rule.To) == 0 || rule.To[0].IPBlock.CIDR != "169.254.170.23/32") {
					out = append(out, fmt.Sprintf("NetworkPolicy %s lets out %v", n.Name, rule))
				}
			}
		}
	}
	if len(o.networks) == 0 {
		return out
	}
	for id, pod := range o.pods {
		fenced := map[network.PolicyType]bool{}
		for _, n := range o.networks {
			if s, err := metav1.LabelSelectorAsSelector(&n.Spec.PodSelector); err == nil && s.Matches(labels.Set(pod.Labels)) {
				for _, p := range n.Spec.PolicyTypes {
					fenced[p] = true
				}
			}
		}
		if !fenced[network.PolicyTypeIngress] || !fenced[network.PolicyTypeEgress] {
			out = append(out, id+" is in no network policy for both ways")
		}
	}
	return out
}
