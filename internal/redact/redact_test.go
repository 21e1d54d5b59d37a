package redact_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/netdiag/netdiag/internal/redact"
)

const key40 = "wJalrXUtnFEMI1K7MDENG0bPxRfiCYEXAMPLEKEY"

func TestText(t *testing.T) {
	for in, want := range map[string]string{
		"token xoxb-123456789012-abcdefABCDEF":               "token redacted",
		"xapp-1-A012-3456-abcdef":                            "redacted",
		"key AKIAIOSFODNN7EXAMPLE is old":                    "key AKIAREDACTED is old",
		"ASIAIOSFODNN7EXAMPLE":                               "ASIAREDACTED",
		"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc-DEF_1": "redacted",
		"Authorization: Bearer abc123DEF456":                 "Authorization: Bearer redacted",
		"authorization: basic dXNlcjpwYXNz":                  "authorization: basic redacted",
		"basic authentication is required":                   "basic authentication is required",
		"DB_PASSWORD=hunter2 app=web":                        "DB_PASSWORD=redacted app=web",
		`{"api_key": "x"}`:                                   `{"api_key": "redacted"}`,
		"--token=abc":                                        "--token=redacted",
		"token=/var/run/secrets/token":                       "token=/var/run/secrets/token",
		"-----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY----- tail": "redacted tail",
		"-----BEGIN PRIVATE KEY-----\nnever ended":                                 "redacted",
		"postgres://admin:s3cret@db:5432/x":                                        "postgres://redacted@db:5432/x",
		"secret " + key40:                                                          "secret redacted",
		"https://b/?X-Amz-Signature=abcdef&x=1":                                    "https://b/?X-Amz-Signature=redacted&x=1",
	} {
		if got := redact.Text(in); got != want {
			t.Errorf("Text(%q) = %q, want %q", in, got, want)
		}
	}
}

// What a report says every day stays as it is.
func TestTextLeavesAlone(t *testing.T) {
	for _, s := range []string{
		"", "subnet-0a1b2c3d4e5f60718 has 0 of 251 addresses", "pod/backend/token-service-7f8b9-abc", "token-service:8080 is closed",
		"sk-frontend-7f8b9-abcde", "arn:aws:elasticloadbalancing:us-west-2:111122223333:targetgroup/k8s-backend-apiserve-1a2b3c4d5e/0123456789abcdef",
		"ExpiredToken: The security token is expired", "kubectl get pods -n backend -l app=api", "password-reset-7f8b9",
		"sha256:9b74c9897bac770ffc029102a200c5de0a1b2c3d4e5f60718293a4b5c6d7e8f9", "AROAIOSFODNN7EXAMPLE", "WARM_IP_TARGET=2",
	} {
		if got := redact.Text(s); got != s {
			t.Errorf("Text(%q) = %q", s, got)
		}
	}
}

func TestJSON(t *testing.T) {
	got, err := redact.JSON([]byte(`{"env":[{"name":"DB_PASSWORD","value":"hunter2"},{"name":"COLOR","value":"blue"}],"n":12345678901234567890,
		"args":["--token=abc"],"secretName":"web-tls","token":"plain","note":"AKIAIOSFODNN7EXAMPLE"}`))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"args":["--token=redacted"],"env":[{"name":"DB_PASSWORD","value":"redacted"},{"name":"COLOR","value":"blue"}],` +
		`"n":12345678901234567890,"note":"AKIAREDACTED","secretName":"web-tls","token":"redacted"}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if _, err := redact.JSON([]byte(`{"cut`)); err == nil {
		t.Error("half a document is taken")
	}
}

// A secret does not survive, wherever in a text it stands; and what was redacted stays as it is.
func FuzzText(f *testing.F) {
	f.Add("a", "b")
	f.Add("password=", "\n")
	f.Add("-----BEGIN ", "://u:p@")
	f.Fuzz(func(t *testing.T, before, after string) {
		for _, secret := range []string{"xoxb-123456789012-abcdefABCDEF", "AKIAIOSFODNN7EXAMPLE", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc"} {
			got := redact.Text(before + " " + secret + " " + after)
			if strings.Contains(got, secret) {
				t.Errorf("%q is left in %q", secret, got)
			}
			if again := redact.Text(got); again != got {
				t.Errorf("not stable: %q, then %q", got, again)
			}
			doc, err := json.Marshal(map[string]string{"x": before + " " + secret + " " + after})
			if err != nil {
				t.Fatal(err)
			}
			if doc, err = redact.JSON(doc); err != nil || strings.Contains(string(doc), secret) {
				t.Errorf("JSON: %s, %v", doc, err)
			}
		}
	})
}
