package slack

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"html"
	"io/fs"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

//go:embed page
var pageFiles embed.FS

// pagePolicy lets the page load nothing from elsewhere and run nothing but its own files.
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

func (s *Server) pageRoutes() {
	files, err := fs.Sub(pageFiles, "page")
	if err != nil {
		panic(err) // the folder is embedded under this name
	}
	static := http.StripPrefix("/page/", http.FileServerFS(files))
	s.mux.HandleFunc("GET /page/", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-cache")
		static.ServeHTTP(w, r)
	})
	page, err := fs.ReadFile(files, "index.html")
	if err != nil {
		panic(err) // it is embedded too
	}
	page = bytes.ReplaceAll(page, []byte("{{base}}"), []byte(html.EscapeString(s.below())))
	index := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Security-Policy", pagePolicy)
		w.Header().Set("Cache-Control", "no-cache")
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write(page) // the browser is gone: nobody to tell
	}
	s.mux.HandleFunc("GET /{$}", index)
	s.mux.HandleFunc("GET /archives/{channel}/{ts}", index) // permalinks
	s.mux.HandleFunc("GET /client/stream", s.stream)
	s.mux.HandleFunc("POST /client/{deed}", s.deed)
}

// below is the path under which people reach the page, with a slash at its end.
func (s *Server) below() string {
	u, err := url.Parse(s.o.Page)
	if err != nil {
		return "/"
	}
	return strings.TrimSuffix(u.Path, "/") + "/"
}

// deed is what a person does on the page.
func (s *Server) deed(w http.ResponseWriter, r *http.Request) {
	if !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") { // no other site can send that unasked
		http.Error(w, "expected JSON", http.StatusUnsupportedMediaType)
		return
	}
	var in struct {
		Action
		Thread   string            `json:"thread"`
		Text     string            `json:"text"`
		Values   map[string]string `json:"values"`
		Callback string            `json:"callback"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&in); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	out := object{"ok": true}
	ctx := context.WithoutCancel(r.Context()) // what a person did is done, even if the page goes away meanwhile
	var err error
	switch r.PathValue("deed") {
	case "slash":
		_, err = s.Slash(ctx, in.User, in.Channel, in.Text)
	case "say":
		out["ts"], err = s.Say(in.User, in.Channel, in.Thread, in.Text)
	case "act":
		err = s.Act(ctx, in.Action)
	case "submit":
		out["errors"], err = s.Submit(ctx, in.User, in.Values)
	case "close":
		err = s.CloseModal(ctx, in.User)
	case "suggest":
		out["options"], err = s.Suggest(ctx, in.Action, in.Text)
	case "shortcut":
		if in.TS == "" {
			err = s.Shortcut(ctx, in.User, in.Callback)
		} else {
			err = s.MessageShortcut(ctx, in.User, in.Channel, in.TS, in.Callback)
		}
	case "home":
		s.OpenHome(in.User)
	case "messages":
		s.OpenMessages(in.User)
	case "dismiss":
		s.Dismiss(in.User, in.TS)
	default:
		http.NotFound(w, r)
		return
	}
	if err != nil {
		out = object{"ok": false, "error": err.Error()}
	}
	writeJSON(w, http.StatusOK, out)
}

// feed is a stream of server-sent events; what did not change is not sent again.
type feed struct {
	w    http.ResponseWriter
	sent map[string][]byte // by event
}

func (f *feed) send(event string, v any) error {
	data, err := json.Marshal(v)
	if err != nil || bytes.Equal(f.sent[event], data) {
		return err
	}
	f.sent[event] = data
	if _, err := f.w.Write(slices.Concat([]byte("event: "+event+"\ndata: "), data, []byte("\n\n"))); err != nil {
		return err
	}
	return http.NewResponseController(f.w).Flush()
}

// stream sends the page what the person sees, at once and after every change.
func (s *Server) stream(w http.ResponseWriter, r *http.Request) {
	const (
		calm  = 25 * time.Millisecond // many changes at once are one event
		often = 400 * time.Millisecond
	)
	user := r.URL.Query().Get("user")
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	f := &feed{w: w, sent: map[string][]byte{}}
	if f.send("workspace", s.workspace()) != nil {
		return
	}
	look := time.NewTicker(500 * time.Millisecond)
	defer look.Stop()
	for asked := (time.Time{}); ; {
		s.mu.Lock()
		seen, changed := s.seen(user), s.changed
		s.mu.Unlock()
		err := f.send("state", seen)
		if s.o.Panel != nil && time.Since(asked) >= often {
			asked = time.Now()
			err = errors.Join(err, f.send("panel", s.o.Panel()))
		}
		if err != nil {
			return // the page is gone
		}
		select {
		case <-changed:
			time.Sleep(calm)
		case <-look.C:
		case <-r.Context().Done():
			return
		case <-s.closing:
			return
		}
	}
}

// workspace is what never changes.
func (s *Server) workspace() object {
	users := []object{}
	for _, u := range s.state.users {
		users = append(users, object{"id": u.ID, "name": u.Name, "real_name": u.RealName, "title": u.Title, "bot": u.Bot})
	}
	commands := []object{}
	for _, c := range s.o.App.Commands {
		uses := []object{}
		for _, u := range c.Uses {
			uses = append(uses, object{"text": u.Text, "does": u.Does})
		}
		commands = append(commands, object{"name": c.Name, "description": c.Description, "uses": uses})
	}
	shortcuts := []object{}
	for _, sc := range s.o.App.Shortcuts {
		shortcuts = append(shortcuts, object{"callback": sc.CallbackID, "name": sc.Name, "description": sc.Description, "message": sc.Message})
	}
	return object{
		"team": object{"id": s.o.Team.ID, "name": s.o.Team.Name}, "users": users, "players": s.o.Players,
		"app":   object{"id": s.o.App.ID, "name": s.o.App.Name, "user": s.o.App.BotUser, "commands": commands, "shortcuts": shortcuts},
		"hints": append([]string{}, s.o.Hints...), "panel": s.o.Panel != nil,
		"places": append([]Place{}, s.o.Places...),
	}
}

// seen is what one person sees; the lock is held.
func (s *Server) seen(user string) object {
	s.state.direct(user)
	channels := []object{}
	for _, c := range s.state.channels {
		if !c.has(user) && (c.Private || c.With != "") || c.With != "" && c.With != user {
			continue
		}
		ms := make([]Message, 0, len(s.state.messages[c.ID]))
		for _, m := range s.state.messages[c.ID] {
			ms = append(ms, *m)
		}
		channels = append(channels, object{
			"id": c.ID, "name": c.Name, "topic": c.Topic, "private": c.Private, "with": c.With, "members": len(c.Members),
			"app": c.has(s.o.App.BotUser), "messages": ms,
		})
	}
	notes := []object{}
	for _, m := range s.state.notes {
		if m.To == user {
			notes = append(notes, object{"channel": m.Channel, "message": *m})
		}
	}
	out := object{"user": user, "sockets": s.state.sockets, "channels": channels, "notes": notes}
	if v, ok := s.state.Modal(user); ok {
		out["modal"] = object{"view": v, "errors": v.Errors, "depth": len(s.state.modals[user])}
	}
	if v := s.state.homes[user]; v != nil {
		out["home"] = *v
	}
	return out
}
