// Package iam holds the policies of IAM that netdiag asks for, as they are documented beside it.
package iam

import (
	"embed"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

//go:embed *.json
var policies embed.FS

// Lines gives the statements of a policy, a line of JSON each, as far as they are wanted: with those of their actions that
// keep wants. What is in ${…} is filled in from values where it is known.
func Lines(policy string, keep func(sid, action string) bool, values map[string]string) ([]string, error) {
	text, err := policies.ReadFile(policy)
	if err != nil {
		return nil, err
	}
	var p struct{ Statement []map[string]any }
	if err := json.Unmarshal(text, &p); err != nil {
		return nil, fmt.Errorf("%s: %w", policy, err)
	}
	var out []string
	for _, s := range p.Statement {
		sid, _ := s["Sid"].(string)
		actions, _ := s["Action"].([]any)
		actions = slices.DeleteFunc(actions, func(a any) bool { action, _ := a.(string); return !keep(sid, action) })
		if len(actions) == 0 {
			continue
		}
		s["Action"] = actions
		line, err := json.Marshal(ordered(s))
		if err != nil {
			return nil, err
		}
		out = append(out, Fill(string(line), values))
	}
	return out, nil
}

var blank = regexp.MustCompile(`\$\{[A-Z_]+\}`)

// Fill puts values into the blanks of a text, ${CLUSTER} say; those that aren't known stay.
func Fill(text string, values map[string]string) string {
	return blank.ReplaceAllStringFunc(text, func(b string) string {
		if v := values[strings.Trim(b, "${}")]; v != "" {
			return v
		}
		return b
	})
}

// statement is one as people write it: in this order.
type statement struct {
	Sid, Effect, Action, Resource any
	Condition                     any `json:",omitempty"`
}

func ordered(s map[string]any) statement {
	return statement{s["Sid"], s["Effect"], s["Action"], s["Resource"], s["Condition"]}
}
