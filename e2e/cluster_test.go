package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/netdiag/netdiag/handlers"
	"github.com/netdiag/netdiag/internal/diagtest"
	"github.com/netdiag/netdiag/internal/sim/access"
	simaws "github.com/netdiag/netdiag/internal/sim/aws"
	"github.com/netdiag/netdiag/internal/sim/nature"
	"github.com/netdiag/netdiag/internal/sim/slack"
	"github.com/netdiag/netdiag/internal/world"
)

// The workspace of the tests: one asks, another approves.
const (
	team          = "T0TEAM"
	asker         = "U0MAYA"
	approver      = "U0JONAS"
	oncall        = "C0ONCALL"
	warned        = "C0EARLY" // the channel of early warnings
	app, botToken = "xapp-e2e", "xoxb-e2e"
)

// speed is how much faster than life the clusters of the tests react to a change.
const speed = 20

// cluster is a recorded world that goes on living: its objects in a real control plane with controllers and nodes, its
// account and a Slack workspace simulated on loopback, and nature in between.
type cluster struct {
	*plane
	t     *testing.T
	world *world.World
	aws   *simaws.Server
	slack *slack.Server

	awsURL, slackURL string
	mu               sync.Mutex
	told             []string // by nature
}

// bring brings a recorded world to life until the test ends, with netdiag in it and further settings of it, and further flags
// of the API server.
func bring(t *testing.T, dir string, settings map[string]any, flags ...string) *cluster {
	t.Helper()
	c := raise(t, dir, flags...)
	for _, step := range []func(context.Context) error{
		func(ctx context.Context) error { return c.install(ctx, c.values(settings)) },
		c.live,
		c.controllers, // last, so that every pod that they make is new to nature
	} {
		if err := step(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// raise puts a recorded world into a control plane of its own, without netdiag, and without anything that acts.
func raise(t *testing.T, dir string, flags ...string) *cluster {
	t.Helper()
	need(t)
	w, err := world.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	w.Shift(time.Since(w.Meta.Now))
	c := &cluster{t: t, world: w}
	folder, err := os.MkdirTemp("", "netdiag-e2e-") //nolint:usetesting // the name of a socket within t.TempDir would be too long
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })

	c.aws = simaws.New(w, simaws.Options{Now: time.Now, Trusted: []string{access.NatureKeyID}})
	var stop func()
	if c.awsURL, stop, err = diagtest.Listen(c.aws); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	c.workspace()

	k := &kubelets{world: w, there: c.there}
	egress, err := k.listen(folder)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.stop)
	ctx := t.Context()
	c.plane, err = start(ctx, folder, append(flags, "--egress-selector-config-file="+egress)...)
	t.Cleanup(c.stop)
	for _, step := range []func(context.Context) error{
		c.define,
		func(ctx context.Context) error { return c.restore(ctx, w) },
	} {
		if err == nil {
			err = step(ctx)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// workspace opens the Slack workspace.
func (c *cluster) workspace() {
	c.slack = slack.New(slack.Options{
		Team: slack.Team{ID: team, Name: c.world.Meta.Cluster}, AppToken: app, BotToken: botToken,
		Users:    append(crowd(), slack.User{ID: asker, Name: "maya", RealName: "Maya Okafor"}, slack.User{ID: approver, Name: "jonas", RealName: "Jonas Weber"}),
		Channels: []slack.Channel{{ID: oncall, Name: "oncall"}, {ID: warned, Name: "early"}},
		App:      slack.App{Commands: []slack.Command{{Name: "/netdiag"}}, Scopes: scopes()},
	})
	url, stop, err := diagtest.Listen(c.slack)
	if err != nil {
		c.t.Fatal(err)
	}
	c.slackURL = url
	c.t.Cleanup(func() { c.slack.Close(); stop() })
}

// scopes are those of the manifest, and those to read a channel's history. Without these, a message that was posted by a
// program that was killed before it could note it is posted again.
func scopes() (out []string) {
	for _, s := range handlers.Scopes() {
		out = append(out, s.Name)
	}
	return append(out, "channels:history", "groups:history")
}

// crowd is 50 more people of the workspace; the first 20 may approve.
func crowd() (out []slack.User) {
	for i := range 50 {
		out = append(out, slack.User{ID: fmt.Sprintf("U0P%02d", i), Name: fmt.Sprint("person-", i)})
	}
	return out
}

// values are what somebody sets who installs the chart here.
func (c *cluster) values(settings map[string]any) string {
	all := map[string]any{"health": "none", "slack": map[string]any{"apiURL": c.slackURL + "/api/"}}
	maps.Copy(all, settings)
	people := []string{asker, approver}
	for _, p := range crowd()[:20] {
		people = append(people, p.ID)
	}
	approvers := []any{map[string]any{"users": people}}
	v, err := json.Marshal(map[string]any{
		"cluster": c.world.Meta.Cluster, "region": c.world.Meta.Region, "fixes": map[string]any{"enabled": true},
		"slack": map[string]any{"team": team, "approvers": approvers}, "settings": all, "executor": map[string]any{"approvers": approvers},
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return string(v)
}

// live lets nature act until the test ends, and waits until it has looked at the world.
func (c *cluster) live(ctx context.Context) error {
	n := nature.New(nature.Options{
		Kube: c.admin, AWS: access.SDK(c.world.Meta.Region, c.awsURL), EKS: c.aws, Health: c.aws, Cluster: c.world.Meta.Cluster,
		Speed: speed, ControlPlane: true,
		Log: func(line string) {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.told = append(c.told, time.Now().Format(time.TimeOnly)+" "+line)
		},
	})
	life, cancel := context.WithCancel(background(c.t))
	ended := make(chan error, 1)
	go func() { ended <- n.Run(life) }()
	c.t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			c.t.Error(err)
		}
		if c.t.Failed() {
			c.t.Logf("Slack:\n%s", c.slack.Transcript())
			c.t.Logf("nature:\n%s", strings.Join(c.told, "\n"))
			for _, p := range c.running {
				c.t.Logf("%s:\n%s", filepath.Base(p.log), p.tail())
			}
		}
	})
	select {
	case <-n.Begun():
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// there says whether a pod still is.
func (c *cluster) there(ctx context.Context, namespace, pod string) bool {
	client, err := kubernetes.NewForConfig(c.admin)
	if err == nil {
		_, err = client.CoreV1().Pods(namespace).Get(ctx, pod, metav1.GetOptions{})
	}
	return !apierrors.IsNotFound(err)
}

// changes counts the calls by which somebody other than nature changed the account, by service and name.
func (c *cluster) changes() map[string]int {
	out := map[string]int{}
	for _, r := range c.aws.Requests() {
		if r.AccessKey == access.NatureKeyID || r.Code != "" || r.DryRun || slices.ContainsFunc([]string{"Describe", "Get", "List", "Assume", "Lookup", "Simulate"}, func(p string) bool { return strings.HasPrefix(r.Action, p) }) {
			continue
		}
		out[r.Service+":"+r.Action]++
	}
	return out
}

// within bounds one wait of a story: long, for it only has to end.
func (c *cluster) within(d time.Duration) context.Context {
	ctx, cancel := context.WithTimeoutCause(c.t.Context(), d, fmt.Errorf("not so after %s", d))
	c.t.Cleanup(cancel)
	return ctx
}
