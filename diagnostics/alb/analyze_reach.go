package alb

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/netdiag/netdiag/internal/vpc"
)

// block is a place that stops packets between load balancer and targets.
type block struct {
	cause   string
	subject string
	pairs   []pair
	latent  bool // it would only show once an earlier place lets the packets through
	why     why
}

// pair is one blocked path.
type pair struct {
	t       *target
	path    path
	hop     vpc.Hop
	symptom symptom
}

// symptom says how what is seen of a path agrees with the model that calls it blocked.
type symptom int

// A path is felt where the target doesn't answer on it; quiet where other nodes of the load balancer get through and so
// hide it; early where the target is too new to tell; contrary where the target is called healthy all the same.
const (
	felt symptom = iota
	quiet
	early
	contrary
)

// reachability asks for every target, every node of the load balancer and both ports whether packets get there and back.
func (a *analysis) reachability() {
	for _, g := range a.groups {
		for _, t := range g.registered() {
			if t.class == unused || t.stray || g.byDesign(t) {
				continue
			}
			for _, port := range t.ports() {
				a.reach(t, port)
			}
		}
	}
	slices.SortStableFunc(a.blocks, func(x, y *block) int {
		return cmp.Or(strings.Compare(x.cause, y.cause), strings.Compare(x.subject, y.subject))
	})
	for _, b := range a.blocks {
		a.judge(b)
	}
	if ts := a.disproved; len(ts) > 0 {
		a.contradict("the model says that port %d of %s can't be reached (%s), but %s: the port is reachable, and something that was not read lets the load balancer in",
			ts[0].hcPort, joined(names(ts)), first(ts[0].to(ts[0].hcPort)).Reason, replied(ts[0]))
	}
	if len(a.blocks) == 0 && len(a.s.Front) > 0 {
		a.cleared()
	}
}

// reach files the blocked paths to one port of a target.
func (a *analysis) reach(t *target, port int) {
	whole := t.verdict(port)
	if whole != vpc.Denied && whole != vpc.Partial {
		return
	}
	sym := felt
	switch {
	case port == t.hcPort && (t.class == code || t.class == refuse):
		if whole == vpc.Denied {
			a.disproved = append(a.disproved, t)
			return
		}
		sym = quiet // the answer came by a path that is open
	case port == t.hcPort && t.class == initial:
		sym = early
	case port == t.hcPort && t.class == healthy && whole == vpc.Partial:
		sym = quiet
	case port == t.hcPort && t.class == healthy:
		sym = contrary
	case port == t.hcPort && t.class != drop:
		return
	case port != t.hcPort && a.measured() && a.total(elb504)+a.total(connectErrors) == 0 && a.total(requests) > 0 && t.class == healthy:
		sym = contrary
	}
	for _, p := range t.to(port) {
		for i, h := range p.reach.Blocking() {
			cause, subject := a.place(h)
			if cause == "" {
				continue
			}
			b := a.block(cause, subject)
			if i == 0 { // the first place in packet order is the one that shows
				b.latent = false
			}
			b.pairs = append(b.pairs, pair{t, p, h, sym})
		}
	}
}

// place names the cause that a hop stands for, and the resource in trouble.
func (a *analysis) place(h vpc.Hop) (cause, subject string) {
	switch h.Kind {
	case vpc.TargetIngress:
		return "sg.target-ingress", a.chosen(h.Groups)
	case vpc.SourceEgress:
		return "sg.alb-egress", a.frontend(h.Groups)
	case vpc.SourceACLOut, vpc.TargetACLIn:
		return "nacl.forward", h.By
	case vpc.SourceACLIn, vpc.TargetACLOut:
		return "nacl.return", h.By
	}
	return "", ""
}

// chosen is the group of an interface to which the controller writes its rules: the only one, or the only one tagged with
// the cluster. Where it can't choose, the first by name stands for all.
func (a *analysis) chosen(groups []string) string {
	if tagged := a.tagged(groups); len(groups) > 1 && len(tagged) == 1 {
		return tagged[0]
	}
	return groups[0]
}

// tagged lists the groups with the tag kubernetes.io/cluster/<cluster> (owned or shared).
func (a *analysis) tagged(groups []string) []string {
	var out []string
	for _, g := range groups {
		if _, ok := a.s.group(g).Tags["kubernetes.io/cluster/"+a.s.Cluster]; ok {
			out = append(out, g)
		}
	}
	return out
}

// frontend is the group of the load balancer that isn't the controller's shared backend group.
func (a *analysis) frontend(groups []string) string {
	for _, g := range groups {
		if a.s.group(g).Tags["elbv2.k8s.aws/resource"] != "backend-sg" {
			return g
		}
	}
	return groups[0]
}

func (a *analysis) block(cause, subject string) *block {
	for _, b := range a.blocks {
		if b.cause == cause && b.subject == subject {
			return b
		}
	}
	b := &block{cause: cause, subject: subject, latent: true}
	a.blocks = append(a.blocks, b)
	return b
}

func first(paths []path) vpc.Hop {
	for _, p := range paths {
		if b := p.reach.Blocking(); len(b) > 0 {
			return b[0]
		}
	}
	return vpc.Hop{}
}

// replied says what came back from a target.
func replied(t *target) string {
	switch t.class {
	case code:
		return fmt.Sprintf("the target answered %q", t.Description)
	case refuse:
		return "the connection was answered with a reset"
	}
	return "the target is healthy"
}

func (b *block) has(s symptom) bool {
	return slices.ContainsFunc(b.pairs, func(p pair) bool { return p.symptom == s })
}

// targets lists the targets of the block with one of the symptoms (all where none is given), each once.
func (b *block) targets(of ...symptom) []*target {
	var out []*target
	for _, p := range b.pairs {
		if (len(of) == 0 || slices.Contains(of, p.symptom)) && !slices.Contains(out, p.t) {
			out = append(out, p.t)
		}
	}
	return out
}

// ports lists the blocked ports.
func (b *block) ports() []int {
	var out []int
	for _, p := range b.pairs {
		out = append(out, p.path.port)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (b *block) key() string { return "alb/" + b.cause + " " + b.subject }
