package aws

import (
	"fmt"
	"net/http"
)

// apiError is an error as AWS answers it.
type apiError struct {
	Code    string
	Message string
	Status  int    // HTTP status, 400 where it is 0
	Fields  object // further members of the exception, of the JSON services
}

func (e *apiError) Error() string { return e.Code + ": " + e.Message }

func (e *apiError) status() int {
	if e.Status == 0 {
		return http.StatusBadRequest
	}
	return e.Status
}

// isJSON tells services whose errors are exceptions (…Exception) from those with plain codes.
func isJSON(service string) bool { return service == "eks" || service == "cloudtrail" }

// deny is how each service says that IAM doesn't allow a call.
func (s *Server) deny(c *call) *apiError {
	msg := fmt.Sprintf("User: %s is not authorized to perform: %s:%s on resource: * because no identity-based policy allows the %s:%s action",
		s.identity(c).arn, c.service, c.action, c.service, c.action)
	switch {
	case c.service == "ec2":
		return &apiError{Code: "UnauthorizedOperation", Status: http.StatusForbidden, Message: "You are not authorized to perform this operation. " + msg}
	case isJSON(c.service):
		status := http.StatusForbidden
		if c.service == "cloudtrail" {
			status = http.StatusBadRequest
		}
		return &apiError{Code: "AccessDeniedException", Status: status, Message: msg}
	}
	return &apiError{Code: "AccessDenied", Status: http.StatusForbidden, Message: msg}
}

// throttled is how each service says that calls come too fast.
func throttled(c *call) *apiError {
	switch {
	case c.service == "ec2":
		return &apiError{Code: "RequestLimitExceeded", Status: http.StatusServiceUnavailable, Message: "Request limit exceeded."}
	case c.service == "eks":
		return &apiError{Code: "ThrottlingException", Status: http.StatusTooManyRequests, Message: "Rate exceeded"}
	case isJSON(c.service):
		return &apiError{Code: "ThrottlingException", Message: "Rate exceeded"}
	}
	return &apiError{Code: "Throttling", Message: "Rate exceeded"}
}

// unknown is how each service says that it has no such action.
func unknown(c *call) *apiError {
	if isJSON(c.service) {
		return &apiError{Code: "UnknownOperationException", Status: http.StatusNotFound, Message: "Unknown operation " + c.action}
	}
	return &apiError{Code: "InvalidAction", Message: fmt.Sprintf("The action %s is not valid for this web service.", c.action)}
}

// dryRun is the answer of EC2 to a call with DryRun that would have worked.
func dryRun() *apiError {
	return &apiError{Code: "DryRunOperation", Status: http.StatusPreconditionFailed, Message: "Request would have succeeded, but DryRun flag is set."}
}

func missing(name string) *apiError {
	return &apiError{Code: "MissingParameter", Message: "The request must contain the parameter " + name}
}

func invalid(format string, args ...any) *apiError {
	return &apiError{Code: "InvalidParameterValue", Message: fmt.Sprintf(format, args...)}
}
