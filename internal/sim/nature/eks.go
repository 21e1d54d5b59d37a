package nature

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awseks "github.com/aws/aws-sdk-go-v2/service/eks"
	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	simaws "github.com/netdiag/netdiag/internal/sim/aws"
)

// cniAddon is the only add-on whose settings reach the cluster; updates of others end at once.
const cniAddon = "vpc-cni"

const (
	addonLoop = time.Second
	// patience is how long EKS waits for a rollout that doesn't get on before the update has failed.
	patience = 20 * time.Minute
)

// addons carries out updates of add-ons, as EKS does, and puts back what of them somebody else has changed.
type addons struct {
	n       *Nature
	c       *clients
	applied map[string]*rolling // by update
	owned   map[string]string   // variables that EKS has applied, with their values; nil where that is to be learned
	drifted time.Duration       // for how long one of them is not as it was applied
}

// rolling is an update that has been applied and waits for its rollout.
type rolling struct {
	generation int64
	version    string        // of the DaemonSet when it was last seen to get on
	waited     time.Duration // since
}

func newAddons(n *Nature, c *clients) *addons {
	return &addons{n: n, c: c, applied: map[string]*rolling{}}
}

func (a *addons) round(ctx context.Context) error {
	busy := false
	for _, u := range a.n.o.EKS.PendingUpdates() {
		if u.Cluster != a.n.o.Cluster {
			continue
		}
		busy = busy || u.Addon == cniAddon
		failure, done, err := a.carry(ctx, u)
		if err != nil {
			return fmt.Errorf("carry out update %s of add-on %s: %w", u.ID, u.Addon, err)
		}
		if !done {
			continue
		}
		delete(a.applied, u.ID)
		a.n.o.EKS.FinishUpdate(u.ID, failure)
		if failure == "" {
			failure = "successful"
		}
		a.n.say("eks: update %s of add-on %s: %s", u.ID, u.Addon, failure)
	}
	if busy || a.n.o.Revert <= 0 {
		a.owned, a.drifted = nil, 0
		return nil
	}
	return a.revert(ctx)
}

// carry does the next step of an update. failure is why EKS gives it up.
func (a *addons) carry(ctx context.Context, u simaws.Update) (failure string, done bool, err error) {
	if u.Addon != cniAddon {
		return "", true, nil
	}
	r := a.applied[u.ID]
	if f := a.n.o.Fail; f != nil {
		if r == nil {
			r = &rolling{}
			a.applied[u.ID] = r
		}
		r.waited += addonLoop
		return f.Message, r.waited >= f.After, nil
	}
	if r == nil {
		d, failure, err := a.apply(ctx, u)
		if err != nil || failure != "" {
			return failure, true, err
		}
		a.n.say("eks: update %s of add-on %s is applied", u.ID, u.Addon)
		a.applied[u.ID] = &rolling{generation: d.Generation}
		return "", false, nil
	}
	r.waited += addonLoop
	d := a.c.agent()
	if d != nil && d.ResourceVersion != r.version {
		r.version, r.waited = d.ResourceVersion, 0
	}
	switch {
	case d != nil && d.Generation >= r.generation && rolledOut(d):
		return "", true, nil
	case r.waited > patience:
		return "InsufficientNumberOfReplicas: DaemonSet aws-node has not become available", true, nil
	}
	return "", false, nil
}

func rolledOut(d *appsv1.DaemonSet) bool {
	s := d.Status
	return s.ObservedGeneration >= d.Generation && s.UpdatedNumberScheduled >= s.DesiredNumberScheduled && s.NumberAvailable >= s.DesiredNumberScheduled
}

// apply sets what the configuration says and takes away what only the one before said.
func (a *addons) apply(ctx context.Context, u simaws.Update) (d *appsv1.DaemonSet, failure string, err error) {
	env, err := configured(u.Configuration)
	if err != nil {
		return nil, err.Error(), nil
	}
	before, err := a.before(ctx, u)
	if err != nil {
		return nil, "", err
	}
	gone := slices.DeleteFunc(sortedKeys(before), func(name string) bool { _, kept := env[name]; return kept })
	d, err = a.c.kube.AppsV1().DaemonSets(agentNamespace).Get(ctx, agentName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, "K8sResourceNotFound: DaemonSet aws-node", nil
	}
	if err != nil {
		return nil, "", fmt.Errorf("get daemonset %s: %w", agentName, err)
	}
	d, err = a.c.applyEnv(ctx, d, env, gone, u.Resolve)
	if text := conflictText(err); text != "" {
		return nil, text, nil
	}
	return d, "", err
}

// configured reads the environment out of configurationValues, which are JSON or YAML.
func configured(text string) (map[string]string, error) {
	var c struct {
		Env map[string]any `json:"env"`
	}
	if err := yaml.Unmarshal([]byte(text), &c); err != nil {
		return nil, fmt.Errorf("ConfigurationConflict: configurationValues can't be read: %w", err)
	}
	env := map[string]string{}
	for name, v := range c.Env {
		env[name] = fmt.Sprint(v)
	}
	return env, nil
}

// before is what the configuration said that the add-on still has.
func (a *addons) before(ctx context.Context, u simaws.Update) (map[string]string, error) {
	out, err := a.c.eks.DescribeAddon(ctx, &awseks.DescribeAddonInput{ClusterName: aws.String(u.Cluster), AddonName: aws.String(u.Addon)})
	if err != nil {
		return nil, fmt.Errorf("describe add-on %s: %w", u.Addon, err)
	}
	env, err := configured(aws.ToString(out.Addon.ConfigurationValues))
	if err != nil {
		return nil, nil // then nothing of it can have been set
	}
	return env, nil
}
