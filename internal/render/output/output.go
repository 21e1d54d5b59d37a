// Package output picks the renderer that a command line asks for.
package output

import (
	"io"
	"os"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/render"
	"github.com/netdiag/netdiag/internal/render/markdown"
	"github.com/netdiag/netdiag/internal/render/term"
)

// Writer gives the renderer of a format: term, markdown or json. An unknown one is a Refusal. On a terminal, term uses
// colour, unless NO_COLOR is set.
func Writer(format string, f *os.File) (func(diagnostics.Report) error, error) {
	switch format {
	case "term":
		return func(r diagnostics.Report) error { return term.Render(f, r, term.Options{Color: colour(f)}) }, nil
	case "markdown":
		return func(r diagnostics.Report) error { return markdown.Render(f, r, markdown.Options{}) }, nil
	case "json":
		return func(r diagnostics.Report) error { return render.JSON(io.Writer(f), r) }, nil
	}
	return nil, diagnostics.Refusal("unknown output " + format + ": use term, markdown or json")
}

// History writes what was asked, decided and done, as text; in colour on a terminal, unless NO_COLOR is set.
func History(f *os.File, cases []casebook.Case) error {
	return term.History(f, cases, term.Options{Color: colour(f)})
}

func colour(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("NO_COLOR") == ""
}
