package handlers

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/slack-go/slack"
	"go.uber.org/zap"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/ask"
	render "github.com/netdiag/netdiag/internal/render/slack"
)

// Times of a form. Its trigger lives three seconds; what it offers, and what is wrong with it, has to ride in an
// acknowledgement within three seconds.
const (
	formLimit    = 2800 * time.Millisecond
	suggestLimit = 2 * time.Second
	compareLimit = 600 * time.Millisecond // for comparing names with the cluster; without its answer they are taken
)

// origin is where a form was opened; it comes back with it.
type origin struct {
	Channel string `json:"c,omitempty"`
	Thread  string `json:"t,omitempty"`
	Turn    int    `json:"n,omitempty"` // of the fields, see render.Form
	Version int    `json:"v"`
}

func (o origin) String() string {
	o.Version = 1
	b, err := json.Marshal(o)
	if err != nil {
		return ""
	}
	return string(b)
}

func originOf(metadata string) origin {
	var o origin
	if err := json.Unmarshal([]byte(metadata), &o); err != nil || o.Version != 1 {
		return origin{}
	}
	return o
}

// openForm shows a form, filled in as far as f goes. Nothing slow comes before it, for the trigger would expire: whether
// the person may ask at all is looked up afterwards, and balancers, which may tell the ingress, with it.
func (b *Bot) openForm(ctx context.Context, c slack.InteractionCallback, f render.Form, o origin, balancers ...string) {
	f.Diagnosis = b.offered(f.Diagnosis)
	usual := b.Channels[o.Channel]
	f.Namespace = orElse(f.Namespace, usual.Namespace)
	b.place(&f, o, usual.Cluster)
	opening, cancel := context.WithTimeout(ctx, formLimit)
	defer cancel()
	opened, err := b.web.api.OpenViewContext(opening, c.TriggerID, render.FormView(f, b.Diagnoses))
	if err != nil {
		b.Log.Error("open the form", zap.String("user", c.User.ID), zap.Error(clean(err)))
		b.answerBy(ctx, c, render.Refusal("Slack did not let me open the form in time. Try again."))
		return
	}
	if err := b.permit(ctx, b.interactor(c, "")); err != nil {
		b.overwrite(ctx, opened.View, render.FormRefusal(err.Error()))
		return
	}
	wait, cancel := context.WithTimeout(ctx, suggestLimit)
	defer cancel()
	known := b.places[f.Cluster]
	all, _ := known.ingresses.get(ctx, wait)
	known.namespaces.get(ctx, wait)
	for _, name := range balancers {
		if i, ok := of(all, name); ok && f.Ingress == "" {
			// Fields that change what they begin with need other ids, or what they hold stays.
			o.Turn++
			f.Namespace, f.Ingress, f.Turn, f.Metadata = i.Namespace, i.String(), o.Turn, o.String()
			b.overwrite(ctx, opened.View, render.FormView(f, b.Diagnoses))
		}
	}
}

// place fills in where the form is about, by the cluster that is asked for or the usual one, and where it came from.
func (b *Bot) place(f *render.Form, o origin, cluster string) {
	f.Clusters, f.Cluster = b.clusterNames(), cluster
	if b.places[cluster] == nil {
		f.Cluster = b.Target.Cluster
	}
	f.Metadata, f.Turn, f.Thread = o.String(), o.Turn, o.Thread != ""
	if !direct(o.Channel) {
		f.Where = o.Channel
	}
}

// offered is the diagnosis, or another one where it is not switched on here.
func (b *Bot) offered(name string) string {
	if _, ok := b.diagnosis(name); ok {
		return name
	}
	return b.Diagnoses[0].Name
}

// overwrite changes an open view, unless it changed meanwhile.
func (b *Bot) overwrite(ctx context.Context, v slack.View, with slack.ModalViewRequest) {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	if _, err := b.web.api.UpdateViewContext(ctx, with, "", v.Hash, v.ID); err != nil && codeOf(err) != "hash_conflict" && codeOf(err) != "not_found" {
		b.Log.Error("change the form", zap.Error(clean(err)))
	}
}

// reshape gives the form the fields of the question and the cluster that were chosen.
func (b *Bot) reshape(ctx context.Context, c slack.InteractionCallback, a slack.BlockAction, ack func(context.Context, any) error) {
	b.ack(ctx, ack, nil)
	o, held := originOf(c.View.PrivateMetadata), fields(c.View)
	held[a.ActionID] = a
	if a.ActionID == render.FieldCluster {
		o.Turn++ // what was chosen of another cluster is of no use
	}
	f := render.Form{Diagnosis: b.offered(held[render.FieldDiagnosis].SelectedOption.Value)}
	b.place(&f, o, b.chosen(held))
	b.overwrite(ctx, c.View, render.FormView(f, b.Diagnoses))
}

