package outside_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// rendered is where the golden messages and views of netdiag lie.
const rendered = "../../../render/slack/testdata"

// Slack has and documents what its published types do not know yet: a block, and where a numbered list starts. Both are
// left out of the check.
const (
	newBlock = "data_visualization"
	newField = "offset" // of a rich_text_list
)

// What netdiag sends is what Slack's own types allow: every golden message, modal and Home tab.
func TestGoldensAreBlockKit(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(rendered, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files in %s: %v", rendered, err)
	}
	var source strings.Builder
	source.WriteString("import type { KnownBlock, View } from \"@slack/types\";\n")
	var names []string // of what stands in each line
	names = append(names, "")
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		var v any
		if err := json.Unmarshal(data, &v); err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		before := len(names)
		eachPayload(v, filepath.Base(f), func(at, kind string, payload any) {
			line, err := json.Marshal(payload)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&source, "export const p%d: %s = %s;\n", len(names), kind, line)
			names = append(names, at)
		})
		if len(names) == before {
			t.Errorf("%s holds neither a message nor a view", f)
		}
	}
	for _, complaint := range complaints(typeCheck(t, source.String()), names) {
		t.Error(complaint)
	}
	t.Logf("%d messages and views", len(names)-1)
}

// The judge is no rubber stamp: what Slack would refuse does not pass.
func TestTypesRefuse(t *testing.T) {
	names := []string{"", "unknown block", "unknown field", "markup in a title", "style of a button"}
	out := typeCheck(t, `import type { KnownBlock, View } from "@slack/types";
export const p1: KnownBlock[] = [{"type": "sektion", "text": {"type": "mrkdwn", "text": "x"}}];
export const p2: KnownBlock[] = [{"type": "divider", "colour": "red"}];
export const p3: View = {"type": "modal", "title": {"type": "mrkdwn", "text": "x"}, "blocks": []};
export const p4: KnownBlock[] = [{"type": "actions", "elements": [{"type": "button", "style": "green", "text": {"type": "plain_text", "text": "x"}}]}];
`)
	found := complaints(out, names)
	for _, name := range names[1:] {
		if !slices.ContainsFunc(found, func(c string) bool { return strings.HasPrefix(c, name+": ") }) {
			t.Errorf("%s passes:\n%s", name, out)
		}
	}
}

// eachPayload finds the messages and views in a golden file: objects with blocks.
func eachPayload(v any, at string, visit func(at, kind string, payload any)) {
	switch v := v.(type) {
	case []any:
		for i, e := range v {
			eachPayload(e, fmt.Sprintf("%s[%d]", at, i), visit)
		}
	case map[string]any:
		blocks, ok := v["blocks"].([]any)
		switch {
		case ok && (v["type"] == "modal" || v["type"] == "home"):
			v["blocks"] = published(blocks)
			visit(at, "View", v)
		case ok:
			visit(at, "KnownBlock[]", published(blocks))
		default:
			for _, k := range slices.Sorted(maps.Keys(v)) {
				eachPayload(v[k], at+"."+k, visit)
			}
		}
	}
}

// published leaves out what the types do not know.
func published(v any) any {
	switch v := v.(type) {
	case []any:
		out := []any{}
		for _, e := range v {
			if o, ok := e.(map[string]any); !ok || o["type"] != newBlock {
				out = append(out, published(e))
			}
		}
		return out
	case map[string]any:
		out := map[string]any{}
		for k, e := range v {
			if k != newField || v["type"] != "rich_text_list" {
				out[k] = published(e)
			}
		}
		return out
	}
	return v
}

var complaint = regexp.MustCompile(`check\.ts\((\d+),\d+\): (.*)`)

// complaints names the payloads that tsc complains about.
func complaints(out string, names []string) []string {
	var all []string
	for l := range strings.SplitSeq(strings.TrimSpace(out), "\n") {
		m := complaint.FindStringSubmatch(l)
		if m == nil {
			if l != "" {
				all = append(all, l)
			}
			continue
		}
		n, err := strconv.Atoi(m[1])
		if err != nil || n < 1 || n > len(names) {
			all = append(all, l)
			continue
		}
		all = append(all, names[n-1]+": "+m[2])
	}
	return all
}
