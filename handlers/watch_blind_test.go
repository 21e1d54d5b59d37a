package handlers_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/casebook"
)

// A permission that is missing takes its conditions away, and is named in status, in the Home tab and in metrics; the others stay.
func TestWatchThatCannotSee(t *testing.T) {
	for gap, want := range map[string]string{
		diagnostics.Denied:    "Early warning: it does not see everything: ec2:DescribeSubnets and list nodes are denied. bot serve --check says what grants them.",
		diagnostics.Throttled: "Early warning: the last look had to go without ec2:DescribeSubnets and list nodes (throttled).",
	} {
		inBubble(t, func(t *testing.T, b *bubble) {
			s := &sky{available: 120, gap: gap, drifted: true}
			defer b.connect(b.watching(s, make(lease, 1), "bot-1"))()
			b.root(0, "alb api -n backend")
			const open = "Early warning: 1 open; last look at "
			status, home := b.ask(maya, ops, "/netdiag status"), b.home(maya, open).Plain()
			for where, got := range map[string]string{"status": status, "the Home tab": home} {
				if !strings.Contains(got, open) || !strings.Contains(got, want) || strings.Contains(got, "pods/proxy") {
					t.Errorf("%s, %s: %s", gap, where, got)
				}
			}
			if b.metric(`netdiag_watch_missing_total{permission="ec2:DescribeSubnets",reason="`+gap+`"}`) < 1 {
				t.Errorf("%s: not counted", gap)
			}
			s.is(func(s *sky) { s.gap, s.drifted = "", false })
			time.Sleep(time.Hour)
			status, home = b.ask(maya, ops, "/netdiag status"), b.home(maya, "Early warning: 0 open").Plain()
			for _, what := range []string{"does not see", "go without"} {
				if strings.Contains(status+home, what) {
					t.Errorf("%s: all is seen again, and yet:\n%s\n%s", gap, status, home)
				}
			}
		})
	}
}

// Who may not ask learns nothing of the watch in the Home tab, and where nobody is warned nothing is said of it.
func TestHomeWithoutAWatch(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		defer b.connect(b.watching(&sky{available: 120}, make(lease, 1), "bot-1"))()
		lacks(t, "a guest", b.home(guest, "Only full members"), "Early warning")
	})
	r := newRig(t)
	r.start(r.config())
	lacks(t, "somebody", r.home(maya, "Connection"), "Early warning")
}

// unkept is a memory that nothing can be written to from a time on.
type unkept struct {
	casebook.Memos
	from time.Time
}

func (u unkept) Set(ctx context.Context, name string, m casebook.Memo) (casebook.Memo, error) {
	if time.Now().Before(u.from) {
		return u.Memos.Set(ctx, name, m)
	}
	return casebook.Memo{}, errors.New("denied")
}

// Where what was seen can't be kept, no look ends: that is counted, the time since the last look goes on, and status says so. Where
// there was none yet, the time is that since this process leads, so that an alert sees it.
func TestWatchThatKeepsNothing(t *testing.T) {
	for name, x := range map[string]struct {
		well  time.Duration // at first
		since float64       // seconds after an hour
		says  []string
	}{
		"from the start": {0, 3600, []string{"Early warning: no look yet."}},
		"later":          {12 * time.Minute, 3000, []string{"Early warning: 1 open; last look at 00:10 UTC, one every 5m.", "Early warning: it looks no more: nobody leads, or looks fail."}},
	} {
		inBubble(t, func(t *testing.T, b *bubble) {
			c := b.watching(&sky{available: 30}, make(lease, 1), "bot-1")
			c.Book.Store.Memos = unkept{c.Book.Store.Memos, time.Now().Add(x.well)}
			defer b.connect(c)()
			time.Sleep(time.Hour)
			if n := b.metric("netdiag_watch_failed_total"); n < 9 {
				t.Errorf("%s: %v looks failed", name, n)
			}
			if since := b.metric("netdiag_watch_last_look_seconds"); since < x.since-60 || since > x.since+60 {
				t.Errorf("%s: the last look was %v s ago", name, since)
			}
			home := b.home(maya, x.says[0]).Plain()
			for _, want := range x.says {
				if !strings.Contains(home, want) {
					t.Errorf("%s: the Home tab lacks %q:\n%s", name, want, home)
				}
			}
		})
	}
}
