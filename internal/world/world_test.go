package world_test

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/netdiag/netdiag/internal/world"
)

const meta = "ask: pending backend\nnow: \"2026-11-22T10:30:00Z\"\ncluster: prod\nregion: us-west-2\n"

func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	base := map[string]string{"world.yaml": meta, "cluster.yaml": "apiVersion: v1\nkind: Namespace\nmetadata: {name: backend}\n", "aws.json": "{}"}
	maps.Copy(base, files)
	for name, text := range base {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// Whole numbers of objects are what accessors of unstructured objects read.
func TestLoadNumbers(t *testing.T) {
	w, err := world.Load("../../testdata/worlds/seeds/seed-ip-exhaustion")
	if err != nil {
		t.Fatal(err)
	}
	sets := 0
	for _, o := range w.Objects {
		if o.GetKind() != "DaemonSet" {
			continue
		}
		sets++
		if seen, _, err := unstructured.NestedInt64(o.Object, "status", "observedGeneration"); o.GetGeneration() == 0 || seen != o.GetGeneration() || err != nil {
			t.Errorf("%s: generation %d, observed %d, %v", o.GetName(), o.GetGeneration(), seen, err)
		}
	}
	if sets == 0 {
		t.Error("no DaemonSet to look at")
	}
}

func TestLoadNamesFileLineAndField(t *testing.T) {
	for name, c := range map[string]struct{ file, text, want string }{
		"unknown field":  {"world.yaml", meta + "wants: {}\n", "world.yaml:5: wants: no such field"},
		"no ask":         {"world.yaml", strings.Replace(meta, "ask: pending backend", "story: x", 1), "world.yaml: ask: expected what follows /netdiag"},
		"bad time":       {"world.yaml", strings.Replace(meta, "2026-11-22T10:30:00Z", "yesterday", 1), "world.yaml:2: now: expected a time"},
		"bad confidence": {"world.yaml", meta + "want:\n  confidence: sure\n", "world.yaml:6: want.confidence: expected confirmed, likely or possible"},
		"no kind":        {"cluster.yaml", "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n---\n\napiVersion: v1\nmetadata: {name: b}\n", "cluster.yaml:6: kind: expected"},
		"bad yaml":       {"cluster.yaml", "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n---\napiVersion: v1\nkind: [\n", "cluster.yaml:"},
		"bad json":       {"aws.json", "{\n\"ec2\": {\n\"Vpcs\": [,]\n}}", "aws.json:3: expected JSON"},
		"unknown list":   {"aws.json", "{\n\"ec2\": {\n\"Subnet\": []\n}}", "aws.json:3: ec2.Subnet: expected one of Instance"},
		"no text":        {"world.yaml", strings.Replace(meta, "cluster: prod", "cluster: [prod]", 1), "world.yaml:3: cluster: expected a text, not seq"},
		"no list":        {"world.yaml", meta + "throttled: often\n", "world.yaml:5: throttled: expected a list of texts, not str often"},
		"no texts":       {"world.yaml", meta + "want:\n  causes:\n  - {id: x}\n", "world.yaml:7: causes: expected a text, not map"},
		"twice":          {"cluster.yaml", pod + "---\n" + pod2 + "---\n# again\n" + pod, "cluster.yaml:11: metadata.name: expected another name: Pod a is in line 1 already"},
		"version":        {"cluster.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {name: a, resourceVersion: abc}\n", "cluster.yaml:1: metadata.resourceVersion: expected a number in quotes, not abc"},
		"not a list":     {"aws.json", "{\n\"ec2\": {\n\n\"Subnets\": {}\n}}", "aws.json:4: ec2.Subnets: expected a list of objects"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := write(t, map[string]string{c.file: c.text})
			_, err := world.Load(dir)
			if _, ok := errors.AsType[*world.Problem](err); !ok {
				t.Fatalf("Load: %v, want a *Problem", err)
			}
			if got := strings.TrimPrefix(err.Error(), dir+"/"); !strings.HasPrefix(got, c.want) {
				t.Errorf("error %q, want it to start with %q", got, c.want)
			}
		})
	}
}

