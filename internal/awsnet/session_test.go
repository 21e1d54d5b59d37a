package awsnet_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netdiag/netdiag/internal/awsnet"
	"github.com/netdiag/netdiag/internal/remedy"
	simaws "github.com/netdiag/netdiag/internal/sim/aws"
)

const fixRole = "arn:aws:iam::111122223333:role/netdiag-fix"

// assumptions lists the sessions that were begun, as CloudTrail shows them: name and tags.
func assumptions(t *testing.T, s *simaws.Server) (out []assumption) {
	t.Helper()
	events, _ := recorded(t, s.World(), "cloudtrail", "Events")
	for _, e := range events {
		if e["EventName"] != "AssumeRole" {
			continue
		}
		var detail struct {
			RequestParameters assumption `json:"requestParameters"`
		}
		if err := json.Unmarshal([]byte(e["CloudTrailEvent"].(string)), &detail); err != nil {
			t.Fatal(err)
		}
		out = append(out, detail.RequestParameters)
	}
	return out
}

type assumption struct {
	RoleARN string            `json:"roleArn"`
	Name    string            `json:"roleSessionName"`
	Tags    map[string]string `json:"principalTags"`
}

// TestHandsAssumeARoleForEachChange: whoever reads CloudTrail sees for which remediation a change was made, and who
// asked for it and approved it. What is only read needs no role.
func TestHandsAssumeARoleForEachChange(t *testing.T) {
	ctx := context.Background()
	w := load(t, "alb-s01-custom-sg-unmanaged")
	w.AWS["cloudtrail"] = map[string]json.RawMessage{"Events": json.RawMessage("[]")}
	s, c := serve(t, w)
	items, _ := recorded(t, w, "ec2", "SecurityGroups")
	node, balancer := groups(t, c.Reader(), items)
	a := remedy.Action{AllowIngress: &remedy.AllowIngress{Group: node, Source: balancer, Port: 8080}}
	h := c.HandsAs(fixRole)
	if _, _, err := h.Look(ctx, a, mark); err != nil || len(assumptions(t, s)) != 0 {
		t.Fatalf("to look: %v, %d sessions", err, len(assumptions(t, s)))
	}
	trial := mark
	trial.Approver = ""
	if err := h.DryRun(ctx, a, trial); err != nil {
		t.Fatal(err)
	}
	r, err := h.Apply(ctx, a, mark)
	if err != nil {
		t.Fatal(err)
	}
	odd := remedy.Mark{Remediation: "rem-ö/" + strings.Repeat("x", 90), Cluster: "prod", Requester: strings.Repeat("U", 300), Approver: "a;b"}
	if err := h.DryRun(ctx, *r.Undo, odd); err != nil {
		t.Fatal(err)
	}
	tags := func(remediation, by, approved string) map[string]string {
		out := map[string]string{"netdiag.io/remediation": remediation, "netdiag.io/cluster": "prod", "netdiag.io/requested-by": by}
		if approved != "" {
			out["netdiag.io/approved-by"] = approved
		}
		return out
	}
	want := []assumption{
		{fixRole, "netdiag-rem-1", tags("rem-1", "U0ASK", "")},
		{fixRole, "netdiag-rem-1", tags("rem-1", "U0ASK", "U0YES U0ALSO")},
		{fixRole, ("netdiag-rem--" + strings.Repeat("x", 90))[:64], tags("rem-ö/"+strings.Repeat("x", 90), strings.Repeat("U", 256), "a b")},
	}
	if diff := cmp.Diff(want, assumptions(t, s)); diff != "" {
		t.Errorf("sessions (-want +got):\n%s", diff)
	}
	for _, q := range s.Requests() {
		asRole := q.Principal == "arn:aws:sts::111122223333:assumed-role/netdiag-fix/netdiag-rem-1" || strings.Contains(q.Principal, "netdiag-fix/netdiag-rem--")
		if writes := q.Action == "AuthorizeSecurityGroupIngress" || q.Action == "RevokeSecurityGroupIngress"; writes != asRole {
			t.Errorf("%s was called by %s", q.Action, q.Principal)
		}
	}
}

// TestSessionThatExpires: the role is assumed again, and the change made once.
func TestSessionThatExpires(t *testing.T) {
	for name, expiry := range map[string]func(*simaws.Server){
		"once":   func(s *simaws.Server) { s.EndSessions() },
		"always": nil,
	} {
		s, c, a := leaks(t, nil)
		ended := false
		s.SetFault(func(_, action string) *simaws.Fault {
			if action != "DeleteNetworkInterface" || ended {
				return nil
			}
			if expiry == nil {
				return &simaws.Fault{Code: "RequestExpired", Message: "Request has expired."}
			}
			ended = true
			expiry(s)
			return nil
		})
		r, err := c.HandsAs(fixRole).Apply(context.Background(), a, mark)
		switch {
		case expiry != nil && (err != nil || len(r.Did) != 3 || really(s, "DeleteNetworkInterface") != 3 || calls(s, "AssumeRole") != 2):
			t.Errorf("%s: %+v, %v, after %d sessions", name, r, err, calls(s, "AssumeRole"))
		case expiry == nil && (!errors.Is(err, remedy.ErrRefused) || calls(s, "DeleteNetworkInterface") != 2):
			t.Errorf("%s: %v after %d calls, want a refusal after two", name, err, calls(s, "DeleteNetworkInterface"))
		}
	}
}

// TestRoleThatMayNotBeAssumed names what is missing, before anything is tried.
func TestRoleThatMayNotBeAssumed(t *testing.T) {
	for _, denied := range []string{"sts:AssumeRole", "sts:TagSession"} {
		w := load(t, "pending-s17-leaked-enis")
		w.Meta.Denied.AWS = []string{denied}
		s, c := serve(t, w)
		items, _ := recorded(t, w, "ec2", "NetworkInterfaces")
		var leaked []item
		for _, n := range items {
			if n["Status"] == "available" && len(leaked) == 0 {
				leaked = append(leaked, n)
			}
		}
		a := remedy.Action{DeleteInterfaces: &remedy.DeleteInterfaces{Cluster: "prod", Interfaces: ids(leaked, "NetworkInterfaceId")}}
		err := c.HandsAs(fixRole).DryRun(context.Background(), a, mark)
		missing, ok := errors.AsType[*awsnet.Missing](err)
		if !ok || missing.Action != "sts:AssumeRole" || missing.Resource != fixRole || !errors.Is(err, remedy.ErrRefused) || !strings.Contains(err.Error(), "statement AssumeFixRole of deploy/iam/executor.json grants it") {
			t.Errorf("%s denied: %v", denied, err)
		}
		if n := calls(s, "DeleteNetworkInterface"); n != 0 {
			t.Errorf("%s denied: %d calls all the same", denied, n)
		}
	}
}
