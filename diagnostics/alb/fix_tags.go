package alb

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/remedy"
	"github.com/netdiag/netdiag/internal/vpc"
)

// fixTags offers to leave the cluster tag on one group of the interface only.
func (a *analysis) fixTags(f diagnostics.Finding, b *block) {
	groups := b.pairs[0].hop.Groups
	tagged := a.tagged(groups)
	if len(tagged) == 1 { // it has been settled since the controller last tried; it keeps what it read of groups for 10 minutes
		a.refuse("tag-security-group", "exactly 1 of the %d groups on %s carries the cluster tag by now: the controller sees it within 10 minutes", len(groups), b.pairs[0].t.eni.ID)
		return
	}
	key := "kubernetes.io/cluster/" + a.s.Cluster
	x := diagnostics.Fix{
		ID: "tag-security-group", Undo: "put the tag back", Frees: len(b.targets()), Needs: len(b.targets()), SettlesIn: "12m0s",
		Blast: "every binding whose targets carry these groups, and whatever else finds groups by this tag",
	}
	x.Commands = []string{"aws ec2 describe-security-groups --group-ids " + strings.Join(groups, " ") + " --query 'SecurityGroups[].{id:GroupId,name:GroupName,tags:Tags}'"}
	if len(tagged) == 0 {
		x.Action = a.tagAction(b, groups[0], key, groups[0], nil, new("owned"))
		x.Title = fmt.Sprintf("Tag one group of %s with the cluster", b.pairs[0].t.eni.ID)
		x.Proof = fmt.Sprintf("%d groups and none tagged; with exactly 1 the controller can choose%s", len(groups), a.ruleIn(b, groups[0]))
		x.Owner = groupOwner(a.s.group(groups[0]))
		x.Blast += fmt.Sprintf("; %d interfaces seen here carry %s", a.carrying(groups[0]), groups[0]) + drift(x.Owner)
		x.Undo = "delete the tag"
		x.Changes = []string{fmt.Sprintf("security group %s: tag %s = owned", groups[0], key)}
		x.Commands = append(x.Commands, fmt.Sprintf("aws ec2 create-tags --resources %s --tags Key=%s,Value=owned", groups[0], key))
		a.offer(f, x)
		return
	}
	extra := a.extra(tagged)
	x.Owner = groupOwner(a.s.group(extra))
	x.Title = fmt.Sprintf("Leave the cluster tag on one of the %d groups", len(tagged))
	kept := slices.DeleteFunc(slices.Clone(tagged), func(g string) bool { return g == extra })
	x.Proof = fmt.Sprintf("%d of %d groups on %s are tagged; without the tag on %s %d is%s", len(tagged), len(groups), b.pairs[0].t.eni.ID, extra, len(kept), a.ruleIn(b, kept[0]))
	x.Changes = []string{fmt.Sprintf("security group %s: tag %s removed", extra, key)}
	if x.Owner == ownerTerraform {
		x.Changes = append(x.Changes, "in terraform-aws-eks: node_security_group_tags without this key, or attach_cluster_primary_security_group = false")
	}
	x.Blast += fmt.Sprintf("; %d interfaces seen here carry %s", a.carrying(extra), extra) + drift(x.Owner)
	value := cmp.Or(a.s.group(extra).Tags[key], "owned")
	switch {
	case a.ofEKS(extra):
		a.refuse("tag-security-group", "%s is the cluster security group: EKS puts the tag back that is taken from it", extra)
		return
	case len(kept) == 1:
		x.Action = a.tagAction(b, extra, key, kept[0], &value, nil)
	}
	x.Undo = fmt.Sprintf("aws ec2 create-tags --resources %s --tags Key=%s,Value=%s", extra, key, value)
	x.Commands = append(x.Commands, fmt.Sprintf("aws ec2 delete-tags --resources %s --tags Key=%s", extra, key))
	a.offer(f, x)
}

// tagAction changes one tag of a group; nil where it isn't proved that the rule which the controller would then write in
// chosen opens every blocked path.
func (a *analysis) tagAction(b *block, group, key, chosen string, was, value *string) *remedy.Action {
	if opened, all, _ := a.ruleOpens(b, chosen); all == 0 || opened < all {
		return nil
	}
	action := &remedy.Action{Tag: &remedy.Tag{Resource: group, Key: key, Value: value, Was: was}}
	if action.Validate() != nil {
		return nil
	}
	return action
}

// ruleIn says what the rule that the controller would then write opens.
func (a *analysis) ruleIn(b *block, group string) string {
	opened, all, known := a.ruleOpens(b, group)
	if !known {
		return ""
	}
	return fmt.Sprintf(", and its rule in %s opens %d of %d blocked paths", group, opened, all)
}

// ruleOpens counts the blocked paths that the controller's rule in a group opens; known is false where no group is its source.
func (a *analysis) ruleOpens(b *block, group string) (opened, all int, known bool) {
	source := a.source()
	if source == "" {
		return 0, 0, false
	}
	fw := a.s.Firewall
	for _, port := range b.ports() {
		fw = fw.With(vpc.SecurityGroupRule{ID: "new rule", Group: group, Protocol: "tcp", From: port, To: port, Source: source})
	}
	opened, all, _ = a.proveAll(b, fw)
	return opened, all, true
}

// extra picks the tagged group that should lose its tag: not the one that EKS made, because EKS puts its tag back.
func (a *analysis) extra(tagged []string) string {
	for _, g := range tagged {
		if !a.ofEKS(g) {
			return g
		}
	}
	return tagged[len(tagged)-1]
}

// ofEKS reports the cluster security group.
func (a *analysis) ofEKS(group string) bool {
	return strings.HasPrefix(a.s.group(group).Name, "eks-cluster-sg-") || a.s.EKS != nil && a.s.EKS.SecurityGroup == group
}
