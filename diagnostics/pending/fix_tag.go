package pending

import (
	"fmt"
	"strings"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/diagnostics/awsnode"
	"github.com/netdiag/netdiag/internal/remedy"
	"github.com/netdiag/netdiag/internal/vpc"
)

// forPods is what giving a subnet to pods means for what runs.
const forPods = "running pods stay as they are; new ones may get addresses of another block, which firewalls and security groups that name blocks must know"

// unused finds a subnet next to s in which nothing is: made for pods, and not tagged so.
func (a *analysis) unused(s *vpc.Subnet, need int) *vpc.Subnet {
	for n := range a.s.Subnets {
		o := &a.s.Subnets[n]
		if _, tagged := o.Tags[awsnode.TagCNI]; tagged || o.ID == s.ID || o.Zone != s.Zone || o.VPC != s.VPC || o.Tags["kubernetes.io/role/elb"] != "" {
			continue
		}
		if o.Available == vpc.Usable(o.CIDR) && o.Available >= need {
			return o
		}
	}
	return nil
}

// tagSubnet gives a subnet to the CNI by its tag, or takes the tag away that keeps the CNI out; home is the subnet whose
// pods are to use it. The bot sets the one tag itself where that is all it takes: the CNI finds subnets by it, the routes
// are those of home, no other cluster would take the subnet too, and no tool declares its tags.
func (a *analysis) tagSubnet(f diagnostics.Fix, o, home *vpc.Subnet, value *string) diagnostics.Fix {
	var was *string
	if v, ok := o.Tags[awsnode.TagCNI]; ok {
		was = &v
	}
	others := a.otherCluster()
	set := fmt.Sprintf("Key=%s,Value=1", awsnode.TagCNI)
	if others != "" {
		set += fmt.Sprintf(" Key=%s%s,Value=shared", awsnode.TagCluster, a.s.Target.Cluster)
	}
	f.Undo = "delete the tag; interfaces that were made there stay until their pods are gone"
	f.Commands = []string{fmt.Sprintf("aws ec2 create-tags --resources %s --tags %s", o.ID, set)}
	if value == nil {
		f.Commands = []string{fmt.Sprintf("aws ec2 delete-tags --resources %s --tags Key=%s", o.ID, awsnode.TagCNI)}
		f.Undo = "set the tag to 0 again"
	} else if was != nil {
		f.Undo = "set the tag to " + *was + " again"
	}
	if owner := awsnode.OwnerByTags(o.Tags, "").Owner; owner != "eks-addon" {
		f.Owner = owner
		f.Commands = append([]string{fmt.Sprintf("# %s declares subnet %s: change its tag there, or the next apply takes this back", owner, o.ID)}, f.Commands...)
		return f
	}
	known := a.s.Driver != nil && versionKnown(a.s.Driver.Version)
	table, _ := a.wayOut(o.ID)
	wanted, _ := a.wayOut(home.ID)
	switch {
	case !known || !a.s.setup().Since(18, 3) || a.mayNot("ec2:DescribeSubnets"):
	case others != "":
		f.Blast += "; " + others + " uses the VPC too, and would take the subnet as well without the second tag"
	case table == "" || table != wanted:
		f.Blast += fmt.Sprintf("; its routes are not known to be those of subnet %s: compare them first", home.ID)
	default:
		f.Action = &remedy.Action{Tag: &remedy.Tag{Resource: o.ID, Key: awsnode.TagCNI, Value: value, Was: was}}
	}
	return a.executable(f)
}

func versionKnown(text string) bool {
	major, _, _ := awsnode.Version(text)
	return major > 0
}

// otherCluster names another cluster that has something in the VPC; empty where none is seen.
func (a *analysis) otherCluster() string {
	mine := func(name string) bool { return name == "" || name == a.s.Target.Cluster }
	for _, s := range a.s.Subnets {
		for _, key := range sortedKeys(s.Tags) {
			for _, prefix := range []string{awsnode.TagCluster, "kubernetes.io/cluster/"} {
				if name, ok := strings.CutPrefix(key, prefix); ok && !mine(name) {
					return "cluster " + name
				}
			}
		}
	}
	for _, i := range a.s.Interfaces {
		if name := i.Cluster(); !mine(name) {
			return "cluster " + name
		}
	}
	return ""
}
