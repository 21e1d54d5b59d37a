// Command render prints a Helm chart as helm template does, custom resource definitions first, so that the tests need no
// helm on the machine: render CHART NAMESPACE VALUES [SET]..., the values as JSON, and over them what --set of Helm takes.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"slices"
	"strings"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/strvals"
)

func main() {
	if len(os.Args) < 4 {
		fmt.Fprintln(os.Stderr, "usage: render CHART NAMESPACE VALUES [SET]...")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2], os.Args[3], os.Args[4:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(folder, namespace, given string, sets []string, out io.Writer) error {
	c, err := loader.Load(folder)
	if err != nil {
		return err
	}
	var values map[string]any
	if err := json.Unmarshal([]byte(given), &values); err != nil {
		return fmt.Errorf("values %s: %w", given, err)
	}
	for _, s := range sets {
		if err := strvals.ParseInto(s, values); err != nil {
			return fmt.Errorf("--set %s: %w", s, err)
		}
	}
	r, err := render(c, namespace, values)
	if err != nil {
		return err
	}
	_, err = io.WriteString(out, r.manifests)
	return err
}

// rendered is what a chart becomes.
type rendered struct {
	manifests string
	notes     string // what is told to who installs it
}

// render renders a chart with values, which have to fit its schema, for a first installation.
func render(c *chart.Chart, namespace string, values map[string]any) (rendered, error) {
	all, err := chartutil.ToRenderValues(c, values, chartutil.ReleaseOptions{Name: "netdiag", Namespace: namespace, IsInstall: true}, nil)
	if err != nil {
		return rendered{}, err
	}
	texts, err := engine.Engine{Strict: true}.Render(c, all)
	if err != nil {
		return rendered{}, err
	}
	var b strings.Builder
	for _, crd := range c.CRDObjects() {
		fmt.Fprintf(&b, "---\n# %s\n%s\n", crd.Filename, crd.File.Data)
	}
	var r rendered
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		switch {
		case path.Base(name) == "NOTES.txt":
			r.notes = texts[name]
		case path.Ext(name) == ".yaml":
			fmt.Fprintf(&b, "---\n# %s\n%s\n", name, texts[name])
		}
	}
	r.manifests = b.String()
	return r, nil
}
