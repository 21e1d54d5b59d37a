package chart_test

import (
	"bytes"
	"flag"
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/diagtest"
	"github.com/netdiag/netdiag/internal/render/chart"
)

var update = flag.Bool("update", false, "write the golden files")

var (
	subnetColumns = []string{"Subnet", "Zone", "Block", "Available", "Usable"}
	targetColumns = []string{"Target", "Zone", "State"}
)

func with(columns []string, rows ...[]string) diagnostics.Report {
	return diagnostics.Report{Tables: []diagnostics.Table{
		{Title: "Who holds the addresses", Columns: []string{"Subnet", "Holder"}, Rows: [][]string{{"a", "b"}}},
		{Title: "t", Columns: columns, Rows: rows},
	}}
}

func subnetReport() diagnostics.Report {
	return with(subnetColumns,
		[]string{"subnet-0a1b2c3d4e5f60718", "us-west-2a", "10.0.1.0/24", "0", "251"},
		[]string{"subnet-0b2c3d4e5f6071829", "us-west-2b", "10.0.2.0/24", "41", "251"},
		[]string{"subnet-0c3d4e5f60718293a", "us-west-2c", "10.0.3.0/26", "57", "59"},
		[]string{"subnet-unread", "us-west-2c", "10.0.4.0/24", "not read", "251"})
}

func targetReport() diagnostics.Report {
	return with(targetColumns, []string{"10.0.1.4:80", "us-west-2a", "unhealthy"}, []string{"10.0.2.4:80", "us-west-2b", "healthy"},
		[]string{"10.0.2.5:80", "us-west-2b", "healthy"}, []string{"10.0.2.6:80", "us-west-2b", "draining"}, []string{"10.0.2.7:80", "us-west-2b", "odd <!channel>"})
}

func TestOf(t *testing.T) {
	got, ok := chart.Of(subnetReport())
	want := chart.Chart{
		Title: "Addresses of the subnets (1 more not shown)", Zeros: true, Omitted: 1,
		Categories: []string{"us-west-2a …60718", "us-west-2b …71829", "us-west-2c …8293a"},
		Series:     []chart.Series{{"in use", []int{251, 210, 2}}, {"available", []int{0, 41, 57}}},
	}
	if d := cmp.Diff(want, got); d != "" || !ok {
		t.Error(ok, d)
	}
	got, ok = chart.Of(targetReport())
	want = chart.Chart{
		Title: "Targets by zone", Categories: []string{"us-west-2a", "us-west-2b"},
		Series: []chart.Series{{"healthy", []int{0, 2}}, {"unhealthy", []int{1, 0}}, {"draining", []int{0, 1}}, {"other states", []int{0, 1}}},
	}
	if d := cmp.Diff(want, got); d != "" || !ok {
		t.Error(ok, d)
	}
	if alt := got.Alt(); alt != "Targets by zone. us-west-2a: 1 unhealthy; us-west-2b: 2 healthy, 1 draining, 1 other states" {
		t.Error(alt)
	}
	for _, r := range []diagnostics.Report{{}, with(subnetColumns), with(subnetColumns, []string{"a"}), with(targetColumns)} {
		if c, ok := chart.Of(r); ok {
			t.Errorf("%+v of %+v", c, r)
		}
	}
}

// The diagnoses make tables that a chart can be made of.
func TestTheSeedsHaveCharts(t *testing.T) {
	for world, want := range map[string]string{
		"seed-ip-exhaustion": "us-west-2a …60718: 251 in use, 0 available",
		"seed-alb-502":       "us-west-2a: 1 unhealthy",
	} {
		_, out, _, err := diagtest.Run(t.Context(), "../../../testdata/worlds/seeds/"+world)
		if err != nil {
			t.Fatal(err)
		}
		c, ok := chart.Of(out.Report)
		if !ok || !strings.Contains(c.Alt(), want) {
			t.Errorf("%s: %v %s", world, ok, c.Alt())
		}
	}
}

