package main

import (
	"cmp"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/diagnostics/all"
)

const causesHead = `# Causes and fixes

` + generated + `Every cause that netdiag can name, what has to be seen before it is named, and what helps; then every fix. The ids are fixed: they stand in
reports, in their JSON, in metrics and in the settings of approvers. How a diagnosis goes about it stands in its own page.

A cause is *confirmed*, *likely* or *possible*. Confirmed needs the symptom, a proof of how it comes about, and nothing against it. Where the
read that decides was denied, throttled or too late, the cause is not named: it stands under what could not be looked at, with the permission that
would decide. What *contributes* is never the root cause by itself.

The worlds are recorded or made-up clusters in which the cause is true; ` + "`bin/lab diagnose --world testdata/worlds/…`" + ` shows what netdiag says of one.
`

// explained is what the page of a diagnosis says of a cause.
type explained struct{ proof, helps string }

// causes is the page of all causes and fixes; dir is that of the documentation.
func causes(dir string) (string, error) {
	seen, err := seenIn(filepath.Join(dir, "..", "testdata", "worlds"))
	if err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString(causesHead)
	for _, d := range all.Diagnoses() {
		title, _, _ := strings.Cut(strings.TrimPrefix(d.Doc, "# "), "\n")
		fmt.Fprintf(&b, "\n## %s\n\n`/netdiag %s`: [how it goes](../diagnostics/%s/doc.md).\n", title, d.Name, d.Name)
		says := explanations(d.Doc)
		for _, c := range diagnostics.CausesOf(d.Name) {
			id := strings.TrimPrefix(c.ID, d.Name+"/")
			e, ok := says[id]
			if !ok {
				return "", fmt.Errorf("diagnostics/%s/doc.md: no row of a table explains %s", d.Name, id)
			}
			fmt.Fprintf(&b, "\n### `%s`\n\n", c.ID)
			if c.Title != "" {
				fmt.Fprintf(&b, "%s.", strings.ToUpper(c.Title[:1])+c.Title[1:])
			}
			if c.Contributing {
				b.WriteString(" Contributes.")
			}
			b.WriteString(cmp.Or(strings.Repeat("\n\n", min(1, len(c.Title))), ""))
			fmt.Fprintf(&b, "- Proof: %s.\n- What helps: %s.\n", e.proof, cmp.Or(e.helps, "nothing is to be done"))
			if w := seen[c.ID]; len(w) > 0 {
				fmt.Fprintf(&b, "- Worlds: %d, such as `%s`.\n", len(w), w[0])
			}
		}
	}
	b.WriteString("\n## Fixes\n\nA fix that netdiag can carry out has a risk, which decides who approves. All others are shown as commands, or as a change in the words of the\n" +
		"tool that owns the thing. [fixes.md](fixes.md) says what becomes of one.\n\n| fix | carried out | risk | who approves |\n| --- | --- | --- | --- |\n")
	for _, f := range diagnostics.Fixes() {
		carried, who := "by hand", ""
		if f.Executable {
			carried = "by netdiag"
			who = map[string]string{"low": "one person, who asked too", "medium": "one other person", "high": "two other persons"}[f.Risk]
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", f.ID, carried, f.Risk, who)
	}
	return b.String(), nil
}

var code = regexp.MustCompile("`([^`]+)`")

// explanations reads the tables of a diagnosis' page: the first cell names causes, the second says what proves them, the
// third what helps.
func explanations(doc string) map[string]explained {
	out := map[string]explained{}
	for line := range strings.Lines(doc) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		if !strings.HasPrefix(line, "| `") || len(cells) < 3 {
			continue
		}
		for _, m := range code.FindAllStringSubmatch(cells[0], -1) {
			out[m[1]] = explained{strings.TrimSpace(cells[1]), strings.TrimSpace(cells[2])}
		}
	}
	return out
}

// seenIn lists the worlds below a folder in which each cause is true: those of the seeds first, then the project's own.
func seenIn(dir string) (map[string][]string, error) {
	out := map[string][]string{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.Name() != "world.yaml" {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var w struct {
			Want struct {
				Causes []string `json:"causes"`
			} `json:"want"`
		}
		if err := yaml.Unmarshal(text, &w); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		name, err := filepath.Rel(dir, filepath.Dir(path))
		for _, id := range w.Want.Causes {
			out[id] = append(out[id], filepath.ToSlash(name))
		}
		return err
	})
	rank := map[string]int{"seeds": -2, "own": -1}
	for _, names := range out {
		slices.SortStableFunc(names, func(a, b string) int {
			x, _, _ := strings.Cut(a, "/")
			y, _, _ := strings.Cut(b, "/")
			return cmp.Or(cmp.Compare(rank[x], rank[y]), cmp.Compare(a, b))
		})
	}
	return out, err
}
