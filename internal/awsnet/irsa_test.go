package awsnet_test

import (
	"context"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/netdiag/netdiag/internal/awsnet"
	simaws "github.com/netdiag/netdiag/internal/sim/aws"
)

// TestServiceAccountRole runs with nothing but what EKS puts into a pod for a role of a service account: a token file
// and environment variables. The token is rotated while the client lives, and the next credentials must come from the
// new one. The account's clock is two hours behind, so that credentials of an hour are over as soon as they arrive.
func TestServiceAccountRole(t *testing.T) {
	w := load(t, "alb-c01-health-path-404")
	s := simaws.New(w, simaws.Options{Now: func() time.Time { return time.Now().Add(-2 * time.Hour) }})
	hs := httptest.NewServer(s)
	defer hs.Close()
	token := filepath.Join(t.TempDir(), "token")
	for name, v := range map[string]string{
		"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_SESSION_TOKEN": "", "AWS_PROFILE": "",
		"AWS_CONFIG_FILE": token + "-none", "AWS_SHARED_CREDENTIALS_FILE": token + "-none", "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_REGION": w.Meta.Region, "AWS_ROLE_ARN": "arn:aws:iam::" + w.Meta.Account + ":role/netdiag-reader",
		"AWS_WEB_IDENTITY_TOKEN_FILE": token, "AWS_ROLE_SESSION_NAME": "netdiag",
		"AWS_ENDPOINT_URL": hs.URL, "AWS_ENDPOINT_URL_STS": hs.URL, // the web identity provider looks at this one only
	} {
		t.Setenv(name, v)
	}
	write := func(text string) {
		if err := os.WriteFile(token, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("first.token")
	c, err := awsnet.New(context.Background(), awsnet.Options{})
	if err != nil {
		t.Fatal(err)
	}
	account, err := c.Account(context.Background())
	if err != nil || account != w.Meta.Account {
		t.Fatalf("account %q, %v", account, err)
	}
	if seen := s.WebIdentityTokens(); len(seen) == 0 || seen[len(seen)-1] != "first.token" {
		t.Fatalf("tokens %q", seen)
	}
	write("second.token")
	if _, err := c.Reader().LoadBalancers(context.Background()); err != nil {
		t.Fatal(err)
	}
	seen := s.WebIdentityTokens()
	if seen[len(seen)-1] != "second.token" {
		t.Errorf("tokens %q: the rotated one was not used", seen)
	}
	requests := s.Requests()
	keys := map[string]bool{}
	for _, r := range requests {
		if r.Action == "AssumeRoleWithWebIdentity" {
			continue
		}
		if !strings.HasPrefix(r.AccessKey, "ASIA") || r.Code != "" {
			t.Errorf("call %+v was not made with credentials of STS", r)
		}
		keys[r.AccessKey] = true
	}
	if len(keys) < 2 {
		t.Errorf("keys %v: want new credentials after the rotation", keys)
	}
}
