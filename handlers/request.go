package handlers

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/ask"
	"github.com/netdiag/netdiag/internal/casebook"
	render "github.com/netdiag/netdiag/internal/render/slack"
)

// recordLimit is how long looking up a person and recording a question may take: the acknowledgement waits for it.
const recordLimit = 1800 * time.Millisecond

const busySentence = "Busy: very many questions are waiting. Try again in a minute."

// request is what somebody wants, whatever the way it came: a slash command, a mention, a direct message, a form.
type request struct {
	words   string // as they were typed, without what stands before them
	begin   string // what does stand before a command there: "/netdiag", "@netdiag", or nothing
	app     string // the app that it was sent to; empty where Slack doesn't say
	team    string // the workspace where it happened
	home    string // the workspace of the person, empty where Slack doesn't say
	user    string
	channel string // where the answer goes
	thread  string // ts of the message whose thread it goes into; empty: a message of its own in the channel
	shared  bool   // Slack says that other organisations see the channel
	key     string // names what caused it: a repeat has the same
	url     string // a response URL, where there is one
}

// record gives what to answer at once, or else the name of the investigation that a place in the queue is kept for.
// Neither means that the same delivery was recorded before.
func (b *Bot) record(ctx context.Context, r request) (name string, answer *render.Message) {
	ctx, cancel := context.WithTimeout(ctx, recordLimit)
	defer cancel()
	say := func(m render.Message) (string, *render.Message) { return "", &m }
	if b.foreign(r.app) {
		b.Log.Warn("a command of another app", zap.String("app", r.app))
		return say(render.Refusal("This command was sent to another app than me."))
	}
	c, err := ask.ParseIn(b.Channels[r.channel].Namespace, r.words)
	if _, unknown := errors.AsType[ask.Unknown](err); unknown && direct(r.channel) {
		return say(b.help(r, "")) // somebody says hello
	}
	if refusal, ok := errors.AsType[diagnostics.Refusal](err); ok {
		return say(render.Refusal(string(refusal), typing(r.begin, "help")))
	}
	if _, ok := b.diagnosis(c.Verb); !ok {
		return say(b.about(ctx, r, c))
	}
	name, err = b.question(ctx, r, c)
	if err != nil {
		return say(render.Refusal(err.Error()))
	}
	return name, nil
}

// foreign reports that something was meant for another app.
func (b *Bot) foreign(app string) bool {
	mine := b.appID()
	return app != "" && mine != "" && app != mine
}

func typing(begin, words string) string {
	if begin == "" {
		return words
	}
	return begin + " " + words
}

// about answers what is no question about the cluster.
func (b *Bot) about(ctx context.Context, r request, c ask.Command) render.Message {
	switch c.Verb {
	case "help":
		return b.help(r, c.Topic)
	case "ping":
		return render.Refusal("I hear you. I look at " + b.clusters() + ".")
	case "stop", "resume":
		return b.halt(ctx, r, c.Verb)
	case "snooze":
		return b.snooze(ctx, r, c)
	case "status", "history":
		if err := b.permit(ctx, r); err != nil {
			return render.Refusal(err.Error())
		}
		m, err := b.lately(ctx, r, c)
		if err != nil {
			b.Log.Error("list the investigations", zap.Error(err))
			return render.Refusal("I can't read my records at this moment. Try again in a minute.")
		}
		return m
	}
	return render.Refusal(c.Verb+" is not switched on here.", typing(r.begin, "help"))
}

func (b *Bot) help(r request, topic string) render.Message {
	var uses []render.Use
	for _, u := range ask.Uses() {
		if u.Does != "" {
			uses = append(uses, render.Use{Text: u.Text, Does: u.Does})
		}
	}
	return render.Help(r.begin, b.Diagnoses, uses, topic)
}

// errBusy refuses a question for want of a place in the queue.
var errBusy = errors.New(busySentence)

