package main

import (
	"context"

	"go.uber.org/zap"

	"github.com/netdiag/netdiag/handlers"
	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/watch"
)

// watch is what is looked at for early warnings; nil where nobody is warned. With the state in memory there is no other
// process, and this one leads.
func (s settings) watch(conn connection, holder string) (*handlers.Watch, error) {
	w := s.Watch
	if w.Channel == "" {
		return nil, nil //nolint:nilnil // no watch is no error
	}
	out := &handlers.Watch{
		Channel: w.Channel, Ingresses: w.Ingresses, Every: w.Interval,
		Rules: watch.Rules{Free: w.Thresholds.Free, Looks: w.Thresholds.Looks, Healthy: w.Thresholds.Healthy},
	}
	if s.State != "kubernetes" {
		return out, nil
	}
	lead, err := conn.lead(s.Namespace, holder)
	if err != nil {
		return nil, err
	}
	out.Lead = lead.Run
	return out, nil
}

// remember lets questions about the first cluster know what the watch saw.
func (r reach) remember(cluster string, store casebook.Store, log *zap.Logger) {
	source := r.sources[cluster]
	source.Past = watch.Past{Memos: store.Memos, Fault: func(err error) { log.Warn("what the watch saw", zap.Error(err)) }}
	r.sources[cluster] = source
}

// checkWatch asks whether the watch can look, and keep what it sees.
func (s settings) checkWatch(ctx context.Context, i *inspection, c connection) {
	if s.Watch.Channel == "" {
		return
	}
	i.title("Early warning")
	if s.State != "kubernetes" {
		i.ok("what is seen is kept in memory")
		return
	}
	const role = "the Role netdiag-watch of the chart grants it"
	store, err := c.store(s.Namespace, func(error) {})
	for _, name := range []string{watch.Memo, watch.SnoozeMemo} {
		if err == nil {
			_, err = store.Memos.Get(ctx, name)
		}
	}
	if err != nil {
		i.miss("%v; nothing is warned of while this can't be read. %s in namespace %s", err, role, s.Namespace)
		return
	}
	c.review(ctx, i, roles(s.Namespace, "netdiag-watch"))
}
