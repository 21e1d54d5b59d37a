package pending

import (
	"fmt"
	"strings"

	"github.com/netdiag/netdiag/diagnostics"
)

// quota is a limit of AWS with its default and the most that it can be raised to (0: unknown).
type quota struct {
	what, name  string // in words, and how Service Quotas calls it
	usual, most int
	why         string
}

// fixQuota asks AWS for more of what the account or the VPC has used up.
func (a *analysis) fixQuota(f *diagnostics.Finding, q quota) {
	proof := fmt.Sprintf("%s; the default is %d", f.Summary, q.usual)
	if q.most > 0 {
		proof += fmt.Sprintf(", and %d the most", q.most)
	}
	a.offer("raise-quota", diagnostics.Fix{Title: "Ask AWS for more " + q.what, Needs: len(f.Affects), Owner: "account", Proof: proof + q.why,
		Blast: "none", Changes: []string{"quota " + q.name + " of account " + a.s.Target.Account + " raised"}, Undo: "nothing to undo", SettlesIn: "48h",
		Commands: []string{
			fmt.Sprintf("aws service-quotas list-service-quotas --service-code vpc --query \"Quotas[?QuotaName=='%s']\"", q.name),
			"aws service-quotas request-service-quota-increase --service-code vpc --quota-code <its code> --desired-value <value>"}}, f)
}

func (a *analysis) fixAddressUnits(f *diagnostics.Finding) {
	q := quota{what: "network address units for the VPC", name: "Network Address Usage", usual: 64000, most: 256000}
	if strings.Contains(f.Summary, "peered") {
		q = quota{what: "network address units for the VPC and those peered with it", name: "Peered Network Address Usage", usual: 128000, most: 512000}
	}
	a.fixQuota(f, q)
	a.refuse("restart-ipamd", "EC2 refuses for the whole VPC: a restart on %s asks for the same again", plural(max(len(a.affected(f)), 1), "node"))
	a.refuseRoom(f)
}

func (a *analysis) fixInterfaceQuota(f *diagnostics.Finding) {
	loose := 0
	for _, i := range a.s.Interfaces {
		if i.Status == "available" {
			loose++
		}
	}
	q := quota{what: "network interfaces per Region", name: "Network interfaces per Region", usual: 5000}
	if loose > 0 {
		q.why = fmt.Sprintf("; %d interfaces of those that were read are attached to nothing, and count too", loose)
	}
	a.fixQuota(f, q)
	a.fixMove(f)
	a.refuseRoom(f)
}

// cniActions are what the CNI must be allowed (docs/iam-policy.md of amazon-vpc-cni-k8s).
func cniActions() []string {
	return []string{"AssignPrivateIpAddresses", "AttachNetworkInterface", "CreateNetworkInterface", "DeleteNetworkInterface", "DescribeInstances", "DescribeInstanceTypes",
		"DescribeNetworkInterfaces", "DescribeSecurityGroups", "DescribeSubnets", "DescribeTags", "DetachNetworkInterface", "ModifyNetworkInterfaceAttribute", "UnassignPrivateIpAddresses"}
}

// fixPermission gives the CNI back what it may not do, through the identity that it has.
func (a *analysis) fixPermission(f *diagnostics.Finding) {
	role, policy := f.Subject, "arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy"
	name := "<role of the CNI>"
	if at := strings.LastIndexByte(role, '/'); strings.HasPrefix(role, "arn:") && at > 0 {
		name = role[at+1:]
	}
	if a.s.Cluster != nil && a.s.Cluster.IPFamily == "ipv6" {
		policy = "<the policy AmazonEKS_CNI_IPv6_Policy of this account>"
	}
	var find []string
	switch add := a.s.Addon; {
	case name != "<role of the CNI>":
	case add != nil && len(add.PodIdentities) > 0:
		find = []string{fmt.Sprintf("aws eks describe-pod-identity-association --cluster-name %s --association-id %s   # its role", a.s.Target.Cluster, lastPart(add.PodIdentities[0]))}
	default:
		find = []string{"kubectl get serviceaccount aws-node -n kube-system -o jsonpath='{.metadata.annotations.eks\\.amazonaws\\.com/role-arn}'   # its role; the role of the nodes where there is none"}
	}
	a.offer("repair-cni-iam", diagnostics.Fix{Title: "Give the role of the CNI its permissions back", Needs: len(f.Affects), Owner: "iam",
		Proof: fmt.Sprintf("EC2 refuses the calls of %s, on which %s wait; the CNI needs %d actions of EC2 and ec2:CreateTags on interfaces: look for a permissions boundary, a service control policy and a deny too",
			role, plural(len(f.Affects), "pod"), len(cniActions())),
		Blast: "only this role", Changes: []string{"role " + name + ": policy " + lastPart(policy) + " attached"}, Undo: "detach the policy", SettlesIn: "1m",
		Commands: append(find,
			fmt.Sprintf("aws iam list-attached-role-policies --role-name %s", name),
			fmt.Sprintf("aws iam attach-role-policy --role-name %s --policy-arn %s", name, policy),
			fmt.Sprintf("aws iam simulate-principal-policy --policy-source-arn %s --action-names ec2:%s", role, strings.Join(cniActions(), " ec2:")))}, f)
	a.refuse("restart-ipamd", "a restart changes nothing: EC2 refuses the calls of %s for want of a permission", plural(max(len(a.affected(f)), 1), "node"))
}

func lastPart(arn string) string { return arn[strings.LastIndexByte(arn, '/')+1:] }
