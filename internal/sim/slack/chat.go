package slack

import "unicode/utf8"

// Limits of a message's text: Slack cuts a longer one when it is posted, and refuses it in an update.
const (
	maxText       = 40000
	maxUpdateText = 4000
)

// content is what chat.postMessage, chat.postEphemeral, chat.update and response URLs have in common.
type content struct {
	text        string
	blocks      []Block
	attachments []any
	metadata    map[string]any
}

func (c *call) content() (content, error) {
	v := content{text: c.str("text")}
	if err := c.into("blocks", &v.blocks); err != nil {
		return v, fail("invalid_blocks_format")
	}
	if err := c.into("attachments", &v.attachments); err != nil {
		return v, fail("invalid_attachments")
	}
	if err := c.into("metadata", &v.metadata); err != nil {
		return v, fail("invalid_metadata_format")
	}
	if v.metadata != nil && (str(v.metadata["event_type"]) == "" || v.metadata["event_payload"] == nil) {
		v.metadata = nil // Slack drops metadata without a type
	}
	if v.text == "" && len(v.blocks) == 0 && len(v.attachments) == 0 {
		return v, fail("no_text")
	}
	if r := []rune(v.text); len(r) > maxText {
		v.text = string(r[:maxText])
	}
	return v, checkMessage(v.blocks)
}

// destination is the channel of the call, if the app may post there.
func (s *Server) destination(c *call) (*Channel, error) {
	ch := s.state.channel(c.str("channel"))
	switch in := ch != nil && ch.has(s.o.App.BotUser); {
	case ch == nil, ch.Private && !in:
		return nil, fail("channel_not_found")
	case ch.Archived:
		return nil, fail("is_archived")
	case !in:
		return nil, fail("not_in_channel")
	}
	return ch, nil
}

func (s *Server) postMessage(c *call) (object, error) {
	v, err := c.content()
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	ch, err := s.destination(c)
	if err != nil {
		return nil, err
	}
	m := s.fromApp(ch.ID, v)
	// The reply to a message that is gone is posted outside any thread.
	if root := s.state.message(ch.ID, c.str("thread_ts")); root != nil {
		m.ThreadTS = root.TS
		if root.ThreadTS != "" {
			m.ThreadTS = root.ThreadTS
		}
		if c.flag("reply_broadcast") {
			m.Subtype = "thread_broadcast"
		}
	}
	s.state.post(m)
	s.wake()
	return object{"channel": ch.ID, "ts": m.TS, "message": *m}, nil
}

// fromApp makes a message of the app; the lock is held.
func (s *Server) fromApp(channel string, v content) *Message {
	s.nameBlocks(v.blocks)
	return &Message{
		Channel: channel, Type: "message", User: s.o.App.BotUser, BotID: s.o.App.BotID, AppID: s.o.App.ID, Team: s.o.Team.ID,
		TS: s.state.ts(s.o.Now()), Text: v.text, Blocks: v.blocks, Attachments: v.attachments, Metadata: v.metadata,
	}
}

// nameBlocks gives ids to blocks and elements that came without, as Slack does.
func (s *Server) nameBlocks(blocks []Block) {
	for _, b := range blocks {
		if str(b["block_id"]) == "" {
			b["block_id"] = s.id("b")
		}
	}
	eachElement(blocks, func(_, e Block) {
		switch e["type"] {
		case "image", "plain_text", "mrkdwn":
			return
		}
		if str(e["action_id"]) == "" {
			e["action_id"] = s.id("a")
		}
	})
}

func (s *Server) postEphemeral(c *call) (object, error) {
	v, err := c.content()
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	ch, err := s.destination(c)
	if err != nil {
		return nil, err
	}
	user := c.str("user")
	if !ch.has(user) {
		return nil, fail("user_not_in_channel")
	}
	m := s.fromApp(ch.ID, v)
	m.To = user
	m.ThreadTS = c.str("thread_ts")
	s.state.notes = append(s.state.notes, m)
	s.wake()
	return object{"message_ts": m.TS}, nil
}

func (s *Server) updateMessage(c *call) (object, error) {
	if utf8.RuneCountInString(c.str("text")) > maxUpdateText {
		return nil, fail("msg_too_long")
	}
	v, err := c.content()
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	m, err := s.own(c, "cant_update_message")
	if err != nil {
		return nil, err
	}
	s.replace(m, v, c.has("text"), c.has("metadata"))
	s.wake()
	return object{"channel": m.Channel, "ts": m.TS, "text": m.Text, "message": *m}, nil
}

// replace changes what a message says. Text without blocks removes the blocks.
func (s *Server) replace(m *Message, v content, text, metadata bool) {
	s.nameBlocks(v.blocks)
	if text {
		m.Text = v.text
	}
	m.Blocks, m.Attachments = v.blocks, v.attachments
	if metadata {
		m.Metadata = v.metadata
	}
	m.Edited = &Edited{User: s.o.App.BotUser, TS: s.state.ts(s.o.Now())}
}

// own finds the message of the call, which must be the app's; an ephemeral one can't be found.
func (s *Server) own(c *call, otherwise string) (*Message, error) {
	ch, err := s.destination(c)
	if err != nil {
		return nil, err
	}
	m := s.state.message(ch.ID, c.str("ts"))
	switch {
	case m == nil || m.Subtype == "tombstone":
		return nil, fail("message_not_found")
	case m.BotID != s.o.App.BotID:
		return nil, fail(otherwise)
	}
	return m, nil
}

func (s *Server) deleteMessage(c *call) (object, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, err := s.own(c, "cant_delete_message")
	if err != nil {
		return nil, err
	}
	out := object{"channel": m.Channel, "ts": m.TS}
	s.state.remove(m)
	s.wake()
	return out, nil
}
