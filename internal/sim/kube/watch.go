package kube

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
)

// bookmarkEvery is how often a watch that allows bookmarks gets one, as in kube-apiserver's watch cache.
const bookmarkEvery = time.Minute

// watchEvent is one line of a watch.
type watchEvent struct {
	Type   watch.EventType `json:"type"`
	Object any             `json:"object"`
}

// serveWatch streams changes after a resourceVersion. Without one, or with 0, or where sendInitialEvents asks for it,
// everything there is comes first.
func (s *Server) serveWatch(w http.ResponseWriter, r *http.Request, q *request) error {
	query := r.URL.Query()
	sel, err := selectors(q.resource, query)
	if err != nil {
		return err
	}
	sel.name = q.name
	initial := query.Get("sendInitialEvents") == "true"
	bookmarks := query.Get("allowWatchBookmarks") == "true"
	if query.Has("sendInitialEvents") && query.Get("resourceVersionMatch") != string(metav1.ResourceVersionMatchNotOlderThan) {
		return apierrors.NewBadRequest("resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided, and must then be NotOlderThan")
	}
	if initial && !bookmarks {
		return apierrors.NewBadRequest("sendInitialEvents is forbidden for watch unless allowWatchBookmarks is set")
	}
	var rv uint64
	if v := query.Get("resourceVersion"); v != "" {
		if rv, err = strconv.ParseUint(v, 10, 64); err != nil {
			return apierrors.NewBadRequest(fmt.Sprintf("resourceVersion: Invalid value: %q: strconv.ParseUint: parsing %q: invalid syntax", v, v))
		}
	}
	var limit <-chan time.Time
	if n, err := strconv.Atoi(query.Get("timeoutSeconds")); err == nil && n > 0 {
		t := time.NewTimer(time.Duration(n) * time.Second)
		defer t.Stop()
		limit = t.C
	}
	st := &stream{server: s, w: w, r: r, q: q, sel: sel, wish: wanted(r, q.resource)}
	if initial || (rv == 0 && query.Get("sendInitialEvents") != "false") {
		objects, now := s.store.list(q.storage, q.listNamespace())
		st.start()
		for _, o := range objects {
			if sel.matches(o) {
				st.send(watch.Added, o)
			}
		}
		rv = now
		if initial {
			st.bookmark(rv, true)
		}
	} else if rv == 0 {
		rv = s.store.version()
	}
	if _, _, ok := s.store.since(rv); !ok && !st.started {
		return apierrors.NewResourceExpired(fmt.Sprintf("too old resource version: %d (%d)", rv, s.store.version()))
	}
	st.start()
	st.follow(rv, bookmarks, limit)
	return nil
}

// stream is one open watch.
type stream struct {
	server  *Server
	w       http.ResponseWriter
	r       *http.Request
	q       *request
	sel     selection
	wish    wish
	started bool
	rows    bool // a table row was sent: the next ones need no column definitions
	failed  bool
}

func (st *stream) start() {
	if !st.started {
		st.started = true
		if st.wish.protobuf {
			st.w.Header().Set("Content-Type", runtime.ContentTypeProtobuf+";stream=watch")
		} else {
			st.w.Header().Set("Content-Type", "application/json")
		}
		st.w.WriteHeader(http.StatusOK)
		st.flush()
	}
}

func (st *stream) flush() {
	if err := http.NewResponseController(st.w).Flush(); err != nil {
		st.failed = true
	}
}

// follow sends changes until the client, the server or the time limit ends the watch.
func (st *stream) follow(rv uint64, bookmarks bool, limit <-chan time.Time) {
	var tick <-chan time.Time
	if bookmarks {
		t := time.NewTicker(bookmarkEvery)
		defer t.Stop()
		tick = t.C
	}
	for !st.failed {
		changes, next, ok := st.server.store.since(rv)
		if !ok {
			gone := apierrors.NewResourceExpired(fmt.Sprintf("too old resource version: %d (%d)", rv, st.server.store.version())).Status()
			gone.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}
			st.write(watchEvent{watch.Error, gone})
			return
		}
		for _, c := range changes {
			rv = c.rv
			if kind, ok := st.seen(c); ok {
				st.send(kind, c.now)
			}
		}
		if len(changes) > 0 {
			st.flush()
		}
		select {
		case <-next:
		case <-tick:
			st.bookmark(rv, false)
		case <-limit:
			return
		case <-st.r.Context().Done():
			return
		case <-st.server.done:
			return
		}
	}
}

// seen tells how a change looks through the selectors: an object that comes to match is added, one that ceases to is deleted.
func (st *stream) seen(c change) (watch.EventType, bool) {
	if c.storage != st.q.storage {
		return "", false
	}
	if ns := st.q.listNamespace(); ns != "" && c.now.GetNamespace() != ns {
		return "", false
	}
	before := c.old != nil && st.sel.matches(c.old)
	after := c.kind != watch.Deleted && st.sel.matches(c.now)
	switch {
	case before && after:
		return watch.Modified, true
	case after:
		return watch.Added, true
	case before:
		return watch.Deleted, true
	}
	return "", false
}

func (st *stream) send(kind watch.EventType, o *unstructured.Unstructured) {
	var body any
	switch st.wish.form {
	case asTable:
		body = st.server.table(st.q.resource, []*unstructured.Unstructured{o}, metav1.ListMeta{ResourceVersion: o.GetResourceVersion()}, st.r.URL.Query().Get("includeObject"), !st.rows)
		st.rows = true
	case asPartial:
		body = partial(o)
	default:
		body = st.server.external(st.q.resource, o).Object
	}
	st.write(watchEvent{kind, body})
}

func (st *stream) bookmark(rv uint64, initialEnd bool) {
	meta := map[string]any{"resourceVersion": strconv.FormatUint(rv, 10), "creationTimestamp": nil}
	if initialEnd {
		meta["annotations"] = map[string]any{metav1.InitialEventsAnnotationKey: "true"}
	}
	o := map[string]any{"apiVersion": st.q.GroupVersion().String(), "kind": st.q.Kind, "metadata": meta}
	if st.wish.form == asPartial {
		o["apiVersion"], o["kind"] = "meta.k8s.io/v1", "PartialObjectMetadata"
	}
	st.write(watchEvent{watch.Bookmark, o})
	st.flush()
}

func (st *stream) write(e watchEvent) {
	b, err := st.encode(e)
	if err == nil {
		_, err = st.w.Write(b)
	}
	if err != nil {
		st.failed = true
	}
}

// encode gives an event as a line of JSON, or as a frame of protobuf.
func (st *stream) encode(e watchEvent) ([]byte, error) {
	if !st.wish.protobuf {
		b, err := json.Marshal(e)
		return append(b, '\n'), err
	}
	b, err := json.Marshal(e.Object)
	if err != nil {
		return nil, err
	}
	if b, err = protobufOf(b); err != nil {
		return nil, err
	}
	return frame(e.Type, b)
}
