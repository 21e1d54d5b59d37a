package kube

import (
	"context"
	"fmt"
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Version is the version of the API server, such as v1.36.1: an answer shows that it can be reached.
func (c *Client) Version(ctx context.Context) (string, error) {
	v, err := once(ctx, c, "get /version", func(context.Context) (string, error) {
		v, err := c.typed.Discovery().ServerVersion()
		if err != nil {
			return "", err
		}
		return v.GitVersion, nil
	})
	return v, err
}

// Host is the address of the API server.
func (c *Client) Host() string { return c.host }

// May reports whether the caller has a permission ("list pods", "get pods/log", "list ingresses.networking.k8s.io"), in a
// namespace or, where that is empty, in all of them. One for a single object has to be asked by its name: RBAC grants it no wider. It asks by a SelfSubjectAccessReview, which everybody may create.
func (c *Client) May(ctx context.Context, n Need, namespace string) (bool, error) {
	verb, rest, ok := strings.Cut(n.Permission, " ")
	if !ok {
		return false, fmt.Errorf("review %q: no permission of Kubernetes", n.Permission)
	}
	name, group, _ := strings.Cut(rest, ".")
	resource, subresource, _ := strings.Cut(name, "/")
	group, sub, _ := strings.Cut(group, "/") // as in investigations.netdiag.io/status
	if sub != "" {
		subresource = sub
	}
	asked := authorizationv1.ResourceAttributes{Verb: verb, Group: group, Resource: resource, Subresource: subresource, Namespace: namespace, Name: n.Name}
	return once(ctx, c, "create selfsubjectaccessreviews.authorization.k8s.io", func(ctx context.Context) (bool, error) {
		return c.review(ctx, asked)
	})
}

// review asks the API server whether the caller may do something.
func (c *Client) review(ctx context.Context, asked authorizationv1.ResourceAttributes) (bool, error) {
	review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &asked}}
	got, err := c.typed.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
	if err != nil {
		return false, err
	}
	return got.Status.Allowed, nil
}
