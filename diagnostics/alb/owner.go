package alb

import (
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/netdiag/netdiag/internal/vpc"
)

// Owners of things as fixes name them. What one of the declarative ones owns is changed there, or the change goes away.
const (
	ownerNone       = "none"
	ownerController = "load-balancer-controller"
	ownerArgo       = "argocd"
	ownerFlux       = "flux"
	ownerHelm       = "helm"
	ownerTerraform  = "terraform"
	ownerStack      = "cloudformation"
	ownerEKS        = "eks"
)

// objectOwner tells from its marks which tool declares a Kubernetes object.
func objectOwner(o metav1.Object) string {
	for k := range o.GetAnnotations() {
		if strings.HasPrefix(k, "argocd.argoproj.io/") {
			return ownerArgo
		}
	}
	labels := o.GetLabels()
	for k := range labels {
		switch {
		case strings.HasPrefix(k, "argocd.argoproj.io/"):
			return ownerArgo
		case strings.HasPrefix(k, "kustomize.toolkit.fluxcd.io/"), strings.HasPrefix(k, "helm.toolkit.fluxcd.io/"):
			return ownerFlux
		}
	}
	for _, m := range o.GetManagedFields() {
		switch name := strings.ToLower(m.Manager); {
		case strings.HasPrefix(name, "argocd"):
			return ownerArgo
		case strings.HasPrefix(name, "kustomize-controller"), strings.HasPrefix(name, "helm-controller"):
			return ownerFlux
		case strings.Contains(name, "terraform"):
			return ownerTerraform
		}
	}
	if labels["app.kubernetes.io/managed-by"] == "Helm" {
		return ownerHelm
	}
	return ownerNone
}

// groupOwner tells from its tags which tool declares a security group.
func groupOwner(g vpc.SecurityGroup) string {
	if g.Tags["aws:cloudformation:stack-name"] != "" {
		return ownerStack
	}
	for k, v := range g.Tags {
		key := strings.ToLower(k)
		if strings.Contains(key, "terraform") || ((key == "managedby" || key == "managed-by" || key == "managed_by") && strings.EqualFold(v, "terraform")) {
			return ownerTerraform
		}
	}
	switch {
	case g.Tags["elbv2.k8s.aws/cluster"] != "":
		return ownerController
	case g.Tags["aws:eks:cluster-name"] != "":
		return ownerEKS
	}
	return ownerNone
}

// declarative reports whether the owner puts back what is changed behind its back.
func declarative(owner string) bool {
	return owner == ownerArgo || owner == ownerFlux || owner == ownerTerraform || owner == ownerStack
}

// drift says what the owner will do to a change made elsewhere.
func drift(owner string) string {
	switch owner {
	case ownerArgo, ownerFlux:
		return "; " + owner + " declares it and will put the old state back: change it there"
	case ownerTerraform, ownerStack:
		return "; " + owner + " declares it: make the same change there, or the next apply removes it"
	case ownerHelm:
		return "; the next upgrade of its Helm release removes the change unless its values have it too"
	}
	return ""
}
