package pending

import (
	"fmt"
	"slices"
	"strings"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/vpc"
)

// fixPlainly is for causes whose remedy needs no arithmetic. A cause without one here gets no fix rather than a guess.
func (a *analysis) fixPlainly(f *diagnostics.Finding) {
	if f.Latent {
		return
	}
	if a.fixOfWorkload(f) {
		return
	}
	switch strings.TrimPrefix(f.ID, "pending/") {
	case "node-cordoned":
		a.offer("fix-workload", diagnostics.Fix{Title: "Let the node " + f.Subject + " be drained, or uncordon it when its maintenance is over", Needs: len(f.Affects), Proof: f.Summary, Changes: []string{"node " + f.Subject + ": cordoned → schedulable"},
			Blast: "the node takes new pods again", Undo: "kubectl cordon " + f.Subject, SettlesIn: "1m", Commands: []string{"kubectl uncordon " + f.Subject}}, f)
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
	case "eniconfig":
		a.fixENIConfig(f)
	case "ip-cooldown":
		a.fixCooldown(f)
	}
}

// fixPolicyAgent starts the agent again, where that isn't what it does all the time.
func (a *analysis) fixPolicyAgent(f *diagnostics.Finding) {
	for _, p := range a.affected(f) {
		if p.node.Agent != nil && strings.Contains(p.node.Agent.PolicyAgent, "CrashLoopBackOff") {
			a.offer("fix-workload", diagnostics.Fix{Title: "See why the network policy agent ends", Needs: len(f.Affects), Owner: a.s.setup().Owned().Owner, Proof: f.Summary, Undo: "revert the change", SettlesIn: "5m",
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
	fix := diagnostics.Fix{Title: title, Needs: len(f.Affects), Proof: proof, Changes: changes, Blast: "no new pod gets an address on this node for some seconds; running pods keep theirs",
		Undo: "nothing to undo", SettlesIn: "1m", Commands: commands}
	a.restarting(&fix, f, a.affected(f))
	a.offer("restart-ipamd", fix, f)
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

// public reports a subnet whose default route is an internet gateway: Fargate takes private ones only.
func (a *analysis) public(subnet string) bool {
	table, _ := a.wayOut(subnet)
	return slices.ContainsFunc(a.s.RouteTables, func(t vpc.RouteTable) bool {
		return t.ID == table && slices.ContainsFunc(t.Routes, func(r vpc.Route) bool {
			return r.Destination.IsValid() && r.Destination.Bits() == 0 && strings.HasPrefix(r.Target, "igw-")
		})
	})
}

// fargateSubnets makes a profile anew: its subnets can't be changed. Those are named that have addresses and a way out.
func (a *analysis) fargateSubnets(f *diagnostics.Finding, need string) {
	var ids []string
	for _, s := range a.s.Subnets {
		if _, way := a.wayOut(s.ID); way && !a.public(s.ID) && s.Available > len(f.Affects) && len(ids) < 4 {
			ids = append(ids, s.ID)
		}
	}
	subnets, proof := strings.Join(ids, " "), f.Summary
	if len(ids) == 0 {
		subnets = "<subnets>"
	} else {
		proof += fmt.Sprintf("; %s have %s free addresses or more and a default route", strings.Join(ids, ", "), fmt.Sprint(len(f.Affects)+1))
	}
	a.offer("fargate-subnets", diagnostics.Fix{Title: "Make a Fargate profile whose subnets have " + need, Needs: len(f.Affects), Proof: proof, Blast: "the subnets of a profile can't be changed: the pods are made again under the new one",
		Changes: []string{"a new Fargate profile for namespace " + a.s.Target.Namespace + " in subnets " + subnets, "the pods that wait are deleted, and their controllers make them again"},
		Undo:    "delete the profile", SettlesIn: "10m", Commands: []string{fmt.Sprintf("aws eks create-fargate-profile --cluster-name %s --fargate-profile-name <name> --pod-execution-role-arn <role> --subnets %s --selectors namespace=%s", a.s.Target.Cluster, subnets, a.s.Target.Namespace)}}, f)
}
