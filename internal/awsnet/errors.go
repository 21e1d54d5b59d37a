package awsnet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/ssocreds"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/netdiag/netdiag/diagnostics"
)

// class is what an error means to netdiag.
type class int

const (
	fault        class = iota // a mistake of netdiag or of AWS
	denied                    // IAM doesn't allow it
	throttled                 // too many calls, even after retries
	timeout                   // no answer in time, or none at all
	absent                    // no such thing, or no such feature
	noIdentity                // credentials are missing, wrong or expired
	interrupted               // whoever asked has given up
	wouldSucceed              // EC2's answer to a dry run that would have worked
	duplicate                 // the rule is there already
	busy                      // another change of the same thing is running
)

// codes classifies the error codes of AWS that matter; suffix rules in classify take the rest.
var codes = map[string]class{
	"UnauthorizedOperation": denied, "AccessDenied": denied, "AccessDeniedException": denied, "NotAuthorized": denied, "OptInRequired": denied,
	"RequestLimitExceeded": throttled, "Throttling": throttled, "ThrottlingException": throttled, "ThrottledException": throttled,
	"TooManyRequestsException": throttled, "RequestThrottled": throttled, "SlowDown": throttled, "LimitExceededException": throttled,
	"RequestTimeout": timeout, "RequestTimeoutException": timeout, "Unavailable": timeout, "ServiceUnavailable": timeout,
	"ServiceUnavailableException": timeout, "InternalError": timeout, "InternalFailure": timeout, "InternalServiceFault": timeout, "ServerException": timeout,
	"UnsupportedOperation": absent, "InvalidAction": absent, "UnknownOperationException": absent, "ResourceNotFoundException": absent,
	"LoadBalancerNotFound": absent, "TargetGroupNotFound": absent, "ListenerNotFound": absent, "RuleNotFound": absent, "InvalidInstanceType": absent,
	"ExpiredToken": noIdentity, "ExpiredTokenException": noIdentity, "RequestExpired": noIdentity, "InvalidClientTokenId": noIdentity,
	"UnrecognizedClientException": noIdentity, "AuthFailure": noIdentity, "SignatureDoesNotMatch": noIdentity, "MissingAuthenticationToken": noIdentity,
	"InvalidSignatureException": noIdentity, "IncompleteSignature": noIdentity, "MissingAuthenticationTokenException": noIdentity,
	"DryRunOperation": wouldSucceed, "InvalidPermission.Duplicate": duplicate, "ResourceInUseException": busy,
}

// classify is the one place that knows what an error of AWS means.
func classify(err error) class {
	if _, ok := errors.AsType[*credentialError](err); ok {
		if errors.Is(err, context.Canceled) {
			return interrupted
		}
		return noIdentity
	}
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		code := api.ErrorCode()
		if c, ok := codes[code]; ok {
			return c
		}
		if strings.HasSuffix(code, ".NotFound") {
			return absent
		}
		var resp *smithyhttp.ResponseError
		if errors.As(err, &resp) && resp.HTTPStatusCode() >= 500 {
			return timeout
		}
		return fault
	}
	if errors.Is(err, context.Canceled) {
		return interrupted
	}
	var resp *smithyhttp.ResponseError
	if errors.As(err, &resp) && resp.HTTPStatusCode() != 0 { // an answer, but without an error code
		if resp.HTTPStatusCode() >= 500 {
			return timeout
		}
		return fault
	}
	var netErr net.Error
	var send *smithyhttp.RequestSendError
	if errors.Is(err, context.DeadlineExceeded) || errors.As(err, &netErr) || errors.As(err, &send) {
		return timeout
	}
	return fault
}

// unreadable turns the error of a read into what diagnoses expect: a *ReadError for a gap, a Refusal where the
// credentials are at fault, and otherwise the error with its operation. what is the operation with its arguments.
func unreadable(permission, what string, err error) error {
	if err == nil {
		return nil
	}
	err = fmt.Errorf("%s: %w", what, err)
	switch classify(err) {
	case denied:
		return &diagnostics.ReadError{Permission: permission, Reason: diagnostics.Denied, Err: err}
	case throttled:
		return &diagnostics.ReadError{Permission: permission, Reason: diagnostics.Throttled, Err: err}
	case timeout:
		return &diagnostics.ReadError{Permission: permission, Reason: diagnostics.Timeout, Err: err}
	case absent:
		return &diagnostics.ReadError{Permission: permission, Reason: diagnostics.Absent, Err: err}
	case noIdentity:
		return noCredentials(permission, err)
	}
	return err
}

// expired are the codes of credentials that were good once.
var expired = map[string]bool{"ExpiredToken": true, "ExpiredTokenException": true, "RequestExpired": true}

// noCredentials says what is wrong with who is asking, and what to do. It keeps the error for the log.
func noCredentials(permission string, err error) error {
	const remedy = " In a pod, check the role of its service account (annotation eks.amazonaws.com/role-arn, and the trust policy of the role);" +
		" elsewhere, run aws sso login, or set AWS_PROFILE."
	var none *credentialError
	api, answered := errors.AsType[smithy.APIError](err)
	var session *ssocreds.InvalidTokenError
	var text string
	switch {
	case errors.As(err, &session):
		text = "The AWS SSO session has expired: run aws sso login."
	case errors.As(err, &none) && answered:
		text = "AWS gives netdiag no credentials (" + operation(none.err) + api.ErrorCode() + ")." + remedy
	case errors.As(err, &none):
		text = "There are no AWS credentials." + remedy
	case expired[api.ErrorCode()]:
		text = "The AWS credentials have expired (" + api.ErrorCode() + " at " + permission + ")." + remedy
	default:
		text = "AWS does not accept these credentials (" + api.ErrorCode() + " at " + permission + ")." + remedy
	}
	return fmt.Errorf("%w (%w)", diagnostics.Unreachable{Refusal: diagnostics.Refusal(text)}, err)
}

// operation is the call that failed, and a colon; empty where none did.
func operation(err error) string {
	var op *smithy.OperationError
	if !errors.As(err, &op) {
		return ""
	}
	return op.Operation() + ": "
}

// credentialError marks a failure to get credentials, as opposed to a call that failed.
type credentialError struct{ err error }

func (e *credentialError) Error() string { return "get credentials: " + e.err.Error() }
func (e *credentialError) Unwrap() error { return e.err }

// credentials marks the errors of a provider as credentialErrors.
type credentials struct{ from aws.CredentialsProvider }

// Retrieve implements aws.CredentialsProvider.
func (c credentials) Retrieve(ctx context.Context) (aws.Credentials, error) {
	got, err := c.from.Retrieve(ctx)
	if err != nil {
		return got, &credentialError{err}
	}
	return got, nil
}
