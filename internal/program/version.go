package program

import (
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

func versionCommand(name string) *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		Example: "  " + name + " version",
		Args:    NoArgs,
		Run:     func(c *cobra.Command, _ []string) { fmt.Fprintln(c.OutOrStdout(), "netdiag", Version()) },
	}
}

// stamp is the version and the revision, told by the linker (-X) to a build that can't see the repository: the Dockerfile's.
var stamp string

// Version is the module version and the revision that the program was built from, as far as the build knows them.
func Version() string {
	if stamp != "" {
		return stamp
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	var version strings.Builder
	version.WriteString(info.Main.Version)
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			version.WriteString(" " + s.Value)
		}
	}
	return version.String()
}
