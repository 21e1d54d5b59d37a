package main

import (
	"compress/gzip"
	"debug/elf"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"github.com/netdiag/netdiag/internal/page"
	"github.com/netdiag/netdiag/internal/program"
)

// What is allowed, and said in the table.
const (
	packedLimit = 60  // MiB of the image, compressed
	startLimit  = 300 // ms until a health check is answered
)

func weighCommand() *cobra.Command {
	var performance string
	c := &cobra.Command{
		Use:   "weigh BOT…",
		Short: "Say how large released bot programs are, and how fast the one for this machine starts",
		Long: `Say how large bot programs are, as a file and compressed as the layer of an image, and how long the one for this
machine takes to print its version, its help, to answer a health check and to listen to Slack, with everything around it
simulated on loopback.

Exit status: 0 none is larger than allowed, 1 one is; 2 wrong command line, or a file that is no program.`,
		Example: "  make weigh    # builds them as a release does, and writes the section of docs/performance.md",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, files []string) error {
			var all []weight
			var starts []startup
			for _, file := range files {
				w, err := weigh(file)
				if err != nil {
					return err
				}
				all = append(all, w)
				if w.platform == runtime.GOOS+"/"+runtime.GOARCH {
					if starts, err = measureStarts(c.Context(), file, startRuns); err != nil {
						return err
					}
				}
			}
			var text strings.Builder
			tellWeights(&text, all, starts)
			if performance == "" {
				fmt.Fprint(c.OutOrStdout(), text.String())
			} else if err := page.WriteSection(performance, "released", text.String()); err != nil {
				return err
			}
			return tooHeavy(all)
		},
	}
	c.Flags().StringVar(&performance, "performance", "", "write the tables to this Markdown file, and not to standard output")
	return c
}

// weight is how large one program is, in bytes.
type weight struct {
	platform     string // such as linux/arm64
	size, packed int64  // as a file, and compressed as registries keep layers
}

// weigh reads a program for Linux.
func weigh(file string) (weight, error) {
	f, err := os.Open(file)
	if err != nil {
		return weight{}, err
	}
	defer f.Close() //nolint:errcheck // it was only read
	header, err := elf.NewFile(f)
	if err != nil {
		return weight{}, program.Misuse("%s is no program for Linux: %v", file, err)
	}
	arch, ok := map[elf.Machine]string{elf.EM_X86_64: "amd64", elf.EM_AARCH64: "arm64"}[header.Machine]
	if !ok {
		arch = header.Machine.String()
	}
	w := weight{platform: "linux/" + arch}
	var packed counter
	z := gzip.NewWriter(&packed)
	if w.size, err = io.Copy(z, io.NewSectionReader(f, 0, 1<<40)); err != nil {
		return w, fmt.Errorf("compress %s: %w", file, err)
	}
	if err := z.Close(); err != nil {
		return w, err
	}
	w.packed = int64(packed)
	return w, nil
}

// tooHeavy is an error where a program is larger than allowed.
func tooHeavy(all []weight) error {
	for _, w := range all {
		if w.packed > packedLimit<<20 {
			return &program.Exit{Status: 1, Err: fmt.Errorf("bot for %s is %d MiB compressed, more than the %d MiB allowed", w.platform, w.packed>>20, packedLimit)}
		}
	}
	return nil
}

// counter counts what is written to it.
type counter int64

// Write counts.
func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// tellWeights writes the section of docs/performance.md about the released program.
func tellWeights(w io.Writer, all []weight, starts []startup) {
	mib := func(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }
	fmt.Fprintf(w, "## The released program\n\nWritten by `make weigh`. `bot` as a release builds it. Compressed it is nearly all of the image: the files around it (distroless\nstatic) are under 1 MiB. "+
		"At most %d MiB are allowed.\n\n| platform | program | compressed |\n| --- | --- | --- |\n", packedLimit)
	for _, one := range all {
		fmt.Fprintf(w, "| %s | %s | %s |\n", one.platform, mib(one.size), mib(one.packed))
	}
	if len(starts) == 0 {
		return
	}
	fmt.Fprintf(w, "\nFrom the start of the program, %d times each, on %d cores (%s/%s, %s). `bot serve` works on a simulated cluster of 50 nodes; nearly all of its time\n"+
		"until it listens to Slack is theirs. At most %d ms are allowed until a health check is answered.\n\n| until | median | slowest |\n| --- | --- | --- |\n",
		len(starts[0].took), runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version(), startLimit)
	for _, s := range starts {
		fmt.Fprintf(w, "| %s | %d ms | %d ms |\n", s.until, median(s.took).Milliseconds(), s.took[len(s.took)-1].Milliseconds())
	}
}
