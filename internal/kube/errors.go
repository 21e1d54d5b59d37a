package kube

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/netdiag/netdiag/diagnostics"
)

// readError says what became of a read: a *diagnostics.ReadError where the diagnosis can go on without it, a
// diagnostics.Refusal where nothing can be read at all, ctx's own error where the caller gave up.
func (c *Client) readError(ctx context.Context, pushed *tries, permission string, err error) error {
	if err == nil {
		return nil
	}
	gap := func(reason string) error {
		return &diagnostics.ReadError{Permission: permission, Reason: reason, Err: err}
	}
	var transport *url.Error
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return fmt.Errorf("%s: %w", permission, ctx.Err())
	case apierrors.IsUnauthorized(err):
		return diagnostics.Unreachable{Refusal: diagnostics.Refusal(fmt.Sprintf("The Kubernetes API server %s doesn't accept netdiag's credentials (401 Unauthorized): renew the token or kubeconfig, and check the access entry of its IAM role.", c.host))}
	case apierrors.IsForbidden(err):
		return gap(diagnostics.Denied)
	case apierrors.IsTooManyRequests(err), pushed.pushed() > 0:
		return gap(diagnostics.Throttled)
	case apierrors.IsNotFound(err):
		return gap(diagnostics.Absent)
	case errors.Is(err, errCut):
		return gap(diagnostics.Timeout) // like an answer that never comes
	case unreachable(err):
		return diagnostics.Unreachable{Refusal: diagnostics.Refusal(fmt.Sprintf("The Kubernetes API server %s can't be reached: %v. Check the address, the network between, and whether the endpoint is public or private.", c.host, cause(err)))}
	case errors.Is(err, context.DeadlineExceeded), apierrors.IsTimeout(err), apierrors.IsServerTimeout(err), isNetTimeout(err):
		return gap(diagnostics.Timeout)
	case apierrors.IsServiceUnavailable(err), apierrors.IsInternalError(err), statusCode(err) >= 500:
		return gap(diagnostics.Timeout) // there is no word for a broken answer; like a late one, it may be there the next time
	case errors.As(err, &transport):
		return diagnostics.Unreachable{Refusal: diagnostics.Refusal(fmt.Sprintf("The Kubernetes API server %s can't be talked to: %v. Check the kubeconfig and the credentials.", c.host, cause(err)))}
	}
	return fmt.Errorf("%s: %w", permission, err)
}

// unreachable tells a server that isn't there from one that is slow.
func unreachable(err error) bool {
	var op *net.OpError
	var dns *net.DNSError
	return errors.As(err, &dns) || (errors.As(err, &op) && op.Op == "dial")
}

func isNetTimeout(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}

// cause leaves out the method and the address that url.Error puts in front.
func cause(err error) error {
	if transport, ok := errors.AsType[*url.Error](err); ok {
		return transport.Err
	}
	return err
}

func statusCode(err error) int {
	var as apierrors.APIStatus
	if errors.As(err, &as) {
		return int(as.Status().Code)
	}
	return 0
}
