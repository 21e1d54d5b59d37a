package diagtest_test

import (
	"bytes"
	"context"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/diagnostics/ip"
	"github.com/netdiag/netdiag/internal/diagtest"
	"github.com/netdiag/netdiag/internal/render/chart"
	"github.com/netdiag/netdiag/internal/render/markdown"
	"github.com/netdiag/netdiag/internal/sim/fleet"
	"github.com/netdiag/netdiag/internal/vpc"
)

var update = flag.Bool("update", false, "write the golden files")

// shrinking remembers that every subnet had ten addresses more an hour before, for the last six hours.
type shrinking time.Time

func (s shrinking) Available(_ context.Context, _ string, subnets ...string) map[string][]vpc.Sample {
	out := map[string][]vpc.Sample{}
	for _, id := range subnets {
		for back := 6; back > 0; back-- {
			out[id] = append(out[id], vpc.Sample{At: time.Time(s).Add(-time.Duration(back) * time.Hour), Available: 100 + 10*back})
		}
	}
	return out
}

// What is said about the room in subnets, word for word: in recorded clusters, about one subnet, and with what earlier looks saw.
func TestRoomInSubnets(t *testing.T) {
	for name, c := range map[string]struct {
		world, place string
		past         bool
	}{
		"seed":       {world: "seeds/seed-ip-exhaustion"},
		"quiet":      {world: "public/pending-h01-quiet"},
		"trend":      {world: "public/pending-h01-quiet", place: "us-west-2a", past: true},
		"fragmented": {world: "public/pending-s05-fragmented", place: "subnet-0ea303474aa5cdbbd"},
		"slots":      {world: "public/pending-s10-max-pods-over-slots"},
		"denied":     {world: "public/pending-s05-fragmented-ec2-denied"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := load(t, filepath.Join(worlds, filepath.FromSlash(c.world)))
			s, err := diagtest.Serve(w, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			src, err := s.Source(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			in := src.Inputs(nil)
			if in.Clock = nil; c.past {
				in.Past = shrinking(w.Meta.Now)
			}
			out, err := ip.Diagnosis.Run(t.Context(), in, diagnostics.Target{Cluster: w.Meta.Cluster, Region: w.Meta.Region, Name: c.place})
			if err != nil {
				t.Fatal(err)
			}
			approvable(t, out.Report)
			var got bytes.Buffer
			if err := markdown.Render(&got, out.Report, markdown.Options{}); err != nil {
				t.Fatal(err)
			}
			if picture, ok := chart.Of(out.Report); ok {
				got.WriteString("\nChart: " + picture.Alt() + "\n")
			} else if name != "denied" {
				t.Error("no chart of the subnets")
			}
			golden(t, filepath.Join("testdata", "ip", name+".md"), got.String())
		})
	}
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

// A place that isn't there is answered with those that are nearest.
func TestRoomOfAPlaceThatIsNotThere(t *testing.T) {
	s, err := diagtest.Serve(load(t, filepath.Join(worlds, "public", "pending-h01-quiet")), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	_, err = s.Diagnose(t.Context(), "ip us-west-2d")
	want := `"us-west-2d" is neither a subnet of the VPC nor a zone with subnets of pods. Did you mean us-west-2a, us-west-2b, us-west-2c?`
	if err == nil || err.Error() != want {
		t.Errorf("%v\nwant %s", err, want)
	}
}

// However large the cluster is, one look makes few calls, and what it keeps of nodes and interfaces is small.
func TestRoomInALargeCluster(t *testing.T) {
	t.Parallel()
	nodes := 500
	if diagtest.Race {
		nodes = 50
	}
	f := fleet.New(nodes, 40, time.Date(2026, 11, 22, 10, 30, 0, 0, time.UTC))
	s, err := diagtest.ServeFleet(f)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	out, err := s.Diagnose(t.Context(), "ip")
	if err != nil {
		t.Fatal(err)
	}
	if c := s.Calls(); c.Kubernetes > mostKubernetes || c.AWS > mostAWS {
		t.Errorf("%+v, want at most %d and %d", c, mostKubernetes, mostAWS)
	}
	if len(out.Report.Tables) == 0 || len(out.Report.Gaps) > 0 {
		t.Errorf("%d tables, gaps %v", len(out.Report.Tables), out.Report.Gaps)
	}
	if most := 128 << 10; len(out.Snapshot) > most {
		t.Errorf("the snapshot has %d bytes, at most %d are wanted", len(out.Snapshot), most)
	}
}
