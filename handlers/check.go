package handlers

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/slack-go/slack"
)

// Scope is a right of the bot token, and what it is for.
type Scope struct{ Name, For string }

// Scopes are those that netdiag asks for; the app's manifest lists the same ones.
func Scopes() []Scope {
	return []Scope{
		{"commands", "slash commands and shortcuts"},
		{"chat:write", "answers"},
		{"app_mentions:read", "questions by @netdiag"},
		{"users:read", "who is a full member and may ask or approve"},
		{"usergroups:read", "approvers by user group"},
		{"channels:read", "which channels are shared with other organisations"},
		{"groups:read", "the same for private channels"},
		{"files:write", "charts and reports as files"},
		{"im:history", "questions in direct messages"},
		{"im:write", "answers in direct messages"},
	}
}

// Standing is what the two tokens are good for.
type Standing struct {
	Team, TeamID, User string  // of the bot token
	Missing            []Scope // that it was not granted
	Groups             []Group // those that were asked for
	App, Bot           error   // why a token is of no use; nil where it is
}

// Group is a user group as the bot token sees it.
type Group struct {
	ID      string
	Members int
	Err     error // why its members can't be read; nobody approves as one of them then
}

// Check tries both tokens without opening a connection, and with the bot token whether the members of the user groups can
// be read.
func Check(ctx context.Context, c Config, groups ...string) Standing {
	var s Standing
	api := client(c, &http.Client{Timeout: callLimit})
	me, err := api.AuthTestContext(ctx)
	if s.Bot = tokenTrouble(err, "bot token (SLACK_BOT_TOKEN)"); s.Bot == nil {
		s.Team, s.TeamID, s.User = me.Team, me.TeamID, me.User
		granted := strings.Split(strings.ReplaceAll(me.Header.Get("X-OAuth-Scopes"), " ", ""), ",")
		for _, scope := range Scopes() {
			if !slices.Contains(granted, scope.Name) {
				s.Missing = append(s.Missing, scope)
			}
		}
		for _, id := range groups {
			members, err := api.GetUserGroupMembersContext(ctx, id)
			s.Groups = append(s.Groups, Group{ID: id, Members: len(members), Err: clean(err)})
		}
	}
	// The answer holds the address of a connection, which is not opened: it is forgotten within half a minute.
	_, _, err = api.StartSocketModeContext(ctx)
	s.App = tokenTrouble(err, "app token (SLACK_APP_TOKEN)")
	return s
}

func tokenTrouble(err error, token string) error {
	if err == nil {
		return nil
	}
	if fatal := refused(err, token); fatal != nil {
		return fatal
	}
	if answer, ok := errors.AsType[slack.SlackErrorResponse](err); ok {
		return fmt.Errorf("Slack does not accept the %s: %s", token, answer.Err)
	}
	return fmt.Errorf("Slack can't be reached with the %s: %w", token, clean(err))
}
