package diagtest_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/diagtest"
	"github.com/netdiag/netdiag/internal/sim/access"
	"github.com/netdiag/netdiag/internal/sim/fault"
)

// Where AWS throttles a third of the calls, or shows changes only after a while, a fix is carried out exactly once and its
// success is seen all the same.
func TestFixesHelpWhereAWSIsHard(t *testing.T) {
	if diagtest.Race {
		t.Skip("dear under the race detector, which sees the same path in TestFixesHelp")
	}
	fixes := []struct{ dir, fix, call string }{
		{"seeds/seed-alb-502", "alb/allow-pod-port", "AuthorizeSecurityGroupIngress"},
		{"seeds/seed-ip-exhaustion", "pending/tune-warm-pool", "UpdateAddon"},
	}
	for name, harden := range map[string]func(*life){
		"a third is throttled": func(l *life) {
			for _, service := range []string{"ec2:*", "eks:*"} {
				l.served.AWS.Faults().On(service, fault.Fault{Kind: fault.Throttled, Every: 3})
			}
		},
		"changes show late": func(l *life) { l.served.AWS.SetLag(5 * time.Second) }, // minutes, at the speed of this world
	} {
		for _, f := range fixes {
			t.Run(name+"/"+f.fix, func(t *testing.T) {
				t.Parallel()
				l := newLife(t, filepath.Join(worlds, f.dir), nil)
				_, r := l.propose(f.fix)
				harden(l)
				if r = l.carryOut(r); r.Status.Phase != casebook.Succeeded {
					t.Fatalf("ended %s: %s\n%v", r.Status.Phase, r.Status.Outcome, r.Status.Notes)
				}
				made, throttled := 0, 0
				for _, q := range l.served.AWS.Requests() {
					if q.AccessKey == access.NatureKeyID {
						continue
					}
					switch q.Code {
					case "":
						if q.Action == f.call && !q.DryRun {
							made++
						}
					case "RequestLimitExceeded", "ThrottlingException":
						throttled++
					}
				}
				if made != 1 {
					t.Errorf("%s was carried out %d times", f.call, made)
				}
				if (throttled > 0) != (name == "a third is throttled") {
					t.Errorf("%d calls were throttled", throttled)
				}
			})
		}
	}
}
