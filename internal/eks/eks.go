// Package eks holds EKS clusters, add-ons, node groups and Fargate profiles as plain values.
package eks

import (
	"strings"
	"time"
)

// Cluster is an EKS cluster.
type Cluster struct {
	Name          string            `json:"name"`
	ARN           string            `json:"arn"`
	Version       string            `json:"version"`
	Status        string            `json:"status"`
	VPC           string            `json:"vpc"`
	Subnets       []string          `json:"subnets"`
	SecurityGroup string            `json:"securityGroup,omitempty"` // the cluster security group
	IPFamily      string            `json:"ipFamily"`                // ipv4 or ipv6
	AutoMode      bool              `json:"autoMode,omitempty"`      // computeConfig.enabled
	Issues        []Issue           `json:"issues,omitempty"`
	Tags          map[string]string `json:"tags,omitempty"`
}

// Account is the id of the AWS account that the cluster belongs to, by its ARN; empty where it isn't known, or c is nil.
func (c *Cluster) Account() string {
	if c == nil {
		return ""
	}
	parts := strings.SplitN(c.ARN, ":", 6) // arn:aws:eks:region:account:cluster/name
	if len(parts) < 6 {
		return ""
	}
	return parts[4]
}

// Issue is a health issue of a cluster, add-on or node group.
type Issue struct {
	Code      string   `json:"code"`
	Message   string   `json:"message"`
	Resources []string `json:"resources,omitempty"`
}

// Addon is an EKS add-on, such as vpc-cni.
type Addon struct {
	Cluster       string            `json:"cluster"`
	Name          string            `json:"name"`
	ARN           string            `json:"arn"`
	Version       string            `json:"version"`
	Status        string            `json:"status"`            // ACTIVE, UPDATING, UPDATE_FAILED, DEGRADED, …
	Configuration string            `json:"configuration"`     // configurationValues, JSON or YAML text; empty where unset
	RoleARN       string            `json:"roleARN,omitempty"` // serviceAccountRoleArn
	PodIdentities []string          `json:"podIdentities,omitempty"`
	Issues        []Issue           `json:"issues,omitempty"`
	Modified      time.Time         `json:"modified,omitzero"`
	Tags          map[string]string `json:"tags,omitempty"`
}

// Nodegroup is a managed node group.
type Nodegroup struct {
	Name           string   `json:"name"`
	Status         string   `json:"status"`
	Subnets        []string `json:"subnets"`
	InstanceTypes  []string `json:"instanceTypes,omitempty"`
	Min            int      `json:"min"`
	Max            int      `json:"max"`
	Desired        int      `json:"desired"`
	Role           string   `json:"role,omitempty"`        // ARN of the node role
	AutoScaling    []string `json:"autoScaling,omitempty"` // names of its Auto Scaling groups
	LaunchTemplate string   `json:"launchTemplate,omitempty"`
	Issues         []Issue  `json:"issues,omitempty"`
	// Labels and Taints are what its nodes get beside those that EKS gives them.
	Labels map[string]string `json:"labels,omitempty"`
	Taints []Taint           `json:"taints,omitempty"`
}

// Taint is a taint of a node group; Effect is spelled as Kubernetes does (NoSchedule).
type Taint struct {
	Key    string `json:"key"`
	Value  string `json:"value,omitempty"`
	Effect string `json:"effect"`
}

// FargateProfile is a Fargate profile.
type FargateProfile struct {
	Name       string   `json:"name"`
	Status     string   `json:"status"`
	Subnets    []string `json:"subnets"`
	Namespaces []string `json:"namespaces,omitempty"` // of its selectors
}
