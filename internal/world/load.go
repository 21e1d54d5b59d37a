package world

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	kyaml "sigs.k8s.io/yaml"
)

func (w *World) loadMeta() error {
	file := filepath.Join(w.Dir, "world.yaml")
	text, err := read(file, "the folder of a world, which has one")
	if err != nil {
		return err
	}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	if err := dec.Decode(&w.Meta); err != nil {
		if te := (*time.ParseError)(nil); errors.As(err, &te) { // it carries no line
			return &Problem{File: file, Line: lineOf(text, "now"), Field: "now", Want: "expected a time such as 2026-11-22T10:30:00Z"}
		}
		return metaProblem(file, text, err)
	}
	if w.Meta.Base != "" {
		if err := w.inherit(file, text); err != nil {
			return err
		}
	}
	for _, c := range []struct {
		field, want string
		bad         bool
	}{
		{"ask", `what follows /netdiag, such as "pending backend"`, w.Meta.Ask == ""},
		{"now", "the clock of the world, such as 2026-11-22T10:30:00Z", w.Meta.Now.IsZero()},
		{"cluster", "the name of the EKS cluster", w.Meta.Cluster == ""},
		{"region", "a region, such as us-west-2", w.Meta.Region == ""},
		{"want.confidence", "confirmed, likely or possible", w.Meta.Want.Confidence != "" && !strings.Contains(" confirmed likely possible ", " "+w.Meta.Want.Confidence+" ")},
	} {
		if c.bad {
			return &Problem{File: file, Line: lineOf(text, c.field), Field: c.field, Want: "expected " + c.want}
		}
	}
	return nil
}

// inherit takes what an overlay does not say itself from its base; the ground truth it must say.
func (w *World) inherit(file string, text []byte) error {
	var own map[string]yaml.Node
	if err := yaml.Unmarshal(text, &own); err != nil {
		return yamlProblem(file, 0, err)
	}
	if _, ok := own["want"]; !ok {
		return &Problem{File: file, Line: lineOf(text, "base"), Field: "want", Want: "expected the ground truth: a world with a base has its own"}
	}
	if w.depth >= deepest {
		return &Problem{File: file, Line: lineOf(text, "base"), Field: "base", Want: "expected a complete world in the end: the bases run in a circle, or too deep"}
	}
	base := &World{Dir: filepath.Join(w.Dir, filepath.FromSlash(w.Meta.Base)), depth: w.depth + 1}
	if err := base.loadMeta(); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return &Problem{File: file, Line: lineOf(text, "base"), Field: "base", Want: "expected the folder of a world, relative to this one: there is no " + filepath.Join(base.Dir, "world.yaml")}
		}
		return err
	}
	m := base.Meta
	w.Meta.Ask, w.Meta.Cluster = cmp.Or(w.Meta.Ask, m.Ask), cmp.Or(w.Meta.Cluster, m.Cluster)
	w.Meta.Region, w.Meta.Account = cmp.Or(w.Meta.Region, m.Region), cmp.Or(w.Meta.Account, m.Account)
	if w.Meta.Now.IsZero() {
		w.Meta.Now = m.Now
	}
	if _, ok := own["denied"]; !ok {
		w.Meta.Denied = m.Denied
	}
	if _, ok := own["throttled"]; !ok {
		w.Meta.Throttled = m.Throttled
	}
	return nil
}

// object decodes one document. Whole numbers are int64, as in every unstructured object: those that read them see no others.
func object(doc string) (m map[string]any, err error) {
	text, err := kyaml.YAMLToJSON([]byte(doc))
	if err != nil {
		return nil, err
	}
	return m, utiljson.Unmarshal(text, &m)
}

