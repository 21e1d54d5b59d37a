package awsnet_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netdiag/netdiag/internal/awsnet"
	"github.com/netdiag/netdiag/internal/remedy"
	simaws "github.com/netdiag/netdiag/internal/sim/aws"
	"github.com/netdiag/netdiag/internal/vpc"
)

var mark = remedy.Mark{Remediation: "rem-1", Cluster: "prod", Requester: "U0ASK", Approver: "U0YES,U0ALSO"}

// groups gives the security group of the nodes and that of the load balancer.
func groups(t *testing.T, r *awsnet.Reader, items []item) (node, balancer string) {
	t.Helper()
	for _, g := range items {
		if strings.HasPrefix(g["GroupName"].(string), "k8s-") || strings.Contains(g["GroupName"].(string), "alb") || strings.Contains(g["GroupName"].(string), "frontend") {
			balancer = g["GroupId"].(string)
		}
		if strings.HasSuffix(g["GroupName"].(string), "-node") {
			node = g["GroupId"].(string)
		}
	}
	if node == "" || balancer == "" {
		t.Fatalf("no groups in %v", items)
	}
	return node, balancer
}

func calls(s *simaws.Server, action string) (n int) {
	for _, r := range s.Requests() {
		if r.Action == action {
			n++
		}
	}
	return n
}

func allow(t *testing.T) (*simaws.Server, *awsnet.Client, remedy.Action) {
	t.Helper()
	w := load(t, "alb-s01-custom-sg-unmanaged")
	s, c := serve(t, w)
	items, _ := recorded(t, w, "ec2", "SecurityGroups")
	node, balancer := groups(t, c.Reader(), items)
	return s, c, remedy.Action{AllowIngress: &remedy.AllowIngress{Group: node, Source: balancer, Port: 8080, Description: "ALB → backend/api <x>"}}
}

// TestAllowAndRevoke adds a rule, finds it again, and takes it back.
func TestAllowAndRevoke(t *testing.T) {
	ctx := context.Background()
	s, c, a := allow(t)
	h := c.Hands()
	before, err := c.Reader().SecurityGroupRules(ctx, a.AllowIngress.Group)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.DryRun(ctx, a, mark); err != nil {
		t.Fatal(err)
	}
	if done, _, err := h.Look(ctx, a, mark); done || err != nil {
		t.Fatalf("after a dry run: done %v, %v", done, err)
	}
	receipt, err := h.Apply(ctx, a, mark)
	if err != nil || receipt.ID == "" || !receipt.Owned || receipt.Undo == nil {
		t.Fatalf("receipt %+v, %v", receipt, err)
	}
	rules, err := c.Reader().SecurityGroupRules(ctx, a.AllowIngress.Group)
	if err != nil || len(rules) != len(before)+1 {
		t.Fatalf("%d rules, want %d: %v", len(rules), len(before)+1, err)
	}
	made := rules[slices.IndexFunc(rules, func(r vpc.SecurityGroupRule) bool { return r.ID == receipt.ID })]
	if made.From != 8080 || made.To != 8080 || made.Protocol != "tcp" || made.Source != a.AllowIngress.Source || made.Egress || made.CIDR.IsValid() {
		t.Errorf("rule %+v is wider than, or not, what was asked for", made)
	}
	same(t, "tags", map[string]string{
		"netdiag.io/remediation": "rem-1", "netdiag.io/cluster": "prod", "netdiag.io/requested-by": "U0ASK", "netdiag.io/approved-by": "U0YES U0ALSO",
	}, made.Tags)
	if made.Description != "netdiag:rem-1 ALB - backend/api -x-" {
		t.Errorf("description %q", made.Description)
	}
	done, seen, err := h.Look(ctx, a, mark)
	if !done || err != nil || cmp.Diff(receipt, seen) != "" {
		t.Errorf("look: %v %v\n%s", done, err, cmp.Diff(receipt, seen))
	}
	again, err := h.Apply(ctx, a, mark)
	if err != nil || cmp.Diff(receipt, again) != "" {
		t.Errorf("a second apply: %+v, %v", again, err)
	}
	other := mark
	other.Remediation = "rem-12"
	if r, err := h.Apply(ctx, a, other); err != nil || r.Owned || r.Undo != nil || r.ID != receipt.ID {
		t.Errorf("of another remediation: %+v, %v; want the rule, not owned", r, err)
	}
	undo := *receipt.Undo
	if err := h.DryRun(ctx, undo, mark); err != nil {
		t.Error(err)
	}
	if done, _, err := h.Look(ctx, undo, mark); done || err != nil {
		t.Errorf("the rule is still there, but look says done %v, %v", done, err)
	}
	if _, err := h.Apply(ctx, undo, mark); err != nil {
		t.Error(err)
	}
	if done, _, err := h.Look(ctx, undo, mark); !done || err != nil {
		t.Errorf("the rule is gone, but look says done %v, %v", done, err)
	}
	if _, err := h.Apply(ctx, undo, mark); err != nil {
		t.Errorf("revoking what is gone: %v", err)
	}
	after, err := c.Reader().SecurityGroupRules(ctx, a.AllowIngress.Group)
	if err != nil || cmp.Diff(before, after, cmp.Comparer(func(a, b vpc.SecurityGroupRule) bool { return a.ID == b.ID })) != "" {
		t.Errorf("after the undo there are other rules than before: %v, %v", after, err)
	}
	if n := calls(s, "RevokeSecurityGroupIngress"); n != 2 {
		t.Errorf("%d calls of revoke, want a dry one and a real one", n)
	}
}

