package render

import (
	"encoding/json"
	"fmt"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/redact"
)

// Redact gives the report without what looks like a secret in the text that it quotes: no report is stored or leaves the
// process with one. The actions of its fixes stay exactly as they are, for what is approved is known by their hash.
func Redact(r diagnostics.Report) (diagnostics.Report, error) {
	doc, err := json.Marshal(r)
	if err != nil {
		return r, fmt.Errorf("encode the report of %s: %w", r.Diagnosis, err)
	}
	if doc, err = redact.JSON(doc); err != nil {
		return r, fmt.Errorf("report of %s: %w", r.Diagnosis, err)
	}
	var out diagnostics.Report
	if err := json.Unmarshal(doc, &out); err != nil {
		return r, fmt.Errorf("decode the report of %s: %w", r.Diagnosis, err)
	}
	for i := range out.Fixes {
		out.Fixes[i].Action = r.Fixes[i].Action
	}
	return out, nil
}
