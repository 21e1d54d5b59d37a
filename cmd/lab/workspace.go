package main

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/netdiag/netdiag/internal/ask"
	"github.com/netdiag/netdiag/internal/sim/slack"
	"github.com/netdiag/netdiag/internal/world"
)

// The people of the demo's workspace: one asks, the other approves.
var people = []slack.User{
	{ID: "U0MAYA", Name: "maya", RealName: "Maya Okafor", Title: "on call"},
	{ID: "U0JONAS", Name: "jonas", RealName: "Jonas Weber", Title: "platform lead"},
}

// Of the demo's workspace. The tokens open nothing but the simulated Slack of the same process.
const (
	team     = "T0DEMO001"
	appToken = "xapp-demo"
	botToken = "xoxb-demo"
	pager    = "U0PAGER" // another app, which posts the alarm
	oncall   = "C0ONCALL"
)

// workspace is what the demo's Slack holds.
func (s *story) workspace(page string, places []slack.Place) slack.Options {
	everyone := []string{people[0].ID, people[1].ID, pager}
	return slack.Options{
		Team: slack.Team{ID: team, Name: s.world.Meta.Cluster}, AppToken: appToken, BotToken: botToken,
		Users:   append(slices.Clip(people), slack.User{ID: pager, Name: "pager", RealName: "Pager", Bot: true}),
		Players: []string{people[0].ID, people[1].ID},
		Channels: []slack.Channel{
			{ID: oncall, Name: "oncall", Topic: "what is on fire"},
			{ID: "C0PLATFORM", Name: "platform", Topic: "netdiag is not a member here", Members: everyone},
		},
		App: slack.App{
			Commands: []slack.Command{{Name: "/netdiag", Description: "Diagnose EKS networking", Uses: uses()}},
			Shortcuts: []slack.Shortcut{
				{CallbackID: "netdiag_msg", Name: "Diagnose this message", Message: true, Description: "Ask netdiag about the pods and ingresses that a message names"},
				{CallbackID: "netdiag_global", Name: "Run a diagnosis", Description: "Ask netdiag with a form"},
			},
		},
		RateLimits: true,
		Hints:      []string{"/netdiag " + s.world.Meta.Ask}, Panel: s.panel.get, Places: places, Page: page,
	}
}

// uses lists what can be typed after /netdiag.
func uses() []slack.Use {
	does := map[string]string{"pending": "why pods don't start", "alb": "why the load balancer answers 5xx", "ip": "how much room the subnets of pods have"}
	var out []slack.Use
	for _, u := range ask.Uses() {
		out = append(out, slack.Use{Text: u.Text, Does: cmp.Or(u.Does, does[u.Verb])})
	}
	return out
}

// alarm is what the pager says about a world.
func alarm(m world.Meta) string {
	c, err := ask.Parse(m.Ask)
	switch {
	case err == nil && c.Verb == "pending":
		return fmt.Sprintf(":rotating_light: FIRING KubePodNotReady – pods in namespace %s of %s have not been ready for 15 minutes", c.Namespace, m.Cluster)
	case err == nil && c.Verb == "alb":
		return fmt.Sprintf(":rotating_light: FIRING IngressErrors – users of ingress %s/%s in %s report errors", c.Namespace, c.Name, m.Cluster)
	case err == nil && c.Verb == "ip":
		return fmt.Sprintf(":rotating_light: FIRING SubnetAddresses – subnets of %s have few addresses left", m.Cluster)
	}
	return ":rotating_light: FIRING – somebody should look at " + m.Cluster
}
