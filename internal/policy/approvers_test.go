package policy_test

import (
	"testing"

	"github.com/netdiag/netdiag/internal/policy"
)

func TestTrusts(t *testing.T) {
	a := policy.Approvers{
		{Users: []string{"U0LOW"}, Risks: []string{"low"}},
		{Users: []string{"U0PORT"}, Fixes: []string{"alb/allow-pod-port"}, Namespaces: []string{"shop"}},
	}
	for _, c := range []struct {
		user, fix, namespace string
		want                 bool
	}{
		{"U0LOW", "alb/reconcile-kick", "shop", true},
		{"U0LOW", "alb/allow-pod-port", "shop", false}, // of medium risk, whatever the record says
		{"U0PORT", "alb/allow-pod-port", "shop", true},
		{"U0PORT", "alb/allow-pod-port", "bank", false},
		{"U0PORT", "alb/reconcile-kick", "shop", false},
		{"U0LOW", "pending/restart-ipamd", "", true}, // a question about the cluster
		{"U0PORT", "alb/allow-pod-port", "", false},
		{"U0NOBODY", "alb/reconcile-kick", "shop", false},
		{"", "alb/reconcile-kick", "shop", false},
	} {
		if got := a.Trusts(c.user, remediation(c.fix, c.namespace)); got != c.want {
			t.Errorf("%s, %s in %s: %v, want %v", c.user, c.fix, c.namespace, got, c.want)
		}
	}
	if (policy.Approvers)(nil).Trusts("U0LOW", remediation("alb/reconcile-kick", "shop")) {
		t.Error("nobody is named, and somebody is trusted")
	}
}
