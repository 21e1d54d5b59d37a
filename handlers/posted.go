package handlers

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/netdiag/netdiag/internal/casebook"
)

// recordPost is how long noting what was posted may take, though the bot is being stopped: what is not noted would be
// posted again.
const recordPost = 5 * time.Second

func lasting(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), recordPost)
}

func (t *teller) posted(ctx context.Context, name, key, ts string) (casebook.Investigation, error) {
	ctx, cancel := lasting(ctx)
	defer cancel()
	inv, err := t.Book.ChangeInvestigation(ctx, name, func(s *casebook.InvestigationStatus) error {
		keepFirst(&s.Posted, key, ts)
		return nil
	})
	return inv, t.recorded(ctx, err, name+"/"+key, inv.Status.Root.Channel, ts, inv.Status.Posted[key])
}

// keepFirst notes a message under its key, unless one is noted already.
func keepFirst(posted *map[string]string, key, ts string) {
	if *posted == nil {
		*posted = map[string]string{}
	}
	if (*posted)[key] == "" {
		(*posted)[key] = ts
	}
}

// recorded says that a message is in the store under its key. Where it isn't, for another process posted it at the same
// time, ours is one too many.
func (t *teller) recorded(ctx context.Context, err error, key, channel, ts, kept string) error {
	if err != nil {
		return err
	}
	if t.out.recorded(key) && kept != ts {
		t.Log.Warn("posted twice; one is taken back", zap.String("message", key))
		if err := t.web.retract(ctx, channel, ts); err != nil {
			t.Log.Error("take back a message", zap.String("message", key), zap.Error(err))
		}
	}
	return nil
}

func (t *teller) carded(ctx context.Context, name string, card casebook.Message, shown string) (casebook.Remediation, error) {
	ctx, cancel := lasting(ctx)
	defer cancel()
	rem, err := t.Book.ChangeRemediation(ctx, name, func(s *casebook.RemediationStatus) error {
		if s.Card.TS == "" {
			s.Card, s.Shown = card, shown
		}
		return nil
	})
	return rem, t.recorded(ctx, err, name+"/card", card.Channel, card.TS, rem.Status.Card.TS)
}

// shown remembers what a card says.
func (t *teller) shown(ctx context.Context, name, digest string) (casebook.Remediation, error) {
	ctx, cancel := lasting(ctx)
	defer cancel()
	return t.Book.ChangeRemediation(ctx, name, func(s *casebook.RemediationStatus) error {
		s.Shown = digest
		return nil
	})
}

func (t *teller) noted(ctx context.Context, name, key, ts string) (casebook.Remediation, error) {
	ctx, cancel := lasting(ctx)
	defer cancel()
	rem, err := t.Book.ChangeRemediation(ctx, name, func(s *casebook.RemediationStatus) error {
		keepFirst(&s.Posted, key, ts)
		return nil
	})
	return rem, t.recorded(ctx, err, name+"/"+key, rem.Status.Card.Channel, ts, rem.Status.Posted[key])
}
