package fleet

import (
	"fmt"
	"iter"
	"strings"
)

// pod is which pod it is: the slot on its node. The first slots have an address; then come aws-node, kube-proxy and
// those that wait.
type pod struct{ node, slot int }

const (
	agentSlot = perNode
	proxySlot = perNode + 1
	stuckSlot = perNode + 2 // and on
)

// The workloads, and what the names of their pods begin with.
const (
	shop, checkout, system = "shop", "checkout", "kube-system"

	storefront = "storefront-5c9f7d8b64"
	cart       = "cart-7d4b9c6f58"
	payments   = "payments-6b8f7c9d45" // whose pods wait
	teamApp    = "api-5f6d8c9b7x"
)

// letters are those of generated names, in the order in which they sort.
const letters = "2456789bcdfghjklmnpqrstvwxz"

// suffix ends the name of the n-th pod; greater numbers sort later.
func suffix(n int) string {
	b := []byte("22222")
	for i := len(b) - 1; n > 0; i-- {
		b[i] = letters[n%len(letters)]
		n /= len(letters)
	}
	return string(b)
}

// number reads a suffix; -1 where it is none.
func number(suffix string) int {
	n := 0
	if len(suffix) != 5 {
		return -1
	}
	for _, c := range suffix {
		i := strings.IndexRune(letters, c)
		if i < 0 {
			return -1
		}
		n = n*len(letters) + i
	}
	return n
}

// spread is the node of the n-th of so many pods that are spread over all nodes, and which of them it is on that node.
func (f *Fleet) spread(n, of int) (node, nth int) {
	node = n * len(f.nodes) / of
	first := (node*of + len(f.nodes) - 1) / len(f.nodes)
	return node, n - first
}

// spreadAt is the inverse of spread: the number of the nth of them on a node; -1 where there are not so many.
func (f *Fleet) spreadAt(node, nth, of int) int {
	n := (node*of+len(f.nodes)-1)/len(f.nodes) + nth
	if n >= of || n*len(f.nodes)/of != node {
		return -1
	}
	return n
}

// identity is the workload of a pod, and its number there.
type identity struct {
	namespace, workload string
	n                   int
}

func (i identity) name() string { return i.workload + "-" + suffix(i.n) }

func (f *Fleet) identify(p pod) identity {
	switch {
	case p.slot == agentSlot:
		return identity{system, "aws-node", p.node}
	case p.slot == proxySlot:
		return identity{system, "kube-proxy", p.node}
	case p.slot >= stuckSlot:
		return identity{checkout, payments, p.node + (p.slot-stuckSlot)*f.affected}
	}
	if n := f.spreadAt(p.node, p.slot, f.targets); n >= 0 {
		return identity{shop, storefront, n}
	}
	if n := f.spreadAt(p.node, perNode-1-p.slot, f.carts); n >= 0 {
		return identity{checkout, cart, n}
	}
	k := p.node*perNode + p.slot
	return identity{team(k % f.teams), teamApp, k}
}

func team(n int) string { return fmt.Sprintf("team-%03d", n) }

// namespaces lists them in order.
func (f *Fleet) namespaces() []string {
	out := []string{checkout, "default", system, shop}
	for n := range f.teams {
		out = append(out, team(n))
	}
	return out
}

// find is the pod of a name.
func (f *Fleet) find(namespace, name string) (pod, bool) {
	for p := range f.named(name) {
		if i := f.identify(p); i.namespace == namespace && i.name() == name {
			return p, true
		}
	}
	return pod{}, false
}

// named gives the pod that would have a name, if there is one.
func (f *Fleet) named(name string) iter.Seq[pod] {
	return func(yield func(pod) bool) {
		at := strings.LastIndexByte(name, '-')
		if at < 0 {
			return
		}
		n := number(name[at+1:])
		var p pod
		switch name[:at] {
		case "aws-node":
			p = pod{n, agentSlot}
		case "kube-proxy":
			p = pod{n, proxySlot}
		case payments:
			p = pod{n % f.affected, stuckSlot + n/f.affected}
		case storefront:
			p.node, p.slot = f.spread(n, f.targets)
		case cart:
			node, nth := f.spread(n, f.carts)
			p = pod{node, perNode - 1 - nth}
		default:
			p = pod{n / perNode, n % perNode}
		}
		if n >= 0 && f.has(p) {
			yield(p)
		}
	}
}

// has reports whether there is such a pod.
func (f *Fleet) has(p pod) bool {
	if p.node < 0 || p.node >= len(f.nodes) || p.slot < 0 {
		return false
	}
	return p.slot < stuckSlot || p.node < f.affected && p.node+(p.slot-stuckSlot)*f.affected < f.stuck
}

// in gives the pods of a namespace in the order of their names.
func (f *Fleet) in(namespace string) iter.Seq[pod] {
	return func(yield func(pod) bool) {
		all := func(n int, at func(int) pod) bool {
			for i := range n {
				if !yield(at(i)) {
					return false
				}
			}
			return true
		}
		switch namespace {
		case system:
			_ = all(len(f.nodes), func(n int) pod { return pod{n, agentSlot} }) && all(len(f.nodes), func(n int) pod { return pod{n, proxySlot} })
		case shop:
			all(f.targets, func(n int) pod { node, nth := f.spread(n, f.targets); return pod{node, nth} })
		case checkout:
			_ = all(f.carts, func(n int) pod { node, nth := f.spread(n, f.carts); return pod{node, perNode - 1 - nth} }) &&
				all(f.stuck, func(n int) pod { return pod{n % f.affected, stuckSlot + n/f.affected} })
		}
		var t int
		if n, err := fmt.Sscanf(namespace, "team-%03d", &t); n != 1 || err != nil || t >= f.teams {
			return
		}
		for k := t; k < len(f.nodes)*perNode; k += f.teams {
			p := pod{k / perNode, k % perNode}
			if f.identify(p).namespace == namespace && !yield(p) {
				return
			}
		}
	}
}

// on gives the pods of a node.
func (f *Fleet) on(node int) iter.Seq[pod] {
	return func(yield func(pod) bool) {
		for p := (pod{node, 0}); f.has(p); p.slot++ {
			if !yield(p) {
				return
			}
		}
	}
}
