// Command lab is the laboratory: it serves recorded worlds as a simulated cluster, AWS account and Slack, to diagnose,
// measure and show netdiag without an account of any kind. It is never deployed.
package main

import (
	"github.com/spf13/cobra"

	"github.com/netdiag/netdiag/internal/program"
)

func main() { program.Main(root()) }

func root() *cobra.Command {
	c := &cobra.Command{
		Use:   "lab",
		Short: "Diagnose, measure and show netdiag on simulated worlds",
		Long: `Diagnose, measure and show netdiag on worlds: folders that hold one cluster and the AWS account around it, at one moment.
They are served on loopback as Kubernetes and AWS; nothing else is needed.`,
		Example: `  lab diagnose --world testdata/worlds/seeds/seed-alb-502
  lab bench testdata/worlds                     # score the diagnoses on every world
  lab demo                                      # both seeds' stories in a browser, with Slack and fixes
  source <(lab completion bash)                 # complete commands, questions and flags`,
	}
	c.AddCommand(diagnoseCommand(), benchCommand(), flattenCommand(), demoCommand(), weighCommand(), idleCommand())
	return c
}
