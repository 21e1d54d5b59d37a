// Command render prints a Helm chart as helm template does, custom resource definitions first, so that the tests need no
// helm on the machine: render CHART NAMESPACE VALUES, the values as JSON.
package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path"
	"slices"

	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
)

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: render CHART NAMESPACE VALUES")
		os.Exit(2)
	}
	if err := render(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func render(folder, namespace, given string) error {
	chart, err := loader.Load(folder)
	if err != nil {
		return err
	}
	var values map[string]any
	if err := json.Unmarshal([]byte(given), &values); err != nil {
		return fmt.Errorf("values %s: %w", given, err)
	}
	all, err := chartutil.ToRenderValues(chart, values, chartutil.ReleaseOptions{Name: "netdiag", Namespace: namespace, IsInstall: true}, nil)
	if err != nil {
		return err
	}
	texts, err := engine.Engine{Strict: true}.Render(chart, all)
	if err != nil {
		return err
	}
	for _, crd := range chart.CRDObjects() {
		fmt.Printf("---\n# %s\n%s\n", crd.Filename, crd.File.Data)
	}
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		if path.Ext(name) != ".yaml" { // what is told to people, and what templates share
			continue
		}
		fmt.Printf("---\n# %s\n%s\n", name, texts[name])
	}
	return nil
}
