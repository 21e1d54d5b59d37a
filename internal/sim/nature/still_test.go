package nature_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A recorded world in which nobody changes anything stays as it is, whatever holds its pods and targets.
func TestNothingMovesByItself(t *testing.T) {
	for _, set := range []string{"seeds", "public"} {
		dirs, err := os.ReadDir(filepath.Join(worlds, set))
		if err != nil {
			t.Fatal(err)
		}
		for i, d := range dirs {
			// Each lives through several rounds: every sixth world will do, and those whose CNI lost its permissions.
			if i%6 != 0 && !strings.Contains(d.Name(), "s14") {
				continue
			}
			t.Run(d.Name(), func(t *testing.T) {
				t.Parallel()
				l := open(t, set+"/"+d.Name())
				l.live(t)
				l.lived(t, 4)
				for _, r := range l.AWS.Requests() {
					if !strings.HasPrefix(r.Action, "Describe") && !strings.HasPrefix(r.Action, "Get") {
						t.Errorf("%s:%s was called", r.Service, r.Action)
					}
				}
				for _, r := range l.Kube.Requests() {
					if r.Method != http.MethodGet {
						t.Errorf("%s %s was called", r.Method, r.Path)
					}
				}
				if n := len(l.AWS.Requests()); n > 60 {
					t.Errorf("%d calls to AWS", n)
				}
			})
		}
	}
}
