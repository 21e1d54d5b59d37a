package pending

import (
	"slices"
	"strings"
)

// ownership is who declares the settings of aws-node: a change must go through them, or the next sync takes it back.
type ownership struct {
	owner string // eks-addon, helm, argocd, flux, terraform, cloudformation, eksctl, pulumi, kubectl, none, or unknown
	why   string // what tells so
	// kind, namespace and name say what declares it: a stack, an Argo CD application, a Flux HelmRelease or Kustomization, a
	// Helm release. Each is empty where it isn't known.
	kind, namespace, name string
}

// owned finds the owner of aws-node: the EKS add-on, or who has the add-on, or who has marked the DaemonSet, or who has set
// its fields. The label app.kubernetes.io/managed-by says Helm on the EKS add-on too, so that it proves nothing.
func (a *analysis) owned() ownership {
	d := a.s.Driver
	if a.s.Addon != nil {
		return ownerOfAddon(a.s.Addon.Tags, a.s.Addon.Version)
	}
	if _, missed := a.unread("eks:DescribeAddon"); missed {
		if d != nil && slices.ContainsFunc(d.Managers, func(m Manager) bool { return m.Name == "eks" && m.Operation == "Apply" }) {
			return ownership{owner: "eks-addon", why: "field manager eks of DaemonSet aws-node; the add-on could not be read"}
		}
		return ownership{owner: "unknown", why: "the add-ons of the cluster could not be read"}
	}
	if d == nil {
		return ownership{owner: "unknown", why: "DaemonSet aws-node could not be read"}
	}
	if o, ok := d.marked(); ok {
		return o
	}
	for _, m := range d.Managers {
		if owner := managerOwner(m.Name); owner != "" && owner != "eks-addon" && owner != "kubectl" {
			return ownership{owner: owner, why: "field manager " + m.Name + " of DaemonSet aws-node"}
		}
	}
	const applied = "kubectl.kubernetes.io/last-applied-configuration"
	if _, ok := d.Annotations[applied]; ok {
		return ownership{owner: "kubectl", why: "annotation " + applied + " on DaemonSet aws-node"}
	}
	for _, m := range d.Managers {
		if m.Name == "kubectl-client-side-apply" || m.Name == "kubectl" && m.Operation == "Apply" {
			return ownership{owner: "kubectl", why: "field manager " + m.Name + " of DaemonSet aws-node"}
		}
	}
	return ownership{owner: "none", why: "no add-on, and no mark of another tool on DaemonSet aws-node"}
}

// ownerOfAddon goes by the tags that tools leave on an add-on.
func ownerOfAddon(tags map[string]string, version string) ownership {
	for _, mark := range []struct{ tag, owner, kind string }{
		{"aws:cloudformation:stack-name", "cloudformation", "stack"}, {"alpha.eksctl.io/cluster-name", "eksctl", "cluster"},
	} {
		if value, ok := tags[mark.tag]; ok {
			return ownership{owner: mark.owner, why: "tag " + mark.tag + " of add-on vpc-cni", kind: mark.kind, name: value}
		}
	}
	for _, key := range sortedKeys(tags) {
		for _, m := range []struct{ word, owner string }{{"terraform", "terraform"}, {"opentofu", "terraform"}, {"terragrunt", "terraform"}, {"pulumi", "pulumi"}} {
			if strings.EqualFold(key, m.word) || strings.EqualFold(tags[key], m.word) {
				return ownership{owner: m.owner, why: "tag " + key + " of add-on vpc-cni"}
			}
		}
	}
	return ownership{owner: "eks-addon", why: "add-on vpc-cni " + version}
}

// marked goes by the labels and annotations that tools leave on what they make. Flux renders charts too, so that its marks
// come before those of Helm.
func (d *Driver) marked() (ownership, bool) {
	get := func(key string) string {
		if v := d.Labels[key]; v != "" {
			return v
		}
		return d.Annotations[key]
	}
	for _, m := range []struct{ key, owner, kind, namespace string }{
		{"argocd.argoproj.io/tracking-id", "argocd", "Application", ""},
		{"argocd.argoproj.io/instance", "argocd", "Application", ""},
		{"helm.toolkit.fluxcd.io/name", "flux", "HelmRelease", "helm.toolkit.fluxcd.io/namespace"},
		{"kustomize.toolkit.fluxcd.io/name", "flux", "Kustomization", "kustomize.toolkit.fluxcd.io/namespace"},
		{"meta.helm.sh/release-name", "helm", "release", "meta.helm.sh/release-namespace"},
	} {
		value := get(m.key)
		if value == "" {
			continue
		}
		o := ownership{owner: m.owner, why: m.key + "=" + value + " on DaemonSet aws-node", kind: m.kind, name: value}
		o.name, _, _ = strings.Cut(value, ":") // a tracking id is the application, then the resource
		if m.namespace != "" {
			o.namespace = get(m.namespace)
		}
		return o, true
	}
	return ownership{}, false
}

// managerOwner is the tool that writes under the name of a field manager; empty where that is a part of Kubernetes, or unknown.
func managerOwner(manager string) string {
	low := strings.ToLower(manager)
	for _, o := range []struct{ part, owner string }{
		{"argocd", "argocd"}, {"kustomize-controller", "flux"}, {"helm-controller", "flux"}, {"flux", "flux"},
		{"terraform", "terraform"}, {"hashicorp", "terraform"}, {"pulumi", "pulumi"}, {"eksctl", "eksctl"}, {"helm", "helm"}, {"kubectl", "kubectl"},
	} {
		if strings.Contains(low, o.part) {
			return o.owner
		}
	}
	if low == "eks" {
		return "eks-addon"
	}
	return ""
}
