package pending

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/netdiag/netdiag/diagnostics"
)

type prefix = netip.Prefix

// secondary20 is the block to take where the VPC has no room: of the shared address space, which EKS pods may use.
var secondary20 = netip.MustParsePrefix("100.64.0.0/20")

// fixPlainly is for causes whose remedy needs no arithmetic. A cause without one here gets no fix rather than a guess.
func (a *analysis) fixPlainly(f *diagnostics.Finding) {
	if f.Latent {
		return
	}
	ns := a.s.Target.Namespace
	work := func(title string, commands ...string) {
		a.offer("fix-workload", diagnostics.Fix{Title: title, Needs: len(f.Affects), Owner: "workload", Proof: f.Summary, Undo: "revert the change", SettlesIn: "2m", Commands: commands}, f)
	}
	pod := ns + "/<pod>"
	if len(f.Affects) > 0 {
		pod = strings.TrimPrefix(f.Affects[0], "pod/")
	}
	_, name, _ := strings.Cut(pod, "/")
	switch strings.TrimPrefix(f.ID, "pending/") {
	case "insufficient-resources":
		ids, room := a.roomy("", 16, "")
		a.offer("new-node-group", diagnostics.Fix{Title: "Start further nodes, or larger ones", Needs: len(f.Affects), Proof: f.Summary + "; a node needs addresses too: " + room, Undo: "delete the node group", SettlesIn: "10m",
			Commands: []string{fmt.Sprintf("aws eks create-nodegroup --cluster-name %s --nodegroup-name <name> --node-role <role> --subnets %s", a.s.Target.Cluster, ids)}}, f)
		work("Ask for less "+f.Subject+", or run fewer pods", fmt.Sprintf("kubectl get pod -n %s %s -o jsonpath={.spec.containers[*].resources}", ns, name))
	case "taint":
		work("Tolerate the taint "+f.Subject+", or offer nodes without it", "kubectl get nodes -o custom-columns=NAME:.metadata.name,TAINTS:.spec.taints")
	case "affinity":
		work("Correct selector, affinity or spread of the pods", fmt.Sprintf("kubectl get pod -n %s %s -o yaml", ns, name))
	case "host-port":
		work("Give up the host port, or run fewer of these pods than nodes", fmt.Sprintf("kubectl get pod -n %s %s -o yaml", ns, name))
	case "volume-binding":
		work("Get the claim "+f.Subject+" bound, or the pod to the zone of its volume", fmt.Sprintf("kubectl describe pvc -n %s %s", ns, f.Subject), "kubectl get storageclass")
	case "volume-mount":
		work("Get the volume of "+f.Subject+" attached and mounted", fmt.Sprintf("kubectl describe pvc -n %s", ns), "kubectl get volumeattachments")
	case "missing-config":
		kind, object, _ := strings.Cut(f.Subject, "/")
		work("Create "+f.Subject+" in namespace "+ns+", or correct the name", fmt.Sprintf("kubectl get %s -n %s %s", kind, ns, object))
	case "image-pull":
		work("Correct the image "+f.Subject+", or push it", fmt.Sprintf("kubectl describe pod -n %s %s", ns, name))
	case "init-container":
		work("See why the init container does not end", fmt.Sprintf("kubectl logs -n %s %s --all-containers --tail 50", ns, name))
	case "quota":
		work("Raise the quota "+f.Subject+", or ask for less", fmt.Sprintf("kubectl describe resourcequota -n %s %s", ns, f.Subject))
	case "admission-webhook":
		work("Get the webhook "+f.Subject+" to answer again, or its configuration out of the way", "kubectl get mutatingwebhookconfigurations,validatingwebhookconfigurations", "kubectl get pods -n kube-system")
	case "admission-denied":
		work("Make the pods fit what admission asks of them", fmt.Sprintf("kubectl describe rs -n %s", ns))
	case "kubelet-rejected":
		work("Delete the refused pod; its controller makes another", fmt.Sprintf("kubectl delete pod -n %s %s", ns, name))
	case "node-not-ready":
		work("Replace the node "+f.Subject, "kubectl describe node "+f.Subject, "kubectl delete node "+f.Subject)
	case "node-cordoned":
		work("Let the node "+f.Subject+" be drained, or uncordon it when its maintenance is over", "kubectl uncordon "+f.Subject)
		a.refuse("move-pods-off-node", "0 of %s can move: they belong to the cordoned node or are made again there", plural(len(f.Affects), "pod"))
		a.refuseRoom(f)
	case "subnet-discovery":
		a.fixDiscovery(f)
	case "node-disk":
		a.fixDisk(f)
	case "attachment-limit":
		a.fixAttachments(f)
	case "imds-lag":
		a.waitForMetadata(f)
	case "network-policy-agent":
		a.fixPolicyAgent(f)
	case "ipamd-leak", "insufficiency-backoff":
		a.fixRestart(f)
	case "ipamd-down", "cni-not-initialized":
		a.fixAgent(f)
	case "nau-limit":
		a.fixAddressUnits(f)
	case "eni-quota":
		a.fixInterfaceQuota(f)
	case "branch-eni-failed", "branch-eni-capacity":
		switch f.Reason {
		case tooManyGroups:
			work("Give the pods no more security groups than an interface may have: 5, unless the quota of the account is higher", "kubectl get securitygrouppolicies -n "+ns+" -o yaml")
			a.refuse("repair-pod-security-groups", "EC2 allows the calls for %s, but not so many security groups on one interface", plural(len(f.Affects), "pod"))
		case noRoomLeft:
			a.refuse("repair-pod-security-groups", "EC2 allows the calls, and had no address for %s; the control plane tries again by itself", plural(len(f.Affects), "pod"))
		default:
			a.fixBranch(f)
		}
	case "windows-ip-resource":
		a.fixWindows(f)
	case "eniconfig":
		a.fixENIConfig(f)
	case "fargate-no-ip":
		a.fargateSubnets(f, "free addresses")
	case "egress":
		if len(a.at(onFargate)) > 0 {
			a.fargateSubnets(f, "a way to the registry: a default route to a NAT gateway, or endpoints for ecr.api, ecr.dkr and s3")
			return
		}
		work("Give the node a way to the registry", fmt.Sprintf("kubectl describe pod -n %s %s", ns, name))
	case "ip-cooldown":
		a.fixCooldown(f)
	}
}

