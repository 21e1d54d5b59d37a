package page_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/netdiag/netdiag/internal/page"
)

// Whoever writes a page or a section leaves the sections of others as they are.
func TestSections(t *testing.T) {
	file := filepath.Join(t.TempDir(), "page.md")
	for _, step := range []struct {
		do   func() error
		want string
	}{
		{func() error { return page.Write(file, "# One\n") }, "# One\n"},
		{func() error { return page.WriteSection(file, "a", "## A\n\n1\n") }, "# One\n\n<!-- section a -->\n## A\n\n1\n<!-- end of section -->\n"},
		{func() error { return page.WriteSection(file, "b", "## B") }, "# One\n\n<!-- section a -->\n## A\n\n1\n<!-- end of section -->\n\n<!-- section b -->\n## B\n<!-- end of section -->\n"},
		{func() error { return page.WriteSection(file, "a", "## A: $1") }, "# One\n\n<!-- section a -->\n## A: $1\n<!-- end of section -->\n\n<!-- section b -->\n## B\n<!-- end of section -->\n"},
		{func() error { return page.Write(file, "# Two\n\n") }, "# Two\n\n<!-- section a -->\n## A: $1\n<!-- end of section -->\n\n<!-- section b -->\n## B\n<!-- end of section -->\n"},
	} {
		if err := step.do(); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(file); err != nil || string(got) != step.want {
			t.Errorf("error %v:\n%s\nwant:\n%s", err, got, step.want)
		}
	}
}
