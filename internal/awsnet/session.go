package awsnet

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"

	"github.com/netdiag/netdiag/internal/remedy"
)

// The tags that tie what was changed, and the session that changed it, to a remediation.
const (
	tagRemediation = "netdiag.io/remediation"
	tagCluster     = "netdiag.io/cluster"
	tagRequested   = "netdiag.io/requested-by"
	tagApproved    = "netdiag.io/approved-by"
)

// shortest is the shortest session that STS gives (sts:AssumeRole, DurationSeconds); a change takes less.
const shortest = 15 * time.Minute

var roleARN = regexp.MustCompile(`^arn:aws[a-z-]*:iam::[0-9]{12}:role/[\w+=,.@/-]{1,576}$`)

// IsRole reports the ARN of an IAM role.
func IsRole(arn string) bool { return roleARN.MatchString(arn) }

// writer is what makes changes, as one identity. Its writes are repeated by the SDK only where AWS throttled them.
type writer struct {
	ec2     ec2Writes
	eks     eksWrites
	follows eksFollows
	role    string // ARN of the role that it has assumed; empty for the client's own identity
	session aws.CredentialsProvider
}

func newWriter(cfg aws.Config, role string) writer {
	return writer{
		ec2:     ec2.NewFromConfig(cfg, func(o *ec2.Options) { o.Retryer = throttledOnly() }),
		eks:     eks.NewFromConfig(cfg, func(o *eks.Options) { o.Retryer = throttledOnly() }),
		follows: eks.NewFromConfig(cfg), role: role,
	}
}

// throttledOnly repeats the calls that AWS answered with too many: those were surely not carried out.
func throttledOnly() aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts, o.MaxBackoff = attempts, maxBackoff
		o.Retryables = []retry.IsErrorRetryable{retry.RetryableErrorCode{Codes: retry.DefaultThrottleErrorCodes}}
	})
}

// writer makes a session of the role for one change. It begins with the first call, so that looking needs none.
func (h *Hands) writer(m remedy.Mark) writer {
	if h.role == "" {
		return h.own
	}
	cache := aws.NewCredentialsCache(assumed{h.role, stscreds.NewAssumeRoleProvider(h.c.roles, h.role, func(o *stscreds.AssumeRoleOptions) {
		o.RoleSessionName, o.Duration, o.Tags = sessionName(m), shortest, sessionTags(m)
	})})
	cfg := h.c.cfg.Copy()
	cfg.Credentials = cache
	cfg.APIOptions = append(slices.Clip(cfg.APIOptions), renewing(cache))
	w := newWriter(cfg, h.role)
	w.session = cache
	return w
}

// assume begins the session, which otherwise begins with the first call.
func (w writer) assume(ctx context.Context) error {
	if w.session == nil {
		return nil
	}
	_, err := w.session.Retrieve(ctx)
	return err
}

var notInSession = regexp.MustCompile(`[^0-9A-Za-z_+=,.@-]+`)

// sessionName shows in the ARN of whoever makes the change, and so in every event of CloudTrail: 64 characters at most.
func sessionName(m remedy.Mark) string {
	name := "netdiag-" + notInSession.ReplaceAllString(m.Remediation, "-")
	return name[:min(len(name), 64)]
}

// sessionTags show in the event of CloudTrail in which the role is assumed. Nobody has approved what is only tried.
func sessionTags(m remedy.Mark) []types.Tag {
	var out []types.Tag
	for _, t := range marks(m) {
		if t.value != "" {
			out = append(out, types.Tag{Key: aws.String(t.key), Value: aws.String(t.value)})
		}
	}
	return out
}

type keyed struct{ key, value string }

// marks are the tags of a change, with values as AWS takes them.
func marks(m remedy.Mark) []keyed {
	return []keyed{
		{tagRemediation, tagValue(m.Remediation)}, {tagCluster, tagValue(m.Cluster)},
		{tagRequested, tagValue(m.Requester)}, {tagApproved, tagValue(m.Approver)},
	}
}

// roleError is a failure to assume a role.
type roleError struct {
	role string
	err  error
}

func (e *roleError) Error() string { return "assume " + e.role + ": " + e.err.Error() }
func (e *roleError) Unwrap() error { return e.err }

// assumed marks the errors of a provider as those of a role.
type assumed struct {
	role string
	from aws.CredentialsProvider
}

// Retrieve implements aws.CredentialsProvider.
func (a assumed) Retrieve(ctx context.Context) (aws.Credentials, error) {
	got, err := a.from.Retrieve(ctx)
	if err != nil {
		return got, &roleError{a.role, err}
	}
	return got, nil
}

// renewing assumes the role again where its session has expired before its time, and makes the call once more: one that
// was refused for that has changed nothing.
func renewing(cache *aws.CredentialsCache) func(*middleware.Stack) error {
	return initially("netdiag:renew", func(ctx context.Context, next func(context.Context) error) error {
		err := next(ctx)
		api, answered := errors.AsType[smithy.APIError](err)
		if _, own := errors.AsType[*roleError](err); own || !answered || !expired[api.ErrorCode()] {
			return err
		}
		cache.Invalidate()
		return next(ctx)
	})
}
