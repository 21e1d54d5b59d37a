package nature

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/netdiag/netdiag/internal/awsnet"
	"github.com/netdiag/netdiag/internal/vpc"
)

// rule is what a binding asks for: a port range from a security group or a block.
type rule struct {
	from, to     int
	source, cidr string
	protocol     string
}

// rulesOf reads spec.networking. A list of ports that is there but empty makes no rule; one that is absent means all ports.
// named is true where a port is asked for by name, which the controller resolves per pod and nature doesn't.
func rulesOf(b *unstructured.Unstructured) (out []rule, named bool) {
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
		return nil, true
	}
	for _, in := range spec.Ingress {
		ports := []rule{{from: 0, to: 65535, protocol: "tcp"}}
		if in.Ports != nil {
			ports = nil
			for _, p := range *in.Ports {
				r := rule{from: 0, to: 65535, protocol: strings.ToLower(p.Protocol)}
				if number, err := strconv.Atoi(fmt.Sprint(p.Port)); err == nil {
					r.from, r.to = number, number
				} else if p.Port != nil {
					named = true
					continue
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
	return out, named
}

// authorize adds the rules that are missing. problem is why EC2 doesn't take one.
func (k *controller) authorize(ctx context.Context, r *awsnet.Reader, b *unstructured.Unstructured, groups []string) (problem string, err error) {
	existing, err := r.SecurityGroupRules(ctx, groups...)
	if err != nil {
		return "", err
	}
	wanted, _ := rulesOf(b)
	for _, group := range groups {
		for _, want := range wanted {
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
