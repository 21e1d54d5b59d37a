package nature_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apitypes "k8s.io/apimachinery/pkg/types"
)

// set sets a variable of the CNI as kubectl does, and returns its variables as they are then.
func (l *lab) set(t *testing.T, name, value string) map[string]string {
	t.Helper()
	patch := fmt.Sprintf(`{"spec":{"template":{"spec":{"containers":[{"name":"aws-node","env":[{"name":%q,"value":%q}]}]}}}}`, name, value)
	d, err := l.kube.AppsV1().DaemonSets("kube-system").Patch(t.Context(), "aws-node", apitypes.StrategicMergePatchType, []byte(patch), metav1.PatchOptions{FieldManager: "kubectl-set"})
	if err != nil {
		t.Fatal(err)
	}
	return envOf(d)
}

// rolledOut wants the DaemonSet of the CNI to be as its last change says, on all nodes.
func (l *lab) rolledOut(ctx context.Context) error {
	d, err := l.kube.AppsV1().DaemonSets("kube-system").Get(ctx, "aws-node", metav1.GetOptions{})
	if err != nil {
		return err
	}
	if s := d.Status; s.ObservedGeneration < d.Generation || s.UpdatedNumberScheduled < s.DesiredNumberScheduled || s.NumberReady < s.DesiredNumberScheduled {
		return fmt.Errorf("daemonset: generation %d, status %+v", d.Generation, s)
	}
	return nil
}

// stuck counts the pods that are bound and have no address.
func (l *lab) stuck(ctx context.Context) (int, error) {
	pods, err := l.pods(ctx, "")
	n := 0
	for _, p := range pods {
		if p.Spec.NodeName != "" && !p.Spec.HostNetwork && p.Status.PodIP == "" && p.Status.Phase == corev1.PodPending {
			n++
		}
	}
	return n, err
}

func TestSettingsHelpOnlyWhereTheyAreTheReason(t *testing.T) {
	for _, c := range []struct {
		world string
		set   map[string]string
		left  int // pods that wait afterwards
	}{
		// The role may not call EC2: no setting helps.
		{"public/pending-s14-iam-lost", map[string]string{"WARM_IP_TARGET": "2", "MINIMUM_IP_TARGET": "10"}, 7},
		// A hard cap at two prefixes: 35 pods, and with a warm target one more prefix is asked for after the other.
		{"public/pending-s39-prefix-hard-cap", map[string]string{"WARM_IP_TARGET": "2"}, 0},
		// No whole /28 is free, but 120 single addresses.
		{"public/pending-s05-fragmented", map[string]string{"ENABLE_PREFIX_DELEGATION": "false", "WARM_IP_TARGET": "2", "MINIMUM_IP_TARGET": "4"}, 0},
		// The settings are refused by ipamd, so that none of its new pods becomes ready.
		{"public/pending-s01-warm-pool", map[string]string{"ENABLE_PREFIX_DELEGATION": "true", "WARM_PREFIX_TARGET": "0"}, 6},
	} {
		t.Run(c.world, func(t *testing.T) {
			t.Parallel()
			l := open(t, c.world)
			l.live(t)
			l.lived(t, 2)
			for name, value := range c.set {
				l.set(t, name, value)
			}
			if c.left == 0 {
				l.until(t, func(ctx context.Context) error {
					if n, err := l.stuck(ctx); err != nil || n > 0 {
						return fmt.Errorf("%d pods wait (%w)", n, err)
					}
					return nil
				})
				l.until(t, l.rolledOut)
				return
			}
			if c.set["WARM_PREFIX_TARGET"] != "0" {
				l.until(t, l.rolledOut)
			}
			l.lived(t, 10)
			if n, err := l.stuck(t.Context()); err != nil || n != c.left {
				t.Errorf("%d pods wait (%v), want %d", n, err, c.left)
			}
			if err := l.rolledOut(t.Context()); (err != nil) != (c.set["WARM_PREFIX_TARGET"] == "0") {
				t.Errorf("rolled out: %v", err)
			}
			for _, r := range l.AWS.Requests() {
				if strings.HasPrefix(r.Action, "Assign") || strings.HasPrefix(r.Action, "Unassign") || strings.HasPrefix(r.Action, "Create") {
					t.Errorf("%s was called", r.Action)
				}
			}
		})
	}
}

