package outside_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/netdiag/netdiag/internal/sim/slack"
)

// shipped is the manifest that people make the app from.
const shipped = "../../../../deploy/slack/manifest.yaml"

// manifest is what of it has limits that types can't express.
type manifest struct {
	Display  struct{ Name, Description string } `json:"display_information"`
	Features struct {
		Bot struct {
			Name string `json:"display_name"`
		} `json:"bot_user"`
		Home struct {
			Home     bool `json:"home_tab_enabled"`
			Messages bool `json:"messages_tab_enabled"`
			ReadOnly bool `json:"messages_tab_read_only_enabled"`
		} `json:"app_home"`
		Commands []struct {
			Command, Description string
			Hint                 string `json:"usage_hint"`
		} `json:"slash_commands"`
		Shortcuts []struct {
			Type, Name, Description string
			Callback                string `json:"callback_id"`
		} `json:"shortcuts"`
	} `json:"features"`
	OAuth struct {
		Scopes struct{ Bot []string } `json:"scopes"`
	} `json:"oauth_config"`
	Settings struct {
		Events struct {
			Bot []string `json:"bot_events"`
		} `json:"event_subscriptions"`
		Interactivity struct {
			On bool `json:"is_enabled"`
		} `json:"interactivity"`
		Sockets bool `json:"socket_mode_enabled"`
	} `json:"settings"`
}

func load(t *testing.T) (m manifest) {
	t.Helper()
	text, err := os.ReadFile(shipped)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// The second manifest is the first one with leave to read channels, and nothing else.
func TestManifestWithHistory(t *testing.T) {
	first, err := os.ReadFile(shipped)
	if err != nil {
		t.Fatal(err)
	}
	second, err := os.ReadFile(strings.Replace(shipped, "manifest", "manifest-history", 1))
	if err != nil {
		t.Fatal(err)
	}
	var more []string
	for line := range strings.Lines(string(second)) {
		if !strings.HasPrefix(line, "#") && !strings.Contains(string(first), line) {
			more = append(more, strings.TrimSpace(line))
		}
	}
	if d := cmp.Diff([]string{"- channels:history", "- groups:history"}, more); d != "" || !strings.Contains(string(second), strings.SplitN(string(first), "\n", 2)[0]) {
		t.Error(d)
	}
}

// Every key, scope and event of the manifest is one that Slack knows, by Slack's own types.
func TestManifestTypes(t *testing.T) {
	text, err := os.ReadFile(shipped)
	if err != nil {
		t.Fatal(err)
	}
	asJSON, err := yaml.YAMLToJSON(text)
	if err != nil {
		t.Fatal(err)
	}
	// The type lets any other key stand beside its own at the top; here none may.
	source := fmt.Sprintf(`import type { AppsManifestValidateArguments } from "@slack/web-api";
type Loose = Exclude<AppsManifestValidateArguments["manifest"], string>;
type Manifest = { [K in keyof Loose as string extends K ? never : K]: Loose[K] };
export const shipped: Manifest = %s;
export const key: Manifest = {"display_information": {"name": "x"}, "feature": {}};
export const scope: Manifest = {"display_information": {"name": "x"}, "oauth_config": {"scopes": {"bot": ["chat:writes"]}}};
export const event: Manifest = {"display_information": {"name": "x"}, "settings": {"event_subscriptions": {"bot_events": ["message.dm"]}}};
`, asJSON)
	names := []string{"", "", "", "the manifest", "unknown key", "unknown scope", "unknown event"}
	found := complaints(typeCheck(t, source), names)
	for _, c := range found {
		if strings.HasPrefix(c, "the manifest: ") || !strings.Contains(c, "unknown") {
			t.Error(c)
		}
	}
	for _, name := range names[4:] {
		if !slices.ContainsFunc(found, func(c string) bool { return strings.HasPrefix(c, name+": ") }) {
			t.Errorf("%s passes; the judge is a rubber stamp", name)
		}
	}
}

// Slack's limits of texts and numbers, and what has to be on for the sockets to carry everything.
func TestManifestLimits(t *testing.T) {
	m := load(t)
	most := func(what, s string, n int) {
		t.Helper()
		if c := utf8.RuneCountInString(s); c == 0 || c > n {
			t.Errorf("%s has %d characters, allowed are 1 to %d: %q", what, c, n, s)
		}
	}
	most("name", m.Display.Name, 35)
	most("description", m.Display.Description, 140)
	most("name of the bot", m.Features.Bot.Name, 80)
	if n := len(m.Features.Commands); n == 0 || n > 50 {
		t.Errorf("%d slash commands", n)
	}
	for _, c := range m.Features.Commands {
		most("command", c.Command, 32)
		most("description of "+c.Command, c.Description, 2000)
		most("usage of "+c.Command, c.Hint, 1000)
		if !strings.HasPrefix(c.Command, "/") {
			t.Errorf("command %q has no slash", c.Command)
		}
	}
	if n := len(m.Features.Shortcuts); n > 10 {
		t.Errorf("%d shortcuts, allowed are 10", n)
	}
	for _, s := range m.Features.Shortcuts {
		most("shortcut", s.Name, 24)
		most("description of "+s.Name, s.Description, 150)
		most("callback of "+s.Name, s.Callback, 255)
	}
	if !m.Settings.Sockets || !m.Settings.Interactivity.On {
		t.Error("without Socket Mode and interactivity nothing arrives")
	}
	if h := m.Features.Home; !h.Home || !h.Messages || h.ReadOnly {
		t.Errorf("App Home is %+v: nobody could write to the app", h)
	}
}

// The simulated Slack grants what the manifest asks for, and an app made from it hears what it subscribes to.
func TestManifestMatchesTheSimulator(t *testing.T) {
	m := load(t)
	s := slack.New(slack.Options{})
	h := httptest.NewServer(s)
	t.Cleanup(func() { s.Close(); h.Close() })
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.URL+"/api/auth.test", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer xoxb-sim")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	granted := strings.Split(resp.Header.Get("X-OAuth-Scopes"), ",")
	asked := slices.Clone(m.OAuth.Scopes.Bot)
	slices.Sort(granted)
	slices.Sort(asked)
	if diff := cmp.Diff(asked, granted); diff != "" {
		t.Errorf("scopes of the manifest (-) and of the simulated app (+):\n%s", diff)
	}
	events := slices.Sorted(slices.Values(m.Settings.Events.Bot))
	if diff := cmp.Diff([]string{"app_home_opened", "app_mention", "member_joined_channel", "message.im", "subteam_members_changed"}, events); diff != "" {
		t.Errorf("events that the simulator sends (-) and that the manifest subscribes to (+):\n%s", diff)
	}
}
