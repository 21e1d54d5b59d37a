package diagtest_test

import (
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netdiag/netdiag/internal/diagtest"
	"github.com/netdiag/netdiag/internal/world"
)

// What is captured of a world is judged as the world itself: same causes, fixes and gaps.
func TestCapturedWorldsAreJudgedTheSame(t *testing.T) {
	dirs, err := diagtest.Most(worlds)
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			t.Parallel()
			w, err := world.Load(dir)
			if err != nil {
				t.Fatal(err)
			}
			s, err := diagtest.Serve(w, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			folder := filepath.Join(t.TempDir(), "captured")
			live, err := s.Capture(t.Context(), folder)
			if err != nil {
				t.Fatal(err)
			}
			_, again, score, err := diagtest.Run(t.Context(), folder)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(diagtest.Gist(live.Report), diagtest.Gist(again.Report)); diff != "" {
				t.Errorf("(-live +captured):\n%s", diff)
			}
			if !score.Passed() {
				t.Errorf("against its own want: %v", score.Differs)
			}
		})
	}
}
