package kube

import maps0 "maps"

import "k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

// renamed pairs the fields of an event in v1 with those in events.k8s.io/v1; the others are called the same.
func renamed() [][2]string {
	return [][2]string{
		{"involvedObject", "regarding"}, {"message", "note"}, {"reportingComponent", "reportingController"},
		{"source", "deprecatedSource"}, {"firstTimestamp", "deprecatedFirstTimestamp"},
		{"lastTimestamp", "deprecatedLastTimestamp"}, {"count", "deprecatedCount"},
	}
}

// fromCoreEvent gives a v1 Event, the form that is stored, as an events.k8s.io/v1 Event.
func fromCoreEvent(o *unstructured.Unstructured) *unstructured.Unstructured {
	return rename(o, "events.k8s.io/v1", func(p [2]string) (string, string) { return p[0], p[1] })
}

// toCoreEvent gives an events.k8s.io/v1 Event as a v1 Event.
func toCoreEvent(o *unstructured.Unstructured) *unstructured.Unstructured {
	return rename(o, "v1", func(p [2]string) (string, string) { return p[1], p[0] })
}

func rename(o *unstructured.Unstructured, apiVersion string, way func([2]string) (from, to string)) *unstructured.Unstructured {
	out := map[string]any{}
	maps0.Copy(out, o.Object)
	for _, p := range renamed() {
		from, to := way(p)
		if v, ok := out[from]; ok {
			delete(out, from)
			out[to] = v
		}
	}
	out["apiVersion"] = apiVersion
	return &unstructured.Unstructured{Object: out}
}
