package kube

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Call is one request to the API server with its answer; each attempt is one.
type Call struct {
	Verb     string // as RBAC spells it: get, list, watch, create, update, patch, delete
	Resource string // such as pods, pods/log or ingresses.networking.k8s.io; version, discovery, or other where it is none. Never a name
	// Code is the status, such as 200; cancelled where whoever asked gave up, timeout, or error where there was no answer.
	Code string
	Took time.Duration // until the answer began
}

// Observed wraps the transport to the API server so that seen is told of every call, by several goroutines at once; it is
// for rest.Config.Wrap.
func Observed(seen func(Call)) func(http.RoundTripper) http.RoundTripper {
	return func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) {
			start := time.Now()
			resp, err := next.RoundTrip(r)
			c := callOf(r)
			c.Took, c.Code = time.Since(start), codeOf(resp, err)
			seen(c)
			return resp, err
		})
	}
}

func codeOf(resp *http.Response, err error) string {
	switch {
	case err == nil:
		return strconv.Itoa(resp.StatusCode)
	case errors.Is(err, context.Canceled):
		return "cancelled"
	case errors.Is(err, context.DeadlineExceeded), isNetTimeout(err):
		return "timeout"
	}
	return "error"
}

// callOf is what a request does to which resource: /api/v1/…, /apis/<group>/<version>/…, whatever stands before.
func callOf(r *http.Request) Call {
	part := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	for len(part) > 1 && part[0] != "api" && part[0] != "apis" {
		part = part[1:]
	}
	group := ""
	switch {
	case part[0] == "api" && len(part) > 2:
		part = part[2:]
	case part[0] == "apis" && len(part) > 3:
		group, part = "."+part[1], part[3:]
	case part[0] == "version":
		return Call{Verb: "get", Resource: "version"}
	case part[0] == "api", part[0] == "apis":
		return Call{Verb: "get", Resource: "discovery"}
	default:
		return Call{Verb: strings.ToLower(r.Method), Resource: "other"}
	}
	if part[0] == "namespaces" && len(part) > 2 {
		part = part[2:]
	}
	c := Call{Resource: part[0] + group}
	if len(part) > 2 {
		c.Resource += "/" + part[2]
	}
	watch := r.URL.Query().Get("watch")
	switch {
	case r.Method != http.MethodGet:
		c.Verb = map[string]string{http.MethodPost: "create", http.MethodPut: "update", http.MethodPatch: "patch", http.MethodDelete: "delete"}[r.Method]
	case watch == "1" || watch == "true":
		c.Verb = "watch"
	case len(part) > 1:
		c.Verb = "get"
	default:
		c.Verb = "list"
	}
	return c
}
