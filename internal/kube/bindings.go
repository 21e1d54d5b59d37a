package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/elb"
)

// binding is the wire form of a TargetGroupBinding, as far as it is read.
type binding struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		TargetGroupARN          string `json:"targetGroupARN"`
		TargetGroupName         string `json:"targetGroupName"`
		TargetType              string `json:"targetType"`
		MultiClusterTargetGroup bool   `json:"multiClusterTargetGroup"`
		NodeSelector            struct {
			MatchLabels map[string]string `json:"matchLabels"`
		} `json:"nodeSelector"`
		ServiceRef struct {
			Name string              `json:"name"`
			Port *intstr.IntOrString `json:"port"`
		} `json:"serviceRef"`
		Networking *struct {
			Ingress []struct {
				From []struct {
					SecurityGroup *struct {
						GroupID string `json:"groupID"`
					} `json:"securityGroup"`
					IPBlock *struct {
						CIDR string `json:"cidr"`
					} `json:"ipBlock"`
				} `json:"from"`
				// Ports is nil where the field is absent or null, and points to an empty list where it is one.
				Ports *[]struct {
					Protocol string              `json:"protocol"`
					Port     *intstr.IntOrString `json:"port"`
				} `json:"ports"`
			} `json:"ingress"`
		} `json:"networking"`
	} `json:"spec"`
}

// TargetGroupBindings lists the bindings of the AWS Load Balancer Controller and those of EKS Auto Mode; namespace empty
// means all. A cluster that serves neither has none.
func (r *Reader) TargetGroupBindings(ctx context.Context, namespace string) ([]elb.TargetGroupBinding, error) {
	var out []elb.TargetGroupBinding
	for _, gv := range [][2]string{{"elbv2.k8s.aws", "v1beta1"}, {"eks.amazonaws.com", "v1"}} {
		l, err := r.Customs(ctx, gv[0], gv[1], "targetgroupbindings", namespace)
		if reasonOf(err) == diagnostics.Absent {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, u := range l {
			b, err := toBinding(u)
			if err != nil {
				return nil, err
			}
			out = append(out, b)
		}
	}
	return out, nil
}

func toBinding(u unstructured.Unstructured) (elb.TargetGroupBinding, error) {
	var b binding
	raw, err := json.Marshal(u.Object)
	if err == nil {
		err = json.Unmarshal(raw, &b)
	}
	if err != nil {
		return elb.TargetGroupBinding{}, fmt.Errorf("read TargetGroupBinding %s/%s: %w", u.GetNamespace(), u.GetName(), err)
	}
	out := elb.TargetGroupBinding{
		Namespace: b.Namespace, Name: b.Name, UID: string(b.UID), ResourceVersion: b.ResourceVersion, APIVersion: b.APIVersion,
		TargetGroupARN: b.Spec.TargetGroupARN, TargetGroupName: b.Spec.TargetGroupName, TargetType: b.Spec.TargetType,
		Service: b.Spec.ServiceRef.Name, ServicePort: portText(b.Spec.ServiceRef.Port), MultiCluster: b.Spec.MultiClusterTargetGroup, NodeLabels: b.Spec.NodeSelector.MatchLabels,
		Labels: b.Labels, Annotations: b.Annotations, Created: b.CreationTimestamp.UTC(),
	}
	if b.CreationTimestamp.IsZero() {
		out.Created = time.Time{}
	}
	if b.Spec.Networking == nil {
		return out, nil
	}
	out.Networking = &elb.BindingNetworking{}
	for _, rule := range b.Spec.Networking.Ingress {
		var in elb.BindingIngress
		for _, from := range rule.From {
			if from.SecurityGroup != nil {
				in.Groups = append(in.Groups, from.SecurityGroup.GroupID)
			}
			if from.IPBlock != nil {
				in.CIDRs = append(in.CIDRs, from.IPBlock.CIDR)
			}
		}
		if rule.Ports != nil {
			in.Ports = []elb.BindingPort{}
			for _, p := range *rule.Ports {
				in.Ports = append(in.Ports, elb.BindingPort{Protocol: p.Protocol, Port: portText(p.Port)})
			}
		}
		out.Networking.Ingress = append(out.Networking.Ingress, in)
	}
	return out, nil
}

// portText is a port as a number or name; "" where it isn't set.
func portText(p *intstr.IntOrString) string {
	if p == nil {
		return ""
	}
	return p.String()
}
