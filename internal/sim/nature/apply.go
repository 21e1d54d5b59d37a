package nature

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	apply "k8s.io/client-go/applyconfigurations/apps/v1"
	applycore "k8s.io/client-go/applyconfigurations/core/v1"
)

// eksManager is the field manager under which EKS applies add-ons.
const eksManager = "eks"

// applyEnv sets variables of the CNI as EKS does, by a server-side apply of all that EKS owns of the DaemonSet, and takes
// those away that are gone. resolve says what is done about variables that another manager has set to other values:
// OVERWRITE takes them over, PRESERVE leaves them, and otherwise the conflict is returned.
func (c *clients) applyEnv(ctx context.Context, d *appsv1.DaemonSet, env map[string]string, gone []string, resolve string) (*appsv1.DaemonSet, error) {
	out, err := c.applyOwned(ctx, d, env, gone, resolve == "OVERWRITE")
	if foreign := conflicts(err); len(foreign) > 0 && resolve == "PRESERVE" {
		for _, field := range foreign {
			delete(env, variable(field))
		}
		out, err = c.applyOwned(ctx, d, env, gone, false)
	}
	if err != nil {
		return nil, fmt.Errorf("apply daemonset %s: %w", agentName, err)
	}
	return c.drop(ctx, out, gone)
}

func (c *clients) applyOwned(ctx context.Context, d *appsv1.DaemonSet, env map[string]string, gone []string, force bool) (*appsv1.DaemonSet, error) {
	owned, err := apply.ExtractDaemonSet(d, eksManager)
	if err != nil {
		return nil, err
	}
	container := agentContainer(owned)
	container.Env = slices.DeleteFunc(container.Env, func(e applycore.EnvVarApplyConfiguration) bool {
		_, set := env[aws.ToString(e.Name)]
		return set || slices.Contains(gone, aws.ToString(e.Name))
	})
	for _, name := range sortedKeys(env) {
		container.WithEnv(applycore.EnvVar().WithName(name).WithValue(env[name]))
	}
	return c.kube.AppsV1().DaemonSets(agentNamespace).Apply(ctx, owned, metav1.ApplyOptions{FieldManager: eksManager, Force: force})
}

// agentContainer finds the container of the settings in a configuration, and makes it where it isn't there.
func agentContainer(d *apply.DaemonSetApplyConfiguration) *applycore.ContainerApplyConfiguration {
	if d.Spec == nil {
		d.WithSpec(apply.DaemonSetSpec())
	}
	if d.Spec.Template == nil {
		d.Spec.WithTemplate(applycore.PodTemplateSpec())
	}
	if d.Spec.Template.Spec == nil {
		d.Spec.Template.WithSpec(applycore.PodSpec())
	}
	s := d.Spec.Template.Spec
	for i := range s.Containers {
		if aws.ToString(s.Containers[i].Name) == agentName {
			return &s.Containers[i]
		}
	}
	s.WithContainers(applycore.Container().WithName(agentName))
	return &s.Containers[len(s.Containers)-1]
}

// drop takes variables away that applying has left, because nobody or another manager owns them.
func (c *clients) drop(ctx context.Context, d *appsv1.DaemonSet, gone []string) (*appsv1.DaemonSet, error) {
	env := environment(d.Spec.Template.Spec)
	var deletes []string
	for _, name := range gone {
		if _, left := env[name]; left {
			deletes = append(deletes, fmt.Sprintf(`{"name":%q,"$patch":"delete"}`, name))
		}
	}
	if len(deletes) == 0 {
		return d, nil
	}
	patch := fmt.Sprintf(`{"spec":{"template":{"spec":{"containers":[{"name":%q,"env":[%s]}]}}}}`, agentName, strings.Join(deletes, ","))
	d, err := c.kube.AppsV1().DaemonSets(agentNamespace).Patch(ctx, agentName, types.StrategicMergePatchType, []byte(patch), metav1.PatchOptions{FieldManager: eksManager})
	if err != nil {
		return nil, fmt.Errorf("patch daemonset %s: %w", agentName, err)
	}
	return d, nil
}

// conflicts lists the fields that another manager owns with other values.
func conflicts(err error) []string {
	var status apierrors.APIStatus
	if !errors.As(err, &status) || status.Status().Details == nil {
		return nil
	}
	var out []string
	for _, c := range status.Status().Details.Causes {
		if c.Type == metav1.CauseTypeFieldManagerConflict {
			out = append(out, c.Field)
		}
	}
	return out
}

// variable is the environment variable in the path of a field.
func variable(field string) string {
	_, rest, _ := strings.Cut(field, `.env[name="`)
	name, _, _ := strings.Cut(rest, `"`)
	return name
}

// conflictText is how EKS words a conflict in the error of an update; empty where err is none.
func conflictText(err error) string {
	fields := conflicts(err)
	if len(fields) == 0 {
		return ""
	}
	return "Conflicts found when trying to apply. Will not continue due to resolve conflicts mode. Conflicts: DaemonSet.apps aws-node - " + strings.Join(fields, " ")
}

func sortedKeys[V any](m map[string]V) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
