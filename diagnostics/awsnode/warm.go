package awsnode

import (
	"fmt"
	"strconv"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/cni"
)

// Warm fills in a fix that has the CNI keep so many spare addresses on a node, and so many in all at least.
func (u Setup) Warm(f diagnostics.Fix, warm, minimum int) diagnostics.Fix {
	f.Title = fmt.Sprintf("Keep %d spare addresses on a node and %d in all, instead of %s", warm, minimum, u.keeps())
	f = u.Change(f, true, Setting{Name: "WARM_IP_TARGET", Value: strconv.Itoa(warm)}, Setting{Name: "MINIMUM_IP_TARGET", Value: strconv.Itoa(minimum)})
	f.Blast += fmt.Sprintf("; bursts of more than %d pods on a node wait for an EC2 call", warm)
	return f
}

// keeps describes the present targets.
func (u Setup) keeps() string {
	s, _ := cni.ParseSettings(u.Driver.Env)
	switch {
	case s.WarmIP > 0 && s.MinimumIP > 0:
		return fmt.Sprintf("%d spare and %d in all", s.WarmIP, s.MinimumIP)
	case s.WarmIP > 0:
		return fmt.Sprintf("%d spare", s.WarmIP)
	case s.MinimumIP > 0:
		return fmt.Sprintf("%d in all", s.MinimumIP)
	case s.WarmENI == 1:
		return "a whole interface"
	}
	return fmt.Sprintf("%d whole interfaces", s.WarmENI)
}

// MinimumAlone refuses the temptation to lower MINIMUM_IP_TARGET alone where that is all that is set; empty where it isn't.
func (u Setup) MinimumAlone(minimum int) string {
	if now, _ := cni.ParseSettings(u.Driver.Env); now.MinimumIP <= 0 || now.WarmIP != 0 {
		return ""
	}
	return fmt.Sprintf("a lower MINIMUM_IP_TARGET alone: with %d and no WARM_IP_TARGET each node stops at %d addresses, and its next pod gets none however many the subnet has", minimum, minimum)
}

// AreMissing is the count of addresses that are missing, with its verb: "1 is", "51 are".
func AreMissing(n int) string {
	if n == 1 {
		return "1 is"
	}
	return fmt.Sprintf("%d are", n)
}
