package world_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netdiag/netdiag/internal/world"
)

// Everything that must not leave the cluster carries the word CANARY, or is one of these.
var secrets = []string{
	"CANARY", "123456789012", "998877665544", "hunter2", "AKIAIOSFODNN7EXAMPLE", "bPxRfiCYEXAMPLEKEY",
	"eyJhbGciOiJSUzI1NiJ9", "xoxb-12345678901", "jane@corp.example", "dXNlcjpwYXNz",
}

const leaky = `apiVersion: v1
kind: Secret
metadata: {name: db, namespace: backend}
data: {password: CANARY}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: backend}
data: {url: CANARY}
binaryData: {x: CANARY}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: amazon-vpc-cni, namespace: kube-system}
data: {enable-windows-ipam: "true"}
---
apiVersion: v1
kind: Node
metadata: {name: n1, managedFields: [{manager: CANARY}]}
status: {images: [{names: [CANARY]}], nodeInfo: {kubeletVersion: v1.34.1}}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: api
  namespace: backend
  labels: {app: api, owner: team-a}
  annotations:
    kubectl.kubernetes.io/last-applied-configuration: CANARY
    example.com/token: CANARY
    checksum/config: CANARY
    deployment.kubernetes.io/revision: "7"
    elbv2.k8s.aws/checkpoint: zwdNIKj3pZ66ANobe0ObBd4EPAL0cPPFQtoFS4NekIE
    alb.ingress.kubernetes.io/certificate-arn: arn:aws:acm:us-west-2:123456789012:certificate/1
  managedFields: [{manager: helm, operation: Update, time: "2026-11-22T10:00:00Z", fieldsType: FieldsV1, fieldsV1: {CANARY: {}}}]
spec:
  template:
    metadata: {annotations: {vault.example/role: CANARY, kubectl.kubernetes.io/restartedAt: "2026-11-22T10:00:00Z"}}
    spec:
      initContainers: [{name: i, env: [{name: X, value: CANARY}]}]
      containers:
      - name: api
        image: 998877665544.dkr.ecr.us-west-2.amazonaws.com/api:1
        args: ["--db-password=hunter2", "--token-file=/var/run/token", "--cluster-name=prod", "postgres://u:hunter2@db/x"]
        env:
        - {name: DB, value: CANARY}
        - {name: EMPTY, value: ""}
        - {name: REF, valueFrom: {secretKeyRef: {name: db, key: password}}}
---
apiVersion: apps/v1
kind: DaemonSet
metadata:
  name: aws-node
  namespace: kube-system
  managedFields: [{manager: kubectl, fieldsV1: {"f:spec": {}}}]
spec:
  template:
    spec:
      containers:
      - name: aws-node
        env: [{name: WARM_IP_TARGET, value: "2"}, {name: AWS_SECRET_ACCESS_KEY, value: CANARY}]
---
apiVersion: v1
kind: Event
metadata: {name: e1, namespace: backend}
message: 'ExpiredToken: The security token included in the request is expired; password: hunter2x9; mail jane@corp.example'
`

const leakyAWS = `{
	"ec2": {"NetworkInterfaces": [{"OwnerId": "123456789012", "RequesterId": "AROAIOSFODNN7EXAMPLE:i-0abc", "TagSet": [{"Key": "account", "Value": "998877665544"}], "PrivateIpAddress": "10.0.0.1"}]},
	"elbv2": {"Tags": {"arn:aws:elasticloadbalancing:us-west-2:123456789012:loadbalancer/app/x/1": [{"Key": "a", "Value": "b"}]}},
	"eks": {"Clusters": [{"name": "prod", "certificateAuthority": {"data": "CANARY"}}],
		"Addons": [{"addonName": "vpc-cni", "configurationValues": "{\"env\":{\"WARM_IP_TARGET\":\"2\"}}"}, {"addonName": "other", "configurationValues": "CANARY"}]},
	"cloudtrail": {"Events": [
		{"EventName": "RevokeSecurityGroupIngress", "AccessKeyId": "CANARY", "Username": "jane@corp.example",
			"CloudTrailEvent": "{\"eventName\":\"RevokeSecurityGroupIngress\",\"sourceIPAddress\":\"CANARY\",\"userIdentity\":{\"principalId\":\"CANARY\",\"type\":\"AssumedRole\",\"accessKeyId\":\"CANARY\",\"sessionContext\":{\"attributes\":{\"x\":\"CANARY\"},\"sessionIssuer\":{\"principalId\":\"CANARY\",\"userName\":\"lbc\"}}},\"requestParameters\":{\"groupId\":\"sg-1\"}}"},
		{"EventName": "x", "CloudTrailEvent": "no json"}]}
}`

