package slack

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

type object = map[string]any

// call is one request to the Web API.
type call struct {
	method string
	args   object // form values are strings, of a JSON body what JSON gives
	base   string
}

// apiError is an error answer of the Web API.
type apiError struct {
	code     string
	messages []string // for response_metadata: what is wrong where
	extra    object
}

func (e *apiError) Error() string { return e.code }

func fail(code string, messages ...string) error { return &apiError{code: code, messages: messages} }

// Call records one request to the Web API; Error is empty where it went well.
type Call struct {
	At              time.Time
	Method, Channel string
	Error           string
}

// method is one method of the Web API. The scopes are alternatives; none means that any token will do.
type method struct {
	scopes []string
	tier   int // of rate limits: requests a minute
	run    func(*Server, *call) (object, error)
}

func methods() map[string]method {
	channels := []string{"channels:read", "groups:read", "im:read", "mpim:read"}
	history := []string{"channels:history", "groups:history", "im:history", "mpim:history"}
	write := []string{"chat:write"}
	return map[string]method{
		"apps.connections.open":        {nil, 50, (*Server).openConnection},
		"auth.test":                    {nil, 600, (*Server).authTest},
		"api.test":                     {nil, 600, func(_ *Server, c *call) (object, error) { return object{"args": c.args}, nil }},
		"chat.postMessage":             {write, 600, (*Server).postMessage},
		"chat.postEphemeral":           {write, 100, (*Server).postEphemeral},
		"chat.update":                  {write, 50, (*Server).updateMessage},
		"chat.delete":                  {write, 50, (*Server).deleteMessage},
		"chat.getPermalink":            {nil, 600, (*Server).permalink},
		"views.open":                   {nil, 100, (*Server).openView},
		"views.push":                   {nil, 100, (*Server).pushView},
		"views.update":                 {nil, 100, (*Server).updateView},
		"views.publish":                {nil, 100, (*Server).publishView},
		"users.info":                   {[]string{"users:read"}, 100, (*Server).userInfo},
		"users.list":                   {[]string{"users:read"}, 20, (*Server).userList},
		"users.lookupByEmail":          {[]string{"users:read.email"}, 50, (*Server).userByEmail},
		"usergroups.list":              {[]string{"usergroups:read"}, 20, (*Server).groupList},
		"usergroups.users.list":        {[]string{"usergroups:read"}, 20, (*Server).groupUsers},
		"conversations.info":           {channels, 50, (*Server).channelInfo},
		"conversations.list":           {channels, 20, (*Server).channelList},
		"conversations.members":        {channels, 100, (*Server).channelMembers},
		"conversations.join":           {[]string{"channels:join"}, 50, (*Server).joinChannel},
		"conversations.open":           {[]string{"im:write", "mpim:write"}, 50, (*Server).openDirect},
		"conversations.history":        {history, 50, (*Server).history},
		"conversations.replies":        {history, 50, (*Server).replies},
		"files.getUploadURLExternal":   {[]string{"files:write"}, 100, (*Server).uploadURL},
		"files.completeUploadExternal": {[]string{"files:write"}, 100, (*Server).completeUpload},
		"reactions.add":                {[]string{"reactions:write"}, 50, (*Server).addReaction},
	}
}

