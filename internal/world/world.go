// Package world loads the recorded environments that netdiag is tested, measured and shown on: one cluster and the AWS
// account around it at one moment, as files that the aws and kubectl tools could have printed.
package world

import (
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"sort"
	"time"

	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// World is a loaded world.
type World struct {
	Dir     string
	Meta    Meta
	Objects []*unstructured.Unstructured // in the order of cluster.yaml
	AWS     AWS
	Logs    map[string]string // "<namespace>/<pod>/<container>" → text
	Metrics map[string]string // "<namespace>/<pod>" → Prometheus text

	depth int                                // how many worlds rest on this one while it is loaded
	lines map[*unstructured.Unstructured]int // where objects begin in cluster.yaml
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

// Load reads the world in dir, with its base where it has one. Its error is a *Problem where a file is there but broken.
func Load(dir string) (*World, error) { return load(dir, 0) }

// Clone gives a copy that shares nothing which can be changed, except the bytes of what AWS and the texts hold.
func (w *World) Clone() *World {
	c := *w
	c.Objects, c.lines = make([]*unstructured.Unstructured, len(w.Objects)), make(map[*unstructured.Unstructured]int, len(w.lines))
	for i, o := range w.Objects {
		c.Objects[i] = o.DeepCopy()
		if line, ok := w.lines[o]; ok {
			c.lines[c.Objects[i]] = line
		}
	}
	c.AWS = AWS{}
	for service, lists := range w.AWS {
		c.AWS[service] = maps.Clone(lists)
	}
	c.Logs, c.Metrics = maps.Clone(w.Logs), maps.Clone(w.Metrics)
	c.Meta.Denied.AWS, c.Meta.Denied.Kubernetes = slices.Clone(w.Meta.Denied.AWS), slices.Clone(w.Meta.Denied.Kubernetes)
	c.Meta.Throttled = slices.Clone(w.Meta.Throttled)
	return &c
}

// deepest is how many worlds may rest on one another; more is taken for a circle.
const deepest = 5

func load(dir string, depth int) (*World, error) {
	w := &World{Dir: dir, Logs: map[string]string{}, Metrics: map[string]string{}, depth: depth, lines: map[*unstructured.Unstructured]int{}}
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
		if errors.Is(err, fs.ErrNotExist) {
			return nil, &Problem{File: dir, Want: "there is no such folder; expected one with worlds", err: err}
		}
		if err != nil {
			return nil, err
		}
		if len(out) == n {
			return nil, &Problem{File: dir, Want: "expected worlds, but there is no world.yaml here or below"}
		}
	}
	sort.Strings(out)
	return out, nil
}
