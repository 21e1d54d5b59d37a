package handlers

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"

	"github.com/netdiag/netdiag/internal/casebook"
	render "github.com/netdiag/netdiag/internal/render/slack"
)

// settled reports that the thread knows how a fix ended.
func settled(rem casebook.Remediation) bool {
	return rem.Status.Phase.Terminal() && rem.Status.Posted[settledKey] != "" && toldSoFar(rem)
}

// toldSoFar reports that the thread has every note of a fix, and the question that its end calls for.
func toldSoFar(rem casebook.Remediation) bool {
	s := rem.Status
	if s.Posted[againKey] == "" && casebook.Asks(rem) {
		return false
	}
	return !slices.ContainsFunc(s.Notes, func(n casebook.Note) bool { return s.Posted[noteKey(n.Key)] == "" })
}

// up reports that Slack shows a fix as it is stored, as far as the store knows.
func up(rem casebook.Remediation) bool {
	s := rem.Status
	switch {
	case s.Card.TS == "":
		return !shows(rem)
	case s.Phase.Terminal() && s.Posted[settledKey] == "", !toldSoFar(rem):
		return false
	}
	return s.Shown == digest(render.Card(rem))
}

// shows reports that a fix without a card gets one: not before people are asked, and not once it is too late, unless to say
// that it can't be made.
func shows(rem casebook.Remediation) bool {
	return rem.Status.Phase != casebook.Proposed && !rem.Status.Phase.Terminal() || render.Impossible(rem)
}

// noteKey is the key of the message that tells the note of a key.
func noteKey(note string) string { return "note-" + note }

// outcomeNote is the key of the note that says how a fix ended; what ends without an executor has none.
const outcomeNote = "outcome"

// outcomeOf is the message that says how a fix ended; without a ts where there is none yet.
func outcomeOf(rem casebook.Remediation) casebook.Message {
	return casebook.Message{Channel: rem.Status.Card.Channel, TS: rem.Status.Posted[noteKey(outcomeNote)]}
}

// digest tells one content of a message from another.
func digest(m render.Message) string {
	b, err := json.Marshal(m)
	if err != nil { // blocks always have JSON
		return ""
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}