func (s *Server) serveAPI(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("method")
	r.Body = http.MaxBytesReader(w, r.Body, 4<<20)
	c := &call{method: name, base: base(r)}
	out, err := s.answer(c, r)
	code := ""
	if err != nil {
		code = err.Error()
	}
	s.change(func() { s.state.calls = append(s.state.calls, Call{s.o.Now(), name, c.str("channel"), code}) })
	w.Header().Set("X-OAuth-Scopes", strings.Join(s.o.App.Scopes, ","))
	if limited, ok := errors.AsType[*rateLimited](err); ok {
		w.Header().Set("Retry-After", strconv.Itoa(max(1, int((limited.after+time.Second-1)/time.Second))))
		writeJSON(w, http.StatusTooManyRequests, object{"ok": false, "error": "ratelimited"})
		return
	}
	if e, ok := errors.AsType[*broken](err); ok {
		http.Error(w, "nothing to see here", e.status)
		return
	}
	if err != nil {
		out = object{"ok": false, "error": code}
		if e, ok := errors.AsType[*apiError](err); ok {
			maps.Copy(out, e.extra)
			if len(e.messages) > 0 {
				lines := make([]string, len(e.messages))
				for i, m := range e.messages {
					lines[i] = "[ERROR] " + m
				}
				out["errors"], out["response_metadata"] = e.messages, object{"messages": lines}
			}
		}
		writeJSON(w, http.StatusOK, out)
		return
	}
	out["ok"] = true
	writeJSON(w, http.StatusOK, out)
}

// answer carries out a call: token, scope, faults on demand, rate limits, then the method itself.
func (s *Server) answer(c *call, r *http.Request) (object, error) {
	m, ok := methods()[c.method]
	if !ok {
		return nil, &apiError{code: "unknown_method", extra: object{"req_method": c.method}}
	}
	var err error
	if c.args, err = arguments(r); err != nil {
		return nil, err
	}
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	if token == "" {
		token = c.str("token")
	}
	delete(c.args, "token")
	if err := s.authorise(c.method, m, token); err != nil {
		return nil, err
	}
	f, hit := s.take(c.method)
	if hit && !f.After {
		if err := f.strike(r.Context()); err != nil {
			return nil, err
		}
	}
	if err := s.limit(c, m); err != nil {
		return nil, err
	}
	out, err := m.run(s, c)
	if hit && f.After {
		if err := f.strike(r.Context()); err != nil {
			return nil, err
		}
	}
	return out, err
}

func (s *Server) authorise(name string, m method, token string) error {
	app := name == "apps.connections.open"
	switch {
	case token == "":
		return fail("not_authed")
	case token != s.o.AppToken && token != s.o.BotToken:
		return fail("invalid_auth")
	case app != (token == s.o.AppToken):
		return fail("not_allowed_token_type")
	}
	if m.scopes == nil || slices.ContainsFunc(m.scopes, func(sc string) bool { return slices.Contains(s.o.App.Scopes, sc) }) {
		return nil
	}
	return &apiError{code: "missing_scope", extra: object{"needed": strings.Join(m.scopes, ","), "provided": strings.Join(s.o.App.Scopes, ",")}}
}

func arguments(r *http.Request) (object, error) {
	args := object{}
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if kind == "application/json" {
		if err := json.NewDecoder(r.Body).Decode(&args); err != nil && err != io.EOF { // no body is no arguments
			return nil, fail("invalid_json")
		}
		return args, nil
	}
	var err error
	if kind == "multipart/form-data" {
		err = r.ParseMultipartForm(4 << 20)
	} else {
		err = r.ParseForm()
	}
	if err != nil {
		return nil, fail("invalid_form_data")
	}
	for k, v := range r.Form {
		args[k] = v[0]
	}
	return args, nil
}

// str is a string argument; numbers of a JSON body count too.
func (c *call) str(name string) string {
	switch v := c.args[name].(type) {
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return ""
}

func (c *call) flag(name string) bool {
	switch v := c.args[name].(type) {
	case bool:
		return v
	case string:
		return v == "true" || v == "1"
	}
	return false
}

// has reports whether the argument was given at all.
func (c *call) has(name string) bool { _, ok := c.args[name]; return ok }

// into decodes an argument that is JSON: as such in a JSON body, as text in a form.
func (c *call) into(name string, v any) error {
	var data []byte
	switch a := c.args[name].(type) {
	case nil:
		return nil
	case string:
		if a == "" {
			return nil
		}
		data = []byte(a)
	default:
		var err error
		if data, err = json.Marshal(a); err != nil {
			return err
		}
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("argument %s: %w", name, err)
	}
	return nil
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client is gone: nobody to tell
}
