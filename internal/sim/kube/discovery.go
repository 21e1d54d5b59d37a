package kube

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"strings"

	apidiscoveryv2 "k8s.io/api/apidiscovery/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/version"
)

// serveNonResource answers what isn't about an object: health, version, discovery and OpenAPI.
func (s *Server) serveNonResource(w http.ResponseWriter, r *http.Request) bool {
	path := strings.Trim(r.URL.Path, "/")
	part := strings.Split(path, "/")
	switch {
	case path == "healthz", path == "livez", path == "readyz":
		_, _ = w.Write([]byte("ok")) // a client that went away needs no answer
	case path == "version":
		writeJSON(w, http.StatusOK, s.version())
	case path == "api" && aggregated(r), path == "apis" && aggregated(r):
		w.Header().Set("Content-Type", "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList")
		w.Header().Set("Vary", "Accept")
		b, err := json.Marshal(s.aggregate(path == "api"))
		if err != nil {
			return false
		}
		_, _ = w.Write(b) // a client that went away needs no answer
	case path == "api":
		reply(w, r, http.StatusOK, metav1.APIVersions{TypeMeta: metav1.TypeMeta{Kind: "APIVersions"}, Versions: []string{"v1"}, ServerAddressByClientCIDRs: []metav1.ServerAddressByClientCIDR{{ClientCIDR: "0.0.0.0/0", ServerAddress: r.Host}}})
	case path == "apis":
		l := metav1.APIGroupList{TypeMeta: metav1.TypeMeta{Kind: "APIGroupList", APIVersion: "v1"}}
		for _, g := range s.groups() {
			if g != "" {
				l.Groups = append(l.Groups, s.group(g))
			}
		}
		reply(w, r, http.StatusOK, l)
	case path == "api/v1":
		reply(w, r, http.StatusOK, s.resourceList(schema.GroupVersion{Version: "v1"}))
	case part[0] == "apis" && len(part) == 2 && len(s.versions(part[1])) > 0:
		g := s.group(part[1])
		g.TypeMeta = metav1.TypeMeta{Kind: "APIGroup", APIVersion: "v1"}
		reply(w, r, http.StatusOK, g)
	case part[0] == "apis" && len(part) == 3 && contains(s.versions(part[1]), part[2]):
		reply(w, r, http.StatusOK, s.resourceList(schema.GroupVersion{Group: part[1], Version: part[2]}))
	case part[0] == "openapi":
		return s.serveOpenAPI(w, r, part[1:])
	default:
		return false
	}
	return true
}

func (s *Server) version() version.Info {
	minor := strings.TrimPrefix(s.kubernetes, "1.")
	return version.Info{
		Major: "1", Minor: minor, GitVersion: fmt.Sprintf("v1.%s.0-eks-simulated", minor), GitTreeState: "clean",
		BuildDate: "2026-01-01T00:00:00Z", GoVersion: "go1.26", Compiler: "gc", Platform: "linux/amd64",
	}
}

// groups lists the API groups in the order in which they were learned; the core group is "".
func (s *Server) groups() []string {
	var out []string
	for _, r := range s.resources {
		if !contains(out, r.Group) {
			out = append(out, r.Group)
		}
	}
	return out
}

func (s *Server) versions(group string) []string {
	var out []string
	for _, r := range s.resources {
		if r.Group == group && group != "" && !contains(out, r.Version) {
			out = append(out, r.Version)
		}
	}
	return out
}

func (s *Server) group(name string) metav1.APIGroup {
	g := metav1.APIGroup{Name: name}
	for _, v := range s.versions(name) {
		g.Versions = append(g.Versions, metav1.GroupVersionForDiscovery{GroupVersion: name + "/" + v, Version: v})
	}
	g.PreferredVersion = g.Versions[0]
	return g
}

func (r *resource) singular() string { return strings.ToLower(r.Kind) }

func (r *resource) categories() []string {
	if r.category == "" {
		return nil
	}
	return []string{r.category}
}

func verbs() metav1.Verbs {
	return metav1.Verbs{"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"}
}

// subresources names those of a resource with their verbs.
func (r *resource) subresources() map[string]metav1.Verbs {
	out := map[string]metav1.Verbs{}
	if r.status {
		out["status"] = metav1.Verbs{"get", "patch", "update"}
	}
	if r.gr().String() == "pods" {
		out["log"] = metav1.Verbs{"get"}
		out["proxy"] = metav1.Verbs{"get"}
		out["binding"] = metav1.Verbs{"create"}
		out["eviction"] = metav1.Verbs{"create"}
	}
	if scalable(r) {
		out["scale"] = metav1.Verbs{"get", "patch", "update"}
	}
	return out
}

