package main

import (
	"context"
	"io"
	"maps"
	"slices"

	"github.com/netdiag/netdiag/deploy/iam"
	"github.com/netdiag/netdiag/internal/kube"
)

// hands is what bot execute works with.
type hands struct {
	connection
	namespace, role string
	kinds           []string
}

// check asks for everything that carrying out fixes needs, and says what is missing.
func (h hands) check(ctx context.Context, out io.Writer) error {
	i := &inspection{out: out}
	if h.checkKubernetes(ctx, i) {
		names := []string{"netdiag-executor-records", "netdiag-read-halt"}
		for _, g := range kube.Grants() {
			if slices.ContainsFunc(switched(g.Switch), func(k string) bool { return slices.Contains(h.kinds, k) }) {
				names = append(names, g.Role)
			}
		}
		h.review(ctx, i, roles(h.namespace, names...))
	}
	if account := h.checkAWS(ctx, i); account != "" {
		h.checkChanges(ctx, i, h.blanks(ctx, account))
	}
	return i.end()
}

// switched are the kinds of change to the cluster that a switch of the chart lets be made.
func switched(by string) []string {
	switch by {
	case "fixes.kinds.annotate":
		return []string{"Annotate"}
	case "fixes.kinds.daemonSetEnv":
		return []string{"DaemonSetEnv"}
	case "fixes.kinds.restartPods":
		return []string{"RestartPods"}
	case "fixes.kinds.movePods":
		return []string{"MovePods", "Cordon"}
	}
	return nil
}

// checkChanges simulates each change to AWS against what the role is granted, and prints the lines that it lacks.
func (h hands) checkChanges(ctx context.Context, i *inspection, blanks map[string]string) {
	i.title("Changes to AWS")
	if h.role != "" {
		if err := h.source.AWS.Assumes(ctx, h.role, h.target.Cluster); err != nil {
			i.miss("%s; deploy/iam/executor.json lets bot execute assume it, deploy/iam/trust-fix-role.json lets the role be assumed", plainly(err))
			blanks["FIX_ROLE_ARN"] = h.role
			i.lines("executor.json", func(sid, _ string) bool { return sid == "AssumeFixRole" }, blanks)
		} else {
			i.ok("role %s can be assumed", h.role)
		}
	}
	missing, granted := map[string][]string{}, 0
	rights := h.source.AWS.Rights(ctx, h.role, h.kinds, func(text string) string { return iam.Fill(text, blanks) })
	for _, r := range rights {
		switch {
		case r.Err != nil:
			i.miss("%s: it can't be told whether it is granted: %s", r.Action, plainly(r.Err))
		case !r.Granted:
			i.miss("%s: statement %s of deploy/iam/%s grants it", r.Action, r.Statement, r.Policy)
			missing[r.Policy] = append(missing[r.Policy], r.Statement)
		default:
			granted++
		}
	}
	if granted > 0 {
		i.ok("%d of %d changes are granted", granted, len(rights))
	}
	for _, policy := range slices.Sorted(maps.Keys(missing)) {
		i.lines(policy, func(sid, _ string) bool { return slices.Contains(missing[policy], sid) }, blanks)
	}
}
