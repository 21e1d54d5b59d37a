// Package nature plays what a cluster and AWS do by themselves about a change: EKS carries out updates of the VPC CNI
// add-on and puts back what it owns, the DaemonSet controller rolls it out, controllers make deleted pods again and the
// scheduler places them, the CNI of each node takes and gives back addresses, kubelets start the pods that waited for one
// and end those that are deleted, the load balancer controller follows annotations, and the health checkers of load
// balancers see what the network lets through. All of it works as a client, the same against the simulated and a real API
// server; only what no client can do goes through EKS and Health.
//
// A recorded world is in a steady state, held there by causes that nature can't see, such as a missing permission. So
// nature acts on what has changed since Run began, and leaves alone what could have moved before and hasn't.
package nature

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/rest"

	simaws "github.com/netdiag/netdiag/internal/sim/aws"
)

// EKS is where updates of add-ons wait to be carried out. The simulated AWS is one.
type EKS interface {
	PendingUpdates() []simaws.Update
	// FinishUpdate ends an update; an empty failure is success.
	FinishUpdate(id, failure string)
}

// Health is where the health checkers of load balancers write what they found. The simulated AWS is one.
type Health interface {
	SetTargetHealth(targetGroupARN, targetID string, port int, state, reason, description string)
}

// Options says where the world is and how fast its time goes.
type Options struct {
	Kube    *rest.Config
	AWS     aws.Config
	EKS     EKS    // nil where nobody's updates are to be carried out
	Health  Health // nil where nobody's targets are to be checked
	Cluster string // name of the EKS cluster
	// ControlPlane means that the cluster has controllers and a scheduler of its own, as a real one: nature makes and
	// places no pods then, and counts none.
	ControlPlane bool
	Now          func() time.Time // stamps what nature writes; nil means time.Now
	// Revert is how long after somebody else's change EKS puts back what it has applied itself of aws-node: 15 minutes, says
	// the best practices guide of EKS; not every cluster sees it. 0 is never.
	Revert time.Duration
	// Resync is how often the load balancer controller looks at everything again although nothing has changed: 10 hours where
	// it is 0, which is its --sync-period and that of its deferred reconciler.
	Resync time.Duration
	// Fail makes EKS give up updates of the VPC CNI add-on; nil lets it carry them out.
	Fail *Fail
	// Speed divides every timer: with 10, what takes a minute in life takes six seconds. 0 means 1.
	Speed float64
	After func(time.Duration) <-chan time.Time // nil means time.After
	Log   func(line string)                    // is told what happens, from several goroutines at once; nil for silence
}

// Fail is how updates of an add-on fail: EKS tries for a while to reach the cluster and doesn't.
type Fail struct {
	After   time.Duration // of life
	Message string        // begins with an error code of EKS and a colon
}

// Nature acts while Run runs.
type Nature struct {
	o     Options
	begun chan struct{}
}

// New makes a nature that does nothing yet.
func New(o Options) *Nature {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Speed <= 0 {
		o.Speed = 1
	}
	if o.Resync <= 0 {
		o.Resync = 10 * time.Hour
	}
	if o.After == nil {
		o.After = time.After
	}
	if o.Log == nil {
		o.Log = func(string) {}
	}
	return &Nature{o, make(chan struct{})}
}

// Begun is closed once every part of nature has looked at the world: what changes from then on is new to it.
func (n *Nature) Begun() <-chan struct{} { return n.begun }

// limit bounds one round of an actor with all its calls.
const limit = 30 * time.Second

// actor is one part of nature: a round of it is run again and again. Times are those of life, before Speed.
type actor struct {
	name  string
	every time.Duration
	needs []watched // what must have been read before the first round
	round func(context.Context) error
}

func (n *Nature) actors(c *clients) []actor {
	out := []actor{
		{"kubelets", kubeletLoop, []watched{c.pods, c.nodes}, newKubelets(n, c).round},
		{"ipamd", poolLoop, []watched{c.daemons, c.pods, c.nodes, c.events}, newAgents(n, c).round},
	}
	if !n.o.ControlPlane {
		out = append(out,
			actor{"daemonset", rolloutLoop, []watched{c.daemons, c.pods}, newRollout(n, c).round},
			actor{"controllers", makerLoop, []watched{c.pods, c.nodes}, newMakers(n, c).round},
			actor{"scheduler", schedulerLoop, []watched{c.pods, c.nodes}, newScheduler(n, c).round},
			actor{"node controller", cordonLoop, []watched{c.nodes}, newCordons(n, c).round})
	}
	if n.o.EKS != nil {
		out = append(out, actor{"eks", addonLoop, []watched{c.daemons}, newAddons(n, c).round})
	}
	if n.o.Health != nil {
		out = append(out, actor{"health checks", checkLoop, []watched{c.pods}, newChecks(n, c).round})
	}
	if c.bindings != nil {
		out = append(out, actor{"load balancer controller", controllerLoop, []watched{c.ingresses, c.services, c.bindings, c.events}, newController(n, c).round})
	}
	return out
}

// Run acts until ctx ends, and returns nil then; another error means that the clients could not be made. Calls that fail
// are logged and tried again.
func (n *Nature) Run(ctx context.Context) error {
	c, err := n.connect(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("nature: %w", err)
	}
	var g errgroup.Group
	for _, w := range c.all() {
		g.Go(func() error { w.RunWithContext(ctx); return nil })
	}
	var first sync.WaitGroup
	for _, a := range n.actors(c) {
		first.Add(1)
		g.Go(func() error { n.act(ctx, a, sync.OnceFunc(first.Done)); return nil })
	}
	g.Go(func() error { first.Wait(); close(n.begun); return nil })
	return g.Wait()
}

// act runs the rounds of one actor until ctx ends; begun is told of the first that went well, or that there is none.
func (n *Nature) act(ctx context.Context, a actor, begun func()) {
	defer begun()
	if !synced(ctx, a.needs) {
		return
	}
	last := "" // the same trouble is said once
	for {
		bounded, cancel := context.WithTimeout(ctx, limit)
		err := a.round(bounded)
		cancel()
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			begun()
			last = ""
		case err.Error() != last:
			last = err.Error()
			n.say("%s: %v", a.name, err)
		}
		select {
		case <-n.o.After(n.scaled(a.every)):
		case <-ctx.Done():
			return
		}
	}
}

// scaled is how long a time of life takes here.
func (n *Nature) scaled(d time.Duration) time.Duration {
	return time.Duration(float64(d) / n.o.Speed)
}

func (n *Nature) say(format string, args ...any) { n.o.Log(fmt.Sprintf(format, args...)) }
