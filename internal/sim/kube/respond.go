package kube

import (
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"strconv"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// form is the shape that a client wants its answer in.
type form string

const (
	asIs      form = ""
	asTable   form = "Table"
	asPartial form = "PartialObjectMetadata"
)

// wish is how a client wants its answer: the first of its Accept header that the server has.
type wish struct {
	form     form
	protobuf bool
}

// wanted reads the Accept header of a request. Custom resources have no protobuf, and tables neither.
func wanted(r *http.Request, res *resource) wish {
	for one := range strings.SplitSeq(r.Header.Get("Accept"), ",") {
		media, params, err := mime.ParseMediaType(one)
		if err != nil {
			continue
		}
		w := wish{protobuf: media == runtime.ContentTypeProtobuf}
		if !w.protobuf && media != "application/json" && media != "*/*" && media != "application/*" {
			continue
		}
		switch {
		case params["as"] == "":
		case params["g"] != "meta.k8s.io" || params["v"] != "v1":
			continue
		case params["as"] == "Table":
			w.form = asTable
		case strings.HasPrefix(params["as"], "PartialObjectMetadata"):
			w.form = asPartial
		}
		if w.protobuf && (w.form == asTable || w.form == asIs && res != nil && res.custom) {
			continue
		}
		return w
	}
	return wish{}
}

// acceptable refuses a request that accepts nothing that its resource has: protobuf of a custom resource.
func acceptable(r *http.Request, res *resource) error {
	accept := r.Header.Get("Accept")
	if accept == "" || !res.custom || wanted(r, res) != (wish{}) || strings.Contains(accept, "json") || strings.Contains(accept, "*") {
		return nil
	}
	return apierrors.NewGenericServerResponse(http.StatusNotAcceptable, "", noResource(), "",
		"only the following media types are accepted: application/json, application/yaml, application/vnd.kubernetes.protobuf;as=PartialObjectMetadata", 0, true)
}

// reply answers with v, an object in one of the shapes, as JSON or, where the client prefers it, as protobuf.
func reply(w http.ResponseWriter, r *http.Request, code int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		writeJSON(w, http.StatusInternalServerError, apierrors.NewInternalError(err).Status())
		return
	}
	if wanted(r, nil).protobuf {
		if p, err := protobufOf(b); err == nil { // a custom resource has none
			send(w, code, runtime.ContentTypeProtobuf, p)
			return
		}
	}
	send(w, code, "application/json", append(b, '\n'))
}

// writeJSON answers with v as JSON, whatever the client prefers.
func writeJSON(w http.ResponseWriter, code int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	send(w, code, "application/json", append(b, '\n'))
}

func send(w http.ResponseWriter, code int, contentType string, b []byte) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	w.WriteHeader(code)
	_, _ = w.Write(b) // a client that went away needs no answer
}

// writeError answers with the Status object of err.
func writeError(w http.ResponseWriter, r *http.Request, err error) {
	var as apierrors.APIStatus
	if !errors.As(err, &as) {
		as = apierrors.NewInternalError(err)
	}
	st := as.Status()
	st.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}
	if st.Details != nil && st.Details.RetryAfterSeconds > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(st.Details.RetryAfterSeconds)))
	}
	reply(w, r, int(st.Code), st)
}

func noResource() schema.GroupResource { return schema.GroupResource{} }