// interactor is who did something that comes with an InteractionCallback, as a request that answers into channel.
func (b *Bot) interactor(c slack.InteractionCallback, channel string) request {
	return request{app: c.APIAppID, team: c.Team.ID, home: orElse(c.User.TeamID, "unknown"), user: c.User.ID, channel: channel}
}

// suggest answers a search in the form. What there is in the cluster is for those who may ask.
func (b *Bot) suggest(ctx context.Context, c slack.InteractionCallback, ack func(context.Context, any) error) {
	names, note := b.find(ctx, c)
	b.acknowledge(ctx, ack, render.Suggestions(names, note))
}

func (b *Bot) find(ctx context.Context, c slack.InteractionCallback) (names []string, note string) {
	limited, cancel := context.WithTimeout(ctx, suggestLimit)
	defer cancel()
	if b.permit(limited, b.interactor(c, "")) != nil {
		return nil, ""
	}
	var known bool
	held := fields(c.View)
	places := b.places[b.chosen(held)]
	switch {
	case places == nil:
		return nil, ""
	case c.ActionID == render.FieldNamespace:
		names, known = places.namespaces.get(ctx, limited)
	case c.ActionID == render.FieldIngress:
		var all []Ingress
		all, known = places.ingresses.get(ctx, limited)
		names = ingressNames(all, held.namespace(nil))
	default:
		return nil, ""
	}
	if !known {
		if word := strings.ToLower(strings.TrimSpace(c.Value)); word != "" {
			return []string{word}, "The cluster doesn't list them; taken as it is typed"
		}
		return nil, ""
	}
	return matching(names, c.Value), ""
}

// ingressNames spells ingresses as namespace/name: those of one namespace, or where none is given of all.
func ingressNames(all []Ingress, namespace string) []string {
	var out []string
	for _, i := range all {
		if namespace == "" || namespace == i.Namespace {
			out = append(out, i.String())
		}
	}
	return out
}

// filled is what a form holds, by the action id of its fields.
type filled map[string]slack.BlockAction

func fields(v slack.View) filled {
	out := filled{}
	if v.State == nil {
		return out
	}
	for block, actions := range v.State.Values {
		for action, value := range actions {
			value.BlockID = block
			out[action] = value
		}
	}
	return out
}

func (f filled) namespace(known []string) string {
	return render.OptionName(f[render.FieldNamespace].SelectedOption.Value, known)
}

// chosen is the cluster that a form is about; where it offers no choice it is the usual one. It may be one that is gone.
func (b *Bot) chosen(f filled) string {
	value := f[render.FieldCluster].SelectedOption.Value
	if value == "" {
		return b.Target.Cluster
	}
	return render.OptionName(value, b.clusterNames())
}

// problem is what is wrong with a field.
type problem struct{ field, sentence string }

func (f filled) wrong(field, sentence string) *problem {
	return &problem{orElse(f[field].BlockID, field), sentence}
}

// submit takes a filled-in form as the command that it amounts to.
func (b *Bot) submit(ctx context.Context, c slack.InteractionCallback, ack func(context.Context, any) error) {
	if c.View.CallbackID != render.CallbackForm {
		b.ack(ctx, ack, nil)
		return
	}
	name, answer := b.file(ctx, c)
	if answer == nil {
		b.ack(ctx, ack, nil) // the form closes
	} else {
		b.acknowledge(ctx, ack, answer)
	}
	b.begin(name)
}

// file records the question of a form; answer is what keeps the form open.
func (b *Bot) file(ctx context.Context, c slack.InteractionCallback) (name string, answer *slack.ViewSubmissionResponse) {
	limited, cancel := context.WithTimeout(ctx, recordLimit)
	defer cancel()
	f := fields(c.View)
	command, wrong := b.understand(ctx, f)
	r := b.interactor(c, "")
	if wrong == nil {
		wrong = b.destination(limited, f, originOf(c.View.PrivateMetadata), &r)
	}
	if wrong != nil {
		return "", slack.NewErrorsViewSubmissionResponse(map[string]string{wrong.field: wrong.sentence})
	}
	r.key = strings.Join([]string{"form", r.team, r.user, c.View.ID}, "|")
	name, err := b.question(limited, r, command)
	switch _, refused := errors.AsType[diagnostics.Refusal](err); {
	case refused:
		view := render.FormRefusal(err.Error())
		return "", slack.NewUpdateViewSubmissionResponse(&view)
	case err != nil:
		w := f.wrong(render.FieldDiagnosis, err.Error())
		return "", slack.NewErrorsViewSubmissionResponse(map[string]string{w.field: w.sentence})
	}
	return name, nil
}

