package slack

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"slices"
	"time"
)

// maxStack is how many modals can lie on one another.
const maxStack = 3

// trigger is the right to open one modal for one person, for a short time, once.
type trigger struct {
	user    string
	channel string // where the person was; empty for a global shortcut and the Home tab
	expires time.Time
	used    bool
}

// newTrigger makes a trigger_id; the lock is held.
func (s *Server) newTrigger(user, channel string) string {
	id := fmt.Sprintf("%d.%s", s.o.Now().UnixMilli(), s.id("trigger."))
	s.triggers[id] = &trigger{user: user, channel: channel, expires: s.o.Now().Add(s.o.TriggerTTL)}
	return id
}

// exchange uses a trigger_id up and says whose it was and where; the lock is held.
func (s *Server) exchange(id string) (*trigger, error) {
	t := s.triggers[id]
	switch {
	case t == nil:
		return nil, fail("invalid_trigger_id")
	case t.used:
		return nil, fail("exchanged_trigger_id")
	case s.o.Now().After(t.expires):
		return nil, fail("expired_trigger_id")
	}
	t.used = true
	return t, nil
}

// view reads the view argument of a call.
func (c *call) view(kind string) (View, error) {
	var raw map[string]any
	if err := c.into("view", &raw); err != nil || raw == nil {
		return View{}, fail("invalid_arguments", "missing required field: view [json-pointer:/view]")
	}
	return parseView(raw, kind)
}

// parseView checks a view against Slack's limits and makes it one.
func parseView(raw map[string]any, kind string) (View, error) {
	if problems := checkView(raw, kind); len(problems) > 0 {
		return View{}, fail("invalid_arguments", problems...)
	}
	data, err := json.Marshal(raw)
	if err != nil {
		return View{}, err
	}
	if len(data) > 250_000 {
		return View{}, fail("view_too_large")
	}
	var v View
	if err := json.Unmarshal(data, &v); err != nil {
		return View{}, fail("invalid_arguments", err.Error())
	}
	return v, nil
}

// adopt gives a new view its ids; the lock is held.
func (s *Server) adopt(v *View) {
	v.ID, v.TeamID, v.AppID, v.AppInstalledTeamID, v.BotID = s.id("V"), s.o.Team.ID, s.o.App.ID, s.o.Team.ID, s.o.App.BotID
	v.RootViewID = v.ID
	s.refresh(v)
}

// refresh gives a view the hash of its content and sets its fields to their initial values; the lock is held.
func (s *Server) refresh(v *View) {
	s.nameBlocks(v.Blocks)
	v.Errors = nil
	v.State.Values = initialValues(v.Blocks, v.from)
	h := fnv.New64a()
	_ = json.NewEncoder(h).Encode(v.Blocks) // it came from JSON
	v.Hash = fmt.Sprintf("%d.%08x", s.o.Now().Unix(), h.Sum64()>>32) + s.id("")
}

func (s *Server) openView(c *call) (object, error) { return s.showView(c, false) }
func (s *Server) pushView(c *call) (object, error) { return s.showView(c, true) }

func (s *Server) showView(c *call, push bool) (object, error) {
	v, err := c.view("modal")
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	id := c.str("trigger_id")
	if id == "" {
		id = c.str("interactivity_pointer")
	}
	t, err := s.exchange(id)
	if err != nil {
		return nil, err
	}
	if v.ExternalID != "" && s.findView(v.ExternalID) != nil {
		return nil, fail("duplicate_external_id")
	}
	v.from = t.channel
	if err := s.stack(t.user, &v, push); err != nil {
		return nil, err
	}
	s.wake()
	return object{"view": v}, nil
}

// stack puts a modal before a person; the lock is held.
func (s *Server) stack(user string, v *View, push bool) error {
	stack := s.state.modals[user]
	if !push {
		stack = nil
	}
	if len(stack) >= maxStack {
		return fail("push_limit_reached")
	}
	s.adopt(v)
	if len(stack) > 0 {
		under := stack[len(stack)-1]
		v.RootViewID, v.PreviousViewID = under.RootViewID, &under.ID
	}
	s.state.modals[user] = append(slices.Clone(stack), v)
	return nil
}

// findView finds an open view by its id or external id; the lock is held.
func (s *Server) findView(id string) *View {
	for _, stack := range s.state.modals {
		for _, v := range stack {
			if v.ID == id || v.ExternalID == id {
				return v
			}
		}
	}
	for _, v := range s.state.homes {
		if v.ID == id || v.ExternalID == id {
			return v
		}
	}
	return nil
}

func (s *Server) updateView(c *call) (object, error) {
	v, err := c.view("")
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	id := c.str("view_id")
	if id == "" {
		id = c.str("external_id")
	}
	old := s.findView(id)
	if id == "" || old == nil {
		return nil, fail("not_found")
	}
	if h := c.str("hash"); h != "" && h != old.Hash {
		return nil, fail("hash_conflict")
	}
	s.overwrite(old, v)
	s.wake()
	return object{"view": *old}, nil
}

// overwrite replaces what a view shows. What was filled in stays where block and action keep their ids.
func (s *Server) overwrite(old *View, v View) {
	v.ID, v.TeamID, v.AppID, v.AppInstalledTeamID, v.BotID = old.ID, old.TeamID, old.AppID, old.AppInstalledTeamID, old.BotID
	v.RootViewID, v.PreviousViewID, v.from = old.RootViewID, old.PreviousViewID, old.from
	was := old.State.Values
	s.refresh(&v)
	for block, actions := range v.State.Values {
		for action := range actions {
			if old, ok := was[block][action]; ok {
				actions[action] = old
			}
		}
	}
	*old = v
}

func (s *Server) publishView(c *call) (object, error) {
	v, err := c.view("home")
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	user := c.str("user_id")
	if u, ok := s.state.user(user); !ok || u.Bot {
		return nil, fail("invalid_arguments", "invalid user_id [json-pointer:/user_id]")
	}
	old := s.state.homes[user]
	if h := c.str("hash"); h != "" && (old == nil || h != old.Hash) {
		return nil, fail("hash_conflict")
	}
	s.adopt(&v)
	if old != nil {
		v.ID, v.RootViewID = old.ID, old.ID
	}
	s.state.homes[user] = &v
	s.wake()
	return object{"view": v}, nil
}
