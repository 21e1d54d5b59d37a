package handlers

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/slack-go/slack"
	"go.uber.org/zap"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/ask"
	render "github.com/netdiag/netdiag/internal/render/slack"
)

// problem is what is wrong with a field.
type problem struct{ field, sentence string }

func (f filled) wrong(field, sentence string) *problem {
	return &problem{orElse(f[field].BlockID, field), sentence}
}

// submit takes a filled-in form as the command that it amounts to.
func (b *Bot) submit(ctx context.Context, c slack.InteractionCallback, ack func(context.Context, any) error) {
	if c.View.CallbackID == render.CallbackDecide {
		b.submitDecision(ctx, c, ack)
		return
	}
	if c.View.CallbackID == render.CallbackUndo {
		b.submitUndo(ctx, c, ack)
		return
	}
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
	c, wrong := ask.Command{Verb: verb}, (*problem)(nil)
	if verb == "ip" {
		c, wrong = understandIP(f)
	} else {
		c, wrong = understandIn(ctx, wait, places, f, verb)
	}
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

func understandIP(f filled) (ask.Command, *problem) {
	c, err := ask.Parse("ip " + f[render.FieldPlace].Value)
	switch {
	case err != nil:
		return c, f.wrong(render.FieldPlace, err.Error())
	case c.Verb != "ip" || c.Cluster != "":
		return c, f.wrong(render.FieldPlace, "Give one subnet or zone, and nothing else.")
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
