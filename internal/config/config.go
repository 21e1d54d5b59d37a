// Package config reads the settings of bot serve: one YAML file, in which every mistake is told with its line.
package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/netdiag/netdiag/internal/policy"
)

// Config is what the file says. The tokens of Slack are not in it: they come from the environment.
type Config struct {
	Cluster   string `yaml:"cluster"`   // name of the EKS cluster; empty is that of the kubeconfig context
	Region    string `yaml:"region"`    // AWS region; empty is that of the AWS configuration
	Namespace string `yaml:"namespace"` // of the Investigations and Remediations; netdiag
	State     string `yaml:"state"`     // kubernetes or memory; kubernetes
	Fixes     bool   `yaml:"fixes"`     // offer fixes with buttons; bot execute carries them out

	Slack     Slack              `yaml:"slack"`
	Policy    policy.Policy      `yaml:"policy"`
	Channels  map[string]Channel `yaml:"channels"` // by channel id
	Clusters  []Cluster          `yaml:"clusters"` // further clusters to read
	Limits    Limits             `yaml:"limits"`
	Watch     Watch              `yaml:"watch"`
	Operation `yaml:",inline"`
}

// Slack says how to be connected.
type Slack struct {
	APIURL      string `yaml:"apiURL"`      // of the Web API, for a simulated Slack; empty is Slack's own
	Connections int    `yaml:"connections"` // Socket Mode connections of this process, 1 to 4; 2
}

// Channel says what is meant in a channel where a question leaves it out.
type Channel struct {
	Namespace string `yaml:"namespace"`
	Cluster   string `yaml:"cluster"`
}

// Cluster is a further cluster that questions may be about. It is only read: fixes for it appear as commands.
type Cluster struct {
	Name       string `yaml:"name"`
	Region     string `yaml:"region"`     // empty is that of the first cluster
	Kubeconfig string `yaml:"kubeconfig"` // a file; empty is the usual one
	Context    string `yaml:"context"`    // of the kubeconfig; empty is the current one
}

// Watch says what is looked at without anybody asking, for early warnings.
type Watch struct {
	Channel   string        `yaml:"channel"`   // id of the channel that is warned; empty switches the watch off
	Ingresses []string      `yaml:"ingresses"` // namespace/name of those that are watched; [all] is every one of the cluster
	Interval  time.Duration `yaml:"interval"`  // between two looks, 1m to 1h; 5m

	Thresholds Thresholds `yaml:"thresholds"`
}

// Thresholds say when something is worth a warning.
type Thresholds struct {
	Free    int `yaml:"free"`    // percent of a subnet's addresses below which it is low, 1 to 90; 20
	Looks   int `yaml:"looks"`   // in a row that have to find a condition, 1 to 100; 2
	Healthy int `yaml:"healthy"` // in a row that must not find it before it is over, 1 to 100; 3
}

// Limits bound the work.
type Limits struct {
	Workers   int           `yaml:"workers"`   // diagnoses at a time, 1 to 64; 4
	Queue     int           `yaml:"queue"`     // questions that wait for one, 1 to 1000; 32
	Diagnosis time.Duration `yaml:"diagnosis"` // how long one may take, 1s to 5m; 30s
}

// Error is a mistake in the file, in one line.
type Error struct {
	File string
	Line int // 0 where no line is to blame
	Text string
}

// Error is the place and what is wrong there.
func (e *Error) Error() string {
	if e.Line == 0 {
		return e.File + ": " + e.Text
	}
	return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Text)
}

// Read reads a file. Its error is an *Error where the content is wrong.
func Read(file string) (Config, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return Config{}, err
	}
	return Parse(file, text)
}

// Default is what counts where the settings say nothing.
func Default() Config {
	return Config{Namespace: "netdiag", State: "kubernetes", Operation: DefaultOperation(), Slack: Slack{Connections: 2}, Limits: Limits{Workers: 4, Queue: 32, Diagnosis: 30 * time.Second},
		Watch: Watch{Interval: 5 * time.Minute, Thresholds: Thresholds{Free: 20, Looks: 2, Healthy: 3}}}
}

// Parse reads the text of a file of that name: strictly, for a setting that is misspelled would silently not count.
func Parse(file string, text []byte) (Config, error) {
	c := Default()
	s, err := parse(file, text, &c)
	if err != nil {
		return Config{}, err
	}
	return c, s.check(c)
}

// parse reads the one document of a file into settings that may hold defaults.
func parse(file string, text []byte, into any) (*sheet, error) {
	d := yaml.NewDecoder(bytes.NewReader(text))
	var root yaml.Node
	if err := d.Decode(&root); err != nil && !errors.Is(err, io.EOF) {
		return nil, syntax(file, err)
	}
	var more yaml.Node
	if err := d.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, &Error{File: file, Line: more.Line, Text: "there is a second document after ---; one file holds one configuration"}
	}
	s := &sheet{file: file, lines: map[string]int{}}
	if len(root.Content) == 1 && root.Content[0].Tag != "!!null" {
		if err := s.read(root.Content[0], into); err != nil {
			return nil, err
		}
	}
	return s, nil
}
