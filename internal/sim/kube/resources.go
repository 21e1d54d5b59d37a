package kube

import (
	"encoding/json"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// resource is one resource that the server knows, as discovery describes it.
type resource struct {
	schema.GroupVersionKind
	name       string // plural
	namespaced bool
	status     bool // has a status subresource
	short      []string
	category   string
	custom     bool
	// storage names where its objects are kept: events are one set that two groups serve.
	storage string
}

func (r *resource) gr() schema.GroupResource {
	return schema.GroupResource{Group: r.Group, Resource: r.name}
}

func (r *resource) listKind() string { return r.Kind + "List" }

// builtins lists what every cluster serves. A line is: group/version, kind, plural, scope, then short names, "status" for
// a status subresource, and "@category".
func builtins() []*resource {
	const table = `
v1 Pod pods ns po status @all
v1 Service services ns svc status @all
v1 ReplicationController replicationcontrollers ns rc status @all
v1 Node nodes cluster no status
v1 Namespace namespaces cluster ns status
v1 Event events ns ev
v1 ConfigMap configmaps ns cm
v1 Secret secrets ns
v1 ServiceAccount serviceaccounts ns sa
v1 PersistentVolumeClaim persistentvolumeclaims ns pvc status
v1 PersistentVolume persistentvolumes cluster pv status
v1 Endpoints endpoints ns ep
v1 ResourceQuota resourcequotas ns quota status
v1 LimitRange limitranges ns limits
v1 PodTemplate podtemplates ns
apps/v1 Deployment deployments ns deploy status @all
apps/v1 ReplicaSet replicasets ns rs status @all
apps/v1 DaemonSet daemonsets ns ds status @all
apps/v1 StatefulSet statefulsets ns sts status @all
apps/v1 ControllerRevision controllerrevisions ns
batch/v1 Job jobs ns status @all
batch/v1 CronJob cronjobs ns cj status @all
autoscaling/v2 HorizontalPodAutoscaler horizontalpodautoscalers ns hpa status @all
policy/v1 PodDisruptionBudget poddisruptionbudgets ns pdb status
networking.k8s.io/v1 Ingress ingresses ns ing status
networking.k8s.io/v1 IngressClass ingressclasses cluster
networking.k8s.io/v1 NetworkPolicy networkpolicies ns netpol
discovery.k8s.io/v1 EndpointSlice endpointslices ns
events.k8s.io/v1 Event events ns ev
storage.k8s.io/v1 StorageClass storageclasses cluster sc
storage.k8s.io/v1 CSINode csinodes cluster
storage.k8s.io/v1 CSIDriver csidrivers cluster
storage.k8s.io/v1 CSIStorageCapacity csistoragecapacities ns
storage.k8s.io/v1 VolumeAttachment volumeattachments cluster status
coordination.k8s.io/v1 Lease leases ns
scheduling.k8s.io/v1 PriorityClass priorityclasses cluster pc
rbac.authorization.k8s.io/v1 Role roles ns
rbac.authorization.k8s.io/v1 RoleBinding rolebindings ns
rbac.authorization.k8s.io/v1 ClusterRole clusterroles cluster
rbac.authorization.k8s.io/v1 ClusterRoleBinding clusterrolebindings cluster
admissionregistration.k8s.io/v1 MutatingWebhookConfiguration mutatingwebhookconfigurations cluster
admissionregistration.k8s.io/v1 ValidatingWebhookConfiguration validatingwebhookconfigurations cluster
admissionregistration.k8s.io/v1 ValidatingAdmissionPolicy validatingadmissionpolicies cluster status
admissionregistration.k8s.io/v1 ValidatingAdmissionPolicyBinding validatingadmissionpolicybindings cluster
apiextensions.k8s.io/v1 CustomResourceDefinition customresourcedefinitions cluster crd crds status
`
	return parseResources(table, false)
}

// netdiagResources lists netdiag's own resources, which are served by every simulated cluster.
func netdiagResources() []*resource {
	return parseResources(`
netdiag.io/v1alpha1 Investigation investigations ns status
netdiag.io/v1alpha1 Remediation remediations ns status
`, true)
}

// wellKnown lists custom resources whose plural can't be guessed, or that come together: a cluster that has one of a
// group has the others, if only as an empty list.
func wellKnown() []*resource {
	return parseResources(`
elbv2.k8s.aws/v1beta1 TargetGroupBinding targetgroupbindings ns status
elbv2.k8s.aws/v1beta1 IngressClassParams ingressclassparams cluster
eks.amazonaws.com/v1 TargetGroupBinding targetgroupbindings ns status
eks.amazonaws.com/v1 IngressClassParams ingressclassparams cluster
eks.amazonaws.com/v1 NodeClass nodeclasses cluster status
vpcresources.k8s.aws/v1alpha1 CNINode cninodes cluster cnd
vpcresources.k8s.aws/v1beta1 SecurityGroupPolicy securitygrouppolicies ns sgp
crd.k8s.amazonaws.com/v1alpha1 ENIConfig eniconfigs cluster
networking.k8s.aws/v1alpha1 PolicyEndpoint policyendpoints ns status
externaldns.k8s.io/v1alpha1 DNSEndpoint dnsendpoints ns status
`, true)
}

func parseResources(table string, custom bool) []*resource {
	var out []*resource
	for line := range strings.SplitSeq(strings.TrimSpace(table), "\n") {
		f := strings.Fields(line)
		gv, err := schema.ParseGroupVersion(f[0])
		if err != nil {
			panic(err) // the tables above are constants
		}
		r := &resource{GroupVersionKind: gv.WithKind(f[1]), name: f[2], namespaced: f[3] == "ns", custom: custom}
		for _, w := range f[4:] {
			switch {
			case w == "status":
				r.status = true
			case w[0] == '@':
				r.category = w[1:]
			default:
				r.short = append(r.short, w)
			}
		}
		r.storage = r.gr().String()
		if r.Group == "events.k8s.io" {
			r.storage = "events"
		}
		out = append(out, r)
	}
	return out
}

// defined gives the resources of a CustomResourceDefinition, one for each version that is served; none of anything else.
func defined(o *unstructured.Unstructured) []*resource {
	if o.GetKind() != "CustomResourceDefinition" {
		return nil
	}
	var definition struct {
		Spec apiextensions `json:"spec"`
	}
	b, err := json.Marshal(o.Object)
	if err != nil || json.Unmarshal(b, &definition) != nil {
		return nil
	}
	var out []*resource
	spec := definition.Spec
	for _, v := range spec.Versions {
		r := &resource{
			GroupVersionKind: schema.GroupVersionKind{Group: spec.Group, Version: v.Name, Kind: spec.Names.Kind}, name: spec.Names.Plural,
			namespaced: spec.Scope != "Cluster", short: spec.Names.ShortNames, status: true, custom: true,
		}
		if r.storage = r.gr().String(); v.Served && r.name != "" && r.Kind != "" {
			out = append(out, r)
		}
	}
	return out
}

// apiextensions is what of a definition says how its resource is served.
type apiextensions struct {
	Group string `json:"group"`
	Scope string `json:"scope"`
	Names struct {
		Plural     string   `json:"plural"`
		Kind       string   `json:"kind"`
		ShortNames []string `json:"shortNames"`
	} `json:"names"`
	Versions []struct {
		Name   string `json:"name"`
		Served bool   `json:"served"`
	} `json:"versions"`
}

// guess describes a custom resource that no table knows by one of its objects.
func guess(gvk schema.GroupVersionKind, namespaced bool) *resource {
	r := &resource{GroupVersionKind: gvk, name: plural(gvk.Kind), namespaced: namespaced, status: true, custom: true}
	r.storage = r.gr().String()
	return r
}

// plural is the usual English plural of a kind. A kind that is a plural by itself, such as Endpoints or Params, stays.
func plural(kind string) string {
	s := strings.ToLower(kind)
	switch {
	case strings.HasSuffix(s, "s") && len(s) > 2 && !strings.ContainsRune("aisu", rune(s[len(s)-2])),
		strings.HasSuffix(s, "endpoints"):
		return s
	case strings.HasSuffix(s, "s"), strings.HasSuffix(s, "x"), strings.HasSuffix(s, "ch"), strings.HasSuffix(s, "sh"):
		return s + "es"
	case strings.HasSuffix(s, "y") && len(s) > 1 && !strings.ContainsRune("aeiou", rune(s[len(s)-2])):
		return s[:len(s)-1] + "ies"
	}
	return s + "s"
}
