package pending

import (
	"fmt"
	"slices"
	"strings"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/vpc"
)

// registryServices are the services behind Amazon ECR: its API, its registry, and the store of the layers.
func registryServices() []string { return []string{"ecr.api", "ecr.dkr", "s3"} }

// registryWithin reports whether the subnets of a route table reach Amazon ECR through endpoints of the VPC; missing lists the
// services for which there is none. Where the endpoints could not be read, nothing is claimed of them: missing is empty.
func (a *analysis) registryWithin(table string) (within bool, missing []string) {
	if _, unread := a.unread("ec2:DescribeVpcEndpoints"); unread {
		return false, nil
	}
	for _, service := range registryServices() {
		if !slices.ContainsFunc(a.s.Endpoints, func(e vpc.ServiceEndpoint) bool {
			gateway := e.Kind == "Gateway" && slices.Contains(e.RouteTables, table)
			return strings.HasSuffix(e.Service, "."+service) && strings.EqualFold(e.State, "available") && (gateway || e.Kind == "Interface" && e.PrivateDNS)
		}) {
			missing = append(missing, service)
		}
	}
	return len(missing) == 0, missing
}

// isolated reports a subnet from which no registry is reached: no default route, and endpoints of the VPC don't make up for it.
func (a *analysis) isolated(subnet string) (evidence []diagnostics.Evidence, isolated bool) {
	table, way := a.wayOut(subnet)
	if table == "" || way {
		return nil, false
	}
	evidence = []diagnostics.Evidence{{What: "routes of " + subnet, Value: table + " has no default route", Source: "ec2:DescribeRouteTables",
		Repeat: "aws ec2 describe-route-tables --route-table-ids " + table}}
	within, missing := a.registryWithin(table)
	if value := fmt.Sprintf("none for %s, of %d in the VPC", strings.Join(missing, ", "), len(a.s.Endpoints)); len(missing) > 0 {
		evidence = append(evidence, diagnostics.Evidence{What: "endpoints for the registry", Value: value, Source: "ec2:DescribeVpcEndpoints",
			Repeat: "aws ec2 describe-vpc-endpoints --filters Name=vpc-id,Values=" + a.vpcID()})
	}
	return evidence, !within
}
