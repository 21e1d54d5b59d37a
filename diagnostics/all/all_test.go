package all_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/diagnostics/all"
)

func TestEveryFolderIsListedAndDocumented(t *testing.T) {
	folders, err := os.ReadDir("..")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range folders {
		if !f.IsDir() || f.Name() == "all" || f.Name() == "awsnode" { // the list itself, and what several diagnoses know of the CNI
			continue
		}
		d, ok := all.Find(f.Name())
		if !ok {
			t.Errorf("diagnostics/%s is not in the list", f.Name())
			continue
		}
		doc, err := os.ReadFile(filepath.Join("..", f.Name(), "doc.md"))
		if err != nil {
			t.Error(err)
		}
		if d.Doc != string(doc) || !strings.HasPrefix(d.Doc, "# ") {
			t.Errorf("%s: Doc must be doc.md, embedded, with its title first", f.Name())
		}
		if d.Usage == "" || len(d.Reads) == 0 {
			t.Errorf("%s: usage and reads must be declared", f.Name())
		}
	}
}

func TestEveryDeclaredCauseIsInTheCatalogueAndDocumented(t *testing.T) {
	for _, d := range all.Diagnoses() {
		for _, id := range d.Causes {
			if diagnostics.CauseByID(d.Name+"/"+id).ID == "" {
				t.Errorf("%s declares %s, which is not in the catalogue", d.Name, id)
			}
			if !strings.Contains(d.Doc, id) {
				t.Errorf("doc.md of %s does not mention %s", d.Name, id)
			}
		}
	}
}