// subresourceNames lists all there are, in the order of discovery.
func subresourceNames() []string {
	return []string{"binding", "eviction", "log", "proxy", "scale", "status"}
}

// answers is the kind that a subresource is read and written as.
func (r *resource) answers(sub string) metav1.GroupVersionKind {
	switch sub {
	case "scale":
		return metav1.GroupVersionKind{Group: "autoscaling", Version: "v1", Kind: "Scale"}
	case "binding":
		return metav1.GroupVersionKind{Version: "v1", Kind: "Binding"}
	case "eviction":
		return metav1.GroupVersionKind{Group: "policy", Version: "v1", Kind: "Eviction"}
	}
	return metav1.GroupVersionKind{Group: r.Group, Version: r.Version, Kind: r.Kind}
}

func (s *Server) resourceList(gv schema.GroupVersion) metav1.APIResourceList {
	l := metav1.APIResourceList{TypeMeta: metav1.TypeMeta{Kind: "APIResourceList", APIVersion: "v1"}, GroupVersion: gv.String(), APIResources: []metav1.APIResource{}}
	for _, r := range s.resources {
		if r.GroupVersion() != gv {
			continue
		}
		l.APIResources = append(l.APIResources, metav1.APIResource{
			Name: r.name, SingularName: r.singular(), Namespaced: r.namespaced, Kind: r.Kind, Verbs: verbs(), ShortNames: r.short, Categories: r.categories(),
		})
		for _, sub := range subresourceNames() {
			if v, ok := r.subresources()[sub]; ok {
				kind := r.answers(sub)
				l.APIResources = append(l.APIResources, metav1.APIResource{Name: r.name + "/" + sub, Namespaced: r.namespaced, Group: kind.Group, Version: kind.Version, Kind: kind.Kind, Verbs: v})
			}
		}
	}
	return l
}

// aggregated reports whether a client asks for the whole discovery in one answer, as those since 1.27 do.
func aggregated(r *http.Request) bool {
	for one := range strings.SplitSeq(r.Header.Get("Accept"), ",") {
		media, p, err := mime.ParseMediaType(one)
		if err == nil && media == "application/json" && p["as"] == "APIGroupDiscoveryList" && p["v"] == "v2" {
			return true
		}
	}
	return false
}

func (s *Server) aggregate(core bool) apidiscoveryv2.APIGroupDiscoveryList {
	out := apidiscoveryv2.APIGroupDiscoveryList{TypeMeta: metav1.TypeMeta{Kind: "APIGroupDiscoveryList", APIVersion: "apidiscovery.k8s.io/v2"}}
	for _, g := range s.groups() {
		if (g == "") != core {
			continue
		}
		d := apidiscoveryv2.APIGroupDiscovery{ObjectMeta: metav1.ObjectMeta{Name: g}}
		vs := s.versions(g)
		if core {
			vs = []string{"v1"}
		}
		for _, v := range vs {
			dv := apidiscoveryv2.APIVersionDiscovery{Version: v, Freshness: apidiscoveryv2.DiscoveryFreshnessCurrent}
			for _, r := range s.resources {
				if r.Group == g && r.Version == v {
					dv.Resources = append(dv.Resources, r.discovery())
				}
			}
			d.Versions = append(d.Versions, dv)
		}
		out.Items = append(out.Items, d)
	}
	return out
}

func (r *resource) discovery() apidiscoveryv2.APIResourceDiscovery {
	kind := &metav1.GroupVersionKind{Group: r.Group, Version: r.Version, Kind: r.Kind}
	d := apidiscoveryv2.APIResourceDiscovery{
		Resource: r.name, ResponseKind: kind, Scope: apidiscoveryv2.ScopeCluster, SingularResource: r.singular(),
		Verbs: verbs(), ShortNames: r.short, Categories: r.categories(),
	}
	if r.namespaced {
		d.Scope = apidiscoveryv2.ScopeNamespace
	}
	for _, sub := range subresourceNames() {
		if v, ok := r.subresources()[sub]; ok {
			kind := r.answers(sub)
			d.Subresources = append(d.Subresources, apidiscoveryv2.APISubresourceDiscovery{Subresource: sub, ResponseKind: &kind, Verbs: v})
		}
	}
	return d
}
