// Package world loads the recorded environments that netdiag is tested, measured and shown on: one cluster and the AWS
// account around it at one moment, as files that the aws and kubectl tools could have printed.
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
	kyaml "sigs.k8s.io/yaml"
)

// World is a loaded world.
type World struct {
	Dir     string
	Meta    Meta
	Objects []*unstructured.Unstructured // in the order of cluster.yaml
	AWS     AWS
	Logs    map[string]string // "<namespace>/<pod>/<container>" → text
	Metrics map[string]string // "<namespace>/<pod>" → Prometheus text

	depth int // how many worlds rest on this one while it is loaded
}

// AWS holds the recorded resources: service ("ec2"), list ("Subnets"), JSON of the list in the shape of the AWS CLI. A
// list that isn't there was not recorded.
type AWS map[string]map[string]json.RawMessage

// Meta is world.yaml.
type Meta struct {
	Story     string    `yaml:"story,omitempty"`
	Ask       string    `yaml:"ask"`
	Now       time.Time `yaml:"now"`
	Cluster   string    `yaml:"cluster"`
	Region    string    `yaml:"region"`
	Account   string    `yaml:"account,omitempty"`
	Denied    Denied    `yaml:"denied,omitempty"`
	Throttled []string  `yaml:"throttled,omitempty"`
	Want      Want      `yaml:"want,omitempty"`

	// Base is the folder, relative to this world's, of the world that this one changes; empty for a complete world.
	Base    string      `yaml:"base,omitempty"`
	Changes []yaml.Node `yaml:"changes,omitempty"`
}

// Denied lists the calls that answer AccessDenied or Forbidden.
type Denied struct {
	AWS        []string `yaml:"aws,omitempty"`        // "ec2:DescribeSubnets"
	Kubernetes []string `yaml:"kubernetes,omitempty"` // "list events", "get pods/proxy"
}

// Want is the ground truth.
type Want struct {
	Causes       []string `yaml:"causes"`
	Contributing []string `yaml:"contributing,omitempty"`
	Allow        []string `yaml:"allow,omitempty"`
	Forbid       []string `yaml:"forbid,omitempty"`
	Subject      string   `yaml:"subject,omitempty"`
	Fix          []string `yaml:"fix,omitempty"`
	Refuse       []string `yaml:"refuse,omitempty"`
	Refused      []string `yaml:"refused,omitempty"`
	Confidence   string   `yaml:"confidence,omitempty"`
	Gaps         []string `yaml:"gaps,omitempty"`
	Facts        []string `yaml:"facts,omitempty"`
}

// Name is the name of the world's folder.
func (w *World) Name() string { return filepath.Base(w.Dir) }

// Problem is what is wrong with a world file: where, in which field, and what was expected there.
type Problem struct {
	File  string
	Line  int // 0 where no line can be named
	Field string
	Want  string
}

// Error gives file, line, field and what was expected, in one line.
func (p *Problem) Error() string {
	where := p.File
	if p.Line > 0 {
		where = fmt.Sprintf("%s:%d", p.File, p.Line)
	}
	if p.Field != "" {
		where += ": " + p.Field
	}
	return where + ": " + p.Want
}

// Load reads the world in dir, with its base where it has one. Its error is a *Problem where a file is there but broken.
func Load(dir string) (*World, error) { return load(dir, 0) }

// deepest is how many worlds may rest on one another; more is taken for a circle.
const deepest = 5

