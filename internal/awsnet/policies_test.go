package awsnet

import (
	"encoding/json"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

type statement struct {
	Sid, Effect string
	Action      words
	NotAction   words
	Resource    words
	Condition   map[string]map[string]words
}

// words is a string or a list of them.
type words []string

func (w *words) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*w = words{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(w))
}

func policy(t *testing.T, name string) []statement {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("../../deploy/iam", name))
	if err != nil {
		t.Fatal(err)
	}
	var p struct {
		Version   string
		Statement []statement
	}
	if err := json.Unmarshal(b, &p); err != nil || p.Version != "2012-10-17" {
		t.Fatalf("%s: version %q, %v", name, p.Version, err)
	}
	return p.Statement
}

// fixPolicies are the policies of the fix role, by file.
func fixPolicies(t *testing.T) map[string][]statement {
	t.Helper()
	files, err := filepath.Glob("../../deploy/iam/fix-*.json")
	if err != nil || len(files) < 2 {
		t.Fatal(files, err)
	}
	out := map[string][]statement{}
	for _, f := range files {
		if name := filepath.Base(f); name != "fix-boundary.json" {
			out[name] = policy(t, name)
		}
	}
	return out
}

// methods lists the operations of an interface, as IAM spells them.
func methods[T any](service string) (out []string) {
	of := reflect.TypeFor[T]()
	for m := range of.Methods() {
		out = append(out, service+":"+m.Name)
	}
	return out
}

// kindOfARN is the kind of resource that an ARN of a policy names, such as security-group.
func kindOfARN(arn string) string {
	parts := strings.SplitN(arn, ":", 6)
	kind, _, _ := strings.Cut(parts[len(parts)-1], "/")
	return kind
}

// TestFixPolicies: what the bot can change, the policies of the fix role grant, each in one place, and nothing else.
func TestFixPolicies(t *testing.T) {
	changes := append(methods[ec2Writes]("ec2"), methods[eksWrites]("eks")...)
	besides := append(methods[eksFollows]("eks"), "iam:PassRole")
	var granted []string
	where := map[string]string{} // action and kind of resource → policy
	for name, statements := range fixPolicies(t) {
		for _, s := range statements {
			if s.Effect == "Deny" {
				continue
			}
			for _, action := range s.Action {
				granted = append(granted, action)
				if strings.Contains(action, "*") || len(s.NotAction) > 0 {
					t.Errorf("%s %s: grants %s", name, s.Sid, action)
				}
				if !slices.Contains(changes, action) {
					continue
				}
				for _, r := range s.Resource {
					id := action + " on " + kindOfARN(r)
					if before, twice := where[id]; twice {
						t.Errorf("%s is granted by %s and %s", id, before, name)
					}
					where[id] = name
					fenced(t, name, s, r)
				}
			}
		}
	}
	slices.Sort(granted)
	granted = slices.Compact(granted)
	want := slices.Concat(changes, besides)
	slices.Sort(want)
	if diff := cmp.Diff(want, granted); diff != "" {
		t.Errorf("policies of the fix role (-operations +granted):\n%s", diff)
	}
	for _, s := range policy(t, "fix-boundary.json") {
		if s.Sid == "Ceiling" {
			if diff := cmp.Diff(granted, []string(s.Action)); diff != "" {
				t.Errorf("ceiling of the boundary (-granted +ceiling):\n%s", diff)
			}
		}
	}
}

// fenced reports a statement that grants a change of more than it has to: of everything, of any region or account, or of
// EC2's things whatever tag they carry.
func fenced(t *testing.T, name string, s statement, resource string) {
	t.Helper()
	if !strings.HasPrefix(resource, "arn:${PARTITION}:") || !strings.Contains(resource, ":${REGION}:${ACCOUNT}:") {
		t.Errorf("%s %s: resource %s is of any region or account", name, s.Sid, resource)
	}
	if strings.Contains(resource, "${CLUSTER}") {
		return
	}
	byTag := false
	for _, keys := range s.Condition {
		for key, values := range keys {
			byTag = byTag || (strings.HasPrefix(key, "aws:ResourceTag/") || strings.HasPrefix(key, "aws:RequestTag/")) && slices.Contains(values, "${CLUSTER}")
		}
	}
	if !byTag {
		t.Errorf("%s %s: no tag of the cluster fences %s", name, s.Sid, resource)
	}
	if slices.Contains(s.Action, "ec2:DeleteTags") || slices.Contains(s.Action, "ec2:CreateTags") {
		if keys := s.Condition["ForAllValues:StringEquals"]["aws:TagKeys"]; len(keys) == 0 {
			t.Errorf("%s %s: any tag may be changed", name, s.Sid)
		}
	}
	// Without a key ec2:DeleteTags deletes all tags, and of none ForAllValues is true.
	if slices.Contains(s.Action, "ec2:DeleteTags") && !slices.Equal(s.Condition["Null"]["aws:TagKeys"], words{"false"}) {
		t.Errorf("%s %s: all tags may be deleted at once", name, s.Sid)
	}
}

