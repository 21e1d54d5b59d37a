// Package record turns what a diagnosis reads into a world, so that a failure in the field becomes a test by copying a
// folder. It listens to the raw answers of AWS and Kubernetes, since the plain values of a snapshot lose detail, and merges
// them over pages and calls. What it gives is not yet redacted.
package record

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/world"
)

// Recorder gathers the answers of one run: AWS takes those of AWS, Kubernetes wraps the transport to the API server. It is
// safe for use by several goroutines.
type Recorder struct {
	mu    sync.Mutex
	cloud cloud
	kube  cluster
}

// New starts with nothing recorded.
func New() *Recorder {
	return &Recorder{cloud: newCloud(), kube: newCluster()}
}

// Save writes what has been recorded to dir as a world, redacted. meta says what was asked, when and where; see World for
// the rest.
func (r *Recorder) Save(dir string, meta world.Meta, report diagnostics.Report) (*world.World, error) {
	w, notes := r.World(meta, report)
	if w.Meta.Story == "" {
		w.Meta.Story = "Say in two sentences what this is a picture of."
	}
	w.Redact()
	comments := append([]string{
		"Captured from a live cluster, and redacted: read it before you pass it on.",
		"want is what netdiag said. It is the ground truth only when a person has checked it.",
	}, notes...)
	return w, w.Save(dir, comments...)
}

// World is what has been recorded. r is the report of the run: its gaps name the reads that got no answer, and Want is
// filled from it, for a person to check. notes says in sentences what the world can't show as it was.
func (r *Recorder) World(meta world.Meta, report diagnostics.Report) (w *world.World, notes []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	w = &world.World{Meta: meta, Logs: maps.Clone(r.kube.logs), Metrics: maps.Clone(r.kube.metrics)}
	w.Meta.Want = want(report)
	lost := map[string]bool{} // permissions of reads that were made, or should have been, and got no answer
	for _, g := range report.Gaps {
		if g.Reason == diagnostics.Timeout || g.Reason == diagnostics.Throttled {
			lost[g.Permission] = true
		}
	}
	w.AWS, w.Meta.Denied.AWS = r.cloud.lists(lost)
	w.Meta.Throttled = slices.Sorted(maps.Keys(r.cloud.throttled))
	w.Objects = r.kube.content()
	w.Meta.Denied.Kubernetes = r.kube.denied(lost)
	for _, p := range slices.Sorted(maps.Keys(lost)) {
		if strings.Contains(p, ":") {
			notes = append(notes, p+" got no answer, not even after retries: its list counts as not recorded.")
		} else {
			notes = append(notes, p+" got no answer, not even after retries: it stands under denied, since a world has no other word for it.")
		}
	}
	return w, notes
}

// want is the ground truth as the report sees it.
func want(r diagnostics.Report) world.Want {
	w := world.Want{Causes: ids(r.Causes), Contributing: ids(r.Contributing)}
	for _, f := range r.Causes {
		if w.Confidence == "" || f.Confidence == diagnostics.Confirmed || f.Confidence == diagnostics.Likely && w.Confidence == string(diagnostics.Possible) {
			w.Confidence = string(f.Confidence)
		}
	}
	w.Fix = []string{"none"}
	if len(r.Fixes) > 0 {
		w.Fix = []string{r.Fixes[0].ID}
	}
	for _, f := range r.Refused {
		if strings.ContainsAny(f.Why, "0123456789") {
			w.Refused = append(w.Refused, f.ID)
		}
	}
	for _, g := range r.Gaps {
		if g.Reason == diagnostics.Denied {
			w.Gaps = append(w.Gaps, g.Permission)
		}
	}
	slices.Sort(w.Refused)
	slices.Sort(w.Gaps)
	w.Refused, w.Gaps = slices.Compact(w.Refused), slices.Compact(w.Gaps)
	return w
}

// ids lists the ids of findings once each, in their order; never nil, since no cause is a statement too.
func ids(fs []diagnostics.Finding) []string {
	out := []string{}
	for _, f := range fs {
		if !slices.Contains(out, f.ID) {
			out = append(out, f.ID)
		}
	}
	return out
}

// encode makes JSON of a tree that came out of JSON or of shape.
func encode(v any) json.RawMessage {
	b, err := json.MarshalIndent(v, "    ", "  ")
	if err != nil {
		panic(err) // trees of maps, lists and scalars can always be encoded
	}
	return b
}