// fixPolicyAgent starts the agent again, where that isn't what it does all the time.
func (a *analysis) fixPolicyAgent(f *diagnostics.Finding) {
	for _, p := range a.affected(f) {
		if p.node.Agent != nil && strings.Contains(p.node.Agent.PolicyAgent, "CrashLoopBackOff") {
			a.offer("fix-workload", diagnostics.Fix{Title: "See why the network policy agent ends", Needs: len(f.Affects), Owner: a.owned().owner, Proof: f.Summary, Undo: "revert the change", SettlesIn: "5m",
				Commands: []string{"kubectl logs -n kube-system " + p.node.Agent.Name + " -c aws-eks-nodeagent --previous --tail 50"}}, f)
			a.refuse("restart-ipamd", "the agent of node %s is %s: started again, it ends again", p.node.Name, p.node.Agent.PolicyAgent)
			return
		}
	}
	a.fixRestart(f)
}

func (a *analysis) fixRestart(f *diagnostics.Finding) {
	title, proof := "Restart aws-node on "+f.Subject, f.Summary
	var commands, changes []string
	for _, p := range a.affected(f) {
		if p.node.Agent != nil && p.node.Agent.Waiting != "CrashLoopBackOff" {
			changes = append(changes, "pod "+p.node.Agent.Name+" on "+p.node.Name+" is made again")
			commands = append(commands, "kubectl delete pod -n kube-system "+p.node.Agent.Name)
		}
	}
	if len(commands) == 0 {
		return
	}
	if f.ID == "pending/insufficiency-backoff" {
		proof += "; waiting does it too, within two minutes"
		a.refuseRoom(f)
	}
	a.offer("restart-ipamd", diagnostics.Fix{Title: title, Needs: len(f.Affects), Proof: proof, Changes: changes, Blast: "no new pod gets an address on this node for some seconds; running pods keep theirs",
		Undo: "nothing to undo", SettlesIn: "1m", Commands: commands}, f)
}

// refuseRoom says that addresses are not what is missing.
func (a *analysis) refuseRoom(f *diagnostics.Finding) {
	for _, p := range a.affected(f) {
		for _, w := range a.places(p) {
			if a.shortOf(p, w) {
				continue
			}
			a.refuse("add-pod-subnet", "subnet %s has %d free addresses: room is not what is missing", w.subnet.ID, w.subnet.Available)
			a.refuse("enable-prefix-delegation", "subnet %s has %d free addresses: room is not what is missing", w.subnet.ID, w.subnet.Available)
		}
	}
}

func (a *analysis) fargateSubnets(f *diagnostics.Finding, need string) {
	a.offer("fargate-subnets", diagnostics.Fix{Title: "Make a Fargate profile whose subnets have " + need, Needs: len(f.Affects), Proof: f.Summary, Blast: "the subnets of a profile can't be changed: the pods are made again under the new one",
		Undo: "delete the profile", SettlesIn: "10m", Commands: []string{fmt.Sprintf("aws eks create-fargate-profile --cluster-name %s --fargate-profile-name <name> --pod-execution-role-arn <role> --subnets <subnets> --selectors namespace=%s", a.s.Target.Cluster, a.s.Target.Namespace)}}, f)
}
