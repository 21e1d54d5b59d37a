package awsnet

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/recall"
)

// Reader answers the reads of one diagnosis run. Every question is asked once: whoever asks it again, at the same time
// or later, gets the same answer. Answers must not be changed below their first level.
type Reader struct {
	c      *Client
	memory recall.Memory

	mu   sync.Mutex
	tags map[string]map[string]string // by ARN
}

var _ interface {
	diagnostics.Network
	diagnostics.Interfaces
	diagnostics.Firewalls
	diagnostics.Routing
	diagnostics.Instances
	diagnostics.LoadBalancers
	diagnostics.TargetGroups
	diagnostics.Tags
	diagnostics.Clusters
	diagnostics.Nodegroups
	diagnostics.Metrics
	diagnostics.Audit
} = (*Reader)(nil)

// Reader starts a run with an empty memory.
func (c *Client) Reader() *Reader { return &Reader{c: c} }

// Fill puts the reader into every AWS field of in.
func (r *Reader) Fill(in *diagnostics.Inputs) {
	in.Network, in.Interfaces, in.Firewalls, in.Routing, in.Instances = r, r, r, r, r
	in.LoadBalancers, in.TargetGroups, in.Tags, in.Clusters, in.Nodegroups, in.Metrics, in.Audit = r, r, r, r, r, r, r
}

// key names a question.
func key(parts ...string) string { return strings.Join(parts, "\x00") }

// set sorts names and drops empty and repeated ones.
func set(names []string) []string {
	out := slices.DeleteFunc(slices.Clone(names), func(s string) bool { return s == "" })
	slices.Sort(out)
	return slices.Compact(out)
}

// batches cuts names into lists of at most n, what AWS takes in one call; no names make no batch.
func batches(names []string, n int) [][]string {
	var out [][]string
	for len(names) > 0 {
		k := min(n, len(names))
		out = append(out, names[:k])
		names = names[k:]
	}
	return out
}

// inBatches asks for names in batches and joins the answers.
func inBatches[T any](names []string, n int, f func([]string) ([]T, error)) ([]T, error) {
	var out []T
	for _, batch := range batches(names, n) {
		part, err := f(batch)
		if err != nil {
			return nil, err
		}
		out = append(out, part...)
	}
	return out, nil
}

// pager is a paginator of the SDK.
type pager[O, P any] interface {
	HasMorePages() bool
	NextPage(ctx context.Context, opts ...func(*P)) (*O, error)
}

// pages calls each with every page.
func pages[O, P any](ctx context.Context, p pager[O, P], each func(*O)) error {
	for p.HasMorePages() {
		out, err := p.NextPage(ctx)
		if err != nil {
			return err
		}
		each(out)
	}
	return nil
}

// addr reads an address; the zero Addr where there is none.
func addr(s *string) netip.Addr {
	if s == nil {
		return netip.Addr{}
	}
	a, err := netip.ParseAddr(*s)
	if err != nil {
		return netip.Addr{}
	}
	return a
}

// cidr reads a CIDR block; the zero Prefix where there is none.
func cidr(s *string) netip.Prefix {
	if s == nil {
		return netip.Prefix{}
	}
	p, err := netip.ParsePrefix(*s)
	if err != nil {
		return netip.Prefix{}
	}
	return p.Masked()
}
