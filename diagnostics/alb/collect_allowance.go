package alb

import (
	"errors"

	"github.com/netdiag/netdiag/diagnostics"
)

const (
	// awsCalls is how often one run asks AWS at most, however many targets there are; a further page of an answer is no
	// call of its own.
	awsCalls = 25
	// later is what is asked after the target groups: interfaces of the load balancer, of targets and of their nodes,
	// security groups, their rules, a prefix list, network ACLs, subnets, the VPC and its routes, and metrics.
	later = 11
	// behind is what of it is asked besides the interfaces of targets, and fixed what is asked after those of their nodes.
	behind, fixed = 9, 7
	// arnsInCall and addressesInCall are how many ARNs, or addresses of interfaces, one call takes.
	arnsInCall, addressesInCall = 20, 200
)

// Kubernetes is asked some sixty times at most: about twenty for the cluster itself, what enforces policies in it and logs,
// eight for each namespace, and once more for the events of each further ingress of the group.
const (
	mostNamespaces = 3
	mostHeard      = mostNamespaces + 6
)

// errTooMany is a read that was not made because a run makes only so many.
var errTooMany = errors.New("there are more of them than one run reads")

// ask counts calls to AWS.
func (c *collector) ask(calls int) { c.asked.Add(int32(calls)) }

// askAbout counts the calls that it takes to ask about so many things, so many in each.
func (c *collector) askAbout(things, inCall int) { c.ask((things + inCall - 1) / inCall) }

// left is how many calls to AWS may still be made. It is asked while nothing is read at the same time that makes calls of
// a number which isn't known before, so that the same account always gets the same answer.
func (c *collector) left() int { return awsCalls - int(c.asked.Load()) }

// skip records that something was not read because there is too much of it.
func (c *collector) skip(permission, what string) {
	c.reads.Missed(&diagnostics.ReadError{Permission: permission, Reason: diagnostics.Timeout, Err: errTooMany}, what)
}
