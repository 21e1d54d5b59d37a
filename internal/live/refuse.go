package live

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/awsnet"
	"github.com/netdiag/netdiag/internal/kube"
	"github.com/netdiag/netdiag/internal/render"
)

// refuse says why the outcome of a run is of no use to anybody, in one line with what to do; nil where it is of use. err is
// the run's own error.
func (s Source) refuse(ctx context.Context, a *awsnet.Reader, k *kube.Reader, t diagnostics.Target, err error) error {
	if _, ok := errors.AsType[diagnostics.Refusal](err); ok {
		return err
	}
	if denied := k.Blind(); len(denied) > 0 {
		return unreachable("netdiag may read nothing in the cluster: %s %s denied. Bind the ClusterRole of netdiag to whoever asks; kubectl auth can-i %s tells whether it is.",
			some(denied), verb(denied), denied[0])
	}
	if wrong := s.wrongCluster(ctx, a, k, t); wrong != nil {
		return wrong
	}
	var unread *diagnostics.ReadError
	if !errors.As(err, &unread) {
		return err
	}
	text := fmt.Sprintf("%s is needed for an answer and could not be read (%s).", unread.Permission, unread.Reason)
	if remedy := render.Remedy(diagnostics.Gap{Permission: unread.Permission, Reason: unread.Reason}); remedy != "" {
		text += " To go on, " + remedy + "."
	}
	return unreachable("%s", text)
}

func unreachable(format string, args ...any) error {
	return diagnostics.Unreachable{Refusal: diagnostics.Refusal(fmt.Sprintf(format, args...))}
}

// some names up to three of the permissions.
func some(ps []string) string {
	if len(ps) <= 3 {
		return strings.Join(ps, ", ")
	}
	return fmt.Sprintf("%s and %d other reads", strings.Join(ps[:2], ", "), len(ps)-2)
}

func verb(ps []string) string {
	if len(ps) == 1 {
		return "is"
	}
	return "are"
}

// wrongCluster refuses a cluster that EKS doesn't know in this region: what the Kubernetes API and AWS say would be about
// two different things.
func (s Source) wrongCluster(ctx context.Context, a *awsnet.Reader, k *kube.Reader, t diagnostics.Target) error {
	_, err := a.Cluster(ctx, t.Cluster) // the run has asked before
	if err == nil {
		return nil
	}
	here, missing := s.AWS.Region(), awsnet.NoSuchCluster(err)
	there := k.Region(ctx)
	elsewhere := there != "" && there != here
	switch {
	case elsewhere:
		return diagnostics.Refusal(fmt.Sprintf("This cluster is in %s, but netdiag looks for %s in %s: give --region %s, or set AWS_REGION.", there, t.Cluster, here, there))
	case !missing:
		return nil
	}
	text := fmt.Sprintf("There is no EKS cluster %q in %s.", t.Cluster, here)
	names, err := s.AWS.Clusters(ctx)
	switch {
	case err != nil: // it may not be listed what there is
	case len(names) == 0:
		return diagnostics.Refusal(text + " There is none at all: is it the right account and region (--region, AWS_PROFILE)?")
	default:
		text += diagnostics.Suggest(t.Cluster, names)
	}
	return diagnostics.Refusal(text + " Give its name with --cluster, its region with --region.")
}
