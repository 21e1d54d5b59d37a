package e2e

import (
	"context"
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
)

// customs are the custom resources of an EKS cluster that netdiag reads, with any content.
var customs = []struct {
	group, version, kind, plural string
	namespaced                   bool
}{
	{"elbv2.k8s.aws", "v1beta1", "TargetGroupBinding", "targetgroupbindings", true},
	{"elbv2.k8s.aws", "v1beta1", "IngressClassParams", "ingressclassparams", false},
	{"crd.k8s.amazonaws.com", "v1alpha1", "ENIConfig", "eniconfigs", false},
	{"vpcresources.k8s.aws", "v1alpha1", "CNINode", "cninodes", false},
	{"vpcresources.k8s.aws", "v1beta1", "SecurityGroupPolicy", "securitygrouppolicies", true},
	{"networking.k8s.aws", "v1alpha1", "PolicyEndpoint", "policyendpoints", true},
	{"externaldns.k8s.io", "v1alpha1", "DNSEndpoint", "dnsendpoints", true},
}

// custom tells them from the kinds that every API server has.
func custom(of schema.GroupVersionResource) bool {
	for _, c := range customs {
		if c.group == of.Group && c.plural == of.Resource {
			return true
		}
	}
	return false
}

// define installs the custom resources, and waits until they are served.
func (p *plane) define(ctx context.Context) error {
	client, err := dynamic.NewForConfig(p.admin)
	if err != nil {
		return err
	}
	api := client.Resource(schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"})
	var made []schema.GroupVersionResource
	for _, c := range customs {
		scope := "Cluster"
		if c.namespaced {
			scope = "Namespaced"
		}
		u := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
			"metadata": map[string]any{
				"name": c.plural + "." + c.group,
				// The groups of *.k8s.io are Kubernetes's own; external-dns is not the only one who has one.
				"annotations": map[string]any{"api-approved.kubernetes.io": "unapproved, for a test"},
			},
			"spec": map[string]any{
				"group": c.group, "scope": scope, "names": map[string]any{"kind": c.kind, "plural": c.plural, "singular": strings.ToLower(c.kind), "listKind": c.kind + "List"},
				"versions": []any{map[string]any{
					"name": c.version, "served": true, "storage": true, "subresources": map[string]any{"status": map[string]any{}},
					"schema": map[string]any{"openAPIV3Schema": map[string]any{"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
				}},
			},
		}}
		if _, err := api.Create(ctx, u, metav1.CreateOptions{}); err != nil {
			return fmt.Errorf("define %s: %w", c.kind, err)
		}
		made = append(made, schema.GroupVersionResource{Group: c.group, Version: c.version, Resource: c.plural})
	}
	return served(ctx, client, made)
}
