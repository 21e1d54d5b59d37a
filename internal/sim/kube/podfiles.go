package kube

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// metricsPort is where aws-node serves its Prometheus metrics.
const metricsPort = "61678"

// serveLog answers GET pods/<name>/log from the world's logs; a container without one has an empty log.
func (s *Server) serveLog(w http.ResponseWriter, r *http.Request, q *request) error {
	pod := s.find(q.resource, q.namespace, q.name)
	if pod == nil {
		return apierrors.NewNotFound(q.gr(), q.name)
	}
	query := r.URL.Query()
	containers, inits := containerNames(pod, "containers"), containerNames(pod, "initContainers")
	container := query.Get("container")
	switch {
	case container == "" && len(containers) == 1:
		container = containers[0]
	case container == "":
		msg := fmt.Sprintf("a container name must be specified for pod %s, choose one of: %v", q.name, containers)
		if len(inits) > 0 {
			msg += fmt.Sprintf(" or one of the init containers: %v", inits)
		}
		return apierrors.NewBadRequest(msg)
	case !contains(containers, container) && !contains(inits, container):
		return apierrors.NewBadRequest(fmt.Sprintf("container %s is not valid for pod %s", container, q.name))
	}
	if query.Get("previous") == "true" {
		return apierrors.NewBadRequest(fmt.Sprintf("previous terminated container %q in pod %q not found", container, q.name))
	}
	s.mu.Lock()
	out := s.logs[q.namespace+"/"+q.name+"/"+container]
	s.mu.Unlock()
	if v := query.Get("tailLines"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 0 {
			return apierrors.NewBadRequest(fmt.Sprintf("tailLines: Invalid value: %q: must be greater than or equal to 0", v))
		}
		out = tail(out, n)
	}
	if n, err := strconv.Atoi(query.Get("limitBytes")); err == nil && n > 0 && n < len(out) {
		out = out[:n]
	}
	w.Header().Set("Content-Type", "text/plain")
	_, _ = io.WriteString(w, out) // a client that went away needs no answer
	return nil
}

// tail gives the last n lines of text.
func tail(text string, n int) string {
	end := strings.TrimSuffix(text, "\n")
	at := len(end)
	for ; n > 0 && at > 0; n-- {
		i := strings.LastIndexByte(end[:at], '\n')
		if i < 0 {
			return text
		}
		at = i
	}
	if at == len(end) {
		return ""
	}
	return text[at+1:]
}

func containerNames(pod *unstructured.Unstructured, list string) []string {
	var out []string
	items, _, _ := unstructured.NestedSlice(pod.Object, "spec", list)
	for _, c := range items {
		if m, ok := c.(map[string]any); ok {
			out = append(out, text(m, "name"))
		}
	}
	return out
}

func contains(list []string, s string) bool {
	return slices.Contains(list, s)
}

// serveProxy answers GET pods/[scheme:]<name>[:port]/proxy/metrics from the world's metrics. A pod that doesn't listen
// there can't be reached, as the API server says it.
func (s *Server) serveProxy(w http.ResponseWriter, q *request) error {
	part := strings.Split(q.name, ":")
	name, port := part[0], ""
	switch len(part) {
	case 2:
		port = part[1]
	case 3:
		name, port = part[1], part[2]
	}
	pod := s.find(q.resource, q.namespace, name)
	if pod == nil {
		return apierrors.NewNotFound(q.gr(), name)
	}
	s.mu.Lock()
	out, ok := s.metrics[q.namespace+"/"+name]
	s.mu.Unlock()
	if !ok || port != metricsPort {
		return apierrors.NewServiceUnavailable(fmt.Sprintf("error trying to reach service: dial tcp %s:%s: connect: connection refused", text(pod.Object, "status", "podIP"), port))
	}
	if strings.Trim(q.rest, "/") != "metrics" {
		http.Error(w, "404 page not found", http.StatusNotFound)
		return nil
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	_, _ = io.WriteString(w, out) // a client that went away needs no answer
	return nil
}