func TestShiftMovesEveryTime(t *testing.T) {
	dir := write(t, map[string]string{
		"cluster.yaml": "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n  creationTimestamp: '2026-11-22T10:00:00Z'\n  annotations:\n    elbv2.k8s.aws/checkpoint-timestamp: \"1795257400\"\n    note: at 2026-11-22T10:00:00.500Z it broke\n",
		"aws.json":     `{"ec2": {"Instances": [{"LaunchTime": "2026-11-22T10:00:00+00:00"}]}}`,
		"logs/kube-system/aws-node-x/aws-node.log": `{"ts":"2026-11-22T10:00:00.123Z"}`,
		"metrics/kube-system/aws-node-x.prom":      "process_start_time_seconds 1.7952574e+09\nawscni_eni_max 3\n",
	})
	w, err := world.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	w.Shift(time.Hour)
	for what, c := range map[string]struct{ got, want string }{
		"now":        {w.Meta.Now.Format(time.RFC3339), "2026-11-22T11:30:00Z"},
		"created":    {w.Objects[0].GetCreationTimestamp().UTC().Format(time.RFC3339), "2026-11-22T11:00:00Z"},
		"checkpoint": {w.Objects[0].GetAnnotations()["elbv2.k8s.aws/checkpoint-timestamp"], "1795261000"},
		"within":     {w.Objects[0].GetAnnotations()["note"], "at 2026-11-22T11:00:00.500Z it broke"},
		"aws":        {string(w.AWS["ec2"]["Instances"]), `[{"LaunchTime": "2026-11-22T11:00:00+00:00"}]`},
		"log":        {w.Logs["kube-system/aws-node-x/aws-node"], `{"ts":"2026-11-22T11:00:00.123Z"}`},
		"metric":     {w.Metrics["kube-system/aws-node-x"], "process_start_time_seconds 1795261000\nawscni_eni_max 3\n"},
	} {
		if c.got != c.want {
			t.Errorf("%s: %q, want %q", what, c.got, c.want)
		}
	}
}

func TestLoadNamesWhatIsMissing(t *testing.T) {
	for _, name := range []string{"world.yaml", "cluster.yaml", "aws.json"} {
		dir := write(t, nil)
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		_, err := world.Load(dir)
		if _, ok := errors.AsType[*world.Problem](err); !ok || !errors.Is(err, os.ErrNotExist) || !strings.HasPrefix(err.Error(), filepath.Join(dir, name)+": there is no such file; expected ") {
			t.Errorf("without %s: %v", name, err)
		}
	}
	for dir, want := range map[string]string{filepath.Join(t.TempDir(), "none"): "there is no such folder", t.TempDir(): "no world.yaml here or below"} {
		_, err := world.Find(dir)
		if _, ok := errors.AsType[*world.Problem](err); !ok || !strings.Contains(err.Error(), want) {
			t.Errorf("Find: %v, want %s", err, want)
		}
	}
}

// What a client could not read is found with its line, wherever it stands.
func TestCheck(t *testing.T) {
	for name, c := range map[string]struct{ file, text, want string }{
		"in order":  {"aws.json", `{"ec2": {"Subnets": [{"SubnetId": "subnet-1", "AvailableIpAddressCount": 3}]}}`, ""},
		"a pod":     {"cluster.yaml", pod + "---\n" + pod2 + "---\napiVersion: v1\nkind: Pod\nmetadata: {name: c, namespace: x}\nspec:\n  containers:\n  - name: a\n    image: x\n  nodeName: [a]\n", "cluster.yaml:17: spec.nodeName: expected string in Pod x/c, not array"},
		"a time":    {"cluster.yaml", "apiVersion: v1\nkind: Node\nmetadata: {name: node-1, creationTimestamp: yesterday}\n", `cluster.yaml:1: Node node-1: parsing time "yesterday"`},
		"a list":    {"aws.json", "{\n\"ec2\": {\n\"Subnets\": [\n{\"SubnetId\": \"subnet-1\"},\n{\"AvailableIpAddressCount\": \"three\"}\n]}}", "aws.json:5: ec2.Subnets.AvailableIpAddressCount: expected int32, not string"},
		"an object": {"aws.json", `{"elbv2": {"Tags": {"arn": [{"Key": 3}]}}}`, "aws.json:1: elbv2.Tags"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := write(t, map[string]string{c.file: c.text})
			w, err := world.Load(dir)
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			if p := w.Check(); p != nil {
				got = strings.TrimPrefix(p.Error(), dir+"/")
			}
			if !strings.HasPrefix(got, c.want) || (got == "") != (c.want == "") {
				t.Errorf("%q, want it to start with %q", got, c.want)
			}
		})
	}
}
