package nature

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	apitypes "k8s.io/apimachinery/pkg/types"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/awsnet"
	"github.com/netdiag/netdiag/internal/vpc"
)

// The annotations by which the controller remembers that everything of a binding is in place, and the description by
// which it knows its own rules.
const (
	checkpoint     = "elbv2.k8s.aws/checkpoint"
	checkpointTime = "elbv2.k8s.aws/checkpoint-timestamp"
	ownRule        = "elbv2.k8s.aws/targetGroupBinding=shared"
)

// controllerManager is the field manager of the controller.
const controllerManager = "controller"

// mark is by what a binding is known to have changed.
type mark struct {
	spec      string
	unchecked bool // its checkpoint is gone
}

func markOf(b *unstructured.Unstructured) mark {
	spec, err := json.Marshal(b.Object["spec"])
	if err != nil {
		panic(err) // it came as JSON
	}
	return mark{string(spec), b.GetAnnotations()[checkpoint] == ""}
}

func serviceOf(b *unstructured.Unstructured) string { return textAt(b, "spec", "serviceRef", "name") }

func textAt(b *unstructured.Unstructured, path ...string) string {
	s, _, _ := unstructured.NestedString(b.Object, path...)
	return s
}

// portsOf lists the ports on which a load balancer reaches the targets of a binding, that of the health check included.
func portsOf(ctx context.Context, r *awsnet.Reader, b *unstructured.Unstructured) ([]int, error) {
	arn := textAt(b, "spec", "targetGroupARN")
	health, err := r.TargetHealth(ctx, arn)
	if err != nil {
		return nil, err
	}
	groups, err := r.TargetGroups(ctx, arn)
	if err != nil {
		return nil, err
	}
	set := map[int]bool{}
	for _, h := range health {
		set[h.Port] = true
	}
	for _, g := range groups {
		if p, err := strconv.Atoi(g.Check.Port); err == nil {
			set[p] = true
		}
		if len(health) == 0 {
			set[g.Port] = true
		}
	}
	return slices.Sorted(maps.Keys(set)), nil
}

// binding brings the rules for the targets of a binding in line with its spec, and notes that they are.
func (k *controller) binding(ctx context.Context, b *unstructured.Unstructured) error {
	ok, err := k.ready(ctx)
	if err != nil {
		return err
	}
	if !ok {
		return nil
	}
	if strings.Contains(k.failing(b), "UnauthorizedOperation") {
		k.n.say("load balancer controller: targetgroupbinding %s/%s is not reconciled: it may not", b.GetNamespace(), b.GetName())
		return nil
	}
	r := k.c.reads.Reader()
	groups, problem, err := k.endpointGroups(ctx, r, b)
	if err != nil {
		return err
	}
	if problem == "" {
		problem, err = k.authorize(ctx, r, b, groups)
	}
	if err == nil && problem == "" {
		err = k.prune(ctx, r, groups, nil)
	}
	if err != nil {
		return err
	}
	if problem != "" {
		k.event(ctx, b, b.GetAPIVersion(), b.GetKind(), corev1.EventTypeWarning, "FailedNetworkReconcile", problem)
		return nil
	}
	sum := sha256.Sum256([]byte(markOf(b).spec + k.n.o.Now().String()))
	if err := k.patch(ctx, b, map[string]any{"metadata": map[string]any{"annotations": map[string]any{
		checkpoint: base64.RawURLEncoding.EncodeToString(sum[:]), checkpointTime: strconv.FormatInt(k.n.o.Now().Unix(), 10),
	}}}); err != nil {
		return err
	}
	k.event(ctx, b, b.GetAPIVersion(), b.GetKind(), corev1.EventTypeNormal, "SuccessfullyReconciled", "Successfully reconciled")
	return nil
}

func (k *controller) patch(ctx context.Context, b *unstructured.Unstructured, change map[string]any) error {
	raw, err := json.Marshal(change)
	if err != nil {
		return err
	}
	_, err = k.c.dynamic.Resource(bindingKind).Namespace(b.GetNamespace()).Patch(ctx, b.GetName(), apitypes.MergePatchType, raw, metav1.PatchOptions{FieldManager: controllerManager})
	if err != nil {
		return fmt.Errorf("patch targetgroupbinding %s/%s: %w", b.GetNamespace(), b.GetName(), err)
	}
	return nil
}

// endpointGroups lists the security groups that get the rules: for each interface that carries a target its only group,
// or the one that is tagged for the cluster. problem is why one can't be chosen, in the controller's words.
func (k *controller) endpointGroups(ctx context.Context, r *awsnet.Reader, b *unstructured.Unstructured) (groups []string, problem string, err error) {
	interfaces, err := targetInterfaces(ctx, r, textAt(b, "spec", "targetGroupARN"))
	if err != nil {
		return nil, "", err
	}
	set := map[string]bool{}
	for _, eni := range interfaces {
		if len(eni.Groups) == 1 {
			set[eni.Groups[0]] = true
			continue
		}
		found, err := r.SecurityGroups(ctx, eni.Groups...)
		if err != nil {
			return nil, "", err
		}
		tag, tagged := "kubernetes.io/cluster/"+k.n.o.Cluster, []string(nil)
		for _, g := range found {
			if _, ok := g.Tags[tag]; ok {
				tagged = append(tagged, g.ID)
			}
		}
		if len(tagged) != 1 {
			return nil, fmt.Sprintf(ambiguous+" tagged with %s for eni %s, got: %v (clusterName: %s)", tag, eni.ID, tagged, k.n.o.Cluster), nil
		}
		set[tagged[0]] = true
	}
	return slices.Sorted(maps.Keys(set)), "", nil
}

// ambiguous begins what the controller says where it can't choose between the groups of an interface.
const ambiguous = "expected exactly one securityGroup"

// chooses reports a binding for which the controller couldn't choose a group, and now can.
func (k *controller) chooses(ctx context.Context, b *unstructured.Unstructured) bool {
	if !strings.Contains(k.failing(b), ambiguous) {
		return false
	}
	_, problem, err := k.endpointGroups(ctx, k.c.reads.Reader(), b)
	return err == nil && problem == ""
}

// targetInterfaces reads the interfaces that carry the targets of a target group.
func targetInterfaces(ctx context.Context, r *awsnet.Reader, arn string) ([]vpc.NetworkInterface, error) {
	health, err := r.TargetHealth(ctx, arn)
	if err != nil {
		return nil, err
	}
	var addresses, instances []string
	for _, h := range health {
		if _, err := netip.ParseAddr(h.ID); err == nil {
			addresses = append(addresses, h.ID)
		} else if strings.HasPrefix(h.ID, "i-") {
			instances = append(instances, h.ID)
		}
	}
	var out []vpc.NetworkInterface
	if len(addresses) > 0 {
		if out, err = r.Interfaces(ctx, diagnostics.InterfaceQuery{Addresses: addresses}); err != nil {
			return nil, err
		}
	}
	if len(instances) > 0 {
		found, err := r.Interfaces(ctx, diagnostics.InterfaceQuery{Instances: instances})
		if err != nil {
			return nil, err
		}
		out = append(out, slices.DeleteFunc(found, func(e vpc.NetworkInterface) bool { return e.Device != 0 })...)
	}
	return out, nil
}
