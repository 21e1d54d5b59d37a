package handlers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/slack-go/slack"
	"go.uber.org/zap"

	render "github.com/netdiag/netdiag/internal/render/slack"
)

// web is the part of the Web API that the bot uses. Errors come without tokens and addresses.
type web struct {
	api *slack.Client

	bot string // id of the bot, once it is known

	mu    sync.Mutex
	level int             // how plain messages have to be for this workspace, see plainly
	blind map[string]bool // channels whose history may not be read
}

// callLimit is how long one call may take; slack-go by itself sets no limit.
const callLimit = 15 * time.Second

func newWeb(c Config, h http.RoundTripper) *web {
	return &web{api: client(c, &http.Client{Timeout: callLimit, Transport: h}), blind: map[string]bool{}}
}

// transport carries requests to the Web API; its idle connections are closed with the bot.
func transport(c Config) *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	if c.Dial != nil {
		t.DialContext = c.Dial
	}
	return t
}

func client(c Config, h *http.Client) *slack.Client {
	options := []slack.Option{slack.OptionAppLevelToken(c.AppToken), slack.OptionHTTPClient(h), slack.OptionLog(silent())}
	if c.APIURL != "" {
		options = append(options, slack.OptionAPIURL(strings.TrimSuffix(c.APIURL, "/")+"/"))
	}
	return slack.New(c.BotToken, options...)
}

// silent keeps slack-go quiet: what it would log can hold text from messages.
func silent() *log.Logger { return log.New(io.Discard, "", 0) }

// TokenError says that Slack refuses a token for good. Its text is one line for whoever runs the bot.
type TokenError struct {
	Code string // of Slack, such as invalid_auth
	text string
}

// Error says which token, why, and what to do.
func (e *TokenError) Error() string { return e.text }

// permanent lists the answers of Slack that no retry can change.
func permanent(code string) bool {
	return slices.Contains([]string{
		"invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired", "missing_scope", "no_permission",
		"not_allowed_token_type", "team_access_not_granted", "org_login_required", "ekm_access_denied", "access_denied",
		"team_not_found", "app_not_found", "link_disabled",
	}, code)
}

// refused gives the TokenError of an answer that is permanent, else nil.
func refused(err error, token string) error {
	if status, ok := errors.AsType[slack.StatusCodeError](err); ok && status.Code == http.StatusNotFound {
		return &TokenError{"not_found", "the address of Slack's Web API answers 404; correct slack.apiURL in the settings and start netdiag again"}
	}
	var answer slack.SlackErrorResponse
	if !errors.As(err, &answer) || !permanent(answer.Err) {
		return nil
	}
	text := fmt.Sprintf("Slack refuses the %s: %s", token, answer.Err)
	if answer.Needed != "" {
		text += " (it needs the scope " + answer.Needed + ")"
	}
	return &TokenError{answer.Err, text + "; correct it in the app's settings at api.slack.com/apps and start netdiag again"}
}

// whoAmI tries the bot token until Slack answers.
func (w *web) whoAmI(ctx context.Context, log *zap.Logger) (*slack.AuthTestResponse, error) {
	for wait := time.Second; ; wait = min(2*wait, time.Minute) {
		me, err := w.api.AuthTestContext(ctx)
		if err == nil {
			return me, nil
		}
		if fatal := refused(err, "bot token (SLACK_BOT_TOKEN)"); fatal != nil {
			return nil, fatal
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		log.Warn("sign in to Slack", zap.Error(clean(err)), zap.Duration("again", wait))
		if !sleep(ctx, wait) {
			return nil, ctx.Err()
		}
	}
}

func content(m render.Message, thread string) []slack.MsgOption {
	options := []slack.MsgOption{
		slack.MsgOptionText(m.Text, false), slack.MsgOptionBlocks(m.Blocks...), slack.MsgOptionParse(false),
		slack.MsgOptionDisableLinkUnfurl(), slack.MsgOptionDisableMediaUnfurl(),
	}
	if thread != "" {
		options = append(options, slack.MsgOptionTS(thread))
	}
	return options
}

// post writes a message; where Slack refuses the blocks it writes them plainly.
func (w *web) post(ctx context.Context, p posting) (ts string, err error) {
	err = w.plainly(p.message, func(m render.Message) error {
		_, ts, err = w.api.PostMessageContext(ctx, p.channel, append(content(m, p.thread), marked(p.key))...)
		return err
	})
	return ts, err
}

func (w *web) update(ctx context.Context, channel, ts string, m render.Message) error {
	return w.plainly(m, func(m render.Message) error {
		_, _, _, err := w.api.UpdateMessageContext(ctx, channel, ts, content(m, "")...)
		return err
	})
}

// retract deletes a message of the bot.
func (w *web) retract(ctx context.Context, channel, ts string) error {
	_, _, err := w.api.DeleteMessageContext(ctx, channel, ts)
	if codeOf(err) == "message_not_found" {
		return nil
	}
	return clean(err)
}

// whisper shows a message to one person; thread may be empty.
func (w *web) whisper(ctx context.Context, channel, thread, user string, m render.Message) error {
	return w.plainly(m, func(m render.Message) error {
		_, err := w.api.PostEphemeralContext(ctx, channel, user, content(m, thread)...)
		return err
	})
}

// respond uses a response URL: it works where the bot is no member, five times within 30 minutes. Only the person sees it.
func (w *web) respond(ctx context.Context, to string, m render.Message) error {
	return w.plainly(m, func(m render.Message) error {
		_, _, err := w.api.PostMessageContext(ctx, "", append(content(m, ""), slack.MsgOptionResponseURL(to, slack.ResponseTypeEphemeral))...)
		return err
	})
}

// codeOf is the error name that Slack answered, or empty.
func codeOf(err error) string {
	if answer, ok := errors.AsType[slack.SlackErrorResponse](err); ok {
		return answer.Err
	}
	return ""
}

// unreachable reports that the bot can't write into the channel, now and later.
func unreachable(err error) bool {
	return slices.Contains([]string{
		"not_in_channel", "channel_not_found", "is_archived", "restricted_action", "restricted_action_thread_only_channel",
		"restricted_action_read_only_channel", "restricted_action_non_threadable_channel",
	}, codeOf(err))
}

var secrets = regexp.MustCompile(`xox[a-z]-[^\s"&]*|xapp-[^\s"&]*|(?:https?|wss?)://[^\s"]+|ticket=[^\s"&]*`)

// cleanError is an error whose text holds no token and no address: response URLs and socket URLs are credentials.
type cleanError struct{ err error }

func (e cleanError) Error() string { return secrets.ReplaceAllString(e.err.Error(), "…") }
func (e cleanError) Unwrap() error { return e.err }

func clean(err error) error {
	if err == nil {
		return nil
	}
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	return cleanError{err}
}

// sleep waits, and reports false where ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