const leakyLog = `{"level":"error","msg":"AuthFailure","authorization":"Bearer abcdefghijkl.hunter2"}
Authorization: Basic dXNlcjpwYXNz
token eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln and xoxb-12345678901-abcdef
AKIAIOSFODNN7EXAMPLE wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY
GET https://sts.amazonaws.com/?X-Amz-Signature=CANARY&X-Amz-Credential=CANARY/us
-----BEGIN PRIVATE KEY-----
CANARY
-----END PRIVATE KEY-----
"clientSecret": "hunter2"
failed to call AssumeRole on arn:aws:iam::123456789012:role/eksctl-prod-nodegroup-NodeInstanceRole-1A2B3C4D5E6F
image sha256:0d6e4079e36703ebd37c00722f5891d28b0e2811dc114b129215123adcce3605
`

func redacted(t *testing.T) *world.World {
	t.Helper()
	w, err := world.Load(write(t, map[string]string{
		"world.yaml": meta + "account: \"123456789012\"\n", "cluster.yaml": leaky, "aws.json": leakyAWS,
		"logs/backend/api/api.log": leakyLog, "metrics/kube-system/aws-node-x.prom": "awscni_eni_max 3\n",
	}))
	if err != nil {
		t.Fatal(err)
	}
	w.Redact()
	return w
}

func TestRedactLeavesNoSecret(t *testing.T) {
	w := redacted(t)
	folder := filepath.Join(t.TempDir(), "out")
	if err := w.Save(folder); err != nil {
		t.Fatal(err)
	}
	for name, text := range contents(t, folder) {
		for _, secret := range secrets {
			if strings.Contains(text, secret) {
				t.Errorf("%s still holds %s", name, secret)
			}
		}
	}
}

