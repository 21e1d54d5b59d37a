package alb

import (
	"testing"

	"github.com/netdiag/netdiag/internal/elb"
)

func FuzzHealthDescription(f *testing.F) {
	for _, s := range [][3]string{
		{"unhealthy", "Target.ResponseCodeMismatch", "Health checks failed with these codes: [404]"},
		{"unhealthy", "Target.FailedHealthChecks", "Health checks failed with these codes: [502, 503]"},
		{"unhealthy", "Target.Timeout", "Request timed out"},
		{"unhealthy", "", "[[1,[2,9999]"},
		{"healthy", "", "[500]"},
	} {
		f.Add(s[0], s[1], s[2])
	}
	f.Fuzz(func(t *testing.T, state, reason, description string) {
		c, codes := classOfHealth(elb.TargetHealth{State: state, Reason: reason, Description: description})
		if len(codes) > 0 && c != code {
			t.Errorf("%q %q %q: codes %v with the class %s", state, reason, description, codes, c)
		}
		for _, n := range codes {
			if n < 0 || n > 999 {
				t.Errorf("%q: code %d", description, n)
			}
		}
		_ = c.String()
	})
}
