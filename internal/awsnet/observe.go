package awsnet

import (
	"context"
	"errors"
	"time"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"

	"github.com/netdiag/netdiag/diagnostics"
)

// Answer is one call with its answer, as the SDK decoded it, its retries included.
type Answer struct {
	Service string // as IAM spells it: ec2, elasticloadbalancing, eks, sts, cloudwatch, cloudtrail, autoscaling, iam
	Action  string // such as DescribeSubnets
	Input   any    // *…Input of the SDK
	Output  any    // *…Output of the SDK; nil where there is none
	// Reason is empty where the call succeeded, one of diagnostics.Denied, Throttled, Timeout and Absent, or "fault".
	Reason string
	Code   string // error code of AWS, where it gave one
	// Throttled tells that AWS throttled the call at least once, whatever became of it.
	Throttled bool
	Took      time.Duration // all attempts together, with the waiting between them
}

// services gives the prefix of IAM actions for the service ids of the SDK.
var services = map[string]string{
	"EC2": "ec2", "Elastic Load Balancing v2": "elasticloadbalancing", "EKS": "eks", "STS": "sts", "CloudWatch": "cloudwatch",
	"CloudTrail": "cloudtrail", "Auto Scaling": "autoscaling", "IAM": "iam",
}

// observed tells seen of every call when it is over. A call that whoever asked gave up has no answer.
func observed(seen func(Answer)) func(*middleware.Stack) error {
	return func(stack *middleware.Stack) error {
		return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("netdiag:observe",
			func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
				start := time.Now()
				out, metadata, err := next.HandleInitialize(ctx, in)
				a := Answer{Took: time.Since(start), Service: services[awsmiddleware.GetServiceID(ctx)], Action: awsmiddleware.GetOperationName(ctx), Input: in.Parameters}
				if err == nil {
					a.Output = out.Result
				} else {
					a.Reason = reasonOf(err)
					if api, ok := errors.AsType[smithy.APIError](err); ok {
						a.Code = api.ErrorCode()
					}
				}
				a.Throttled = a.Reason == diagnostics.Throttled
				if tries, ok := retry.GetAttemptResults(metadata); ok {
					for _, try := range tries.Results {
						a.Throttled = a.Throttled || try.Err != nil && classify(try.Err) == throttled
					}
				}
				if err == nil || classify(err) != interrupted {
					seen(a)
				}
				return out, metadata, err
			}), middleware.After) // what stands before knows the names of service and operation
	}
}

// reasonOf is the reason of a gap that an error makes, or "fault".
func reasonOf(err error) string {
	if gap, ok := errors.AsType[*diagnostics.ReadError](unreadable("", "", err)); ok {
		return gap.Reason
	}
	return "fault"
}
