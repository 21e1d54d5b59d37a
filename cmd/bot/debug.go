package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"runtime/pprof"
	"runtime/trace"
	"strconv"
	"syscall"
	"time"

	"go.uber.org/zap"

	"github.com/netdiag/netdiag/internal/config"
)

// longest is how long a profile or a trace may take.
const longest = time.Minute

// debugging serves profiles as go tool pprof asks for them, and the level of the log: GET and PUT /log/level. It is off
// unless the settings say where, which is this machine alone.
func debugging(address string, level zap.AtomicLevel) site {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /debug/pprof/{name}", profile)
	mux.HandleFunc("GET /debug/pprof/profile", lasting(func(w http.ResponseWriter) (func(), error) {
		return pprof.StopCPUProfile, pprof.StartCPUProfile(w)
	}))
	mux.HandleFunc("GET /debug/pprof/trace", lasting(func(w http.ResponseWriter) (func(), error) {
		return trace.Stop, trace.Start(w)
	}))
	mux.Handle("GET /log/level", level)
	mux.Handle("PUT /log/level", level)
	return site{"debugging", address, mux, longest + 10*time.Second}
}

// profile writes one of the profiles of the runtime: goroutine, heap, allocs, threadcreate, block or mutex; as text with debug=1 or 2.
func profile(w http.ResponseWriter, r *http.Request) {
	p := pprof.Lookup(r.PathValue("name"))
	if p == nil {
		http.Error(w, fmt.Sprintf("there is no profile %q: goroutine, heap, allocs, threadcreate, block, mutex, profile, trace", r.PathValue("name")), http.StatusNotFound)
		return
	}
	n, _ := strconv.Atoi(r.FormValue("debug"))
	_ = p.WriteTo(w, n) // whoever asked has gone
}

// lasting records for ?seconds= seconds, 30 without it.
func lasting(start func(http.ResponseWriter) (stop func(), err error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		d := 30 * time.Second
		if s := r.FormValue("seconds"); s != "" {
			n, err := strconv.Atoi(s)
			if d = time.Duration(n) * time.Second; err != nil || d <= 0 || d > longest {
				http.Error(w, fmt.Sprintf("seconds: %q is not between 1 and %.0f", s, longest.Seconds()), http.StatusBadRequest)
				return
			}
		}
		stop, err := start(w)
		if err != nil { // another one is being recorded
			http.Error(w, err.Error(), http.StatusConflict)
			return
		}
		defer stop()
		select {
		case <-time.After(d):
		case <-r.Context().Done():
		}
	}
}

// levelOf is the level of the log at the start.
func levelOf(o config.Operation) zap.AtomicLevel {
	level, err := zap.ParseAtomicLevel(o.LogLevel)
	if err != nil { // the settings were checked
		return zap.NewAtomicLevel()
	}
	return level
}

// listening changes the level of the log by signals until ctx ends: SIGUSR1 to debug, SIGUSR2 back to that of the start. The
// function that it returns waits for its end.
func listening(ctx context.Context, level zap.AtomicLevel, log *zap.Logger) (stop func()) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1, syscall.SIGUSR2)
	ctx, cancel := context.WithCancel(ctx)
	done, first := make(chan struct{}), level.Level()
	go func() {
		defer close(done)
		for {
			select {
			case <-ctx.Done():
				return
			case s := <-signals:
				if level.SetLevel(first); s == syscall.SIGUSR1 {
					level.SetLevel(zap.DebugLevel)
				}
				log.Log(level.Level(), "log level", zap.Stringer("level", level))
			}
		}
	}()
	return func() {
		signal.Stop(signals)
		cancel()
		<-done
	}
}
