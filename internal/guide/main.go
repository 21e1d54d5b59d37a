// Command guide writes the pages of docs/ that follow from the code: the reference of the settings, the causes, and the table
// of metrics. make generate runs it.
package main

import (
	"errors"
	"log"
	"os"
	"path/filepath"

	"github.com/netdiag/netdiag/internal/page"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("guide: give the folder of the documentation")
	}
	if err := write(os.Args[1]); err != nil {
		log.Fatal("guide: ", err)
	}
}

// generated warns whoever opens the page.
const generated = "<!-- Written by make generate; do not edit. -->\n\n"

// write writes everything into a folder.
func write(dir string) error {
	causes, err := causes(dir)
	if err != nil {
		return err
	}
	metrics, err := metrics()
	if err != nil {
		return err
	}
	return errors.Join(
		page.Write(filepath.Join(dir, "configuration.md"), configuration()),
		page.Write(filepath.Join(dir, "causes.md"), causes),
		page.WriteSection(filepath.Join(dir, "operations.md"), "metrics", metrics),
	)
}
