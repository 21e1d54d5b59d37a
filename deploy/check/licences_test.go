package check

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/licensecheck"
)

var update = flag.Bool("update", false, "write THIRD_PARTY_NOTICES and docs/licences.md anew")

// allowed lists the licences that may come into a program, by their SPDX names: none asks for more than to keep its text and
// the notices, which THIRD_PARTY_NOTICES does.
func allowed() []string { return []string{"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT"} }

// text is a licence or notice file of a module.
type text struct {
	module, file string // the file relative to the module
	licences     []string
	body         []byte
}

// licenceFile and noticeFile are what the files are called that a module says its terms in.
var (
	licenceFile = regexp.MustCompile(`(?i)^(licen[cs]e|copying|unlicense)([-._].*)?$`)
	noticeFile  = regexp.MustCompile(`(?i)^notice([-._].*)?$`)
)

// classify says which licences a text is made of. One that is not allowed is an error, and so is a text of which more than a
// fifth is none that is known: somebody has to read it.
func classify(body []byte) ([]string, error) {
	found := licensecheck.Scan(body)
	var out []string
	for _, m := range found.Match {
		if !slices.Contains(allowed(), m.ID) {
			return nil, fmt.Errorf("%s is not among the licences allowed: %v", m.ID, allowed())
		}
		out = append(out, m.ID)
	}
	if found.Percent < 80 {
		return nil, fmt.Errorf("only %.0f %% of it is the text of a known licence", found.Percent)
	}
	return slices.Compact(sorted(out)), nil
}

// texts reads the licence files that hold for a program: those in the folder of each package that it is linked of and in the
// folders above it, up to the module's own; of Go the one of all. A module without any is an error.
func texts(t *testing.T, program string) []text {
	t.Helper()
	found, modules, seen := map[string]text{}, map[string]bool{}, map[string]bool{}
	for _, p := range packages(t, program) {
		name, top, from := "Go's standard library", p.Root, p.Root // a folder below has BoringSSL's, which only another kind of build links
		if !p.Standard {
			if p.Module.Main {
				continue
			}
			name, top, from = p.Module.Path, p.Module.Dir, p.Dir
		}
		if modules[name] = true; seen[from] {
			continue
		}
		seen[from] = true
		for dir := from; len(dir) >= len(top); dir = filepath.Dir(dir) {
			files, err := os.ReadDir(dir)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range files {
				isLicence := licenceFile.MatchString(f.Name())
				if f.IsDir() || !isLicence && !noticeFile.MatchString(f.Name()) || filepath.Ext(f.Name()) == ".go" {
					continue
				}
				full := filepath.Join(dir, f.Name())
				rel, err := filepath.Rel(top, full)
				if _, known := found[name+"/"+rel]; known || err != nil {
					continue
				}
				body, err := os.ReadFile(full)
				if err != nil {
					t.Fatal(err)
				}
				one := text{module: name, file: filepath.ToSlash(rel), body: body}
				if isLicence {
					if one.licences, err = classify(body); err != nil {
						t.Errorf("%s, %s: %v", name, rel, err)
					}
				}
				found[name+"/"+rel] = one
			}
		}
	}
	for _, one := range found {
		if one.licences != nil {
			delete(modules, one.module)
		}
	}
	for name := range modules {
		t.Errorf("%s has no licence file", name)
	}
	return slices.SortedFunc(maps.Values(found), func(a, b text) int { return strings.Compare(a.module+"\n"+a.file, b.module+"\n"+b.file) })
}

func TestLicences(t *testing.T) {
	bot := texts(t, "./cmd/bot")
	texts(t, "./cmd/lab") // it is in no release, but anybody may pass it on
	golden(t, "THIRD_PARTY_NOTICES", notices(bot))
	golden(t, "docs/licences.md", table(bot))
}

// A program that asks for its source to be given away, one under nobody's terms, and one that names several are told apart.
func TestClassify(t *testing.T) {
	for file, want := range map[string]string{
		"copyleft.txt": "GPL-3.0-or-later is not among",
		"unknown.txt":  "only 0 %",
		"extended.txt": "only 5", // a licence that is known, and conditions besides
		"isc.txt":      "",
	} {
		body, err := os.ReadFile("testdata/licences/" + file)
		if err != nil {
			t.Fatal(err)
		}
		got, err := classify(body)
		if want == "" && (err != nil || !slices.Equal(got, []string{"ISC"})) {
			t.Errorf("%s: %v, %v", file, got, err)
		}
		if want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %s", file, err, want)
		}
	}
}

// notices is the file that goes with the program wherever it goes: every text once, with the modules that it holds for.
func notices(all []text) string {
	var order []string
	holds := map[string][]string{}
	for _, one := range all {
		body := strings.TrimSpace(strings.ReplaceAll(string(one.body), "\r\n", "\n"))
		if holds[body] == nil {
			order = append(order, body)
		}
		name := one.module
		if strings.Contains(one.file, "/") {
			name += ", " + one.file
		}
		holds[body] = append(holds[body], name)
	}
	var out strings.Builder
	out.WriteString("netdiag's program bot holds software of others. These are their terms. Written by make licences; do not edit.\n")
	for _, body := range order {
		fmt.Fprintf(&out, "\n%s\n%s\n%s\n%s\n", strings.Repeat("=", 100), strings.Join(holds[body], "\n"), strings.Repeat("-", 100), body)
	}
	return out.String()
}

// table is docs/licences.md. Versions are left out, so that it only changes with what somebody should look at.
func table(all []text) string {
	var out strings.Builder
	fmt.Fprintf(&out, "# Licences\n\nWritten by `make licences`; do not edit. What `bot` is linked of besides its own code, and the terms of each, which\n"+
		"[THIRD_PARTY_NOTICES](../THIRD_PARTY_NOTICES) has in full. The image has that file in\n`/licenses`, and in `/usr/share/doc` the terms of what its base brings. `make test` fails where a module has other terms than %s.\n\n| module | licence |\n| --- | --- |\n", strings.Join(allowed(), ", "))
	by := map[string][]string{}
	for _, one := range all {
		by[one.module] = append(by[one.module], one.licences...)
	}
	for _, name := range slices.Sorted(maps.Keys(by)) {
		fmt.Fprintf(&out, "| %s | %s |\n", name, strings.Join(slices.Compact(sorted(by[name])), ", "))
	}
	return out.String()
}

// golden compares a generated file of the repository, or writes it.
func golden(t *testing.T, name, want string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(root+name, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(root + name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, []byte(want)) {
		t.Errorf("%s is not what it should be; make licences writes it (-is +should be):\n%s", name, cmp.Diff(strings.Split(string(got), "\n"), strings.Split(want, "\n")))
	}
}
