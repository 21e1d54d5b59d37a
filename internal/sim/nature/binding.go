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

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
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

// rule is what a binding asks for: a port range from a security group or a block.
type rule struct {
	from, to     int
	source, cidr string
	protocol     string
}

// rulesOf reads spec.networking. A list of ports that is there but empty makes no rule; one that is absent means all ports.
func rulesOf(b *unstructured.Unstructured) []rule {
	var spec struct {
		Ingress []struct {
			From []struct {
				SecurityGroup struct {
					GroupID string `json:"groupID"`
				} `json:"securityGroup"`
				IPBlock struct {
					CIDR string `json:"cidr"`
				} `json:"ipBlock"`
			} `json:"from"`
			Ports *[]struct {
				Protocol string `json:"protocol"`
				Port     any    `json:"port"`
			} `json:"ports"`
		} `json:"ingress"`
	}
	n, _, _ := unstructured.NestedMap(b.Object, "spec", "networking")
	raw, err := json.Marshal(n)
	if err != nil || json.Unmarshal(raw, &spec) != nil {
		return nil
	}
	var out []rule
	for _, in := range spec.Ingress {
		ports := []rule{{from: 0, to: 65535, protocol: "tcp"}}
		if in.Ports != nil {
			ports = nil
			for _, p := range *in.Ports {
				r := rule{from: 0, to: 65535, protocol: strings.ToLower(p.Protocol)}
				if number, err := strconv.Atoi(fmt.Sprint(p.Port)); err == nil {
					r.from, r.to = number, number
				} else if p.Port != nil {
					continue // a name: the controller resolves it per pod
				}
				if r.protocol == "" {
					r.protocol = "tcp"
				}
				ports = append(ports, r)
			}
		}
		for _, from := range in.From {
			for _, p := range ports {
				p.source, p.cidr = from.SecurityGroup.GroupID, from.IPBlock.CIDR
				out = append(out, p)
			}
		}
	}
	return out
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
			return nil, fmt.Sprintf("expected exactly one securityGroup tagged with %s for eni %s, got: %v (clusterName: %s)", tag, eni.ID, tagged, k.n.o.Cluster), nil
		}
		set[tagged[0]] = true
	}
	return slices.Sorted(maps.Keys(set)), "", nil
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

// authorize adds the rules that are missing. problem is why EC2 doesn't take one.
func (k *controller) authorize(ctx context.Context, r *awsnet.Reader, b *unstructured.Unstructured, groups []string) (problem string, err error) {
	existing, err := r.SecurityGroupRules(ctx, groups...)
	if err != nil {
		return "", err
	}
	for _, group := range groups {
		for _, want := range rulesOf(b) {
			if slices.ContainsFunc(existing, func(e vpc.SecurityGroupRule) bool { return e.Group == group && want.same(e) }) {
				continue
			}
			_, err := k.c.ec2.AuthorizeSecurityGroupIngress(ctx, &ec2.AuthorizeSecurityGroupIngressInput{GroupId: aws.String(group), IpPermissions: []types.IpPermission{want.permission()}})
			switch code(err) {
			case "InvalidPermission.Duplicate":
			case "":
				if err != nil {
					return "", fmt.Errorf("authorize ingress into %s: %w", group, err)
				}
				k.n.say("load balancer controller: %s admits %s %d-%d from %s%s", group, want.protocol, want.from, want.to, want.source, want.cidr)
			default:
				return fmt.Sprintf("operation error EC2: AuthorizeSecurityGroupIngress, %v", err), nil
			}
		}
	}
	return "", nil
}

// revoke takes back the controller's own rules for a binding, but for those that another binding asks for too.
func (k *controller) revoke(ctx context.Context, r *awsnet.Reader, b *unstructured.Unstructured) error {
	groups, problem, err := k.endpointGroups(ctx, r, b)
	if err != nil || problem != "" {
		return err
	}
	var others []rule
	for _, o := range listed[*unstructured.Unstructured](k.c.bindings) {
		if o.GetUID() != b.GetUID() {
			others = append(others, rulesOf(o)...)
		}
	}
	existing, err := r.SecurityGroupRules(ctx, groups...)
	if err != nil {
		return err
	}
	wanted := rulesOf(b)
	for _, e := range existing {
		same := func(w rule) bool { return w.same(e) }
		if e.Egress || e.Description != ownRule || !slices.ContainsFunc(wanted, same) || slices.ContainsFunc(others, same) {
			continue
		}
		_, err := k.c.ec2.RevokeSecurityGroupIngress(ctx, &ec2.RevokeSecurityGroupIngressInput{GroupId: aws.String(e.Group), SecurityGroupRuleIds: []string{e.ID}})
		if err != nil {
			return fmt.Errorf("revoke rule %s of %s: %w", e.ID, e.Group, err)
		}
		k.n.say("load balancer controller: rule %s of %s is revoked", e.ID, e.Group)
	}
	return nil
}

func (w rule) same(e vpc.SecurityGroupRule) bool {
	cidr := ""
	if e.CIDR.IsValid() {
		cidr = e.CIDR.String()
	}
	return !e.Egress && e.Protocol == w.protocol && e.From == w.from && e.To == w.to && e.Source == w.source && cidr == w.cidr
}

func (w rule) permission() types.IpPermission {
	p := types.IpPermission{IpProtocol: aws.String(w.protocol), FromPort: aws.Int32(int32(w.from)), ToPort: aws.Int32(int32(w.to))}
	switch {
	case w.source != "":
		p.UserIdGroupPairs = []types.UserIdGroupPair{{GroupId: aws.String(w.source), Description: aws.String(ownRule)}}
	case strings.Contains(w.cidr, ":"):
		p.Ipv6Ranges = []types.Ipv6Range{{CidrIpv6: aws.String(w.cidr), Description: aws.String(ownRule)}}
	default:
		p.IpRanges = []types.IpRange{{CidrIp: aws.String(w.cidr), Description: aws.String(ownRule)}}
	}
	return p
}
