package diagnostics

import (
	"time"

	corev1 "k8s.io/api/core/v1"
)

// LastSeen is when an event happened last, whichever of the API's fields has it.
func LastSeen(e *corev1.Event) time.Time {
	t := e.LastTimestamp.Time
	if e.Series != nil && e.Series.LastObservedTime.After(t) {
		t = e.Series.LastObservedTime.Time
	}
	for _, other := range []time.Time{e.EventTime.Time, e.FirstTimestamp.Time, e.CreationTimestamp.Time} {
		if t.IsZero() {
			t = other
		}
	}
	return t
}
