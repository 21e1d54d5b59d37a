package awsnode

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/remedy"
	"github.com/netdiag/netdiag/internal/vpc"
)

// unused finds a subnet next to s in which nothing is: made for pods, and not tagged so.
func (g Ground) unused(s *vpc.Subnet, need int) *vpc.Subnet {
	for n := range g.Subnets {
		o := &g.Subnets[n]
		if _, tagged := o.Tags[TagCNI]; tagged || o.ID == s.ID || o.Zone != s.Zone || o.VPC != s.VPC || o.Tags["kubernetes.io/role/elb"] != "" {
			continue
		}
		if o.Available == vpc.Usable(o.CIDR) && o.Available >= need {
			return o
		}
	}
	return nil
}

// Tag gives a subnet to the CNI by its tag, or takes the tag away that keeps the CNI out; home is the subnet whose
// pods are to use it. The bot sets the one tag itself where that is all it takes: the CNI finds subnets by it, the routes
// are those of home, no other cluster would take the subnet too, and no tool declares its tags.
func (g Ground) Tag(f diagnostics.Fix, o, home *vpc.Subnet, value *string) diagnostics.Fix {
	var was *string
	if v, ok := o.Tags[TagCNI]; ok {
		was = &v
	}
	others := g.Others
	set := fmt.Sprintf("Key=%s,Value=1", TagCNI)
	if others != "" {
		set += fmt.Sprintf(" Key=%s%s,Value=shared", TagCluster, g.Cluster)
	}
	f.Undo = "delete the tag; interfaces that were made there stay until their pods are gone"
	f.Commands = []string{fmt.Sprintf("aws ec2 create-tags --resources %s --tags %s", o.ID, set)}
	if value == nil {
		f.Commands = []string{fmt.Sprintf("aws ec2 delete-tags --resources %s --tags Key=%s", o.ID, TagCNI)}
		f.Undo = "set the tag to 0 again"
	} else if was != nil {
		f.Undo = "set the tag to " + *was + " again"
	}
	if owner := OwnerByTags(o.Tags, "").Owner; owner != "eks-addon" {
		f.Owner = owner
		f.Commands = append([]string{fmt.Sprintf("# %s declares subnet %s: change its tag there, or the next apply takes this back", owner, o.ID)}, f.Commands...)
		return f
	}
	known := g.Driver != nil && versionKnown(g.Driver.Version)
	table, _ := vpc.WayOut(g.Tables, o.ID)
	wanted, _ := vpc.WayOut(g.Tables, home.ID)
	switch {
	case !known || !g.Since(18, 3) || g.Blind:
	case others != "":
		f.Blast += "; " + others + " uses the VPC too, and would take the subnet as well without the second tag"
	case table == "" || table != wanted:
		f.Blast += fmt.Sprintf("; its routes are not known to be those of subnet %s: compare them first", home.ID)
	default:
		f.Action = &remedy.Action{Tag: &remedy.Tag{Resource: o.ID, Key: TagCNI, Value: value, Was: was}}
	}
	if f.Action != nil && f.Action.Validate() != nil { // a name that is none of AWS
		f.Action = nil
	}
	f.Executable = f.Action != nil
	return f
}

func versionKnown(text string) bool {
	major, _, _ := Version(text)
	return major > 0
}

// OtherCluster names another cluster that has something in the VPC; empty where none is seen.
func (u Setup) OtherCluster(subnets []vpc.Subnet, interfaces []vpc.NetworkInterface) string {
	mine := func(name string) bool { return name == "" || name == u.Cluster }
	for _, s := range subnets {
		for _, key := range slices.Sorted(maps.Keys(s.Tags)) {
			for _, prefix := range []string{TagCluster, "kubernetes.io/cluster/"} {
				if name, ok := strings.CutPrefix(key, prefix); ok && !mine(name) {
					return "cluster " + name
				}
			}
		}
	}
	for _, i := range interfaces {
		if name := i.Cluster(); !mine(name) {
			return "cluster " + name
		}
	}
	return ""
}
