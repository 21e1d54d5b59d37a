package diagtest_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/netdiag/netdiag/internal/diagtest"
	"github.com/netdiag/netdiag/internal/sim/fleet"
)

func TestScratch(t *testing.T) {
	for n := range strings.SplitSeq(os.Getenv("SIZES"), ",") {
		nodes, _ := strconv.Atoi(n)
		for _, q := range []string{fleet.Pending, fleet.Ingress} {
			f := fleet.New(nodes, 40, time.Now())
			s, err := diagtest.ServeFleet(f)
			if err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			out, err := s.Diagnose(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			took := time.Since(start)
			w := *s.World
			w.Meta.Want = f.Want(q)
			score, err := diagtest.Judge(&w, out.Report)
			fmt.Println(nodes, q, took, fmt.Sprintf("%+v", s.Calls()), score.Differs, err, len(out.Snapshot))
			kinds := map[string]int{}
			for _, r := range s.Kube.Requests() {
				kinds[r.Path+" "+r.Query]++
			}
			calls := map[string]int{}
			for _, r := range s.AWS.Requests() {
				calls[r.Service+":"+r.Action]++
			}
			fmt.Println(calls)
			if os.Getenv("V") != "" {
				for k := range kinds {
					fmt.Println("  ", k)
				}
				fmt.Println(out.Report.Summary, out.Report.Impact)
				for _, f := range out.Report.Fixes {
					fmt.Println("  fix", f.ID, f.Title, f.Proof)
				}
				for _, g := range out.Report.Gaps {
					fmt.Printf("  gap %+v\n", g)
				}
				for _, g := range out.Report.Contradictions {
					fmt.Printf("  contradiction %s\n", g)
				}
			}
			s.Close()
		}
	}
}
