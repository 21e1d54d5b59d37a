package main

import (
	"fmt"
	"strings"

	"github.com/netdiag/netdiag/internal/config"
)

const configurationHead = `# Settings

` + "`bot serve` reads its settings from one YAML file (`--config`), `bot execute` from another of its own." + `
[deploy/netdiag.yaml](../deploy/netdiag.yaml) is an example with everything in it. The chart writes both from its values: what stands under
` + "`settings`" + ` there goes into the first as it is.

The file is read strictly. A key that does not exist, a value of another type or out of its range ends the program at its start
with status 2 and one line, which names the file, the line, the setting, and what was probably meant:

` + "```" + `
bot: netdiag.yaml:9: limits.worker is no setting. Did you mean workers?
bot: netdiag.yaml:12: limits.workers: 100 is not between 1 and 64
` + "```" + `

The tokens of Slack are not in the file: they come from the environment, ` + "`SLACK_APP_TOKEN` and `SLACK_BOT_TOKEN`" + `. What is given on the
command line counts before the file. A change counts from the next start; the chart starts the pods anew.

In a path ` + "`[]`" + ` is an entry of a list, and ` + "`*`" + ` a key of one's own, such as the id of a channel.
`

// configuration is the page of the settings.
func configuration() string {
	var b strings.Builder
	b.WriteString(strings.Replace(configurationHead, "# Settings\n\n", "# Settings\n\n"+generated, 1))
	table(&b, "bot serve", config.Reference())
	b.WriteString("\n`policy.approvers` has entries; each lets its people decide on what it covers. An entry with neither `users` nor `groups` is nobody's.\n")
	table(&b, "bot execute", config.ExecutorReference())
	b.WriteString("\nThe flags `--health`, `--log-level` and `--pprof` stand for the settings of these names, where there is no file. Without a file " +
		"`bot execute` lets count whose approvals `bot serve` has recorded; [security.md](security.md) says why one may not want that.\n")
	return b.String()
}

func table(b *strings.Builder, title string, all []config.Setting) {
	fmt.Fprintf(b, "\n## %s\n\n| setting | type | default | values | what for |\n| --- | --- | --- | --- | --- |\n", title)
	for _, s := range all {
		kind, standard := s.Type, ""
		if s.Default != "" {
			standard = "`" + s.Default + "`"
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | %s | %s |\n", s.Path, kind, standard, cell(s.Values), cell(s.About))
	}
}

// cell keeps a text within its cell.
func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }
