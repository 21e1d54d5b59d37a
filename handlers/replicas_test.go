package handlers_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/sim/slack"
)

// Several front ends on one store, that die after writes at random and are replaced: every message is there once, nothing
// is lost, and the cards show what is stored.
func TestReplicasTellOnce(t *testing.T) {
	for _, n := range []int{2, 4} {
		seeds := 3
		if racing || testing.Short() {
			seeds = 1
		}
		for seed := range uint64(seeds) {
			t.Run(fmt.Sprintf("%d replicas, seed %d", n, seed), func(t *testing.T) {
				inBubble(t, func(t *testing.T, b *bubble) {
					(&fleet{bubble: b, modals: make(chan struct{}, 1), rand: rand.New(rand.NewPCG(seed, uint64(n)))}).tellOnce(t, n)
				}, reader)
			})
		}
	}
}

// fleet is front ends, each with a random end, and whoever starts the next ones.
type fleet struct {
	*bubble
	rand *rand.Rand

	modals chan struct{}

	mu     sync.Mutex
	born   int
	deaths int
}

// keep replaces one front end whenever it dies, until ctx ends.
func (f *fleet) keep(ctx context.Context) {
	for ctx.Err() == nil {
		f.mu.Lock()
		f.born++
		c := f.config()
		c.Holder, c.Connections = fmt.Sprint("bot-", f.born), 1
		m := &mortal{at: 1 + f.rand.IntN(40)}
		if f.deaths > 30 {
			m.at = 0
		}
		wait := time.Duration(f.rand.IntN(20)) * time.Second
		f.mu.Unlock()
		stop := f.live(m, c)
		for ctx.Err() == nil && !m.gone() {
			sleepUntil(ctx, time.Second)
		}
		stop()
		if m.gone() {
			f.mu.Lock()
			f.deaths++
			f.mu.Unlock()
			sleepUntil(ctx, wait)
		}
	}
}

func (f *fleet) tellOnce(t *testing.T, n int) {
	f.execute()
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() { f.keep(ctx) })
	}
	var people sync.WaitGroup
	for i := range 4 {
		people.Go(func() { f.story(t, fmt.Sprintf("backend-%d", i), []string{"Approve", "Reject"}[i%2]) })
	}
	people.Wait()
	time.Sleep(time.Hour) // for what is left; who asked twice has two cards, and one of them expires
	f.judge(t, 4)
	cancel()
	wg.Wait()
	if f.deaths < n {
		t.Errorf("only %d front ends died", f.deaths)
	}
	t.Logf("%d front ends, %d died", f.born, f.deaths)
}

// story asks a question and decides on its fix; people try again where nobody hears them.
func (f *fleet) story(t *testing.T, namespace, verdict string) {
	f.insist(t, "ask", func() bool {
		reply, err := f.Slash(f.context(), maya, ops, "/netdiag pending "+namespace)
		return err == nil && reply.Message == nil || f.fixOf(namespace).Name != ""
	})
	f.insist(t, "a card", func() bool { return f.fixOf(namespace).Status.Card.TS != "" || f.healthy(namespace) })
	if f.healthy(namespace) { // somebody else's fix has helped it
		return
	}
	f.insist(t, "a decision", func() bool {
		rem := f.fixOf(namespace)
		if rem.Status.Phase != casebook.AwaitingApproval {
			return true
		}
		f.modals <- struct{}{} // one at a time; a mutex would stop the time of the bubble
		defer func() { <-f.modals }()
		if f.Click(f.context(), jonas, ops, rem.Status.Card.TS, verdict) != nil {
			return false
		}
		time.Sleep(5 * time.Second)
		if v, ok := f.Modal(jonas); ok && strings.Contains(v.Plain(), rem.Name) {
			_, _ = f.Submit(f.context(), jonas, nil)
		}
		_ = f.CloseModal(f.context(), jonas)
		return false
	})
	f.insist(t, "the end", func() bool { return f.fixOf(namespace).Status.Posted["card-final"] != "" })
}

// insist does f every few seconds until it is content.
func (f *fleet) insist(t *testing.T, what string, do func() bool) {
	for range 1000 {
		if do() {
			return
		}
		time.Sleep(7 * time.Second)
	}
	t.Errorf("%s: not within two hours", what)
}

// healthy reports that a question was answered, and there was nothing to fix.
func (f *fleet) healthy(namespace string) bool {
	invs, err := f.book.Store.Investigations.List(f.context())
	return err == nil && slices.ContainsFunc(invs, func(inv casebook.Investigation) bool {
		return inv.Question.Target.Namespace == namespace && inv.Status.Posted["told"] != "" && len(inv.Status.Report.Fixes) == 0
	})
}

func (f *fleet) fixOf(namespace string) casebook.Remediation {
	for _, rem := range f.fixes() {
		if rem.Plan.Question.Target.Namespace == namespace {
			return rem
		}
	}
	return casebook.Remediation{}
}

// judge compares Slack with the store.
func (f *fleet) judge(t *testing.T, questions int) {
	f.once()
	invs, err := f.book.Store.Investigations.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	asked := map[string]bool{}
	for _, inv := range invs {
		asked[inv.Question.Target.Namespace] = true
		if inv.Status.Posted["told"] == "" {
			t.Errorf("%s is not told: %+v", inv.Name, inv.Status)
		}
	}
	if len(asked) != questions {
		t.Errorf("%d questions were asked, of %d", len(asked), questions)
	}
	shown := map[string]slack.Message{}
	for _, m := range f.posted() {
		shown[m.TS] = m
	}
	for _, rem := range f.fixes() {
		if !rem.Status.Phase.Terminal() {
			t.Errorf("%s is %s", rem.Name, rem.Status.Phase)
		}
		card := shown[rem.Status.Card.TS]
		if len(card.Buttons()) != 0 || !strings.Contains(card.Plain(), rem.Status.Outcome) {
			t.Errorf("the card of %s, which is %s, shows:\n%s", rem.Name, rem.Status.Phase, card.Plain())
		}
		for _, n := range rem.Status.Notes {
			if m := shown[rem.Status.Posted["note-"+n.Key]]; !strings.Contains(m.Plain(), n.Text) && n.Key != "outcome" {
				t.Errorf("note %q of %s is %q in the thread", n.Text, rem.Name, m.Plain())
			}
		}
	}
	for _, inv := range invs {
		if shown[inv.Status.Root.TS].TS == "" {
			t.Errorf("the root message of %s is not there", inv.Name)
		}
	}
}
