package slack

import (
	"fmt"

	"github.com/slack-go/slack"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/render"
)

// Ids of the form of a question. A field is an element with this action id; the id of its block begins with the same.
const (
	CallbackForm   = "netdiag_ask"
	FieldDiagnosis = "netdiag_what"
	FieldCluster   = "netdiag_cluster"
	FieldNamespace = "netdiag_namespace"
	FieldPod       = "netdiag_pod"
	FieldIngress   = "netdiag_ingress"
	FieldPlace     = "netdiag_place"
	FieldWhere     = "netdiag_where"
)

// Limits of a form (docs.slack.dev/reference/views and block-kit), in characters.
const (
	maxLabel    = 2000
	maxHint     = 2000
	maxMetadata = 3000
	maxName     = 253 // of a Kubernetes object
)

// Form is what a form of a question holds before anybody touches it.
type Form struct {
	Diagnosis string   // which fields there are: those of pending, of alb or of ip
	Clusters  []string // to choose from; with fewer than two there is no choice
	Cluster   string   // the one that is chosen
	Namespace string   // empty: none is chosen
	Pod       string   // or what makes pods
	Ingress   string   // namespace/name
	Where     string   // id of the channel to answer in; empty: the one that the person looks at, if any
	Thread    bool     // the answer goes into the thread of a message there
	Note      string   // what the person should know, at the top
	Metadata  string   // comes back with the form; at most 3000 characters
	Turn      int      // counts how often what the fields begin with was changed: the blocks get new ids, or Slack keeps what they hold
}

// block is the id of a field's block.
func (f Form) block(field string) string {
	if f.Turn == 0 {
		return field
	}
	return fmt.Sprintf("%s_%d", field, f.Turn)
}

// FormView is the form.
func FormView(f Form, ds []diagnostics.Diagnosis) slack.ModalViewRequest {
	note := "Nothing is looked at before you press Ask."
	if f.Note != "" {
		note = render.Clean(f.Note) + " " + note
	}
	blocks := []slack.Block{rich(line(text(note))), diagnosisField(f, ds)}
	if len(f.Clusters) > 1 {
		blocks = append(blocks, clusterField(f))
	}
	namespace := slack.NewInputBlock(f.block(FieldNamespace), plain("Namespace", maxLabel), nil, search(FieldNamespace, "Type a part of its name", f.Namespace))
	switch f.Diagnosis {
	case "ip":
		where := &slack.PlainTextInputBlockElement{
			Type: slack.METPlainTextInput, ActionID: FieldPlace, MaxLength: maxName, Placeholder: plain("us-west-2a", 150),
		}
		blocks = append(blocks, slack.NewInputBlock(f.block(FieldPlace), plain("Subnet or zone", maxLabel), plain("Left empty: all subnets of pods.", maxHint), where).WithOptional(true))
	case "alb":
		blocks = append(blocks,
			namespace.WithOptional(true),
			slack.NewInputBlock(f.block(FieldIngress), plain("Ingress", maxLabel), nil, search(FieldIngress, "Type a part of its name", f.Ingress)))
	default:
		pod := &slack.PlainTextInputBlockElement{
			Type: slack.METPlainTextInput, ActionID: FieldPod, MaxLength: maxName, InitialValue: fit(f.Pod, maxName), Placeholder: plain("api-5d9c7b-x2x9q", 150),
		}
		blocks = append(blocks, namespace,
			slack.NewInputBlock(f.block(FieldPod), plain("Pod, or what makes it", maxLabel), plain("Left empty: all pods of the namespace that wait.", maxHint), pod).WithOptional(true))
	}
	return slack.ModalViewRequest{
		Type: slack.VTModal, CallbackID: CallbackForm, PrivateMetadata: fit(f.Metadata, maxMetadata),
		Title: plain("Ask netdiag", 24), Submit: plain("Ask", 24), Close: plain("Cancel", 24),
		Blocks: slack.Blocks{BlockSet: append(blocks, whereField(f))},
	}
}

func diagnosisField(f Form, ds []diagnostics.Diagnosis) slack.Block {
	var options []*slack.OptionBlockObject
	var initial *slack.OptionBlockObject
	for _, d := range ds[:min(len(ds), maxOptions)] {
		o := slack.NewOptionBlockObject(d.Name, plain(d.Name+": "+firstLine(d.Doc), maxOption), nil)
		options = append(options, o)
		if d.Name == f.Diagnosis {
			initial = o
		}
	}
	what := slack.NewOptionsSelectBlockElement(slack.OptTypeStatic, nil, FieldDiagnosis, options...)
	what.InitialOption = initial
	return slack.NewInputBlock(FieldDiagnosis, plain("Question", maxLabel), nil, what).WithDispatchAction(true)
}

func clusterField(f Form) slack.Block {
	which := slack.NewOptionsSelectBlockElement(slack.OptTypeStatic, nil, FieldCluster)
	for _, name := range f.Clusters[:min(len(f.Clusters), maxOptions)] {
		o := Option(name)
		which.Options = append(which.Options, o)
		if name == f.Cluster {
			which.InitialOption = o
		}
	}
	return slack.NewInputBlock(FieldCluster, plain("Cluster", maxLabel), nil, which).WithDispatchAction(true)
}

func search(id, placeholder, initial string) *slack.SelectBlockElement {
	e := slack.NewOptionsSelectBlockElement(slack.OptTypeExternal, plain(placeholder, 150), id)
	none := 0
	e.MinQueryLength = &none
	if initial != "" {
		e.InitialOption = Option(initial)
	}
	return e
}

func whereField(f Form) slack.Block {
	where := slack.NewOptionsSelectBlockElement(slack.OptTypeConversations, nil, FieldWhere)
	where.Filter = &slack.SelectBlockElementFilter{Include: []string{"public", "private"}, ExcludeExternalSharedChannels: true, ExcludeBotUsers: true}
	hint := "Left empty, or where I am no member, I answer you in a direct message."
	if f.Where != "" {
		where.InitialConversation = f.Where
	} else {
		where.DefaultToCurrentConversation = true
	}
	if f.Thread {
		hint = "There I answer in the thread of the message. " + hint
	}
	return slack.NewInputBlock(FieldWhere, plain("Answer in", maxLabel), plain(hint, maxHint), where).WithOptional(true)
}

// fit is s, or nothing where it is too long: half a name would be another one.
func fit(s string, most int) string {
	if len(s) > most {
		return ""
	}
	return s
}

// FormRefusal takes the place of the form where the person may not ask.
func FormRefusal(why string) slack.ModalViewRequest {
	return slack.ModalViewRequest{
		Type: slack.VTModal, CallbackID: CallbackForm, Title: plain("Ask netdiag", 24), Close: plain("Close", 24),
		Blocks: slack.Blocks{BlockSet: []slack.Block{rich(line(text(render.Clean(why))))}},
	}
}
