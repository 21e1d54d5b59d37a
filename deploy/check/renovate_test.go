package check

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Each expression by which Renovate finds a version that it would not find by itself still finds one.
func TestRenovate(t *testing.T) {
	text, err := os.ReadFile(root + "renovate.json")
	if err != nil {
		t.Fatal(err)
	}
	var c struct {
		IgnorePaths    []string
		CustomManagers []struct {
			Description                       string
			ManagerFilePatterns, MatchStrings []string
		}
	}
	if err := json.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(c.IgnorePaths, "deploy/check/testdata/**") {
		t.Error("Renovate would mend what is bad on purpose: deploy/check/testdata")
	}
	files := strings.Fields(string(run(t, "git", "ls-files", "--cached", "--others", "--exclude-standard", "Makefile", ".github")))
	for _, m := range c.CustomManagers {
		for _, pattern := range m.ManagerFilePatterns {
			inFile := regexp.MustCompile(strings.Trim(pattern, "/")) // Renovate's expressions are RE2, as Go's
			found := 0
			for _, file := range files {
				if !inFile.MatchString(file) {
					continue
				}
				body, err := os.ReadFile(root + file)
				if err != nil {
					t.Fatal(err)
				}
				for _, s := range m.MatchStrings {
					found += len(regexp.MustCompile(s).FindAllSubmatch(body, -1))
				}
			}
			if found == 0 {
				t.Errorf("%s: nothing found in %s", m.Description, pattern)
			}
		}
	}
}
