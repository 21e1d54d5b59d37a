package kube

import (
	"fmt"
	"net/http"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// request is what a path asks for.
type request struct {
	*resource
	verb        string // get, list, watch, create, update, patch, delete or deletecollection
	namespace   string
	name        string
	subresource string
	rest        string // what follows the subresource, for proxy
	user        string
}

// ServeHTTP answers one request as the API server would.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r = unprefixed(r)
	user, _ := identify(r)
	s.record(r, user)
	if !s.strike(w, r) {
		s.answer(w, r)
	}
}

// answer answers a request that met no fault.
func (s *Server) answer(w http.ResponseWriter, r *http.Request) {
	user, known := identify(r)
	if !known {
		writeError(w, r, apierrors.NewUnauthorized("Unauthorized"))
		return
	}
	if s.serveNonResource(w, r) {
		return
	}
	q := s.parse(r)
	if q == nil {
		http.Error(w, "404 page not found", http.StatusNotFound)
		return
	}
	q.user = user
	if err := s.authorize(q); err != nil {
		writeError(w, r, err)
		return
	}
	for _, err := range []error{acceptable(r, q.resource), s.settled(q)} {
		if err != nil {
			writeError(w, r, err)
			return
		}
	}
	if err := s.dispatch(w, r, q); err != nil {
		writeError(w, r, err)
	}
}

func (s *Server) dispatch(w http.ResponseWriter, r *http.Request, q *request) error {
	switch {
	case q.resource.name == "selfsubjectaccessreviews":
		return s.reviewAccess(w, r, q)
	case q.subresource == "log" && q.resource.name == "pods" && q.verb == "get":
		return s.serveLog(w, r, q)
	case q.subresource == "proxy" && q.resource.name == "pods" && q.verb == "get":
		return s.serveProxy(w, q)
	case q.subresource == "binding" && q.resource.name == "pods" && q.verb == "create":
		return s.serveBinding(w, r, q)
	case q.subresource == "eviction" && q.resource.name == "pods" && q.verb == "create":
		return s.serveEviction(w, r, q)
	case q.subresource == "scale" && scalable(q.resource) && (q.verb == "get" || q.verb == "update" || q.verb == "patch"):
		return s.serveScale(w, r, q)
	case q.subresource != "" && (q.subresource != "status" || !q.status):
		return apierrors.NewGenericServerResponse(http.StatusNotFound, q.verb, q.gr(), q.name, "the server could not find the requested resource", 0, true)
	}
	switch q.verb {
	case "get":
		return s.serveGet(w, r, q)
	case "list":
		return s.serveList(w, r, q)
	case "watch":
		return s.serveWatch(w, r, q)
	case "create":
		return s.serveCreate(w, r, q)
	case "update":
		return s.serveUpdate(w, r, q)
	case "patch":
		return s.servePatch(w, r, q)
	case "delete":
		return s.serveDelete(w, r, q)
	case "deletecollection":
		return s.serveDeleteCollection(w, r, q)
	}
	return apierrors.NewMethodNotSupported(q.gr(), q.verb)
}

// parse reads a path such as /apis/apps/v1/namespaces/x/deployments/y/status; nil where nothing is served there.
func (s *Server) parse(r *http.Request) *request {
	part := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	var group, version string
	switch {
	case len(part) > 2 && part[0] == "api":
		version, part = part[1], part[2:]
	case len(part) > 3 && part[0] == "apis":
		group, version, part = part[1], part[2], part[3:]
	default:
		return nil
	}
	q := &request{}
	if part[0] == "namespaces" && len(part) > 2 && s.byResource(group, version, part[2]) != nil {
		q.namespace, part = part[1], part[2:]
	}
	q.resource = s.byResource(group, version, part[0])
	if q.resource == nil && r.Method == http.MethodPost {
		q.resource = reviews(group, version, part[0])
	}
	if q.resource == nil || (q.namespace != "" && !q.namespaced) {
		return nil
	}
	if len(part) > 1 {
		q.name = part[1]
	}
	if len(part) > 2 {
		q.subresource = part[2]
	}
	if len(part) > 3 {
		q.rest = strings.Join(part[3:], "/")
	}
	if q.name != "" && q.namespaced && q.namespace == "" {
		return nil
	}
	if group == "" && q.resource.name == "namespaces" {
		q.namespace = q.name // as the authorizer sees it
	}
	watching := r.URL.Query().Get("watch")
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		switch {
		case watching == "1" || watching == "true":
			q.verb = "watch"
		case q.name == "":
			q.verb = "list"
		default:
			q.verb = "get"
		}
	case http.MethodPost:
		q.verb = "create"
	case http.MethodPut:
		q.verb = "update"
	case http.MethodPatch:
		q.verb = "patch"
	case http.MethodDelete:
		q.verb = "delete"
		if q.name == "" {
			q.verb = "deletecollection"
		}
	}
	return q
}

// identify reads the user from the bearer token "sim:<name>". No token is the anonymous user, who may do everything
// here; any other token is unknown.
func identify(r *http.Request) (user string, known bool) {
	auth := r.Header.Get("Authorization")
	if auth == "" {
		return "system:anonymous", true
	}
	token, _ := strings.CutPrefix(auth, "Bearer ")
	user, ok := strings.CutPrefix(token, "sim:")
	return user, ok && user != ""
}

// authorize refuses what the world denies, or the hook.
func (s *Server) authorize(q *request) error {
	allowed := !s.denies(q.permission(), q.namespace)
	if allowed && s.options.Authorize != nil && !reviewing(q) {
		allowed = s.options.Authorize(q.user, q.verb, q.kind(), q.namespace, q.name)
	}
	if allowed {
		return nil
	}
	return forbidden(q)
}

// kind is the resource as authorizers spell it: plural[.group][/subresource].
func (q *request) kind() string {
	if q.subresource == "" {
		return q.gr().String()
	}
	return q.gr().String() + "/" + q.subresource
}

// permission is what a request needs, such as "list pods" or "get pods/proxy".
func (q *request) permission() string { return q.verb + " " + q.kind() }

func forbidden(q *request) error {
	where := "at the cluster scope"
	if q.namespace != "" {
		where = fmt.Sprintf("in the namespace %q", q.namespace)
	}
	res := q.resource.name
	if q.subresource != "" {
		res += "/" + q.subresource
	}
	return apierrors.NewForbidden(q.gr(), q.name, fmt.Errorf("User %q cannot %s resource %q in API group %q %s", q.user, q.verb, res, q.Group, where))
}

// denies tells what the world denies: a permission everywhere, or, as in "list pods in backend" and "list pods in all
// namespaces", in one scope only.
func (s *Server) denies(permission, namespace string) bool {
	scope := namespace
	if scope == "" {
		scope = "all namespaces"
	}
	return s.denied[permission] || s.denied[permission+" in "+scope]
}