// An update that no longer names a variable takes it away again, and an interface is filled whole as before.
func TestUpdateIsTakenBack(t *testing.T) {
	t.Parallel()
	l := open(t, "public/pending-s01-warm-pool")
	l.live(t)
	l.lived(t, 1)
	before := l.env(t)
	for _, c := range []struct {
		values string
		more   int
	}{
		{`{"env":{"WARM_IP_TARGET":"2","MINIMUM_IP_TARGET":"4"}}`, 2},
		{"env:\n  MINIMUM_IP_TARGET: '4'\n  WARM_IP_TARGET: '3'\n", 2},
		{`{}`, 0},
	} {
		update := l.updateAddon(t, c.values, types.ResolveConflictsOverwrite)
		l.until(t, func(ctx context.Context) error { return l.ended(ctx, update, types.UpdateStatusSuccessful) })
		if env := l.env(t); len(env) != len(before)+c.more {
			t.Errorf("after %s: environment %v, before %v", c.values, env, before)
		}
	}
	l.lived(t, 5)
	l.consistent(t)
}

func TestUpdateMeetsAnotherManager(t *testing.T) {
	const wanted, foreign = "5", "7"
	for _, c := range []struct {
		resolve types.ResolveConflicts
		status  types.UpdateStatus
		value   string
	}{
		{types.ResolveConflictsNone, types.UpdateStatusFailed, foreign},
		{types.ResolveConflictsPreserve, types.UpdateStatusSuccessful, foreign},
		{types.ResolveConflictsOverwrite, types.UpdateStatusSuccessful, wanted},
	} {
		t.Run(string(c.resolve), func(t *testing.T) {
			t.Parallel()
			l := open(t, "public/pending-s01-warm-pool")
			l.live(t)
			l.set(t, "WARM_IP_TARGET", foreign)
			l.until(t, l.rolledOut)
			update := l.updateAddon(t, `{"env":{"WARM_IP_TARGET":"`+wanted+`","MINIMUM_IP_TARGET":"6"}}`, c.resolve)
			l.until(t, func(ctx context.Context) error { return l.ended(ctx, update, c.status) })
			env := l.env(t)
			if env["WARM_IP_TARGET"] != c.value {
				t.Errorf("WARM_IP_TARGET is %q, want %q", env["WARM_IP_TARGET"], c.value)
			}
			if _, set := env["MINIMUM_IP_TARGET"]; set != (c.status == types.UpdateStatusSuccessful) {
				t.Errorf("environment %v", env)
			}
			if c.status != types.UpdateStatusFailed {
				return
			}
			out, err := l.eks.DescribeUpdate(t.Context(), &eks.DescribeUpdateInput{Name: aws.String(l.World.Meta.Cluster), AddonName: aws.String("vpc-cni"), UpdateId: aws.String(update)})
			if err != nil {
				t.Fatal(err)
			}
			const field = `DaemonSet.apps aws-node - .spec.template.spec.containers[name="aws-node"].env[name="WARM_IP_TARGET"].value`
			if text := aws.ToString(out.Update.Errors[0].ErrorMessage); !strings.Contains(text, field) {
				t.Errorf("the error says %q", text)
			}
		})
	}
}

// EKS puts back what it has applied after a while, and leaves what others have set beside it.
func TestEKSPutsBackWhatItOwns(t *testing.T) {
	t.Parallel()
	l := open(t, "public/pending-s01-warm-pool")
	l.revert = 2 * time.Minute
	l.live(t)
	l.lived(t, 1)
	before := l.env(t)["WARM_ENI_TARGET"]
	l.set(t, "WARM_IP_TARGET", "2")
	// Read from the answer: by the next request EKS may have put it back, on a busy machine.
	if env := l.set(t, "WARM_ENI_TARGET", "0"); env["WARM_ENI_TARGET"] != "0" {
		t.Fatalf("environment %v", env)
	}
	l.until(t, func(context.Context) error {
		if v := l.env(t)["WARM_ENI_TARGET"]; v != before {
			return fmt.Errorf("WARM_ENI_TARGET is %q, was %q", v, before)
		}
		return nil
	})
	if v := l.env(t)["WARM_IP_TARGET"]; v != "2" {
		t.Errorf("WARM_IP_TARGET is %q: EKS never applied it", v)
	}
	l.until(t, l.rolledOut)
}
