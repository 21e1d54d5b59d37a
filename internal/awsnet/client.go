// Package awsnet reads the network of an AWS account with the AWS SDK and answers in the plain values of vpc, elb, eks
// and trail; it also carries out the changes that go through AWS. What it can call stands in operations.go.
package awsnet

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	awscreds "github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/logging"
	"github.com/aws/smithy-go/middleware"
	"golang.org/x/time/rate"

	"github.com/netdiag/netdiag/diagnostics"
)

const (
	// within bounds one call with all its attempts.
	within     = 5 * time.Second
	attempts   = 5
	maxBackoff = 300 * time.Millisecond
	// Elastic Load Balancing gives one bucket of reads to the whole account, the controller of the cluster included: netdiag
	// takes no more than this of it.
	elbPerSecond = 5
	elbBurst     = 20
)

// Options says where AWS is. The zero value takes everything from the environment, as the SDK does.
type Options struct {
	Region       string // such as us-west-2
	BaseEndpoint string // one URL for all services; empty means those of AWS
	Credentials  aws.CredentialsProvider
	// Within is how long one call may take with all its attempts; 0 means 5 seconds.
	Within time.Duration
	// Poll is how long to wait between two looks at a running change; 0 means 5 seconds.
	Poll time.Duration
	// Now is the clock by which a thing is old enough to be left over; nil means time.Now.
	Now func() time.Time
	// Observe is told of every call and its answer, by several goroutines at once; nil where nobody wants to know.
	Observe func(Answer)
}

// Static makes credentials of an access key, for a simulated account: a real one is better reached by the environment.
func Static(key, secret string) aws.CredentialsProvider {
	return awscreds.NewStaticCredentialsProvider(key, secret, "")
}

// Client talks to AWS for one region. It is safe for use by several goroutines.
type Client struct {
	ec2         ec2Reads
	elb         elbReads
	eks         eksReads
	sts         stsReads
	cloudwatch  cloudwatchReads
	cloudtrail  cloudtrailReads
	autoscaling autoscalingReads
	roles       stsRoles
	iam         iamReads
	cfg         aws.Config // of which the clients of a session are made
	poll        time.Duration
	now         func() time.Time
	region      string
}

// Region is the region that the client reads, such as us-west-2.
func (c *Client) Region() string { return c.region }

// New makes a client. It calls nothing yet: wrong credentials show at the first read.
func New(ctx context.Context, o Options) (*Client, error) {
	load := []func(*config.LoadOptions) error{
		config.WithHTTPClient(awshttp.NewBuildableClient()), // honours AWS_CA_BUNDLE, which a plain http.Client breaks
		config.WithLogger(logging.Nop{}),                    // its warnings about connections of cancelled calls would go to standard error
		config.WithRetryer(func() aws.Retryer { return standard() }),
	}
	if o.Region != "" {
		load = append(load, config.WithRegion(o.Region))
	}
	if o.BaseEndpoint != "" {
		load = append(load, config.WithBaseEndpoint(o.BaseEndpoint))
	}
	if o.Credentials != nil {
		load = append(load, config.WithCredentialsProvider(o.Credentials))
	}
	cfg, err := config.LoadDefaultConfig(ctx, load...)
	if err != nil {
		return nil, fmt.Errorf("load the AWS configuration: %w", err)
	}
	if cfg.Region == "" {
		return nil, diagnostics.Refusal("no AWS region: give one, or set AWS_REGION")
	}
	cfg.Credentials = credentials{cfg.Credentials}
	cfg.APIOptions = append(cfg.APIOptions, bounded(cmp.Or(o.Within, within)))
	if o.Observe != nil {
		cfg.APIOptions = append(cfg.APIOptions, observed(o.Observe))
	}
	slow, turns := cfg.Copy(), rate.NewLimiter(elbPerSecond, elbBurst)
	slow.APIOptions = append(slow.APIOptions, inTurn(turns))
	slow.Retryer = func() aws.Retryer { return sparing{standard(), turns} }
	identities := sts.NewFromConfig(cfg)
	c := &Client{
		ec2: ec2.NewFromConfig(cfg), elb: elb.NewFromConfig(slow), eks: eks.NewFromConfig(cfg), sts: identities, roles: identities, iam: iam.NewFromConfig(cfg), cfg: cfg,
		cloudwatch: cloudwatch.NewFromConfig(cfg), cloudtrail: cloudtrail.NewFromConfig(cfg), autoscaling: autoscaling.NewFromConfig(cfg),
		poll: cmp.Or(o.Poll, 5*time.Second), now: o.Now, region: cfg.Region,
	}
	if c.now == nil {
		c.now = time.Now
	}
	return c, nil
}

// standard tries again as the SDK does, but never waits longer than maxBackoff: somebody waits for the answer.
func standard() *retry.Standard {
	return retry.NewStandard(func(s *retry.StandardOptions) { s.MaxAttempts, s.MaxBackoff = attempts, maxBackoff })
}

// sparing counts each further attempt against the turns of calls that come later.
type sparing struct {
	*retry.Standard
	turns *rate.Limiter
}

// RetryDelay takes a turn for the attempt that follows.
func (s sparing) RetryDelay(attempt int, err error) (time.Duration, error) {
	s.turns.Reserve()
	return s.Standard.RetryDelay(attempt, err)
}

// initially runs f around an operation, before everything that is added later.
func initially(name string, f func(ctx context.Context, next func(context.Context) error) error) func(*middleware.Stack) error {
	return func(stack *middleware.Stack) error {
		return stack.Initialize.Add(middleware.InitializeMiddlewareFunc(name,
			func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (out middleware.InitializeOutput, meta middleware.Metadata, err error) {
				err = f(ctx, func(ctx context.Context) error {
					out, meta, err = next.HandleInitialize(ctx, in)
					return err
				})
				return out, meta, err
			}), middleware.Before)
	}
}

// bounded gives every call a deadline.
func bounded(within time.Duration) func(*middleware.Stack) error {
	return initially("netdiag:deadline", func(ctx context.Context, next func(context.Context) error) error {
		ctx, cancel := context.WithTimeout(ctx, within)
		defer cancel()
		return next(ctx)
	})
}

// inTurn lets every call wait for its turn. A turn that would come after the deadline of the run is waited for no longer.
func inTurn(turns *rate.Limiter) func(*middleware.Stack) error {
	return initially("netdiag:turn", func(ctx context.Context, next func(context.Context) error) error {
		if err := turns.Wait(ctx); err != nil {
			if ctx.Err() == nil { // the limiter says it in an error of its own
				err = context.DeadlineExceeded
			}
			return fmt.Errorf("wait for a turn: %w", err)
		}
		return next(ctx)
	})
}

// Account is the id of the account that the credentials belong to ("sts:GetCallerIdentity").
func (c *Client) Account(ctx context.Context) (string, error) {
	out, err := c.sts.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return "", unreadable("sts:GetCallerIdentity", "get the caller's identity", err)
	}
	return aws.ToString(out.Account), nil
}
