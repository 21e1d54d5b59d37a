package awsnode

import (
	"maps"
	"slices"
	"strings"
)

// Ownership is who declares the settings of aws-node: a change must go through them, or the next sync takes it back.
type Ownership struct {
	Owner string // eks-addon, helm, argocd, flux, terraform, cloudformation, eksctl, pulumi, kubectl, none, or unknown
	Why   string // what tells so
	// Kind, Namespace and Name say what declares it: a stack, an Argo CD application, a Flux HelmRelease or Kustomization, a
	// Helm release. Each is empty where it isn't known.
	Kind, Namespace, Name string
}

// Owned finds the owner of aws-node: the EKS add-on, or who has the add-on, or who has marked the DaemonSet, or who has set
// its fields. The label app.kubernetes.io/managed-by says Helm on the EKS add-on too, so that it proves nothing.
func (u Setup) Owned() Ownership {
	d := u.Driver
	if u.Addon != nil {
		return OwnerByTags(u.Addon.Tags, u.Addon.Version)
	}
	if u.AddonUnread {
		if d != nil && slices.ContainsFunc(d.Managers, func(m Manager) bool { return m.Name == "eks" && m.Operation == "Apply" }) {
			return Ownership{Owner: "eks-addon", Why: "field manager eks of DaemonSet aws-node; the add-on could not be read"}
		}
		return Ownership{Owner: "unknown", Why: "the add-ons of the cluster could not be read"}
	}
	if d == nil {
		return Ownership{Owner: "unknown", Why: "DaemonSet aws-node could not be read"}
	}
	if o, ok := d.Marked(); ok {
		return o
	}
	for _, m := range d.Managers {
		if owner := ManagerOwner(m.Name); owner != "" && owner != "eks-addon" && owner != "kubectl" {
			return Ownership{Owner: owner, Why: "field manager " + m.Name + " of DaemonSet aws-node"}
		}
	}
	const applied = "kubectl.kubernetes.io/last-applied-configuration"
	if _, ok := d.Annotations[applied]; ok {
		return Ownership{Owner: "kubectl", Why: "annotation " + applied + " on DaemonSet aws-node"}
	}
	for _, m := range d.Managers {
		if m.Name == "kubectl-client-side-apply" || m.Name == "kubectl" && m.Operation == "Apply" {
			return Ownership{Owner: "kubectl", Why: "field manager " + m.Name + " of DaemonSet aws-node"}
		}
	}
	return Ownership{Owner: "none", Why: "no add-on, and no mark of another tool on DaemonSet aws-node"}
}

// OwnerByTags goes by the tags that tools leave on an add-on of this version, or on anything else of AWS: then an owner eks-addon means that none did.
func OwnerByTags(tags map[string]string, version string) Ownership {
	for _, mark := range []struct{ tag, owner, kind string }{
		{"aws:cloudformation:stack-name", "cloudformation", "stack"}, {"alpha.eksctl.io/cluster-name", "eksctl", "cluster"},
	} {
		if value, ok := tags[mark.tag]; ok {
			return Ownership{Owner: mark.owner, Why: "tag " + mark.tag + " of add-on vpc-cni", Kind: mark.kind, Name: value}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		for _, m := range []struct{ word, owner string }{{"terraform", "terraform"}, {"opentofu", "terraform"}, {"terragrunt", "terraform"}, {"pulumi", "pulumi"}} {
			if strings.EqualFold(key, m.word) || strings.EqualFold(tags[key], m.word) {
				return Ownership{Owner: m.owner, Why: "tag " + key + " of add-on vpc-cni"}
			}
		}
	}
	return Ownership{Owner: "eks-addon", Why: "add-on vpc-cni " + version}
}

// Marked goes by the labels and annotations that tools leave on what they make. Flux renders charts too, so that its marks
// come before those of Helm.
func (d *Driver) Marked() (Ownership, bool) {
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
		o := Ownership{Owner: m.owner, Why: m.key + "=" + value + " on DaemonSet aws-node", Kind: m.kind, Name: value}
		o.Name, _, _ = strings.Cut(value, ":") // a tracking id is the application, then the resource
		if m.namespace != "" {
			o.Namespace = get(m.namespace)
		}
		return o, true
	}
	return Ownership{}, false
}

// ManagerOwner is the tool that writes under the name of a field manager; empty where that is a part of Kubernetes, or unknown.
func ManagerOwner(manager string) string {
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
