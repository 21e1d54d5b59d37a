package live_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/diagnostics/all"
	"github.com/netdiag/netdiag/internal/diagtest"
	"github.com/netdiag/netdiag/internal/sim/fault"
	"github.com/netdiag/netdiag/internal/world"
	"github.com/netdiag/netdiag/internal/world/worldtest"
)

// Where a report would be of no use, one line says why and what to do. Half a cluster, or the wrong one, is not judged.
func TestRefusals(t *testing.T) {
	none := fault.Fault{Kind: fault.Denied}
	region := func(r string) func(*world.World) {
		return func(w *world.World) {
			w.Meta.Region = r
			for _, o := range w.Objects {
				if o.GetKind() == "Node" {
					o.SetLabels(map[string]string{"topology.kubernetes.io/region": "us-west-2"})
				}
			}
		}
	}
	for name, c := range map[string]struct {
		change      func(*world.World)
		breaks      func(*diagtest.Served)
		cluster     string
		want        []string // the line contains, by diagnosis
		unreachable bool
	}{
		"nothing may be read in Kubernetes": {
			breaks: func(s *diagtest.Served) { s.Kube.Faults().On("*", none) }, unreachable: true,
			want: []string{"netdiag may read nothing in the cluster: ", "ClusterRole"},
		},
		"nothing may be read anywhere": {
			breaks: func(s *diagtest.Served) { s.Kube.Faults().On("*", none); s.AWS.Faults().On("*", none) }, unreachable: true,
			want: []string{"netdiag may read nothing in the cluster: "},
		},
		"a cluster of another name": {
			cluster: "prod-clutser", want: []string{`There is no EKS cluster "prod-clutser" in us-west-2. Did you mean prod-cluster?`, "--cluster"},
		},
		"a cluster of another name, which may not be listed": {
			cluster: "prod-clutser", breaks: func(s *diagtest.Served) { s.AWS.Faults().On("eks:ListClusters", none) },
			want: []string{`There is no EKS cluster "prod-clutser" in us-west-2. Give its name`},
		},
		"an empty account": {
			change: func(w *world.World) { w.AWS["eks"]["Clusters"] = []byte("[]") },
			want:   []string{`There is no EKS cluster "prod-cluster" in us-west-2. There is none at all`},
		},
		"another region": {
			change: func(w *world.World) { region("eu-west-1")(w); w.AWS["eks"]["Clusters"] = []byte("[]") },
			want:   []string{"us-west-2", "but netdiag looks ", "eu-west-1", "give --region us-west-2"},
		},
		"another region, where nothing may be read": {
			change: region("eu-west-1"), breaks: func(s *diagtest.Served) { s.AWS.Faults().On("*", none) },
			want: []string{"give --region us-west-2"},
		},
	} {
		for verb, dir := range map[string]string{"pending": "seed-ip-exhaustion-as-told", "alb": "seed-alb-502"} {
			t.Run(name+"/"+verb, func(t *testing.T) {
				w := worldtest.Load(t, filepath.Join("../../testdata/worlds/seeds", dir))
				if c.change != nil {
					c.change(w)
				}
				s, err := diagtest.Serve(w, nil)
				if err != nil {
					t.Fatal(err)
				}
				defer s.Close()
				if c.breaks != nil {
					c.breaks(s)
				}
				if c.cluster != "" {
					w.Meta.Cluster = c.cluster
				}
				_, err = s.Diagnose(t.Context(), "")
				checkRefusal(t, err, c.unreachable, c.want...)
			})
		}
	}
}

func checkRefusal(t *testing.T, err error, unreachable bool, want ...string) {
	t.Helper()
	var refusal diagnostics.Refusal
	if !errors.As(err, &refusal) {
		t.Fatalf("error %v, want a refusal", err)
	}
	for _, text := range want {
		if !strings.Contains(string(refusal), text) || strings.Contains(string(refusal), "\n") {
			t.Errorf("%q, want one line with %q", refusal, text)
		}
	}
	if got := errors.As(err, &diagnostics.Unreachable{}); got != unreachable {
		t.Errorf("unreachable %t, want %t: %v", got, unreachable, err)
	}
}

// The one read that an answer can't do without is named with what to do, and so is a cluster that doesn't answer at all.
func TestDecidingReadMissing(t *testing.T) {
	w := worldtest.Load(t, "../../testdata/worlds/seeds/seed-alb-502")
	s, err := diagtest.Serve(w, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.Kube.Faults().On("list ingresses.networking.k8s.io", fault.Fault{Kind: fault.Denied})
	_, err = s.Diagnose(t.Context(), "")
	checkRefusal(t, err, true, "list ingresses.networking.k8s.io is needed for an answer and could not be read (denied). To go on, allow")

	s.Kube.Faults().Off()
	late := fault.Fault{Delay: time.Minute}
	s.Kube.Faults().On("*", late)
	s.AWS.Faults().On("*", late)
	src, err := s.Source(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	src.Limit = 100 * time.Millisecond
	d, _ := all.Find("alb")
	_, err = src.Diagnose(t.Context(), d, diagnostics.Target{Cluster: w.Meta.Cluster, Region: w.Meta.Region, Name: "api-ingress"}, nil)
	checkRefusal(t, err, true, "did not answer within 100ms")
}
