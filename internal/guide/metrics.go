package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/diagnostics/all"
	"github.com/netdiag/netdiag/handlers"
	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/meters"
	"github.com/netdiag/netdiag/internal/store/memory"
)

// metric is one as Prometheus sees it.
type metric struct{ name, help, labels string }

// described matches how Prometheus spells a description; there is no other way to what it knows before a first value.
var described = regexp.MustCompile(`^Desc\{fqName: "(\w+)", help: "(.*?)", .*constLabels: \{.*\}, variableLabels: \{(.*)\}\}$`)

// ours are the metrics of a process, those of Go and of the process itself aside.
func ours(m *meters.Meters) (map[string]metric, error) {
	ch := make(chan *prometheus.Desc)
	go func() { // ends with the range below
		defer close(ch)
		m.Registry.Describe(ch)
	}()
	out, odd := map[string]metric{}, []error{}
	for d := range ch {
		switch parts := described.FindStringSubmatch(d.String()); {
		case parts == nil:
			odd = append(odd, fmt.Errorf("read the metric %s", d))
		case strings.HasPrefix(parts[1], "netdiag_"):
			out[parts[1]] = metric{parts[1], parts[2], parts[3]}
		}
	}
	return out, errors.Join(odd...)
}

// programs are the metrics of bot serve and bot execute.
func programs() (serve, execute map[string]metric, err error) {
	of := meters.New("")
	_, err = handlers.New(handlers.Config{
		AppToken: "none", BotToken: "none", Log: zap.NewNop(), Holder: "none", Now: time.Now, Meters: of,
		Watch: &handlers.Watch{},
		Book:  &casebook.Book{Store: memory.New(time.Now), Now: time.Now}, Diagnoses: all.Diagnoses(),
		Diagnose: func(context.Context, diagnostics.Diagnosis, diagnostics.Target, func(string)) (diagnostics.Outcome, error) {
			return diagnostics.Outcome{}, errors.New("nothing is asked")
		},
	})
	if err != nil {
		return nil, nil, err
	}
	if serve, err = ours(of); err != nil {
		return nil, nil, err
	}
	of = meters.New("")
	of.Executor()
	execute, err = ours(of)
	return serve, execute, err
}

// metrics is the table of them.
func metrics() (string, error) {
	serve, execute, err := programs()
	if err != nil {
		return "", err
	}
	both := maps.Clone(serve)
	maps.Copy(both, execute)
	var b strings.Builder
	b.WriteString("| metric | labels | of | what it says |\n| --- | --- | --- | --- |\n")
	for _, name := range slices.Sorted(maps.Keys(both)) {
		_, s := serve[name]
		_, e := execute[name]
		of := "serve, execute"
		switch {
		case !e:
			of = "serve"
		case !s:
			of = "execute"
		}
		labels := ""
		if m := both[name]; m.labels != "" {
			labels = "`" + strings.ReplaceAll(m.labels, ",", "`, `") + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", name, labels, of, cell(both[name].help))
	}
	return b.String(), nil
}
