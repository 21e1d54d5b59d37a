package pending

import (
	"fmt"

	"github.com/netdiag/netdiag/diagnostics"
)

// fixDisk frees the disk of a node, or leaves the node to itself.
func (a *analysis) fixDisk(f *diagnostics.Finding) {
	a.offer("fix-workload", diagnostics.Fix{Title: "Free disk space on node " + f.Subject + ", or replace it with one that has more", Needs: len(f.Affects), Owner: "node", Proof: f.Summary,
		Blast: "images that no container uses are pulled again when they are needed", Undo: "nothing to undo", SettlesIn: "5m",
		Commands: []string{"kubectl describe node " + f.Subject, fmt.Sprintf("kubectl debug node/%s -it --image=public.ecr.aws/amazonlinux/amazonlinux -- chroot /host sh -c 'df -h; df -i; crictl rmi --prune'", f.Subject)}}, f)
	a.fixMove(f)
	a.refuseRoom(f)
}

// fixAttachments takes pods, or volumes, to instances that have attachments left.
func (a *analysis) fixAttachments(f *diagnostics.Finding) {
	a.fixMove(f)
	volumes, kind := 0, "<type>"
	if p := a.pools[f.Subject]; p != nil {
		volumes, kind = p.node.Volumes, p.node.Type
	}
	ids, room := a.roomy(a.zoneOf(f.Subject), 16, "")
	a.offer("new-node-group", diagnostics.Fix{Title: "Start nodes of a type that has attachments of their own for volumes, or run fewer volumes on a node", Needs: len(f.Affects),
		Proof: fmt.Sprintf("%s; %d of them are volumes, which share the attachments with interfaces on %s; %s", f.Summary, volumes, kind, room),
		Blast: "none on running pods; pods move only when they are made again", Undo: "delete the node group", SettlesIn: "10m", Changes: []string{"a new managed node group"},
		Commands: []string{fmt.Sprintf("aws eks create-nodegroup --cluster-name %s --nodegroup-name <name> --node-role <role> --instance-types <type> --subnets %s", a.s.Target.Cluster, ids)}}, f)
	a.refuseRoom(f)
	a.refuse("set-max-pods", "%s may run %d pods, and more or fewer of them attach no interface: %d volumes take the attachments", f.Subject, a.maxPodsOf(f.Subject), volumes)
}

func (a *analysis) zoneOf(node string) string {
	if n := a.s.node(node); n != nil {
		return n.Zone
	}
	return ""
}

func (a *analysis) maxPodsOf(node string) int {
	if n := a.s.node(node); n != nil {
		return n.MaxPods
	}
	return 0
}

// waitForMetadata is all that helps against metadata that lags.
func (a *analysis) waitForMetadata(f *diagnostics.Finding) {
	a.refuse("restart-ipamd", "ipamd of %s asks again within 5 seconds by itself, and a restart does not make the metadata faster", f.Subject)
	a.refuseRoom(f)
}
