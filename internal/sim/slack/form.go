package slack

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Submit has a person fill in the modal before them and press its submit button, and waits for the acknowledgement.
// values is by action id, or by block id where that says more; a value is a text, an option's value or label, or an id,
// several separated by newlines. What the app finds wrong comes back by block id.
func (s *Server) Submit(ctx context.Context, user string, values map[string]string) (problems map[string]string, err error) {
	s.mu.Lock()
	stack := s.state.modals[user]
	if len(stack) == 0 {
		s.mu.Unlock()
		return nil, fmt.Errorf("submit: %s has no modal open", user)
	}
	v := stack[len(stack)-1]
	if v.Submit == nil {
		s.mu.Unlock()
		return nil, fmt.Errorf("submit: the modal of %s has no button for it", user)
	}
	v.Errors = nil
	err = s.state.fill(v, values)
	if err == nil {
		v.Errors = v.missing()
	}
	problems = v.Errors
	s.wake()
	s.mu.Unlock()
	if err != nil || len(problems) > 0 {
		return problems, err
	}
	payload, err := s.deliver(ctx, "interactive", 0, func(base string) object {
		s.mu.Lock()
		defer s.mu.Unlock()
		p := s.interaction("view_submission", user, v.from)
		p["view"], p["response_urls"] = *v, s.answerTo(base, user, v)
		return p
	})
	if err != nil {
		return nil, err
	}
	return s.afterSubmit(user, v, payload)
}

// answerTo makes the response URLs of a submission: one for each channel chosen where the form asked for that; the lock is held.
func (s *Server) answerTo(base, user string, v *View) []any {
	urls := []any{}
	eachElement(v.Blocks, func(b, e Block) {
		block, action := str(b["block_id"]), str(e["action_id"])
		ch := s.state.channel(str(v.State.Values[block][action][field[str(e["type"])]]))
		if e["response_url_enabled"] == true && ch != nil {
			urls = append(urls, object{
				"block_id": block, "action_id": action, "channel_id": ch.ID,
				"response_url": s.newURL(base, &responseURL{channel: ch.ID, user: user}),
			})
		}
	})
	return urls
}

// afterSubmit does what the acknowledgement of a submission asks for; without a word the modal closes.
func (s *Server) afterSubmit(user string, v *View, payload json.RawMessage) (map[string]string, error) {
	var answer struct {
		Action string            `json:"response_action"`
		Errors map[string]string `json:"errors"`
		View   map[string]any    `json:"view"`
	}
	if len(payload) > 0 {
		if err := json.Unmarshal(payload, &answer); err != nil {
			return nil, fmt.Errorf("answer to view_submission: %w", err)
		}
	}
	var next View
	if answer.Action == "update" || answer.Action == "push" {
		var err error
		if next, err = parseView(answer.View, "modal"); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.wake()
	switch answer.Action {
	case "":
		s.pop(user, v)
	case "clear":
		delete(s.state.modals, user)
	case "errors":
		v.Errors = answer.Errors
		return answer.Errors, nil
	case "update":
		s.overwrite(v, next)
	case "push":
		next.from = v.from
		return nil, s.stack(user, &next, true)
	default:
		return nil, fmt.Errorf("answer to view_submission: unknown response_action %q", answer.Action)
	}
	return nil, nil
}

func (s *Server) pop(user string, v *View) {
	s.state.modals[user] = slices.DeleteFunc(slices.Clone(s.state.modals[user]), func(o *View) bool { return o == v })
}

// CloseModal has a person close the modal before them. The app is told only where the view asked for it.
func (s *Server) CloseModal(ctx context.Context, user string) error {
	s.mu.Lock()
	stack := s.state.modals[user]
	if len(stack) == 0 {
		s.mu.Unlock()
		return nil
	}
	v := stack[len(stack)-1]
	s.pop(user, v)
	s.wake()
	s.mu.Unlock()
	if !v.NotifyOnClose {
		return nil
	}
	_, err := s.deliver(ctx, "interactive", 0, func(string) object {
		s.mu.Lock()
		defer s.mu.Unlock()
		p := s.interaction("view_closed", user, v.from)
		p["view"], p["is_cleared"] = *v, false
		return p
	})
	return err
}

// Suggest asks the app for the options of an external select, as typing into it does.
func (s *Server) Suggest(ctx context.Context, a Action, typed string) ([]Block, error) {
	s.mu.Lock()
	src, err := s.source(a)
	var found []place
	if err == nil {
		found = a.find(src.blocks)
	}
	s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	if len(found) != 1 {
		return nil, fmt.Errorf("suggest for %q %q: %d elements match", a.BlockID, a.ActionID, len(found))
	}
	payload, err := s.deliver(ctx, "interactive", 0, func(base string) object {
		s.mu.Lock()
		defer s.mu.Unlock()
		p := s.interaction("block_suggestion", a.User, src.channel())
		maps.Copy(p, src.payload(s, base))
		p["action_id"], p["block_id"], p["value"] = found[0].element["action_id"], found[0].block["block_id"], typed
		delete(p, "trigger_id")
		return p
	})
	if err != nil {
		return nil, err
	}
	var answer struct {
		Options []Block `json:"options"`
		Groups  []struct {
			Options []Block `json:"options"`
		} `json:"option_groups"`
	}
	if err := json.Unmarshal(payload, &answer); err != nil {
		return nil, fmt.Errorf("answer to block_suggestion: %w", err)
	}
	for _, g := range answer.Groups {
		answer.Options = append(answer.Options, g.Options...)
	}
	c := &check{}
	if len(answer.Options) > 0 {
		c.options("", Block{"options": anys(answer.Options)}, 100)
	}
	if len(c.problems) > 0 {
		return nil, fmt.Errorf("answer to block_suggestion: %s", strings.Join(c.problems, "; "))
	}
	s.change(func() { s.state.suggested[str(found[0].element["action_id"])] = answer.Options })
	return answer.Options, nil
}