func load(dir string, depth int) (*World, error) {
	w := &World{Dir: dir, Logs: map[string]string{}, Metrics: map[string]string{}, depth: depth}
	if err := w.loadMeta(); err != nil {
		return nil, err
	}
	parts := []func() error{w.loadObjects, w.loadAWS, w.loadTexts}
	if w.Meta.Base != "" {
		parts = []func() error{w.loadOverlay}
	}
	for _, load := range parts {
		if err := load(); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// LoadMeta reads only world.yaml of the world in dir.
func LoadMeta(dir string) (Meta, error) {
	w := &World{Dir: dir}
	err := w.loadMeta()
	return w.Meta, err
}

// Find lists the worlds at and below the given folders, sorted; a folder with a world.yaml is a world.
func Find(dirs ...string) ([]string, error) {
	var out []string
	for _, dir := range dirs {
		n := len(out)
		err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if e.Name() == "world.yaml" {
				out = append(out, filepath.Dir(path))
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		if len(out) == n {
			return nil, fmt.Errorf("%s: no world.yaml here or below", dir)
		}
	}
	sort.Strings(out)
	return out, nil
}

func (w *World) loadMeta() error {
	file := filepath.Join(w.Dir, "world.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	if err := dec.Decode(&w.Meta); err != nil {
		if te := (*time.ParseError)(nil); errors.As(err, &te) { // it carries no line
			return &Problem{File: file, Line: lineOf(text, "now"), Field: "now", Want: "expected a time such as 2026-11-22T10:30:00Z"}
		}
		return yamlProblem(file, 0, err)
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

// lineOf finds the line of a key by its last part; 0 where it isn't there.
func lineOf(text []byte, field string) int {
	key := field[strings.LastIndex(field, ".")+1:] + ":"
	for i, line := range strings.Split(string(text), "\n") {
		if strings.HasPrefix(strings.TrimSpace(line), key) {
			return i + 1
		}
	}
	return 0
}

// yamlProblem turns an error of the YAML decoder ("yaml: line 3: …", "yaml: unmarshal errors:\n  line 3: …") into a Problem; offset is added to its line.
func yamlProblem(file string, offset int, err error) error {
	msg := err.Error()
	var te *yaml.TypeError
	if errors.As(err, &te) && len(te.Errors) > 0 {
		msg = te.Errors[0]
	}
	msg = strings.TrimPrefix(strings.TrimPrefix(msg, "error converting YAML to JSON: "), "yaml: ")
	p := &Problem{File: file, Want: msg}
	var line int
	if _, scan := fmt.Sscanf(msg, "line %d:", &line); scan == nil {
		p.Line = line + offset
		p.Want = strings.TrimSpace(msg[strings.Index(msg, ":")+1:])
		if f, rest, ok := strings.Cut(strings.TrimPrefix(p.Want, "field "), " not found in type"); ok && rest != "" {
			p.Field, p.Want = f, "no such field in world.yaml (see the format in testdata/worlds/README.md)"
		}
	} else {
		p.Line = offset + 1
	}
	return p
}

func (w *World) loadObjects() error {
	file := filepath.Join(w.Dir, "cluster.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	line := 0 // of the lines before the current document
	for _, doc := range splitDocuments(string(text)) {
		start := line
		line += strings.Count(doc, "\n")
		var m map[string]any
		if err := kyaml.Unmarshal([]byte(doc), &m); err != nil {
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
	text, err := os.ReadFile(file)
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

func keyLine(text []byte, key string) int {
	i := bytes.Index(text, []byte(`"`+key+`"`))
	if i < 0 {
		return 0
	}
	return 1 + bytes.Count(text[:i], []byte("\n"))
}

func keys[T any](m map[string]T) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}

func jsonProblem(file string, text []byte, err error) error {
	p := &Problem{File: file, Want: err.Error()}
	var se *json.SyntaxError
	var te *json.UnmarshalTypeError
	switch {
	case errors.As(err, &se):
		p.Line = 1 + bytes.Count(text[:min(int(se.Offset), len(text))], []byte("\n"))
		p.Want = "expected JSON: " + se.Error()
	case errors.As(err, &te):
		p.Line = 1 + bytes.Count(text[:min(int(te.Offset), len(text))], []byte("\n"))
		p.Field = te.Field
		p.Want = "expected an object of services, each an object of lists, not a " + te.Value
	}
	return p
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
