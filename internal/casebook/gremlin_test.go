package casebook_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/remedy"
)

// gremlin sits between one executor and everything else: its store and its hands. At one write, one call to the world or
// one event of the watch it does its mischief.
type gremlin struct {
	casebook.Records[casebook.Remediation]
	world *cluster
	kill  context.CancelFunc // of the process
	at    int                // which write, call or event
	fault mischief
	blind bool // looks show nothing: the ablation of looking before acting

	turn          chan struct{} // held by whoever counts, and by a process that is frozen
	writes, calls int
	struck        chan struct{} // closed once the mischief is done
	dead          bool
}

// mischief is a kind of fault.
type mischief struct {
	name string
	on   place
	// do gets the act that was to be done, and the context that it was given.
	do func(ctx context.Context, g *gremlin, act func(context.Context) error) error
	// person: such a fault may hide what was done, so that a person has to look.
	person bool
	times  int // in a row; 1 where it is 0
}

type place string

const (
	write place = "write of the record"
	call  place = "call to the world"
	event place = "event of the watch"
)

var errDead = errors.New("the process is dead")

func newGremlin(s casebook.Records[casebook.Remediation], w *cluster, m mischief, at int) *gremlin {
	return &gremlin{Records: s, world: w, fault: m, at: at, turn: make(chan struct{}, 1), struck: make(chan struct{})}
}

// pass lets one act through, or does the mischief instead. n counts acts of the place.
func (g *gremlin) pass(ctx context.Context, on place, n *int, act func(context.Context) error) error {
	g.turn <- struct{}{}
	defer func() { <-g.turn }()
	if g.dead {
		return errDead
	}
	*n++
	if g.fault.on != on || *n < g.at || *n >= g.at+max(g.fault.times, 1) {
		return act(ctx)
	}
	if *n == g.at {
		close(g.struck)
	}
	return g.fault.do(ctx, g, act)
}

func (g *gremlin) Update(ctx context.Context, r casebook.Remediation) (out casebook.Remediation, err error) {
	out = r
	err = g.pass(ctx, write, &g.writes, func(ctx context.Context) (err error) {
		out, err = g.Records.Update(ctx, r)
		return err
	})
	return out, err
}

// Watch ends after the at-th event where that is the mischief: then the process ends, and starts anew.
func (g *gremlin) Watch(ctx context.Context) (<-chan casebook.Remediation, error) {
	in, err := g.Records.Watch(ctx)
	if g.fault.on != event || err != nil {
		return in, err
	}
	out := make(chan casebook.Remediation)
	go func() { // ends with ctx, or with the mischief
		defer close(out)
		for n := 1; ; n++ {
			select {
			case r, ok := <-in:
				if !ok {
					return
				}
				if n == g.at {
					close(g.struck)
					return
				}
				select {
				case out <- r:
				case <-ctx.Done():
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	return out, nil
}

func (g *gremlin) DryRun(ctx context.Context, a remedy.Action, m remedy.Mark) error {
	return g.pass(ctx, call, &g.calls, func(ctx context.Context) error { return g.world.DryRun(ctx, a, m) })
}

func (g *gremlin) Look(ctx context.Context, a remedy.Action, m remedy.Mark) (done bool, r remedy.Receipt, err error) {
	err = g.pass(ctx, call, &g.calls, func(ctx context.Context) (err error) {
		if !g.blind {
			done, r, err = g.world.Look(ctx, a, m)
		}
		return err
	})
	return done, r, err
}

func (g *gremlin) Apply(ctx context.Context, a remedy.Action, m remedy.Mark) (r remedy.Receipt, err error) {
	err = g.pass(ctx, call, &g.calls, func(ctx context.Context) (err error) {
		r, err = g.world.Apply(ctx, a, m)
		return err
	})
	if err != nil {
		r = remedy.Receipt{}
	}
	return r, err
}

// frozenFor is longer than it takes until another executor takes over and has made the change.
const frozenFor = 3 * time.Minute

func die(g *gremlin) error {
	g.dead = true
	g.kill()
	return errDead
}

// mischiefs are the rows of the matrix.
func mischiefs() []mischief {
	type act = func(context.Context) error
	kill := func(made bool) func(context.Context, *gremlin, act) error {
		return func(ctx context.Context, g *gremlin, a act) error {
			if made {
				_ = a(context.WithoutCancel(ctx))
			}
			return die(g)
		}
	}
	fail := func(err error, made bool) func(context.Context, *gremlin, act) error {
		return func(ctx context.Context, _ *gremlin, a act) error {
			if made {
				_ = a(ctx)
			}
			return err
		}
	}
	hang := func(made bool) func(context.Context, *gremlin, act) error {
		return func(ctx context.Context, _ *gremlin, a act) error {
			if made {
				_ = a(ctx)
			}
			<-ctx.Done()
			return ctx.Err()
		}
	}
	freeze := func(ctx context.Context, _ *gremlin, a act) error {
		<-time.After(frozenFor) // whatever the context says: the process doesn't run
		return a(ctx)
	}
	meddle := func(ctx context.Context, g *gremlin, a act) error {
		all, _ := g.List(ctx)
		for _, r := range all {
			if r.Status.Posted == nil {
				r.Status.Posted = map[string]string{}
			}
			r.Status.Posted[fmt.Sprintf("note-%d", g.writes)] = "1.1"
			_, _ = g.Records.Update(ctx, r)
		}
		return a(ctx)
	}
	return []mischief{
		{name: "killed before it", on: write, do: kill(false)},
		{name: "killed after it", on: write, do: kill(true)},
		{name: "409: somebody else wrote", on: write, do: meddle},
		{name: "429", on: write, do: fail(errors.New("429 Too Many Requests"), false), times: 3},
		{name: "500", on: write, do: fail(errors.New("500 Internal Server Error"), false), times: 3},
		{name: "made, and the answer lost", on: write, do: fail(errors.New("connection reset by peer"), true)},
		{name: "no answer in time", on: write, do: hang(false)},
		{name: "made, and no answer in time", on: write, do: hang(true)},
		{name: "frozen before it for 3 min", on: write, do: freeze},
		{name: "killed before it", on: call, do: kill(false)},
		{name: "killed after it", on: call, do: kill(true)},
		{name: "throttled", on: call, do: fail(errors.New("RequestLimitExceeded"), false), times: 3, person: true},
		{name: "credentials expired", on: call, do: fail(fmt.Errorf("%w: ExpiredToken", remedy.ErrRefused), false), times: 2, person: true},
		{name: "made, and the answer lost", on: call, do: fail(errors.New("connection reset by peer"), true)},
		{name: "no answer in time", on: call, do: hang(false)},
		{name: "made, and no answer in time", on: call, do: hang(true)},
		{name: "frozen before it for 3 min", on: call, do: freeze},
		{name: "the watch is cut", on: event},
	}
}