// TestGrantsNameStatements: what an error names is there.
func TestGrantsNameStatements(t *testing.T) {
	named := map[string]bool{}
	for key, g := range grants {
		action, kind, _ := strings.Cut(key, " ")
		named[action] = true
		arn := map[string]string{"sg": "security-group", "eni": "network-interface", "role": "${"}[kind]
		if arn == "" {
			arn = kind
		}
		if !slices.ContainsFunc(policy(t, g.Policy), func(s statement) bool {
			return s.Sid == g.Statements[0] && slices.Contains(s.Action, action) && slices.ContainsFunc(s.Resource, func(r string) bool { return strings.Contains(r, arn) })
		}) {
			t.Errorf("statement %s of %s doesn't grant %s on %s", g.Statements[0], g.Policy, action, arn)
		}
		for _, sid := range g.Statements {
			if !slices.ContainsFunc(policy(t, g.Policy), func(s statement) bool { return s.Sid == sid && s.Effect == "Allow" }) {
				t.Errorf("%s has no statement %s", g.Policy, sid)
			}
		}
	}
	for _, change := range append(methods[ec2Writes]("ec2"), methods[eksWrites]("eks")...) {
		if !named[change] {
			t.Errorf("nothing tells where %s is granted", change)
		}
	}
}

// TestExecutorPolicy: all that the executor's own role needs besides reading is to become another, and to ask before.
func TestExecutorPolicy(t *testing.T) {
	var granted []string
	for _, s := range policy(t, "executor.json") {
		granted = append(granted, s.Action...)
		if !slices.Equal(s.Resource, words{"${FIX_ROLE_ARN}"}) {
			t.Errorf("%s: on %v", s.Sid, s.Resource)
		}
	}
	slices.Sort(granted)
	want := slices.Concat(methods[iamReads]("iam"), methods[stsRoles]("sts"), []string{"sts:TagSession"})
	slices.Sort(want)
	if diff := cmp.Diff(want, granted); diff != "" {
		t.Errorf("executor.json (-needed +granted):\n%s", diff)
	}
}

// TestTrust: the fix role can only be assumed in a session that carries what CloudTrail has to show.
func TestTrust(t *testing.T) {
	for _, s := range policy(t, "trust-fix-role.json") {
		if got := s.Condition["StringLike"]["sts:RoleSessionName"]; !slices.Equal(got, words{"netdiag-rem-*"}) {
			t.Errorf("session names %v", got)
		}
		want := words{tagRemediation, tagCluster, tagRequested, tagApproved}
		if diff := cmp.Diff(want, s.Condition["ForAllValues:StringEquals"]["aws:TagKeys"]); diff != "" {
			t.Errorf("tags of the session (-given +taken):\n%s", diff)
		}
	}
	for _, name := range []string{"trust-irsa.json", "trust-pod-identity.json"} {
		for _, s := range policy(t, name) {
			text, err := json.Marshal(s.Condition)
			if err != nil || !strings.Contains(string(text), "${NAMESPACE}") || !strings.Contains(string(text), "${SERVICE_ACCOUNT}") {
				t.Errorf("%s: any service account is trusted: %s", name, text)
			}
		}
	}
}

// TestProbesFitThePolicies: what bot execute --check asks IAM about is what each statement grants, and every statement is asked about.
func TestProbesFitThePolicies(t *testing.T) {
	asked := map[string]bool{}
	for _, p := range probes() {
		at := slices.IndexFunc(policy(t, p.policy), func(s statement) bool { return s.Sid == p.sid })
		if at < 0 {
			t.Errorf("%s has no statement %s", p.policy, p.sid)
			continue
		}
		s := policy(t, p.policy)[at]
		asked[p.policy+" "+p.sid] = true
		if !slices.Contains(s.Action, p.action) || !slices.ContainsFunc(s.Resource, func(r string) bool { ok, _ := path.Match(r, p.resource); return ok }) {
			t.Errorf("%s %s doesn't grant %s on %s", p.policy, p.sid, p.action, p.resource)
		}
		for operator, keys := range s.Condition {
			for key, want := range keys {
				if key == "aws:RequestedRegion" { // goes with every question
					continue
				}
				if !holds(operator, want, p.values[key]) {
					t.Errorf("%s %s: %s %s is %v, not %v", p.policy, p.sid, operator, key, want, p.values[key])
				}
			}
		}
	}
	for name, statements := range fixPolicies(t) {
		for _, s := range statements {
			if s.Effect == "Allow" && !asked[name+" "+s.Sid] {
				t.Errorf("%s %s is not asked about", name, s.Sid)
			}
		}
	}
}

// holds reports whether a condition of IAM is true.
func holds(operator string, want, got words) bool {
	switch operator {
	case "Null":
		return want[0] == strconv.FormatBool(len(got) == 0)
	case "ForAllValues:StringEquals":
		return !slices.ContainsFunc(got, func(v string) bool { return !slices.Contains(want, v) })
	case "StringEquals", "StringLike", "ArnEquals":
		return len(got) == 1 && slices.ContainsFunc(want, func(w string) bool { ok, _ := path.Match(w, got[0]); return ok })
	}
	return false
}
