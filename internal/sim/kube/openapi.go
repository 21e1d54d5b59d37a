package kube

import (
	"net/http"
	"strings"

	openapi_v2 "github.com/google/gnostic-models/openapiv2"
	"google.golang.org/protobuf/proto"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// serveOpenAPI answers as much of OpenAPI as kubectl needs to write: which kinds there are, and that their PATCH takes
// fieldValidation. It describes no fields; the server takes any.
func (s *Server) serveOpenAPI(w http.ResponseWriter, r *http.Request, part []string) bool {
	switch {
	case len(part) == 1 && part[0] == "v2" && strings.Contains(r.Header.Get("Accept"), "protobuf"):
		b, err := proto.Marshal(&openapi_v2.Document{
			Swagger: "2.0", Info: &openapi_v2.Info{Title: "Kubernetes", Version: s.version().GitVersion}, Paths: &openapi_v2.Paths{},
			Definitions: &openapi_v2.Definitions{},
		})
		if err != nil {
			return false
		}
		w.Header().Set("Content-Type", "application/com.github.proto-openapi.spec.v2@v1.0+protobuf")
		_, _ = w.Write(b) // a client that went away needs no answer
	case len(part) == 1 && part[0] == "v2":
		writeJSON(w, http.StatusOK, map[string]any{"swagger": "2.0", "info": map[string]any{"title": "Kubernetes", "version": s.version().GitVersion}, "paths": map[string]any{}, "definitions": map[string]any{}})
	case len(part) == 1 && part[0] == "v3":
		paths := map[string]any{}
		for _, res := range s.resources {
			at := groupVersionPath(res.GroupVersion())
			paths[at] = map[string]string{"serverRelativeURL": "/openapi/v3/" + at}
		}
		writeJSON(w, http.StatusOK, map[string]any{"paths": paths})
	case part[0] == "v3":
		return s.serveSchema(w, strings.Join(part[1:], "/"))
	default:
		return false
	}
	return true
}

func groupVersionPath(gv schema.GroupVersion) string {
	if gv.Group == "" {
		return "api/" + gv.Version
	}
	return "apis/" + gv.String()
}

func (s *Server) serveSchema(w http.ResponseWriter, at string) bool {
	paths := map[string]any{}
	schemas := map[string]any{}
	for _, r := range s.resources {
		if groupVersionPath(r.GroupVersion()) != at {
			continue
		}
		kind := []any{map[string]any{"group": r.Group, "version": r.Version, "kind": r.Kind}}
		path := "/" + at + "/" + r.name + "/{name}"
		if r.namespaced {
			path = "/" + at + "/namespaces/{namespace}/" + r.name + "/{name}"
		}
		paths[path] = map[string]any{"patch": map[string]any{
			"operationId": "patch" + r.Kind, "responses": map[string]any{"200": map[string]any{"description": "OK"}},
			"parameters": []any{
				map[string]any{"in": "query", "name": "fieldValidation", "schema": map[string]any{"type": "string"}},
				map[string]any{"in": "query", "name": "dryRun", "schema": map[string]any{"type": "string"}},
			},
			"x-kubernetes-group-version-kind": kind[0],
		}}
		schemas[strings.ReplaceAll(r.GroupVersion().String(), "/", ".")+"."+r.Kind] = map[string]any{
			"type": "object", "x-kubernetes-preserve-unknown-fields": true, "x-kubernetes-group-version-kind": kind,
		}
	}
	if len(paths) == 0 {
		return false
	}
	writeJSON(w, http.StatusOK, map[string]any{
		"openapi": "3.0.0", "info": map[string]any{"title": "Kubernetes", "version": s.version().GitVersion},
		"paths": paths, "components": map[string]any{"schemas": schemas},
	})
	return true
}
