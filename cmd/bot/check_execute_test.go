package main

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netdiag/netdiag/internal/sim/aws"
	"github.com/netdiag/netdiag/internal/world"
)

const fixing = "arn:aws:iam::111122223333:role/netdiag-fix"

func (b bot) checkExecute(args ...string) (lines []string, stderr string, code int) {
	b.t.Helper()
	out, stderr, code := b.run([]string{"NETDIAG_CLUSTER=prod-cluster"}, append([]string{"execute", "--check", "--region", "us-west-2"}, args...)...)
	out = regexp.MustCompile(`http://\S+ answers, v\S+`).ReplaceAllString(out, "URL answers, VERSION")
	return strings.Split(strings.TrimSpace(out), "\n"), stderr, code
}

func TestCheckExecute(t *testing.T) {
	b := serve(t, filepath.Join(worlds, "seeds/seed-alb-502"), nil)
	got, stderr, code := b.checkExecute("--fix-role", fixing)
	want := []string{
		"Kubernetes",
		"  ok       API server URL answers, VERSION",
		"  ok       N permissions are granted", // to read
		"  ok       N permissions are granted", // to take up what was approved, and to change
		"AWS",
		"  ok       account 111122223333, region us-west-2",
		"  ok       EKS cluster prod-cluster",
		"  ok       N permissions are granted",
		"Changes to AWS",
		"  ok       role " + fixing + " can be assumed",
		"  ok       12 of 12 changes are granted",
		"All is well.",
	}
	for i := range got {
		got[i] = regexp.MustCompile(`(\d+) of (\d+) perm`).ReplaceAllString(got[i], "N perm")
	}
	if diff := cmp.Diff(want, got); diff != "" || code != 0 || stderr != "" {
		t.Errorf("exit %d: %s (-want +got):\n%s", code, stderr, diff)
	}
	if r := b.served.AWS.Requests(); slices.ContainsFunc(r, func(q aws.Request) bool {
		return q.Action == "CreateTags" || strings.HasPrefix(q.Action, "Authorize") || q.Action == "UpdateAddon"
	}) {
		t.Error("a check makes a change")
	}
}

// What a kind of change lacks is named with the statement that grants it, filled in; a kind that is off isn't asked about.
func TestCheckExecuteNamesWhatIsMissing(t *testing.T) {
	b := serve(t, filepath.Join(worlds, "seeds/seed-alb-502"), func(w *world.World) {
		w.Meta.Denied = world.Denied{AWS: []string{"ec2:RevokeSecurityGroupIngress", "ec2:CreateTags", "eks:UpdateAddon"}, Kubernetes: []string{"patch nodes", "patch ingresses.networking.k8s.io", "get configmaps"}}
	})
	got, _, code := b.checkExecute("--fix-role", fixing, "--kinds", "AllowIngress,RevokeIngress,Annotate")
	if code != 3 {
		t.Errorf("exit %d", code)
	}
	said(t, got,
		"  missing  patch ingresses.networking.k8s.io: the ClusterRole netdiag-fix of the chart grants it with fixes.kinds.annotate",
		"  missing  get configmaps: the Role netdiag-read-halt of the chart grants it in namespace netdiag",
		"  missing  ec2:RevokeSecurityGroupIngress: statement RevokeRule of deploy/iam/fix-security-group-rules.json grants it",
		"  missing  ec2:CreateTags: statement TagRule of deploy/iam/fix-security-group-rules.json grants it",
		"  ok       2 of 4 changes are granted",
		"  Missing from the policy (deploy/iam/fix-security-group-rules.json):",
		`    {"Sid":"RevokeRule","Effect":"Allow","Action":["ec2:RevokeSecurityGroupIngress"],"Resource":"arn:aws:ec2:us-west-2:111122223333:security-group/*",`+
			`"Condition":{"ArnEquals":{"ec2:Vpc":"arn:aws:ec2:us-west-2:111122223333:vpc/vpc-0e13189b93f494e3b"},"StringEquals":{"aws:ResourceTag/netdiag.io/allow-remediation":"prod-cluster"}}}`,
	)
	if text := strings.Join(got, "\n"); strings.Contains(text, "patch nodes") || strings.Contains(text, "UpdateAddon") {
		t.Errorf("what is off is asked about:\n%s", text)
	}
	b = serve(t, filepath.Join(worlds, "seeds/seed-alb-502"), func(w *world.World) {
		w.Meta.Denied = world.Denied{AWS: []string{"sts:AssumeRole", "iam:SimulatePrincipalPolicy"}}
	})
	got, _, _ = b.checkExecute("--fix-role", fixing, "--kinds", "Tag")
	for _, want := range []string{"deploy/iam/executor.json lets bot execute assume it", `"Resource":"` + fixing + `"`, "ec2:DeleteTags: it can't be told whether it is granted"} {
		if !strings.Contains(strings.Join(got, "\n"), want) {
			t.Errorf("%q is not said in:\n%s", want, strings.Join(got, "\n"))
		}
	}
}
