// Package awsnet reads the network of an AWS account with the AWS SDK and answers in the plain values of vpc, elb, eks
// and trail; it also carries out the changes that go through AWS. What it can call stands in operations.go.
package awsnet

import (
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
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/logging"
	"github.com/aws/smithy-go/middleware"
	"golang.org/x/time/rate"

	"github.com/netdiag/netdiag/diagnostics"
)

const (
	// callDeadline bounds one call with all its attempts.
	callDeadline = 5 * time.Second
	attempts     = 5
	maxBackoff   = 300 * time.Millisecond
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
	// Poll is how long to wait between two looks at a running change; 0 means 5 seconds.
	Poll time.Duration
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
	ec2Writes   ec2Writes
	eksWrites   eksWrites
	poll        time.Duration
	region      string
}

// Region is the region that the client reads, such as us-west-2.
func (c *Client) Region() string { return c.region }

// New makes a client. It calls nothing yet: wrong credentials show at the first read.
func New(ctx context.Context, o Options) (*Client, error) {
	load := []func(*config.LoadOptions) error{
		config.WithHTTPClient(awshttp.NewBuildableClient()), // honours AWS_CA_BUNDLE, which a plain http.Client breaks
		config.WithLogger(logging.Nop{}),                    // its warnings about connections of cancelled calls would go to standard error
		config.WithRetryer(func() aws.Retryer {
			return retry.NewStandard(func(s *retry.StandardOptions) { s.MaxAttempts, s.MaxBackoff = attempts, maxBackoff })
		}),
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
	cfg.APIOptions = append(cfg.APIOptions, bounded(nil))
	slow := cfg.Copy()
	slow.APIOptions = append(slow.APIOptions, bounded(rate.NewLimiter(elbPerSecond, elbBurst)))
	reads, writes := ec2.NewFromConfig(cfg), ec2.NewFromConfig(cfg, func(o *ec2.Options) { o.Retryer = aws.NopRetryer{} })
	c := &Client{
		ec2: reads, elb: elb.NewFromConfig(slow), eks: eks.NewFromConfig(cfg), sts: sts.NewFromConfig(cfg),
		cloudwatch: cloudwatch.NewFromConfig(cfg), cloudtrail: cloudtrail.NewFromConfig(cfg), autoscaling: autoscaling.NewFromConfig(cfg),
		ec2Writes: writes, eksWrites: eks.NewFromConfig(cfg, func(o *eks.Options) { o.Retryer = aws.NopRetryer{} }),
		poll: o.Poll, region: cfg.Region,
	}
	if c.poll == 0 {
		c.poll = 5 * time.Second
	}
	return c, nil
}

// bounded gives every call a deadline, and lets it wait for its turn first where there is a limiter.
func bounded(turns *rate.Limiter) func(*middleware.Stack) error {
	return func(stack *middleware.Stack) error {
		name := "netdiag:deadline"
		if turns != nil {
			name = "netdiag:turn"
		}
		return stack.Initialize.Add(middleware.InitializeMiddlewareFunc(name,
			func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
				if turns != nil {
					if err := turns.Wait(ctx); err != nil {
						return middleware.InitializeOutput{}, middleware.Metadata{}, err
					}
					return next.HandleInitialize(ctx, in)
				}
				ctx, cancel := context.WithTimeout(ctx, callDeadline)
				defer cancel()
				return next.HandleInitialize(ctx, in)
			}), middleware.Before)
	}
}

// Account is the id of the account that the credentials belong to ("sts:GetCallerIdentity").
func (c *Client) Account(ctx context.Context) (string, error) {
	out, err := c.sts.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return "", unreadable("sts:GetCallerIdentity", "get the caller's identity", err)
	}
	return aws.ToString(out.Account), nil
}
