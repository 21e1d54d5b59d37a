package kube

import (
	"fmt"
	"io"
	"mime"
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/client-go/kubernetes/scheme"
	kyaml "sigs.k8s.io/yaml"
)

// most is the largest body that is read, as in kube-apiserver.
const most = 3 << 20

// body reads the object that a request carries: JSON, YAML, or protobuf of a built-in kind.
func body(r *http.Request) (*unstructured.Unstructured, error) {
	raw, err := read(r)
	if err != nil {
		return nil, err
	}
	return decode(raw, r.Header.Get("Content-Type"))
}

func read(r *http.Request) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(r.Body, most+1))
	if err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	if len(raw) > most {
		return nil, apierrors.NewRequestEntityTooLargeError(fmt.Sprintf("limit is %d", most))
	}
	return raw, nil
}

func decode(raw []byte, contentType string) (*unstructured.Unstructured, error) {
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil && contentType != "" {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	out := &unstructured.Unstructured{}
	switch media {
	case runtime.ContentTypeProtobuf:
		typed, gvk, err := scheme.Codecs.UniversalDeserializer().Decode(raw, nil, nil)
		if err != nil {
			return nil, apierrors.NewBadRequest(err.Error())
		}
		if out.Object, err = runtime.DefaultUnstructuredConverter.ToUnstructured(typed); err != nil {
			return nil, apierrors.NewBadRequest(err.Error())
		}
		out.SetGroupVersionKind(*gvk)
		return out, nil
	case "application/yaml", "application/apply-patch+yaml":
		if raw, err = kyaml.YAMLToJSON(raw); err != nil {
			return nil, apierrors.NewBadRequest(err.Error())
		}
	case "", "application/json", "application/apply-patch+json":
	default:
		return nil, apierrors.NewGenericServerResponse(http.StatusUnsupportedMediaType, "", noResource(), "", "the body of the request was in an unknown format - accepted media types include: application/json, application/yaml, application/vnd.kubernetes.protobuf", 0, true)
	}
	if err := utiljson.Unmarshal(raw, &out.Object); err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	if out.Object == nil {
		return nil, apierrors.NewBadRequest("the body holds no object")
	}
	return out, nil
}
