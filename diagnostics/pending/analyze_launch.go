package pending

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/netdiag/netdiag/diagnostics"
)

var subnetID = regexp.MustCompile(`subnet-[0-9a-f]{8,17}`)

// launch looks behind nodes that have no capacity left: an autoscaler may be trying to start more, and can't.
func (a *analysis) launch() {
	capacity := a.of("max-pods", "insufficient-resources", "branch-eni-capacity")
	if len(capacity) == 0 {
		return
	}
	var keys []string
	for _, t := range a.launches() {
		f := diagnostics.Finding{Subject: t.subject, Confidence: diagnostics.Confirmed, Evidence: []diagnostics.Evidence{t.evidence}}
		switch {
		case noAddressAtLaunch(t.message):
			f.ID = "node-launch-no-ip"
			if id := subnetID.FindString(t.message); id != "" {
				f.Subject = id
			}
			f.Summary = fmt.Sprintf("%s can't start a node: %s has no address for it", t.subject, f.Subject)
			if s := a.s.subnet(f.Subject); s != nil {
				f.Evidence = append(f.Evidence, subnetEvidence(s))
			}
		case strings.Contains(t.message, "InsufficientInstanceCapacity") || strings.Contains(t.message, "do not have sufficient"):
			f.ID = "capacity-shortage"
			f.Summary = fmt.Sprintf("%s can't start a node: EC2 has no such instances now", t.subject)
		default:
			continue
		}
		for _, c := range capacity {
			f.Affects = append(f.Affects, c.Affects...)
		}
		keys = append(keys, a.find(f, nil).Key())
	}
	for _, c := range capacity {
		c.Because = append(c.Because, keys...)
	}
}

type launchTrouble struct {
	subject, message string
	evidence         diagnostics.Evidence
}

func noAddressAtLaunch(message string) bool {
	return strings.Contains(message, "InsufficientFreeAddresses") || strings.Contains(message, "not enough free addresses") ||
		strings.Contains(message, "not enough free IP addresses") || strings.Contains(message, "IP_NOT_AVAILABLE")
}

// launches lists what was said of nodes that could not be started within the last hour.
func (a *analysis) launches() []launchTrouble {
	var out []launchTrouble
	for _, g := range a.s.Groups {
		for _, i := range g.Issues {
			message := i.Code + ": " + i.Message
			out = append(out, launchTrouble{"node group " + g.Name, message, diagnostics.Evidence{What: "health of node group " + g.Name, Value: shorten(message),
				Source: "eks:DescribeNodegroup", Repeat: fmt.Sprintf("aws eks describe-nodegroup --cluster-name %s --nodegroup-name %s", a.s.Target.Cluster, g.Name)}})
		}
	}
	seen := map[string]bool{}
	for _, t := range a.s.Activities { // newest first: only the last word of a group counts
		if seen[t.Group] {
			continue
		}
		seen[t.Group] = true
		if t.Status == "Failed" && a.s.At.Sub(t.At) < time.Hour {
			out = append(out, launchTrouble{"Auto Scaling group " + t.Group, t.Message, diagnostics.Evidence{What: "last activity of " + t.Group, Value: shorten(t.Message),
				Source: "autoscaling:DescribeScalingActivities", Repeat: "aws autoscaling describe-scaling-activities --auto-scaling-group-name " + t.Group + " --max-items 5"}})
		}
	}
	for n := range a.s.Events {
		e := &a.s.Events[n]
		if e.InvolvedObject.Kind == "NodeClaim" && e.Type == "Warning" && a.s.At.Sub(when(e)) <= 2*fresh {
			out = append(out, launchTrouble{"NodeClaim " + e.InvolvedObject.Name, e.Message, eventEvidence(e)})
		}
	}
	slices.SortStableFunc(out, func(x, y launchTrouble) int { return strings.Compare(x.subject, y.subject) })
	return out
}