// contents reads every file below a folder, by its path.
func contents(t *testing.T, folder string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(folder, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		rel, _ := filepath.Rel(folder, path)
		out[rel] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// What is diagnosed stays as it is.
func TestRedactKeepsWhatIsDiagnosed(t *testing.T) {
	w := redacted(t)
	all := map[string]string{}
	for _, u := range w.Objects {
		b, err := json.Marshal(u.Object)
		if err != nil {
			t.Fatal(err)
		}
		all[u.GetKind()+" "+u.GetName()] = string(b)
	}
	for name, lists := range w.AWS {
		for list, raw := range lists {
			all[name+"."+list] = strings.Join(strings.Fields(string(raw)), "")
		}
	}
	all["log"] = w.Logs["backend/api/api"]
	for what, wants := range map[string][]string{
		"ConfigMap amazon-vpc-cni": {`"enable-windows-ipam":"true"`},
		"Node n1":                  {`"kubeletVersion":"v1.34.1"`},
		"Deployment api": {
			`"owner":"team-a"`, `"deployment.kubernetes.io/revision":"7"`, `arn:aws:acm:us-west-2:111122223333:certificate/1`, `"manager":"helm"`, `zwdNIKj3pZ66ANobe0ObBd4EPAL0cPPFQtoFS4NekIE`,
			`"kubectl.kubernetes.io/restartedAt"`, `222233334444.dkr.ecr.us-west-2.amazonaws.com/api:1`, `--token-file=/var/run/token`, `--cluster-name=prod`,
			`{"name":"DB","value":"redacted"}`, `{"name":"EMPTY","value":""}`, `"secretKeyRef":{"key":"password","name":"db"}`, `postgres://redacted@db/x`,
		},
		"DaemonSet aws-node":    {`{"name":"WARM_IP_TARGET","value":"2"}`, `"fieldsV1":{"f:spec":{}}`},
		"Event e1":              {"ExpiredToken: The security token included in the request is expired; password: redacted; mail person-1@example.com"},
		"ec2.NetworkInterfaces": {`"OwnerId":"111122223333"`, `"RequesterId":"AROAREDACTED:i-0abc"`, `"Value":"222233334444"`, `10.0.0.1`},
		"elbv2.Tags":            {`"arn:aws:elasticloadbalancing:us-west-2:111122223333:loadbalancer/app/x/1"`},
		"eks.Clusters":          {`{"name":"prod"}`},
		"eks.Addons":            {`{\"env\":{\"WARM_IP_TARGET\":\"2\"}}`, `"configurationValues":"redacted"`},
		"cloudtrail.Events":     {`{\"eventName\":\"RevokeSecurityGroupIngress\",\"requestParameters\":{\"groupId\":\"sg-1\"},\"userIdentity\":{\"sessionContext\":{\"sessionIssuer\":{\"userName\":\"lbc\"}},\"type\":\"AssumedRole\"}}`, `person-1@example.com`, `nojson`},
		"log": {
			`"msg":"AuthFailure"`, "role/eksctl-prod-nodegroup-NodeInstanceRole-1A2B3C4D5E6F", "arn:aws:iam::111122223333:role",
			"sha256:0d6e4079e36703ebd37c00722f5891d28b0e2811dc114b129215123adcce3605",
		},
	} {
		for _, want := range wants {
			if !strings.Contains(all[what], want) {
				t.Errorf("%s lost %s:\n%s", what, want, all[what])
			}
		}
	}
	if w.Meta.Account != "111122223333" || w.Metrics["kube-system/aws-node-x"] != "awscni_eni_max 3\n" {
		t.Errorf("account %q, metrics %q", w.Meta.Account, w.Metrics)
	}
}

// A redacted world can be redacted again without a change.
func TestRedactTwice(t *testing.T) {
	w := redacted(t)
	once, twice := filepath.Join(t.TempDir(), "once"), filepath.Join(t.TempDir(), "twice")
	if err := w.Save(once); err != nil {
		t.Fatal(err)
	}
	w.Redact()
	if err := w.Save(twice); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(contents(t, once), contents(t, twice)); diff != "" {
		t.Errorf("(-once +twice):\n%s", diff)
	}
}

// The own account and up to five others look like AWS's examples, whatever is beyond them is still one for one.
func TestRedactManyAccounts(t *testing.T) {
	var text strings.Builder
	for i := range 12 {
		fmt.Fprintf(&text, " arn:aws:iam::5000000000%02d:role/x", i)
	}
	w := &world.World{Logs: map[string]string{"a/b/c": text.String()}}
	w.Redact()
	seen := map[string]bool{}
	for arn := range strings.FieldsSeq(w.Logs["a/b/c"]) {
		seen[arn] = true
	}
	if len(seen) != 12 || strings.Contains(w.Logs["a/b/c"], "5000000000") {
		t.Errorf("%d accounts told apart: %s", len(seen), w.Logs["a/b/c"])
	}
}

func TestSaveAndLoadAgain(t *testing.T) {
	w, err := world.Load(write(t, map[string]string{
		"world.yaml": meta + "account: \"111122223333\"\nthrottled: [ec2:DescribeVpcs]\nwant: {causes: [], gaps: [list events]}\n", "cluster.yaml": pod + "---\n" + pod2,
		"aws.json": `{"ec2": {"Vpcs": [], "Subnets": [{"SubnetId": "subnet-1"}]}}`, "logs/a/b/c.log": "x\n", "metrics/a/b.prom": "y 1\n",
	}))
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(t.TempDir(), "deep", "saved")
	if err := w.Save(folder, "first", "second"); err != nil {
		t.Fatal(err)
	}
	if text := contents(t, folder)["world.yaml"]; !strings.HasPrefix(text, "# first\n# second\nask: pending backend\n") {
		t.Errorf("world.yaml:\n%s", text)
	}
	again, err := world.Load(folder)
	if err != nil {
		t.Fatal(err)
	}
	if again.Dir != w.Dir || again.Name() != "saved" {
		t.Errorf("saved at %s, Dir is %s", again.Dir, w.Dir)
	}
	compact := func(w *world.World) string {
		b, err := json.Marshal([]any{w.Objects, w.AWS, w.Logs, w.Metrics, w.Meta.Now, w.Meta.Account, w.Meta.Throttled, w.Meta.Want})
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	if diff := cmp.Diff(compact(w), compact(again)); diff != "" {
		t.Errorf("(-saved +loaded):\n%s", diff)
	}
	if err := w.Save(folder); err == nil || !strings.Contains(err.Error(), "is not empty") {
		t.Errorf("saving over a world: %v", err)
	}
	if err := w.Save(filepath.Join(folder, "world.yaml")); err == nil || !strings.Contains(err.Error(), "can't be the folder") {
		t.Errorf("saving over a file: %v", err)
	}
	if err := w.Save(t.TempDir()); err != nil {
		t.Errorf("saving into an empty folder: %v", err)
	}
}

const (
	pod  = "apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: x}\n"
	pod2 = "apiVersion: v1\nkind: Pod\nmetadata: {name: b, namespace: x}\nspec: {priority: 2000000000}\n"
)
