package world_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/netdiag/netdiag/internal/world"
)

// writeOverlay writes a complete world and beside it one that rests on it.
func writeOverlay(t *testing.T, changes string) string {
	t.Helper()
	base := write(t, map[string]string{
		"world.yaml":   meta + "account: \"111122223333\"\ndenied: {aws: [ec2:DescribeVpcs]}\nwant: {causes: [pending/taint]}\n",
		"cluster.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {name: api-1, namespace: backend}\nspec: {nodeName: a, containers: [{name: x}]}\n---\napiVersion: v1\nkind: Node\nmetadata: {name: a}\n",
		"aws.json":     `{"ec2": {"Subnets": [{"SubnetId": "subnet-1", "AvailableIpAddressCount": 0}, {"SubnetId": "subnet-2"}]}, "elbv2": {"Tags": {"arn:a": []}}}`,
		"logs/kube-system/aws-node-x/aws-node.log": "error one\n",
	})
	dir := t.TempDir()
	rel, err := filepath.Rel(dir, base)
	if err != nil {
		t.Fatal(err)
	}
	text := "base: " + filepath.ToSlash(rel) + "\nwant: {causes: [], forbid: [pending/taint]}\nchanges:\n" + changes
	if err := os.WriteFile(filepath.Join(dir, "world.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestOverlayChangesItsBase(t *testing.T) {
	w, err := world.Load(writeOverlay(t, `
  - object: Pod backend/api-*
    merge: {spec: {nodeName: null}}
    patch: [{op: replace, path: /spec/containers/0/name, value: y}]
  - object: Node a
    remove: true
  - add: [{apiVersion: v1, kind: Namespace, metadata: {name: backend}}]
  - aws: ec2.Subnets
    where: {SubnetId: subnet-1}
    merge: {AvailableIpAddressCount: 12}
  - aws: ec2.Subnets
    where: {SubnetId: subnet-2}
    remove: true
  - aws: ec2.Vpcs
    add: [{VpcId: vpc-1}]
  - aws: elbv2.Tags
    key: arn:b
    set: [{Key: k, Value: v}]
  - log: kube-system/aws-node-x/aws-node
    replace: {one: two}
  - metrics: kube-system/aws-node-x
    text: "awscni_eni_max 3\n"
`))
	if err != nil {
		t.Fatal(err)
	}
	if w.Meta.Ask != "pending backend" || w.Meta.Account != "111122223333" || len(w.Meta.Denied.AWS) != 1 || len(w.Meta.Want.Causes) != 0 {
		t.Errorf("meta %+v, want the base's but for the ground truth", w.Meta)
	}
	objects, err := json.Marshal(w.Objects)
	if err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct{ got, want string }{
		"objects": {string(objects), `[{"apiVersion":"v1","kind":"Pod","metadata":{"name":"api-1","namespace":"backend"},"spec":{"containers":[{"name":"y"}]}},{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"backend"}}]`},
		"subnets": {string(w.AWS["ec2"]["Subnets"]), `[{"AvailableIpAddressCount":12,"SubnetId":"subnet-1"}]`},
		"vpcs":    {string(w.AWS["ec2"]["Vpcs"]), `[{"VpcId":"vpc-1"}]`},
		"tags":    {string(w.AWS["elbv2"]["Tags"]), `{"arn:a":[],"arn:b":[{"Key":"k","Value":"v"}]}`},
		"log":     {w.Logs["kube-system/aws-node-x/aws-node"], "error two\n"},
		"metrics": {w.Metrics["kube-system/aws-node-x"], "awscni_eni_max 3\n"},
	} {
		if c.got != c.want {
			t.Errorf("%s: %s, want %s", what, c.got, c.want)
		}
	}
}

func TestOverlayNamesWhatDoesNotFit(t *testing.T) {
	for name, c := range map[string]struct{ changes, want string }{
		"no match":      {"  - object: Pod backend/web-*\n    remove: true\n", "world.yaml:4: changes: object Pod backend/web-*: nothing in the base matches"},
		"no item":       {"  - aws: ec2.Subnets\n    where: {SubnetId: subnet-9}\n    remove: true\n", "world.yaml:4: changes: aws ec2.Subnets: no item"},
		"no list":       {"  - aws: ec2.Subnet\n    add: [{}]\n", "world.yaml:4: changes: aws ec2.Subnet: expected <service>.<List>"},
		"no key":        {"  - aws: elbv2.Tags\n    set: []\n", "world.yaml:4: changes: aws elbv2.Tags: key is given"},
		"no text":       {"  - log: kube-system/aws-node-x/aws-node\n    replace: {three: four}\n", "world.yaml:4: changes: kube-system/aws-node-x/aws-node: \"three\" does not occur"},
		"unknown key":   {"  - objekt: Pod a\n", "world.yaml:4: changes: no such key as objekt"},
		"nothing to do": {"  - object: Node a\n", "world.yaml:4: changes: object Node a: expected merge, patch or remove"},
		"bad path":      {"  - object: Node a\n    patch: [{op: remove, path: /spec/taints/0}]\n", "world.yaml:4: changes: object Node a: "},
	} {
		t.Run(name, func(t *testing.T) {
			dir := writeOverlay(t, c.changes)
			_, err := world.Load(dir)
			if _, ok := errors.AsType[*world.Problem](err); !ok {
				t.Fatalf("Load: %v, want a *Problem", err)
			}
			if got := strings.TrimPrefix(err.Error(), dir+"/"); !strings.HasPrefix(got, c.want) {
				t.Errorf("error %q, want it to start with %q", got, c.want)
			}
		})
	}
	for name, c := range map[string]struct{ meta, want string }{
		"no want": {"base: .\n", "want: expected the ground truth"},
		"circle":  {"base: .\nwant: {}\n", "base: expected a complete world in the end"},
		"nowhere": {"base: ../nowhere\nwant: {}\n", "base: expected the folder of a world"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := write(t, map[string]string{"world.yaml": c.meta})
			if _, err := world.Load(dir); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q in it", err, c.want)
			}
		})
	}
}
