// Package elb holds Application Load Balancers, their listeners, rules and target groups, and the
// TargetGroupBindings of the AWS Load Balancer Controller, as plain values.
package elb

import "time"

// LoadBalancer is an Application, Network or Gateway Load Balancer.
type LoadBalancer struct {
	ARN     string            `json:"arn"`
	Name    string            `json:"name"`
	DNSName string            `json:"dnsName"`
	Type    string            `json:"type"`   // application, network or gateway
	Scheme  string            `json:"scheme"` // internet-facing or internal
	VPC     string            `json:"vpc"`
	State   string            `json:"state"` // provisioning, active, active_impaired or failed
	Reason  string            `json:"reason,omitempty"`
	Created time.Time         `json:"created,omitzero"`
	Zones   []Zone            `json:"zones"`
	Groups  []string          `json:"groups"` // security group ids
	IPType  string            `json:"ipType,omitempty"`
	Tags    map[string]string `json:"tags,omitempty"` // filled only where tags were asked for
}

// Zone is an availability zone that a load balancer is enabled in.
type Zone struct {
	Name   string `json:"name"`
	Subnet string `json:"subnet"`
}

// Listener is a listener; its default actions come as the rule with Default set.
type Listener struct {
	ARN          string `json:"arn"`
	LoadBalancer string `json:"loadBalancer"`
	Port         int    `json:"port"`
	Protocol     string `json:"protocol"`
}

// Rule is a listener rule. Priority is 1 to 50000, the lowest matching one decides; the default rule has none (0).
type Rule struct {
	ARN        string            `json:"arn"`
	Listener   string            `json:"listener"`
	Priority   int               `json:"priority,omitempty"`
	Default    bool              `json:"default,omitempty"`
	Conditions []Condition       `json:"conditions,omitempty"`
	Actions    []Action          `json:"actions"`
	Tags       map[string]string `json:"tags,omitempty"`
}

// Condition is one condition of a rule; Field is host-header, path-pattern, http-header, …
type Condition struct {
	Field  string   `json:"field"`
	Values []string `json:"values"`
}

// Action is one action of a rule; the last one routes.
type Action struct {
	Type       string     `json:"type"` // forward, fixed-response, redirect, authenticate-oidc, authenticate-cognito
	Targets    []Weighted `json:"targets,omitempty"`
	StatusCode string     `json:"statusCode,omitempty"`
	Body       string     `json:"body,omitempty"` // MessageBody of a fixed response
}

// Weighted is a target group of a forward action with its weight, 0 to 999.
type Weighted struct {
	TargetGroup string `json:"targetGroup"` // ARN
	Weight      int    `json:"weight"`
}

// TargetGroup is a target group with its health check as applied.
type TargetGroup struct {
	ARN             string            `json:"arn"`
	Name            string            `json:"name"`
	Protocol        string            `json:"protocol"`        // HTTP or HTTPS
	ProtocolVersion string            `json:"protocolVersion"` // HTTP1, HTTP2 or GRPC
	Port            int               `json:"port"`
	VPC             string            `json:"vpc"`
	TargetType      string            `json:"targetType"` // ip, instance, lambda or alb
	LoadBalancers   []string          `json:"loadBalancers"`
	Check           HealthCheck       `json:"check"`
	ControlPort     int               `json:"controlPort,omitempty"`
	Attributes      map[string]string `json:"attributes,omitempty"` // filled only where asked for
	Tags            map[string]string `json:"tags,omitempty"`       // filled only where asked for
}

// HealthCheck is the health check of a target group.
type HealthCheck struct {
	Enabled   bool          `json:"enabled"`
	Protocol  string        `json:"protocol"`
	Port      string        `json:"port"` // a number, or traffic-port
	Path      string        `json:"path"`
	Codes     string        `json:"codes"` // matcher, such as 200-299 or 200,301; of GRPC 0-99
	Interval  time.Duration `json:"interval"`
	Timeout   time.Duration `json:"timeout"`
	Healthy   int           `json:"healthy"`   // successes in a row until healthy
	Unhealthy int           `json:"unhealthy"` // failures in a row until unhealthy
}

// TargetHealth is the health of one target as elasticloadbalancing:DescribeTargetHealth reports it.
type TargetHealth struct {
	ID              string `json:"id"` // IP address or instance id
	Port            int    `json:"port"`
	Zone            string `json:"zone,omitempty"` // availability zone, or all for a target outside the VPC
	HealthCheckPort string `json:"healthCheckPort,omitempty"`
	State           string `json:"state"` // initial, healthy, unhealthy, unhealthy.draining, unused, draining, unavailable
	Reason          string `json:"reason,omitempty"`
	Description     string `json:"description,omitempty"`
}

// TargetGroupBinding is the custom resource by which the controller keeps a target group filled
// (elbv2.k8s.aws/v1beta1; on EKS Auto Mode eks.amazonaws.com/v1).
type TargetGroupBinding struct {
	Namespace       string `json:"namespace"`
	Name            string `json:"name"`
	UID             string `json:"uid"`
	ResourceVersion string `json:"resourceVersion,omitempty"`
	APIVersion      string `json:"apiVersion"`
	TargetGroupARN  string `json:"targetGroupARN"`
	TargetGroupName string `json:"targetGroupName,omitempty"`
	TargetType      string `json:"targetType"`
	Service         string `json:"service"`
	ServicePort     string `json:"servicePort"` // number or name
	MultiCluster    bool   `json:"multiCluster,omitempty"`
	// NodeLabels is spec.nodeSelector.matchLabels: the labels of the nodes that may be instance targets.
	NodeLabels map[string]string `json:"nodeLabels,omitempty"`
	// Networking is nil where spec.networking is absent: then the controller leaves the security groups of the targets alone.
	Networking  *BindingNetworking `json:"networking,omitempty"`
	Labels      map[string]string  `json:"labels,omitempty"`
	Annotations map[string]string  `json:"annotations,omitempty"`
	Created     time.Time          `json:"created,omitzero"`
}

// BindingNetworking is spec.networking of a TargetGroupBinding.
type BindingNetworking struct {
	Ingress []BindingIngress `json:"ingress"`
}

// BindingIngress is one rule of spec.networking.ingress.
type BindingIngress struct {
	Groups []string `json:"groups,omitempty"` // from[].securityGroup.groupID
	CIDRs  []string `json:"cidrs,omitempty"`  // from[].ipBlock.cidr
	// Ports is nil where the field is absent, and empty (not nil) where it is an empty list: from that the controller makes no rule at all.
	Ports []BindingPort `json:"ports"`
}

// BindingPort is a port of a BindingIngress; Port is a number, a name, or empty for all.
type BindingPort struct {
	Protocol string `json:"protocol,omitempty"`
	Port     string `json:"port,omitempty"`
}
