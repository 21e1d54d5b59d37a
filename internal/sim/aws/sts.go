package aws

import (
	"net/http"
	"regexp"
	"strings"
	"time"
)

// What STS takes (API reference of AssumeRole).
var (
	sessionName = regexp.MustCompile(`^[\w+=,.@-]{2,64}$`)
	tagKey      = regexp.MustCompile(`^[\pL\pZ\pN_.:/=+\-@]{1,128}$`)
	tagText     = regexp.MustCompile(`^[\pL\pZ\pN_.:/=+\-@]{0,256}$`)
)

func invalidSession(name, value string, takes *regexp.Regexp) *apiError {
	return &apiError{Code: "ValidationError", Message: "1 validation error detected: Value '" + value + "' at '" + name + "' failed to satisfy constraint: Member must satisfy regular expression pattern: " + takes.String()}
}

// session is what STS handed out.
type session struct {
	arn    string
	expiry time.Time
	tags   map[string]string
}

func stsOperations() map[string]operation {
	return map[string]operation{
		"GetCallerIdentity": callerIdentity, "AssumeRole": assumeRole, "AssumeRoleWithWebIdentity": assumeRoleWithWebIdentity,
	}
}

// WebIdentityTokens lists the tokens that AssumeRoleWithWebIdentity was called with, oldest first.
func (s *Server) WebIdentityTokens() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.tokens...)
}

// identity is who made the call: a session of STS, or else a user of the account.
func (s *Server) identity(c *call) session {
	if got, ok := s.sessions[c.accessKey]; ok {
		return got
	}
	return session{arn: "arn:aws:iam::" + s.world.Meta.Account + ":user/netdiag"}
}

// authenticate refuses calls that aren't signed, and those with credentials of STS that have expired.
func (s *Server) authenticate(c *call) error {
	if c.action == "AssumeRoleWithWebIdentity" {
		return nil
	}
	if c.accessKey == "" {
		return &apiError{Code: "MissingAuthenticationToken", Status: http.StatusForbidden, Message: "Request is missing Authentication Token"}
	}
	got, ok := s.sessions[c.accessKey]
	if !ok || s.now().Before(got.expiry) {
		return nil
	}
	code := "ExpiredToken"
	switch {
	case c.service == "ec2":
		code = "RequestExpired"
	case isJSON(c.service):
		code = "ExpiredTokenException"
	}
	return &apiError{Code: code, Status: http.StatusForbidden, Message: "The security token included in the request is expired"}
}

func callerIdentity(s *Server, c *call) (object, error) {
	return object{"Account": s.world.Meta.Account, "Arn": s.identity(c).arn, "UserId": c.accessKey}, nil
}

// EndSessions makes the credentials expire that STS has handed out so far.
func (s *Server) EndSessions() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, got := range s.sessions {
		got.expiry = s.now()
		s.sessions[key] = got
	}
}

// assumeRole hands out credentials of a role. CloudTrail shows the session with its tags, where it is recorded at all.
func assumeRole(s *Server, c *call) (object, error) {
	if len(c.objects("Tags")) > 0 && s.denied["sts:TagSession"] && !s.trusted[c.accessKey] {
		c.action = "TagSession"
		return nil, s.deny(c)
	}
	caller := s.identity(c).arn
	out, err := s.assume(c)
	if err == nil && s.lists["cloudtrail"]["Events"] != nil {
		s.recordAssumed(c, caller)
	}
	return out, err
}

func assumeRoleWithWebIdentity(s *Server, c *call) (object, error) {
	token := c.str("WebIdentityToken")
	if token == "" {
		return nil, &apiError{Code: "InvalidIdentityToken", Message: "No web identity token was given"}
	}
	out, err := s.assume(c)
	if err != nil {
		return nil, err
	}
	s.tokens = append(s.tokens, token)
	out["SubjectFromWebIdentityToken"] = "system:serviceaccount:netdiag:netdiag"
	out["Audience"] = "sts.amazonaws.com"
	return out, nil
}

// assume hands out credentials for a role, for an hour where the call doesn't say how long.
func (s *Server) assume(c *call) (object, error) {
	role, name := c.str("RoleArn"), c.str("RoleSessionName")
	part := strings.SplitN(role, ":", 6) // arn:aws:iam::ACCOUNT:role/NAME
	if len(part) < 6 || !strings.HasPrefix(part[5], "role/") {
		return nil, &apiError{Code: "ValidationError", Message: role + " is invalid"}
	}
	if name == "" {
		return nil, missing("RoleSessionName")
	}
	if !sessionName.MatchString(name) {
		return nil, invalidSession("roleSessionName", name, sessionName)
	}
	tags := map[string]string{}
	for _, t := range c.objects("Tags") {
		key, value := text(t["Key"]), text(t["Value"])
		if !tagKey.MatchString(key) || !tagText.MatchString(value) {
			return nil, invalidSession("tags", key+"="+value, tagText)
		}
		tags[key] = value
	}
	lifetime := time.Duration(c.number("DurationSeconds", 3600)) * time.Second
	arn := "arn:aws:sts::" + part[4] + ":assumed-role/" + part[5][strings.LastIndex(part[5], "/")+1:] + "/" + name
	key := strings.ToUpper(s.newID("ASIA"))
	expiry := s.now().Add(lifetime)
	s.sessions[key] = session{arn: arn, expiry: expiry, tags: tags}
	return object{
		"Credentials":     object{"AccessKeyId": key, "SecretAccessKey": "secret-" + key, "SessionToken": "session-" + key, "Expiration": expiry},
		"AssumedRoleUser": object{"Arn": arn, "AssumedRoleId": "AROA:" + name},
	}, nil
}
