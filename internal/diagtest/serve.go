package diagtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/diagnostics/all"
	"github.com/netdiag/netdiag/internal/ask"
	"github.com/netdiag/netdiag/internal/awsnet"
	"github.com/netdiag/netdiag/internal/kube"
	"github.com/netdiag/netdiag/internal/live"
	"github.com/netdiag/netdiag/internal/render/markdown"
	"github.com/netdiag/netdiag/internal/sim/access"
	simaws "github.com/netdiag/netdiag/internal/sim/aws"
	"github.com/netdiag/netdiag/internal/sim/fleet"
	simkube "github.com/netdiag/netdiag/internal/sim/kube"
	"github.com/netdiag/netdiag/internal/world"
	"github.com/netdiag/netdiag/internal/world/record"
)

// Served is a world that answers on loopback.
type Served struct {
	World   *world.World
	AWS     *simaws.Server
	Kube    *simkube.Server
	AWSURL  string // of every AWS service
	KubeURL string // of the API server

	stops []func()
}

// Serve serves a world on loopback until Close. now is the clock of the simulators; nil means that the world's own time
// stands still. Where it goes on, addresses that were given back show in their subnet a second later.
func Serve(w *world.World, now func() time.Time) (*Served, error) {
	lag := time.Second
	if now == nil {
		now, lag = func() time.Time { return w.Meta.Now }, 0
	}
	return serve(w, simaws.Options{Now: now, Lag: lag}, simkube.Options{Now: now})
}

// ServeFleet serves a generated cluster on loopback until Close, at its own time.
func ServeFleet(f *fleet.Fleet) (*Served, error) {
	w := f.World()
	now := func() time.Time { return w.Meta.Now }
	return serve(w, simaws.Options{Now: now, Crowd: f}, simkube.Options{Now: now, Crowd: f})
}

func serve(w *world.World, a simaws.Options, k simkube.Options) (*Served, error) {
	a.Trusted = []string{access.NatureKeyID}
	s := &Served{World: w, AWS: simaws.New(w, a), Kube: simkube.New(w, k)}
	var err error
	if s.AWSURL, err = s.listen(s.AWS); err != nil {
		return nil, err
	}
	if s.KubeURL, err = s.listen(s.Kube); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Served) listen(h http.Handler) (string, error) {
	url, stop, err := Listen(h)
	if err == nil {
		s.stops = append(s.stops, stop)
	}
	return url, err
}

// Listen serves a handler on a free port of loopback until stop.
func Listen(h http.Handler) (url string, stop func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = srv.Serve(l) // always ends with an error: that of Close
	}()
	return "http://" + l.Addr().String(), func() { _ = srv.Close(); <-done }, nil
}

// Close stops serving.
func (s *Served) Close() {
	s.Kube.Close() // ends its watches
	for _, stop := range s.stops {
		stop()
	}
}

// Source gives the adapters on the served world, at the world's own time.
func (s *Served) Source(ctx context.Context) (live.Source, error) { return s.Recorded(ctx, nil) }

// Recorded is Source, with a recorder that listens to what is read; nil where none does.
func (s *Served) Recorded(ctx context.Context, r *record.Recorder) (live.Source, error) {
	cloud, cluster := access.AWS(s.World.Meta.Region, s.AWSURL), access.Kubernetes(s.KubeURL, "netdiag")
	if r != nil {
		cloud.Observe = r.AWS
		cluster.Wrap(r.Kubernetes)
	}
	a, err := awsnet.New(ctx, cloud)
	if err != nil {
		return live.Source{}, err
	}
	k, err := kube.New(cluster)
	if err != nil {
		return live.Source{}, err
	}
	return live.Source{AWS: a, Kube: k, Now: func() time.Time { return s.World.Meta.Now }, Clock: time.Now}, nil
}

// Diagnose answers what the world asks, or question where it is not empty, at the world's own time.
func (s *Served) Diagnose(ctx context.Context, question string) (diagnostics.Outcome, error) {
	src, err := s.Source(ctx)
	if err != nil {
		return diagnostics.Outcome{}, err
	}
	return s.diagnose(ctx, src, question)
}

// Capture answers what the world asks, and saves what was read for it as a world of its own at dir.
func (s *Served) Capture(ctx context.Context, dir string) (diagnostics.Outcome, error) {
	r := record.New()
	src, err := s.Recorded(ctx, r)
	if err != nil {
		return diagnostics.Outcome{}, err
	}
	out, err := s.diagnose(ctx, src, "")
	if err != nil {
		return out, err
	}
	m := s.World.Meta
	_, err = r.Save(dir, world.Meta{Ask: m.Ask, Now: m.Now, Cluster: m.Cluster, Region: m.Region, Account: m.Account}, out.Report)
	return out, err
}

func (s *Served) diagnose(ctx context.Context, src live.Source, question string) (diagnostics.Outcome, error) {
	if question == "" {
		question = s.World.Meta.Ask
	}
	c, err := ask.Parse(question)
	if err != nil {
		return diagnostics.Outcome{}, err
	}
	d, ok := all.Find(c.Verb)
	if !ok {
		return diagnostics.Outcome{}, fmt.Errorf("%s: no such diagnosis", c.Verb)
	}
	m := s.World.Meta
	out, err := src.Diagnose(ctx, d, diagnostics.Target{Cluster: m.Cluster, Region: m.Region, Account: m.Account, Namespace: c.Namespace, Name: c.Name}, nil)
	var refusal diagnostics.Refusal
	if err != nil && !errors.As(err, &refusal) {
		if p := s.World.Check(); p != nil { // the client could not read what the world holds
			return out, p
		}
	}
	return out, err
}

// Run serves a world, diagnoses it and scores the report.
func Run(ctx context.Context, dir string) (*world.World, diagnostics.Outcome, Score, error) {
	w, err := world.Load(dir)
	if err != nil {
		return nil, diagnostics.Outcome{}, Score{}, err
	}
	s, err := Serve(w, nil)
	if err != nil {
		return w, diagnostics.Outcome{}, Score{}, err
	}
	defer s.Close()
	out, err := s.Diagnose(ctx, "")
	if err != nil {
		return w, out, Score{}, fmt.Errorf("%s: %w", dir, err)
	}
	score, err := Judge(w, out.Report)
	return w, out, score, err
}

// Judge scores a report against the ground truth of its world.
func Judge(w *world.World, r diagnostics.Report) (Score, error) {
	var md bytes.Buffer
	if err := markdown.Render(&md, r, markdown.Options{}); err != nil {
		return Score{}, err
	}
	return Compare(w.Meta.Want, r, md.String()), nil
}