// understand makes a command of what was filled in, by the same grammar as what is typed.
func (b *Bot) understand(ctx context.Context, f filled) (ask.Command, *problem) {
	wait, cancel := context.WithTimeout(ctx, compareLimit)
	defer cancel()
	verb := f[render.FieldDiagnosis].SelectedOption.Value
	if _, ok := b.diagnosis(verb); !ok {
		return ask.Command{}, f.wrong(render.FieldDiagnosis, "Choose a question.")
	}
	places := b.places[b.chosen(f)]
	if places == nil {
		return ask.Command{}, f.wrong(render.FieldCluster, "I don't look at this cluster any more. Choose again.")
	}
	c, wrong := understandIn(ctx, wait, places, f, verb)
	if len(b.Clusters) > 0 {
		c.Cluster = b.chosen(f)
	}
	return c, wrong
}

// understandIn is understand for one cluster.
func understandIn(ctx, wait context.Context, places *places, f filled, verb string) (ask.Command, *problem) {
	namespaces, known := places.namespaces.get(ctx, wait)
	namespace := f.namespace(namespaces)
	if namespace == "" && f[render.FieldNamespace].SelectedOption.Value != "" {
		return ask.Command{}, f.wrong(render.FieldNamespace, "It isn't there any more. Choose again.")
	}
	if namespace != "" && known && !slices.Contains(namespaces, namespace) {
		if namespaces, known = places.namespaces.fresh(ctx, wait); known && !slices.Contains(namespaces, namespace) {
			return ask.Command{}, f.wrong(render.FieldNamespace, absent("namespace", namespace, namespaces))
		}
	}
	if verb == "alb" {
		return understandALB(ctx, wait, &places.ingresses, f, namespace)
	}
	c, err := ask.Parse("pending " + namespace)
	if err != nil {
		return c, f.wrong(render.FieldNamespace, err.Error())
	}
	pod := strings.TrimSpace(f[render.FieldPod].Value)
	if pod == "" {
		return c, nil
	}
	c, err = ask.Parse("pending " + namespace + " " + pod)
	switch {
	case err != nil:
		return c, f.wrong(render.FieldPod, err.Error())
	case c.Namespace != namespace || c.Name == "":
		return c, f.wrong(render.FieldPod, "Give the name of one pod, without its namespace.")
	}
	return c, nil
}

func understandALB(ctx, wait context.Context, ingresses *shelf[Ingress], f filled, namespace string) (ask.Command, *problem) {
	all, known := ingresses.get(ctx, wait)
	names := ingressNames(all, "")
	ingress := render.OptionName(f[render.FieldIngress].SelectedOption.Value, names)
	switch {
	case ingress == "" && f[render.FieldIngress].SelectedOption.Value != "":
		return ask.Command{}, f.wrong(render.FieldIngress, "It isn't there any more. Choose again.")
	case ingress == "":
		return ask.Command{}, f.wrong(render.FieldIngress, "Choose an ingress.")
	}
	if known && strings.Contains(ingress, "/") && !slices.Contains(names, ingress) {
		if all, known = ingresses.fresh(ctx, wait); known && !slices.Contains(ingressNames(all, ""), ingress) {
			return ask.Command{}, f.wrong(render.FieldIngress, absent("ingress", ingress, ingressNames(all, "")))
		}
	}
	line := "alb " + ingress
	if !strings.Contains(ingress, "/") && namespace != "" {
		line += " -n " + namespace
	}
	c, err := ask.Parse(line)
	switch {
	case err != nil:
		return c, f.wrong(render.FieldIngress, err.Error())
	case namespace != "" && c.Namespace != namespace:
		return c, f.wrong(render.FieldIngress, ingress+" is not in namespace "+namespace+".")
	}
	return c, nil
}

// absent says that a name isn't in the cluster, and which one may be meant.
func absent(kind, name string, names []string) string {
	sentence := "There is no " + kind + " " + name + " now."
	if near := diagnostics.Nearest(name, names, 1); len(near) > 0 && diagnostics.Near(name, near[0]) {
		sentence += " Did you mean " + near[0] + "?"
	}
	return sentence
}

// destination says where the answer goes: the channel that was chosen, in the thread that the form came from where that
// is there; else a direct message.
func (b *Bot) destination(ctx context.Context, f filled, o origin, r *request) *problem {
	r.channel = f[render.FieldWhere].SelectedConversation
	if r.channel == "" && direct(o.Channel) {
		r.channel = o.Channel
	}
	if r.channel == "" {
		channel, err := b.web.direct(ctx, r.user)
		if err != nil {
			b.Log.Error("open a direct message", zap.String("user", r.user), zap.Error(err))
			return f.wrong(render.FieldWhere, "I can't write to you directly. Choose a channel that I am a member of.")
		}
		r.channel = channel
	}
	if r.channel == o.Channel {
		r.thread = o.Thread
	}
	return nil
}
