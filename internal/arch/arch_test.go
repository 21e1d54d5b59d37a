// Package arch holds the rules of who may import whom, as a test.
package arch

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/netdiag/netdiag/"

// pure lists the packages that may import only what stands here, besides the standard library. The longest pattern that matches counts.
var pure = map[string][]string{
	"diagnostics/...": {
		"diagnostics/...", "internal/vpc", "internal/elb", "internal/eks", "internal/trail", "internal/cni", "internal/netpol", "internal/remedy",
		"k8s.io/api/...", "k8s.io/apimachinery/...", "golang.org/x/sync/errgroup",
	},
	"internal/vpc":      {},
	"internal/elb":      {},
	"internal/eks":      {},
	"internal/trail":    {},
	"internal/cni":      {},
	"internal/remedy":   {},
	"internal/netpol":   {"k8s.io/api/..."},
	"internal/casebook": {"diagnostics", "internal/remedy"},
	"internal/policy":   {"diagnostics", "internal/remedy", "internal/casebook"},
}

// pureStandard lists what of the standard library stays forbidden in diagnostics; net/netip is fine.
var pureStandard = []string{"os", "os/...", "net", "net/http/...", "net/http", "log", "log/..."}

// only lists packages of others with the places that may import them, and why.
var only = []struct {
	pattern string
	places  []string
	why     string
}{
	{"github.com/slack-go/slack/...", []string{"handlers/...", "internal/render/slack", "internal/sim/..."}, "Slack's client stays at the edge"},
	{"github.com/aws/aws-sdk-go-v2/...", []string{"internal/awsnet", "internal/world", "internal/sim/..."}, "AWS is read and written in one place"},
	{"k8s.io/client-go/...", []string{"internal/kube", "internal/store/crd", "internal/sim/..."}, "Kubernetes is read and written in one place"},
	{module + "internal/sim/...", []string{"internal/sim/...", "internal/diagtest", "cmd/lab"}, "the simulated world is never in the image"},
	{module + "internal/diagtest", []string{"cmd/lab"}, "it serves simulated worlds"},
}

type pkg struct {
	ImportPath string
	Imports    []string
}

func packages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", module+"...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var ps []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return ps
		} else if err != nil {
			t.Fatal(err)
		}
		ps = append(ps, p)
	}
}

// matches reports whether an import path fits a pattern: itself, or anything below it where it ends in /... .
func matches(pattern, imported string) bool {
	if base, ok := strings.CutSuffix(pattern, "/..."); ok {
		return imported == base || strings.HasPrefix(imported, base+"/")
	}
	return imported == pattern
}

func anyMatches(patterns []string, imported string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matches(p, imported) })
}

func standard(imported string) bool { return !strings.Contains(strings.Split(imported, "/")[0], ".") }

// violations says what is wrong with one import; empty when nothing is.
func violations(from, imported string) []string {
	here := strings.TrimPrefix(from, module)
	var out []string
	for pattern, allowed := range pure {
		if !matches(pattern, here) {
			continue
		}
		if standard(imported) {
			if strings.HasPrefix(pattern, "diagnostics") && anyMatches(pureStandard, imported) {
				out = append(out, here+" must stay pure: it may not import "+imported)
			}
			continue
		}
		if !anyMatches(allowed, strings.TrimPrefix(imported, module)) {
			out = append(out, here+" may not import "+imported)
		}
	}
	for _, rule := range only {
		if matches(rule.pattern, imported) && !anyMatches(rule.places, here) {
			out = append(out, here+" may not import "+imported+": "+rule.why)
		}
	}
	return out
}

func TestImports(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range packages(t) {
		seen[strings.TrimPrefix(p.ImportPath, module)] = true
		for _, imported := range p.Imports {
			for _, v := range violations(p.ImportPath, imported) {
				t.Error(v)
			}
		}
	}
	for pattern := range pure { // a rule about a package that is gone is a rule that protects nothing
		if !seen[strings.TrimSuffix(pattern, "/...")] {
			t.Errorf("no package %s: drop its rule", pattern)
		}
	}
}

func TestRulesBite(t *testing.T) {
	for _, c := range []struct {
		from, imported string
		allowed        bool
	}{
		{"diagnostics/alb", "net/netip", true},
		{"diagnostics/alb", "net/http", false},
		{"diagnostics/alb", "os", false},
		{"diagnostics/alb", "k8s.io/api/core/v1", true},
		{"diagnostics/alb", "k8s.io/client-go/rest", false},
		{"diagnostics/alb", module + "internal/awsnet", false},
		{"internal/vpc", module + "internal/elb", false},
		{"internal/casebook", "go.uber.org/zap", false},
		{"internal/kube", "k8s.io/client-go/rest", true},
		{"handlers", "github.com/slack-go/slack/socketmode", true},
		{"handlers", "github.com/aws/aws-sdk-go-v2/service/ec2", false},
		{"cmd/bot", module + "internal/sim/aws", false},
		{"cmd/lab", module + "internal/sim/aws", true},
	} {
		if got := len(violations(module+c.from, c.imported)) == 0; got != c.allowed {
			t.Errorf("%s importing %s: allowed %t, want %t", c.from, path.Clean(c.imported), got, c.allowed)
		}
	}
}
