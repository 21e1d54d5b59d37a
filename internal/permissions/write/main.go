// Command write writes the chart's roles, the read policy of IAM and docs/permissions.md; go generate runs it in the folder
// internal/permissions.
package main

import (
	"fmt"
	"log"
	"os"

	"github.com/netdiag/netdiag/internal/permissions"
)

func main() {
	log.SetFlags(0)
	files, err := permissions.Files()
	if err != nil {
		log.Fatal(err)
	}
	for file, text := range files {
		if err := os.WriteFile("../../"+file, []byte(text), 0o644); err != nil {
			log.Fatal(fmt.Errorf("write %s: %w", file, err))
		}
	}
}
