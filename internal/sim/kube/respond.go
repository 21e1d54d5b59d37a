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
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// form is the shape that a client wants its answer in.
type form string

const (
	asIs      form = ""
	asTable   form = "Table"
	asPartial form = "PartialObjectMetadata"
)

// wanted reads the Accept header: the first shape in it that the server has. Answers are always JSON, which every client
// that prefers something else accepts too.
func wanted(r *http.Request) form {
	for one := range strings.SplitSeq(r.Header.Get("Accept"), ",") {
		media, params, err := mime.ParseMediaType(one)
		if err != nil || (media != "application/json" && media != "*/*" && media != "application/*") {
			continue
		}
		switch {
		case params["as"] == "":
			return asIs
		case params["g"] != "meta.k8s.io" || params["v"] != "v1":
			continue
		case params["as"] == "Table":
			return asTable
		case strings.HasPrefix(params["as"], "PartialObjectMetadata"):
			return asPartial
		}
	}
	return asIs
}

func writeJSON(w http.ResponseWriter, code int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		writeError(w, apierrors.NewInternalError(err))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(b)+1))
	w.WriteHeader(code)
	_, _ = w.Write(append(b, '\n')) // a client that went away needs no answer
}

// writeError answers with the Status object of err.
func writeError(w http.ResponseWriter, err error) {
	var as apierrors.APIStatus
	if !errors.As(err, &as) {
		as = apierrors.NewInternalError(err)
	}
	st := as.Status()
	st.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}
	if st.Details != nil && st.Details.RetryAfterSeconds > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(st.Details.RetryAfterSeconds)))
	}
	writeJSON(w, int(st.Code), st)
}

func noResource() schema.GroupResource { return schema.GroupResource{} }
