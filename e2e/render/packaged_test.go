package main

import (
	"regexp"
	"testing"

	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
)

// The archive that make chart makes (helm package calls this Save) is the whole chart, and takes the image of its own version.
func TestPackaged(t *testing.T) {
	c := load(t)
	c.Metadata.Version, c.Metadata.AppVersion = "1.2.3", "1.2.3"
	file, err := chartutil.Save(c, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	packed, err := loader.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	values := least(set("fixes.enabled", true), set("alerts.enabled", true))
	want, err := render(c, "netdiag", values)
	if err != nil {
		t.Fatal(err)
	}
	got, err := render(packed, "netdiag", values)
	if err != nil {
		t.Fatal(err)
	}
	if got != want {
		t.Errorf("of the archive:\n%s\nof the folder:\n%s", got, want)
	}
	images := regexp.MustCompile(`image: "?([^"\s]+)`).FindAllStringSubmatch(got.manifests, -1)
	if len(images) < 3 {
		t.Errorf("only %d images: front end, executor and tidying have one each", len(images))
	}
	for _, m := range images {
		if m[1] != "ghcr.io/netdiag/netdiag:1.2.3" {
			t.Errorf("the chart 1.2.3 takes %s", m[1])
		}
	}
}
