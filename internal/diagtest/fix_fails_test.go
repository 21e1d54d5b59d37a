package diagtest_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/sim/nature"
)

// EKS accepts the settings and gives up a quarter of an hour later: the thread is told why, what is so and how to go back,
// as soon as EKS says so, and the change can be undone.
func TestAnUpdateThatFailsLateIsTold(t *testing.T) {
	t.Parallel()
	const why = "AdmissionRequestDenied: admission webhook \"guard\" denied the request"
	l := newLife(t, filepath.Join(worlds, "seeds/seed-ip-exhaustion"), nil, func(o *nature.Options) {
		o.Fail = &nature.Fail{After: 15 * time.Minute, Message: why}
	})
	_, r := l.propose("pending/tune-warm-pool")
	r = l.carryOut(r)
	if r.Status.Phase != casebook.NeedsHuman || r.Status.Applied.IsZero() || !r.Status.Applied.Before(r.Status.Notes[len(r.Status.Notes)-1].At) {
		t.Fatalf("ended %s: %s\n%v", r.Status.Phase, r.Status.Outcome, r.Status.Notes)
	}
	for _, want := range []string{
		"The change was accepted, and failed within ", "update " + r.Status.Receipt.ID + " is Failed (" + why + ")", "is UPDATE_FAILED (" + why + ")",
		"its settings are those from before the change", "Diagnosed after it: ", "To undo it: ",
	} {
		if !strings.Contains(r.Status.Outcome, want) {
			t.Errorf("the outcome doesn't say %q: %s", want, r.Status.Outcome)
		}
	}
	if !casebook.CanUndo(r) {
		t.Error("can't be undone")
	}
}
