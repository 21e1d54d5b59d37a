package handlers

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/slack-go/slack"
	"go.uber.org/zap"

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
