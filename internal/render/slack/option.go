package slack

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/slack-go/slack"

	"github.com/netdiag/netdiag/internal/render"
)

// Limits of a select. An acknowledgement of 20 KB or more is dropped, and takes the options with it.
const (
	maxOptions     = 100
	maxOption      = 75 // its text, and its value
	maxGroupLabel  = 75
	maxSuggestions = 18_000 // bytes of JSON
)

// OptionValue is what stands for a name in a select: the name itself where that fits, else a key of it that is the same
// in every process.
func OptionValue(name string) string {
	if v := "n:" + name; len(v) <= maxOption {
		return v
	}
	sum := sha256.Sum256([]byte(name))
	return "k:" + hex.EncodeToString(sum[:16])
}

// OptionName is the name that a value of OptionValue stands for; known are the names that it may be. It is empty for a
// key of none of them. A name that fits comes back as it is, known or not.
func OptionName(value string, known []string) string {
	if len(value) > 2 && value[:2] == "n:" {
		return value[2:]
	}
	for _, n := range known {
		if OptionValue(n) == value {
			return n
		}
	}
	return ""
}

// Option is a name in a select; a long one keeps its beginning and its end, which tell such names apart.
func Option(name string) *slack.OptionBlockObject {
	shown := []rune(render.Clean(name))
	if len(shown) > maxOption {
		shown = append(append(shown[:maxOption/2:maxOption/2], '…'), shown[len(shown)-maxOption/2:]...)
	}
	return slack.NewOptionBlockObject(OptionValue(name), plain(string(shown), maxOption), nil)
}

// Suggestions answers a search in a select: as many of the names as Slack takes, in their order, and how many there are
// more. note stands above them; it may be empty.
func Suggestions(names []string, note string) any {
	size := 0
	options := []*slack.OptionBlockObject{}
	for _, n := range names {
		o := Option(n)
		b, err := json.Marshal(o)
		if err != nil || len(options) == maxOptions || size+len(b)+1 > maxSuggestions {
			break
		}
		size += len(b) + 1
		options = append(options, o)
	}
	if left := len(names) - len(options); left > 0 {
		note = fmt.Sprintf("%d of %d: type more to find the others", len(options), len(names))
	}
	if note == "" || len(options) == 0 {
		return struct {
			Options []*slack.OptionBlockObject `json:"options"` // slack-go's own type leaves an empty list out
		}{options}
	}
	return slack.OptionGroupsResponse{OptionGroups: []*slack.OptionGroupBlockObject{
		slack.NewOptionGroupBlockElement(plain(note, maxGroupLabel), options...),
	}}
}
