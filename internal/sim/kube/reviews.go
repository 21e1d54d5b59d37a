package kube

import (
	"encoding/json"
	"net/http"

	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// reviews finds the resource by which a client asks what it may do ("kubectl auth can-i"). It can only be posted, and
// nothing of it is stored.
func reviews(group, version, plural string) *resource {
	if group == "authorization.k8s.io" && version == "v1" && plural == "selfsubjectaccessreviews" {
		return &resource{GroupVersionKind: schema.GroupVersionKind{Group: group, Version: version, Kind: "SelfSubjectAccessReview"}, name: plural}
	}
	return nil
}

func reviewing(q *request) bool { return q.Group == "authorization.k8s.io" }

// reviewAccess answers whether the asking user may do something, by the same rules that would decide over the request.
func (s *Server) reviewAccess(w http.ResponseWriter, r *http.Request, q *request) error {
	o, err := body(r)
	if err != nil {
		return err
	}
	b, err := json.Marshal(o.Object)
	if err != nil {
		return err
	}
	var review authorizationv1.SelfSubjectAccessReview
	if err := json.Unmarshal(b, &review); err != nil {
		return apierrors.NewBadRequest(err.Error())
	}
	review.TypeMeta = metav1.TypeMeta{APIVersion: "authorization.k8s.io/v1", Kind: "SelfSubjectAccessReview"}
	review.Status.Allowed = true
	if a := review.Spec.ResourceAttributes; a != nil {
		asked := &request{
			resource: &resource{GroupVersionKind: schema.GroupVersionKind{Group: a.Group}, name: a.Resource},
			verb:     a.Verb, namespace: a.Namespace, name: a.Name, subresource: a.Subresource, user: q.user,
		}
		review.Status.Allowed = s.authorize(asked) == nil
	}
	reply(w, r, http.StatusCreated, review)
	return nil
}
