package nature

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	apply "k8s.io/client-go/applyconfigurations/apps/v1"
)

// revert puts back the variables that EKS has applied and somebody else has changed or taken away, once they have been so
// for the time of Options.Revert. What EKS never applied it leaves, whatever the configuration of the add-on says.
func (a *addons) revert(ctx context.Context) error {
	d := a.c.agent()
	if d == nil {
		return nil
	}
	if a.owned == nil {
		owned, err := apply.ExtractDaemonSet(d, eksManager)
		if err != nil {
			return fmt.Errorf("fields of daemonset %s that EKS owns: %w", agentName, err)
		}
		a.owned = map[string]string{}
		for _, e := range agentContainer(owned).Env {
			if e.ValueFrom == nil {
				a.owned[aws.ToString(e.Name)] = aws.ToString(e.Value)
			}
		}
	}
	env, back := environment(d.Spec.Template.Spec), map[string]string{}
	for name, v := range a.owned {
		if live, set := env[name]; !set || live != v {
			back[name] = v
		}
	}
	if len(back) == 0 {
		a.drifted = 0
		return nil
	}
	if a.drifted += addonLoop; a.drifted < a.n.o.Revert {
		return nil
	}
	names := sortedKeys(back)
	if _, err := a.c.applyEnv(ctx, d, back, nil, "OVERWRITE"); err != nil {
		return err
	}
	a.drifted = 0
	a.n.say("eks: %v of daemonset %s are put back", names, agentName)
	return nil
}