func (w *World) loadObjects() error {
	file := filepath.Join(w.Dir, "cluster.yaml")
	text, err := read(file, "the Kubernetes objects of the world")
	if err != nil {
		return err
	}
	seen := map[string]int{} // an object, with the line where it begins
	line := 0                // of the lines before the current document
	for _, doc := range splitDocuments(string(text)) {
		start := line
		line += strings.Count(doc, "\n")
		m, err := object(doc)
		if err != nil {
			return yamlProblem(file, start, err)
		}
		if len(m) == 0 {
			continue
		}
		u := &unstructured.Unstructured{Object: m}
		for _, c := range []struct{ field, value string }{{"apiVersion", u.GetAPIVersion()}, {"kind", u.GetKind()}, {"metadata.name", u.GetName()}} {
			if c.value == "" {
				return &Problem{File: file, Line: start + firstLine(doc), Field: c.field, Want: "expected a non-empty string in the object that starts here"}
			}
		}
		begins := start + firstLine(doc)
		group, _, _ := strings.Cut(u.GetAPIVersion(), "/")
		name := strings.Join([]string{strings.Replace(group, "events.k8s.io", "v1", 1), u.GetKind(), cmp.Or(u.GetNamespace(), "default"), u.GetName()}, "\x00")
		if seen[name] > 0 {
			return &Problem{File: file, Line: begins, Field: "metadata.name", Want: fmt.Sprintf("expected another name: %s %s is in line %d already", u.GetKind(), u.GetName(), seen[name])}
		}
		seen[name] = begins
		if v := u.GetResourceVersion(); v != "" && strings.Trim(v, "0123456789") != "" {
			return &Problem{File: file, Line: begins, Field: "metadata.resourceVersion", Want: "expected a number in quotes, not " + v}
		}
		w.lines[u] = begins
		w.Objects = append(w.Objects, u)
	}
	return nil
}

// splitDocuments cuts a YAML stream at its --- lines; joined again, the parts are the text.
func splitDocuments(text string) []string {
	var docs []string
	var b strings.Builder
	for _, line := range strings.SplitAfter(text, "\n") {
		if strings.TrimRight(line, "\r\n ") == "---" && b.Len() > 0 {
			docs = append(docs, b.String())
			b.Reset()
		}
		b.WriteString(line)
	}
	return append(docs, b.String())
}

// firstLine is the line number within doc, from 1, of its first line with content.
func firstLine(doc string) int {
	for i, line := range strings.Split(doc, "\n") {
		if s := strings.TrimSpace(line); s != "" && s != "---" && !strings.HasPrefix(s, "#") {
			return i + 1
		}
	}
	return 1
}

// recorded names the lists that aws.json may hold; true where it is an object keyed by ARN.
var recorded = map[string]map[string]bool{
	"ec2": {
		"Vpcs": false, "Subnets": false, "NetworkInterfaces": false, "Instances": false, "InstanceTypes": false,
		"SecurityGroups": false, "SecurityGroupRules": false, "NetworkAcls": false, "RouteTables": false, "NatGateways": false,
		"VpcEndpoints": false, "SubnetCidrReservations": false, "ManagedPrefixLists": false,
	},
	"elbv2": {
		"LoadBalancers": false, "Listeners": false, "Rules": false, "TargetGroups": false,
		"LoadBalancerAttributes": true, "TargetGroupAttributes": true, "TargetHealthDescriptions": true, "Tags": true,
	},
	"eks":         {"Clusters": false, "Addons": false, "AddonConfigurations": false, "Nodegroups": false, "FargateProfiles": false},
	"autoscaling": {"Activities": false},
	"cloudwatch":  {"Metrics": false},
	"cloudtrail":  {"Events": false},
}

func (w *World) loadAWS() error {
	file := filepath.Join(w.Dir, "aws.json")
	text, err := read(file, "the AWS resources of the world, {} where there are none")
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, &w.AWS); err != nil {
		return jsonProblem(file, text, err)
	}
	for service, lists := range w.AWS {
		known, ok := recorded[service]
		if !ok {
			return &Problem{File: file, Line: keyLine(text, service), Field: service, Want: "expected one of " + strings.Join(keys(recorded), ", ")}
		}
		for name, raw := range lists {
			byARN, ok := known[name]
			field := service + "." + name
			if !ok {
				return &Problem{File: file, Line: keyLine(text, name), Field: field, Want: "expected one of " + strings.Join(keys(known), ", ")}
			}
			if byARN {
				var m map[string][]map[string]any
				if json.Unmarshal(raw, &m) != nil {
					return &Problem{File: file, Line: keyLine(text, name), Field: field, Want: "expected an object of lists, keyed by ARN"}
				}
				continue
			}
			var l []map[string]any
			if json.Unmarshal(raw, &l) != nil {
				return &Problem{File: file, Line: keyLine(text, name), Field: field, Want: "expected a list of objects"}
			}
		}
	}
	return nil
}

func keys[T any](m map[string]T) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}

func (w *World) loadTexts() error {
	for _, t := range []struct {
		folder, ext string
		into        map[string]string
	}{{"logs", ".log", w.Logs}, {"metrics", ".prom", w.Metrics}} {
		root := filepath.Join(w.Dir, t.folder)
		err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() || filepath.Ext(path) != t.ext {
				return err
			}
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			rel, err := filepath.Rel(root, path)
			if err != nil {
				return err
			}
			t.into[strings.TrimSuffix(filepath.ToSlash(rel), t.ext)] = string(text)
			return nil
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
