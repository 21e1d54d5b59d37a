package record

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utiljson "k8s.io/apimachinery/pkg/util/json"
)

// Kubernetes wraps the transport to the API server; it is for rest.Config.Wrap. It asks for JSON where the client would
// take something else too, so that what is recorded is all that the server has to say.
func (r *Recorder) Kubernetes(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		q, ok := parse(req)
		if !ok {
			return next.RoundTrip(req)
		}
		if accept := req.Header.Get("Accept"); strings.Contains(accept, "protobuf") && !strings.Contains(accept, "as=") {
			req = req.Clone(req.Context())
			req.Header.Set("Accept", "application/json")
		}
		resp, err := next.RoundTrip(req)
		if err != nil {
			r.note(q, 0, nil)
			return resp, err
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close() // read to its end, or broken
		if err != nil {
			r.note(q, 0, nil)
			return nil, err
		}
		resp.Body = io.NopCloser(bytes.NewReader(body))
		r.note(q, resp.StatusCode, body)
		return resp, nil
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip calls the function.
func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// query is what a request reads.
type query struct {
	group, version, plural string // plural is empty for discovery
	namespace, name        string // name is empty for a list
	subresource, rest      string
	container              string // of a log
	url                    string
}

// permission spells what is read as a world's denied list does.
func (q query) permission() string {
	p := "list "
	if q.name != "" {
		p = "get "
	}
	p += q.resource()
	if q.subresource != "" {
		p += "/" + q.subresource
	}
	return p
}

// resource is "<plural>", or "<plural>.<group>".
func (q query) resource() string {
	if q.group == "" {
		return q.plural
	}
	return q.plural + "." + q.group
}

// parse understands a read of the API server: /api/v1/…, /apis/<group>/<version>/…, whatever stands before. Watches and
// writes are none.
func parse(req *http.Request) (query, bool) {
	watch := req.URL.Query().Get("watch")
	if req.Method != http.MethodGet || watch == "1" || watch == "true" {
		return query{}, false
	}
	part := strings.Split(strings.Trim(req.URL.Path, "/"), "/")
	for len(part) > 1 && part[0] != "api" && part[0] != "apis" {
		part = part[1:]
	}
	q := query{container: req.URL.Query().Get("container"), url: req.URL.String()}
	switch {
	case part[0] == "api" && len(part) > 2:
		q.version, part = part[1], part[2:]
	case part[0] == "apis" && len(part) > 3:
		q.group, q.version, part = part[1], part[2], part[3:]
	case part[0] == "apis" && len(part) > 1: // discovery of a group or a version of it
		q.group = part[1]
		if len(part) > 2 {
			q.version = part[2]
		}
		return q, true
	default:
		return query{}, false
	}
	if part[0] == "namespaces" && len(part) > 2 {
		q.namespace, part = part[1], part[2:]
	}
	part = append(part, "", "", "")
	q.plural, q.name, q.subresource, q.rest = part[0], part[1], part[2], strings.Trim(strings.Join(part[3:], "/"), "/")
	return q, true
}

// note writes down what became of a read; status 0 is no answer.
func (r *Recorder) note(q query, status int, body []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := &r.kube
	switch {
	case q.plural == "":
		k.discovered(q, status, body)
	case status == http.StatusOK:
		delete(k.failed, q.url)
		mark(k.allowed, q)
		k.take(q, body)
	case status == http.StatusForbidden:
		mark(k.refused, q)
	case status == http.StatusNotFound, status == http.StatusBadRequest, status == http.StatusGone, q.subresource != "":
		// Not there; a page that expired, whose list begins again; or a pod that doesn't answer.
	default:
		k.failed[q.url] = q
	}
}

// mark notes an outcome of a permission in the scope of the read.
func mark(outcomes map[string]map[string]bool, q query) {
	p := q.permission()
	if outcomes[p] == nil {
		outcomes[p] = map[string]bool{}
	}
	outcomes[p][q.namespace] = true
}

// take keeps an answer.
func (k *cluster) take(q query, body []byte) {
	switch {
	case q.subresource == "log":
		key := q.namespace + "/" + q.name + "/" + q.container
		if len(body) > len(k.logs[key]) {
			k.logs[key] = string(body)
		}
	case q.subresource == "proxy":
		if pod, _, ok := strings.Cut(q.name, ":"); ok && q.rest == "metrics" {
			k.metrics[q.namespace+"/"+pod] = string(body)
		}
	case q.subresource == "":
		k.takeObjects(q, body)
	}
}

func (k *cluster) takeObjects(q query, body []byte) {
	u := &unstructured.Unstructured{}
	if utiljson.Unmarshal(body, &u.Object) != nil || u.Object == nil { // not JSON, although asked for: nothing that can be kept
		return
	}
	if q.name != "" {
		k.keep(u)
		return
	}
	kind := strings.TrimSuffix(u.GetKind(), "List")
	items, _ := u.Object["items"].([]any)
	for _, item := range items {
		o, ok := item.(map[string]any)
		if !ok {
			continue
		}
		if o["kind"] == nil { // the items of built-in lists leave it out
			o["kind"], o["apiVersion"] = kind, u.GetAPIVersion()
		}
		k.keep(&unstructured.Unstructured{Object: o})
	}
	if strings.Contains(q.group, ".") && !strings.HasSuffix(q.group, ".k8s.io") {
		c := custom{group: q.group, version: q.version, plural: q.plural, kind: kind, empty: len(items) == 0 && u.GetContinue() == ""}
		c.empty = c.empty && (k.customs[q.resource()] == custom{} || k.customs[q.resource()].empty)
		k.customs[q.resource()] = c
	}
}

func (k *cluster) keep(u *unstructured.Unstructured) {
	group, _, _ := strings.Cut(u.GetAPIVersion(), "/")
	if !strings.Contains(u.GetAPIVersion(), "/") {
		group = ""
	}
	k.objects[strings.Join([]string{group, u.GetKind(), u.GetNamespace(), u.GetName()}, "\x00")] = u
}

// discovered keeps whether a group is served, and which resources its versions have; the first version that has one counts.
func (k *cluster) discovered(q query, status int, body []byte) {
	var list struct {
		Resources []struct {
			Name       string `json:"name"`
			Kind       string `json:"kind"`
			Namespaced bool   `json:"namespaced"`
		} `json:"resources"`
	}
	known := status == http.StatusNotFound || status == http.StatusOK && q.version != "" && json.Unmarshal(body, &list) == nil
	if known && k.served[q.group] == nil {
		k.served[q.group] = map[string]custom{}
	}
	for _, res := range list.Resources {
		if _, there := k.served[q.group][res.Name]; !there && known {
			k.served[q.group][res.Name] = custom{group: q.group, version: q.version, plural: res.Name, kind: res.Kind, cluster: !res.Namespaced}
		}
	}
}
