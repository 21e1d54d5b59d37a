package render

import (
	"encoding/json"
	"io"

	"github.com/netdiag/netdiag/diagnostics"
)

// JSON writes the report as indented JSON: the fixed format for programs, with text as it was read but for secrets.
func JSON(w io.Writer, r diagnostics.Report) error {
	r, err := Redact(r)
	if err != nil {
		return err
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(r)
}