// TestRevokeOnlyOurs: a rule that netdiag didn't make, or that is another rule now, is not touched.
func TestRevokeOnlyOurs(t *testing.T) {
	ctx := context.Background()
	s, c, a := allow(t)
	rules, err := c.Reader().SecurityGroupRules(ctx, a.AllowIngress.Group)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(rules, func(r vpc.SecurityGroupRule) bool {
		return !r.Egress && r.Source != "" && r.From == r.To && r.Protocol == "tcp"
	})
	if i < 0 {
		t.Fatal("no rule to try it on")
	}
	foreign := remedy.RevokeIngress{Group: rules[i].Group, Rule: rules[i].ID, Source: rules[i].Source, Port: rules[i].From}
	receipt, err := c.Hands().Apply(ctx, a, mark)
	if err != nil {
		t.Fatal(err)
	}
	otherPort := *receipt.Undo.RevokeIngress
	otherPort.Port++
	for what, r := range map[string]remedy.RevokeIngress{"a foreign rule": foreign, "a rule that is another one": otherPort} {
		a := remedy.Action{RevokeIngress: &r}
		if err := c.Hands().DryRun(ctx, a, mark); !errors.Is(err, remedy.ErrRefused) {
			t.Errorf("dry run on %s: %v, want a refusal", what, err)
		}
		if _, err := c.Hands().Apply(ctx, a, mark); !errors.Is(err, remedy.ErrRefused) {
			t.Errorf("apply on %s: %v, want a refusal", what, err)
		}
	}
	elsewhere := mark
	elsewhere.Cluster = "other"
	if err := c.Hands().DryRun(ctx, *receipt.Undo, elsewhere); !errors.Is(err, remedy.ErrRefused) {
		t.Errorf("a rule for another cluster: %v, want a refusal", err)
	}
	if n := calls(s, "RevokeSecurityGroupIngress"); n != 0 {
		t.Errorf("revoke was called %d times", n)
	}
	var drifted *awsnet.Drifted
	if _, err := c.Hands().Apply(ctx, remedy.Action{RevokeIngress: &otherPort}, mark); !errors.As(err, &drifted) {
		t.Errorf("error %v does not say that the rule has changed", err)
	}
}

// TestAllowRefused: where AWS says no, nothing was changed and the error says so.
func TestAllowRefused(t *testing.T) {
	ctx := context.Background()
	w := load(t, "alb-s01-custom-sg-unmanaged")
	w.Meta.Denied.AWS = []string{"ec2:AuthorizeSecurityGroupIngress"}
	_, c := serve(t, w)
	items, _ := recorded(t, w, "ec2", "SecurityGroups")
	node, balancer := groups(t, c.Reader(), items)
	a := remedy.Action{AllowIngress: &remedy.AllowIngress{Group: node, Source: balancer, Port: 8080}}
	const grants = "may not call ec2:AuthorizeSecurityGroupIngress on sg-"
	if err := c.Hands().DryRun(ctx, a, mark); !errors.Is(err, remedy.ErrRefused) || !strings.Contains(err.Error(), grants) || !strings.Contains(err.Error(), "statements AddRule, MarkRule and TagRule of deploy/iam/fix-security-group-rules.json grant it, where "+node+" carries the tag netdiag.io/allow-remediation") {
		t.Errorf("denied dry run: %v", err)
	}
	if _, err := c.Hands().Apply(ctx, a, mark); !errors.Is(err, remedy.ErrRefused) {
		t.Errorf("denied: %v", err)
	}
	full := load(t, "alb-s06-rule-quota")
	_, c = serve(t, full)
	items, _ = recorded(t, full, "ec2", "SecurityGroups")
	node, balancer = groups(t, c.Reader(), items)
	_, err := c.Hands().Apply(ctx, remedy.Action{AllowIngress: &remedy.AllowIngress{Group: node, Source: balancer, Port: 8081}}, mark)
	if !errors.Is(err, remedy.ErrRefused) || !strings.Contains(err.Error(), "maximum number of rules") {
		t.Errorf("a group that is full: %v", err)
	}
	if err := c.Hands().DryRun(ctx, remedy.Action{Annotate: &remedy.Annotate{}}, mark); !errors.Is(err, remedy.ErrRefused) {
		t.Errorf("an action of Kubernetes: %v", err)
	}
}

// TestAllowUnanswered: a write is sent once, whatever happens to it, but for one that EC2 didn't take because there were
// too many calls; after a lost answer Look finds what was done.
func TestAllowUnanswered(t *testing.T) {
	ctx := context.Background()
	s, c, a := allow(t)
	for _, f := range []simaws.Fault{{Code: "RequestLimitExceeded", Status: 503}, {Code: "InternalError", Status: 500}, {Lost: true}} {
		before := calls(s, "AuthorizeSecurityGroupIngress")
		s.SetFault(func(_, action string) *simaws.Fault {
			if action == "AuthorizeSecurityGroupIngress" {
				return &f
			}
			return nil
		})
		if _, err := c.Hands().Apply(ctx, a, mark); err == nil || errors.Is(err, remedy.ErrRefused) {
			t.Errorf("%+v: error %v, want one that leaves it open", f, err)
		}
		if n := calls(s, "AuthorizeSecurityGroupIngress") - before; (n == 1) != (f.Code != "RequestLimitExceeded") {
			t.Errorf("%+v: sent %d times", f, n)
		}
		done, receipt, err := c.Hands().Look(ctx, a, mark)
		if err != nil || done != f.Lost || receipt.Owned != f.Lost {
			t.Errorf("%+v: look says %v %+v, %v", f, done, receipt, err)
		}
	}
}
