package kube

import (
	"bytes"
	"encoding/binary"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/scheme"
)

// wire turns the JSON of built-in kinds into the protobuf by which kube-apiserver serves them.
type wire struct {
	json     runtime.Decoder
	protobuf *protobuf.Serializer
}

// wires is made once: the scheme of all built-in kinds is large.
var wires = sync.OnceValue(func() wire {
	s := runtime.NewScheme()
	utilruntime.Must(scheme.AddToScheme(s))
	utilruntime.Must(metav1.AddMetaToScheme(s))
	return wire{serializer.NewCodecFactory(s).UniversalDeserializer(), protobuf.NewSerializer(s, s)}
})

// protobufOf gives an object that is encoded as JSON in protobuf; an error where its kind has none.
func protobufOf(b []byte) ([]byte, error) {
	o, gvk, err := wires().json.Decode(b, nil, nil)
	if err != nil {
		return nil, err
	}
	o.GetObjectKind().SetGroupVersionKind(*gvk)
	return encoded(o)
}

// encoded gives an object of a built-in kind in protobuf.
func encoded(o runtime.Object) ([]byte, error) {
	var out bytes.Buffer
	err := wires().protobuf.Encode(o, &out)
	return out.Bytes(), err
}

// frame is one event of a watch in protobuf: its length in four bytes, then the event, whose object is as a get would answer it.
func frame(kind watch.EventType, object []byte) ([]byte, error) {
	e := metav1.WatchEvent{Type: string(kind), Object: runtime.RawExtension{Raw: object}}
	b, err := e.Marshal()
	if err != nil {
		return nil, err
	}
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...), nil
}