func pixels(t *testing.T, b []byte) image.Image {
	t.Helper()
	img, err := png.Decode(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func TestPNG(t *testing.T) {
	for name, r := range map[string]diagnostics.Report{"subnets": subnetReport(), "targets": targetReport()} {
		c, _ := chart.Of(r)
		got, err := chart.PNG(c)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join("testdata", name+".png")
		if *update {
			if err := os.WriteFile(file, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		golden, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		a, b := pixels(t, golden), pixels(t, got)
		if a.Bounds() != b.Bounds() {
			t.Fatalf("%s: %v instead of %v", name, b.Bounds(), a.Bounds())
		}
		// Processors round the edges of letters differently, by a shade or two.
		for y := range a.Bounds().Dy() {
			for x := range a.Bounds().Dx() {
				if far(a, b, x, y) {
					t.Fatalf("%s differs at %d,%d: %v instead of %v", name, x, y, b.At(x, y), a.At(x, y))
				}
			}
		}
	}
}

func far(a, b image.Image, x, y int) bool {
	r1, g1, b1, _ := a.At(x, y).RGBA()
	r2, g2, b2, _ := b.At(x, y).RGBA()
	for _, d := range []int{int(r1) - int(r2), int(g1) - int(g2), int(b1) - int(b2)} {
		if d > 0x400 || d < -0x400 {
			return true
		}
	}
	return false
}

// checkLimits holds a chart to what Slack takes.
func checkLimits(t *testing.T, c chart.Chart) {
	t.Helper()
	short := func(names []string, most int) {
		for i, n := range names {
			if l := utf8.RuneCountInString(n); l == 0 || l > most || slices.Contains(names[:i], n) {
				t.Errorf("name %q", n)
			}
		}
	}
	short([]string{c.Title}, 50)
	short(c.Categories, 20)
	var names []string
	for _, s := range c.Series {
		names = append(names, s.Name)
		if len(s.Values) != len(c.Categories) {
			t.Errorf("%d values for %d categories", len(s.Values), len(c.Categories))
		}
	}
	short(names, 20)
	if len(c.Categories) > 20 || len(c.Series) > 6 || len(c.Categories) == 0 || len(c.Series) == 0 {
		t.Errorf("%d categories, %d series", len(c.Categories), len(c.Series))
	}
	if strings.ContainsAny(c.Alt(), "\n\x1b\u202e\u200b") || utf8.RuneCountInString(c.Alt()) > 2000 {
		t.Errorf("alt text %q", c.Alt())
	}
}

func TestMany(t *testing.T) {
	var subnets, targets [][]string
	for i := range 50 {
		subnets = append(subnets, []string{"subnet-same", "us-west-2-lax-1a-very-long", "", fmt.Sprint(i), "251"})
		targets = append(targets, []string{"t", fmt.Sprintf("us-west-2-very-long-zone-%d", i), "healthy"})
	}
	for _, r := range []diagnostics.Report{with(subnetColumns, subnets...), with(targetColumns, targets...)} {
		c, ok := chart.Of(r)
		if !ok || c.Omitted != 30 {
			t.Errorf("%d categories are left out", c.Omitted)
		}
		checkLimits(t, c)
	}
}

func FuzzChart(f *testing.F) {
	f.Add("subnet-1", "us-west-2a", "3", "251", "healthy")
	f.Add("\x1b[31m\u202e", "<!channel>", "-9223372036854775808", "9223372036854775807", "")
	f.Fuzz(func(t *testing.T, id, zone, available, usable, state string) {
		for _, r := range []diagnostics.Report{
			with(subnetColumns, []string{id, zone, "", available, usable}, []string{id, zone, "", "1", "2"}, []string{id, zone, "", "1", "2"}),
			with(targetColumns, []string{id, zone, state}, []string{id, zone + "x", state}, []string{id, state, zone}),
		} {
			c, ok := chart.Of(r)
			if !ok {
				continue
			}
			checkLimits(t, c)
			if _, err := chart.PNG(c); err != nil {
				t.Fatal(err)
			}
		}
	})
}
