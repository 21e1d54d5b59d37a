package handlers

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/casebook"
	render "github.com/netdiag/netdiag/internal/render/slack"
)

// halt stops all changes, or lets them go on.
func (b *Bot) halt(ctx context.Context, r request, verb string) render.Message {
	if !b.Fixes {
		return render.Refusal("There is nothing to " + verb + ": I am read-only here and never change anything.")
	}
	by, err := b.by(ctx, r)
	if err != nil {
		b.Log.Error("look up a person", zap.String("user", r.user), zap.Error(err))
		return render.Refusal("Slack did not tell me who you are, so nothing was done. Try again in a minute.")
	}
	log := b.Log.With(zap.String("user", r.user), zap.String("channel", r.channel))
	before, _ := b.Book.Store.Halt.Get(ctx) // what can't be read is told as if it changed
	var h casebook.Halt
	switch {
	case verb == "stop":
		h, err = b.Book.Stop(ctx, by)
	case r.url == "": // Slack delivers messages more than once, and the second time somebody may have stopped them anew
		return render.Refusal("Changes are resumed by the slash command alone.", b.Command+" resume")
	default:
		var unknown error
		by, unknown = b.grouped(ctx, by)
		h, err = b.Book.Resume(ctx, by)
		if err != nil {
			err = because(err, unknown)
		}
	}
	if refusal, ok := errors.AsType[diagnostics.Refusal](err); ok {
		log.Warn(verb+" refused", zap.String("why", clean(err).Error()))
		return render.Refusal(string(refusal))
	}
	if err != nil {
		log.Error(verb+" changes", zap.Error(err))
		return render.Refusal("I could not record that. If changes have to stop now, have somebody with access to the cluster run:",
			"kubectl create configmap netdiag-halt -n <netdiag's namespace> --from-literal=halted=true")
	}
	log.Warn(verb, zap.Bool("stopped before", h.On && h.By != r.user), zap.String("by", h.By), zap.Time("since", h.Since))
	switch {
	case verb == "stop":
		if !before.On {
			b.announce("stop", h.String()+" What is not begun does not start; what is begun is watched to its end. An approver resumes with: "+b.Command+" resume")
		}
		return render.Settled(h.String() + " What is under way is not begun, or watched to its end; nothing new starts. An approver resumes with: " + b.Command + " resume")
	case h.On:
		b.announce("resume", "Changes go on, resumed by <@"+r.user+">. "+wasStopped(h))
		return render.Settled("Changes go on: fixes that are approved from now on are carried out. " + wasStopped(h))
	}
	return render.Refusal("Changes were not stopped; there is nothing to resume.")
}

// announce tells the channels of what is under way that changes are stopped, or go on. It does not wait for that.
func (b *Bot) announce(verb, sentence string) {
	b.errands.do("announce "+verb, func() {
		defer b.recovered("announce " + verb)
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		all, err := b.Book.Store.Remediations.List(ctx)
		if err != nil {
			b.Log.Error("announce "+verb, zap.Error(err))
			return
		}
		told := map[string]bool{}
		for _, rem := range all {
			channel := rem.Status.Card.Channel
			if channel == "" || told[channel] || !underWay(rem.Status.Phase) {
				continue
			}
			told[channel] = true
			key := "halt/" + verb + "/" + b.Now().UTC().Format(time.RFC3339) + "/" + channel
			if _, err := b.out.post(ctx, posting{channel: channel, key: key, rank: rankOutcome, message: render.Announcement(sentence)}); err != nil {
				b.Log.Error("announce "+verb, zap.String("channel", channel), zap.Error(err))
			}
		}
	})
}

// underWay names the phases of fixes that a halt means something for.
func underWay(p casebook.Phase) bool {
	switch p {
	case casebook.AwaitingApproval, casebook.Approved, casebook.Preflight, casebook.Applying, casebook.Verifying, casebook.RollingBack:
		return true
	}
	return false
}

func wasStopped(h casebook.Halt) string {
	s := "They were stopped"
	if h.By != "" {
		s += " by <@" + h.By + ">"
	}
	if !h.Since.IsZero() {
		s += " at " + h.Since.UTC().Format("15:04:05 UTC")
	}
	return s + "."
}

// stopped says since when and by whom changes are stopped; empty where they are not. It may mention a user as <@U…>.
func (b *Bot) stopped(ctx context.Context) string {
	if !b.Fixes {
		return ""
	}
	h, err := b.Book.Store.Halt.Get(ctx)
	switch {
	case err != nil:
		b.Log.Error("read the halt", zap.Error(err))
		return "It can't be read whether changes are stopped, so they count as stopped."
	case h.On:
		return h.String()
	}
	return ""
}