// question records a question and keeps a place in the queue for it. The name is empty where it was recorded before. The
// error is for the person, as it is: a diagnostics.Refusal, errBusy, or what to say of a fault, which is logged.
func (b *Bot) question(ctx context.Context, r request, c ask.Command) (name string, err error) {
	target, err := b.target(r.channel, c)
	if err != nil {
		return "", err
	}
	if !b.reserve() {
		b.meters.busy.Inc()
		return "", errBusy
	}
	b.tell.remember(casebook.InvestigationName(r.key), r.url) // before the record is there: who shows it looks for this at once
	inv, created, err := b.open(ctx, r, casebook.Question{
		Command: c.String(), Diagnosis: c.Verb, Target: target, Team: r.team, User: r.user, Channel: r.channel, Thread: r.thread, At: b.Now(),
	})
	if err != nil || !created {
		b.release()
	}
	var refusal diagnostics.Refusal
	switch {
	case errors.As(err, &refusal):
		return "", refusal
	case err != nil:
		b.Log.Error("record a question", zap.String("investigation", inv.Name), zap.String("user", r.user), zap.Error(err))
		return "", errors.New(faultSentence(inv.Name))
	case !created:
		return "", nil
	}
	if inv.Question.Follows != "" { // another one answers it
		b.release()
		b.Log.Info("asked meanwhile", zap.String("investigation", inv.Name), zap.String("user", r.user), zap.String("follows", inv.Question.Follows))
		return "", nil
	}
	b.Log.Info("asked", zap.String("investigation", inv.Name), zap.String("user", r.user), zap.String("question", inv.Question.Command))
	return inv.Name, nil
}

// target is what a question in a channel is about. Its error is a diagnostics.Refusal.
func (b *Bot) target(channel string, c ask.Command) (diagnostics.Target, error) {
	cluster := orElse(c.Cluster, orElse(b.Channels[channel].Cluster, b.Target.Cluster))
	var names []string
	for _, t := range append([]diagnostics.Target{b.Target}, b.Clusters...) {
		if t.Cluster == cluster {
			t.Namespace, t.Name = c.Namespace, c.Name
			return t, nil
		}
		names = append(names, t.Cluster)
	}
	return diagnostics.Target{}, diagnostics.Refusal(fmt.Sprintf("I don't look at a cluster %q.%s", cluster, diagnostics.Suggest(cluster, names)))
}

// clusters names what questions can be about: "cluster prod in us-west-2, staging in eu-west-1".
func (b *Bot) clusters() string {
	all := []string{"cluster " + b.Target.Cluster + " in " + b.Target.Region}
	for _, t := range b.Clusters {
		all = append(all, t.Cluster+" in "+t.Region)
	}
	return strings.Join(all, ", ")
}

// fixable reports whether fixes of a question can be carried out, rather than be shown as commands.
func (b *Bot) fixable(q casebook.Question) bool {
	return b.Fixes && q.Target.Cluster == b.Target.Cluster
}

func (b *Bot) open(ctx context.Context, r request, q casebook.Question) (casebook.Investigation, bool, error) {
	by, err := b.by(ctx, r)
	if err != nil {
		return casebook.Investigation{Name: casebook.InvestigationName(r.key)}, false, err
	}
	name := casebook.InvestigationName(r.key)
	q.Follows = b.leading(ctx, q, name)
	inv, created, err := b.Book.Open(ctx, by, q, r.key)
	if inv.Name == "" {
		inv.Name = name
	}
	if err != nil || !created && (over(inv) || inv.Question.Follows != "") {
		b.same.over(name) // it leads nothing
	}
	b.same.stored(name)
	return inv, created, err
}

// leading gives the investigation that answers q already, empty where name is to do that. One that isn't stored yet is
// waited for: whoever looks into a question that follows nothing would begin anew. One that ended meanwhile, perhaps in
// a fault, answers no new question.
func (b *Bot) leading(ctx context.Context, q casebook.Question, name string) (follows string) {
	for {
		follows, stored := b.same.lead(q, name)
		if follows == "" {
			return ""
		}
		select {
		case <-stored:
		case <-ctx.Done():
			return follows
		}
		inv, err := b.Book.Store.Investigations.Get(ctx, follows)
		if err == nil && !over(inv) || err != nil && !errors.Is(err, casebook.ErrNotFound) {
			return follows
		}
		b.same.over(follows)
	}
}

// by gathers the facts about who asks.
func (b *Bot) by(ctx context.Context, r request) (casebook.Person, error) {
	by, err := b.people.person(ctx, r.team, r.home, r.user, r.channel)
	by.Shared = by.Shared || r.shared
	return by, err
}

// permit judges whether somebody may know what is going on: whoever may ask. Its error is for the person.
func (b *Bot) permit(ctx context.Context, r request) error {
	by, err := b.by(ctx, r)
	if err != nil {
		b.Log.Error("look up a person", zap.String("user", r.user), zap.Error(err))
		return diagnostics.Refusal("Slack did not tell me who you are. Try again in a minute.")
	}
	return b.Book.Policy.MayAsk(by, casebook.Question{Team: r.team, User: r.user, Channel: r.channel, Thread: r.thread, Target: b.Target, At: b.Now()})
}

// begin hands a recorded question to the workers.
func (b *Bot) begin(name string) {
	if name != "" && !b.enqueue(name) {
		b.release()
	}
}
