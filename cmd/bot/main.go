// Command bot is netdiag: it answers questions in Slack (serve), carries out approved fixes (execute), and answers on
// the command line (diagnose), lists what was asked and done (history), with all that is needed to look again later (replay) or elsewhere (capture).
package main

import (
	"github.com/spf13/cobra"

	"github.com/netdiag/netdiag/internal/program"
)

func main() { program.Main(root()) }

func root() *cobra.Command {
	c := &cobra.Command{
		Use:   "bot",
		Short: "Diagnose EKS networking: pods without addresses, load balancers that answer 5xx",
		Long: `Diagnose EKS networking: why pods wait for an address, and why a load balancer answers 5xx. It says what is wrong, the
evidence with the command that repeats it, what was ruled out, what could not be read, and the fixes that would really help.`,
		Example: `  bot diagnose pending backend                  # why pods of namespace backend don't start
  bot diagnose alb api-ingress -n backend       # why the load balancer of an ingress answers 502, 503 or 504
  bot capture pending backend -o world          # keep what was read, redacted, as a folder that lab can serve
  source <(bot completion bash)                 # complete commands, questions and flags`,
	}
	c.AddCommand(diagnoseCommand(), captureCommand(), replayCommand(), serveCommand(), executeCommand(), historyCommand(), tidyCommand())
	return c
}
