package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/netdiag/netdiag/internal/sim/slack"
)

// house serves the pages of all worlds of a demo on one address. A world is started when somebody first looks at it.
type house struct {
	demo  demo
	g     *errgroup.Group
	mux   *http.ServeMux
	flats []*flat

	gate sync.RWMutex // held for reading while a world is started
	shut bool         // no world starts any more
}

// flat is one world of the house.
type flat struct {
	choice
	url string // of its page, with a slash at its end

	mu    sync.Mutex
	story *story // nil until somebody looks
}

// newHouse makes a house whose worlds run in g until ctx ends.
func newHouse(ctx context.Context, d demo, origin string, g *errgroup.Group) *house {
	h := &house{demo: d, g: g, mux: http.NewServeMux()}
	for _, c := range d.worlds {
		path := "/w/" + c.slug() + "/"
		f := &flat{choice: c, url: origin + path}
		h.flats = append(h.flats, f)
		h.mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			s, err := h.story(ctx, f)
			if err != nil {
				fmt.Fprintf(h.demo.log, "start %s: %v\n", f.dir, err)
				http.Error(w, "This world could not be started: "+err.Error(), http.StatusInternalServerError)
				return
			}
			http.StripPrefix(path[:len(path)-1], s.slack).ServeHTTP(w, r)
		})
	}
	h.mux.Handle("GET /{$}", http.RedirectHandler(h.flats[0].url, http.StatusFound))
	return h
}

// ServeHTTP serves the pages of the worlds below /w/, and at / leads to the first.
func (h *house) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.mux.ServeHTTP(w, r) }

// story gives the running world, and starts it the first time.
func (h *house) story(ctx context.Context, f *flat) (*story, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.story != nil {
		return f.story, nil
	}
	h.gate.RLock()
	defer h.gate.RUnlock()
	if h.shut {
		return nil, errors.New("the demo ends")
	}
	s, err := h.demo.open(f.dir, f.url, h.places(f))
	if err != nil {
		return nil, err
	}
	f.story = s
	s.start(ctx, h.g)
	return s, nil
}

// places lists the worlds for the page of one of them.
func (h *house) places(here *flat) []slack.Place {
	var out []slack.Place
	for _, f := range h.flats {
		out = append(out, slack.Place{Title: f.title, URL: f.url, Here: f == here})
	}
	return out
}

// shutdown lets no further world start.
func (h *house) shutdown() {
	h.gate.Lock()
	defer h.gate.Unlock()
	h.shut = true
}

// close ends what was started; nothing runs in the group any more.
func (h *house) close() {
	for _, f := range h.flats {
		f.mu.Lock()
		if f.story != nil {
			f.story.close()
		}
		f.mu.Unlock()
	}
}
