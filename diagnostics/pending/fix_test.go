package pending

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/types"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/eks"
	"github.com/netdiag/netdiag/internal/vpc"
)

// offered finds a fix by its id without the diagnosis.
func offered(r diagnostics.Report, id string) (diagnostics.Fix, bool) {
	n := slices.IndexFunc(r.Fixes, func(f diagnostics.Fix) bool { return f.ID == "pending/"+id })
	if n < 0 {
		return diagnostics.Fix{}, false
	}
	return r.Fixes[n], true
}

func whyRefused(r diagnostics.Report, id string) string {
	for _, f := range r.Refused {
		if f.ID == "pending/"+id {
			return f.Why
		}
	}
	return ""
}

// full is a node without a free address in a subnet without one, and pods that wait there.
func full() *scene {
	c := newScene(0, 100)
	c.node("n1", "a", 9, 9)
	c.wait("n1", 2, assignFailed, nil)
	return c
}

func used(c *scene) *scene { // the VPC is cut up to the last address
	c.s.VPC.CIDRs = []netip.Prefix{netip.MustParsePrefix("10.0.1.0/24"), netip.MustParsePrefix("10.0.2.0/24")}
	return c
}

// Each fix is offered where it helps, with the number that proves it, and refused, or left out, where it doesn't.
func TestFixes(t *testing.T) {
	for _, c := range []struct {
		name  string
		build func() *scene
		fix   string
		says  string // in the proof, the changes or the commands; where it is refused, in the reason
		not   bool   // it is refused, or, without says, not offered
	}{
		{"another zone has room", func() *scene { c := full(); c.node("n2", "b", 3, 9); return c }, "rebalance-zones", "us-west-2b has room for 24 pods on 1 node", false},
		{"another zone has room for fewer", func() *scene { c := full(); c.node("n2", "b", 8, 9); c.s.Subnets[1].Available = 0; return c }, "rebalance-zones", "room for 1 pod, and 2 wait", true},
		{"no node is elsewhere", full, "rebalance-zones", "", true},
		{"nodes elsewhere are cordoned", func() *scene { c := full(); c.node("n2", "b", 3, 9).Cordoned = true; return c }, "rebalance-zones", "", true},
		{"volumes tie the pods to their zone", func() *scene {
			c := full()
			c.node("n2", "b", 3, 9)
			for n := range c.s.Pods {
				c.s.Pods[n].Spec.Volumes = []corev1.Volume{{VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "db"}}}}
			}
			return c
		}, "rebalance-zones", "0 of these 2 can go there", true},
		{"fewer pods on the node itself", full, "reduce-demand", "9 pods on 1 node use addresses of subnet subnet-a", false},
		{"fewer pods in the zone", func() *scene { c := full(); c.node("n2", "a", 9, 9); c.s.Driver.Env["WARM_IP_TARGET"] = "1"; return c }, "reduce-demand", "18 pods on 2 nodes", false},
		{"too few pods to give way", func() *scene {
			c := newScene(0, 100)
			c.node("n1", "a", 1, 1)
			c.wait("n1", 2, assignFailed, nil)
			return c
		}, "reduce-demand", "use 1 addresses", true},
		{"the VPC has room: no new design", full, "custom-networking", "0 of the 2 pods", true},
		{"the VPC is used up: custom networking", func() *scene { return used(full()) }, "custom-networking", "falls from 29 to 20", false},
		{"the VPC is used up: IPv6", func() *scene { return used(full()) }, "ipv6", "512 addresses", false},
		{"the VPC has room: no IPv6", full, "ipv6", "", true},
		{"a vpc-cni that finds no tags: custom networking", func() *scene { c := full(); c.s.Driver.Version = "v1.17.1"; return c }, "custom-networking", "max-pods", false},
		{"a vpc-cni that finds no tags: no further subnet", func() *scene { c := full(); c.s.Driver.Version = "v1.17.1"; return c }, "add-pod-subnet", "v1.17.1", true},
		{"discovery is off", func() *scene { c := full(); c.s.Driver.Env["ENABLE_SUBNET_DISCOVERY"] = "false"; return c }, "add-pod-subnet", "uses 0", true},
		{"the CNI may not look for subnets", func() *scene {
			c := full()
			c.say("Pod", "aws-node-n2", "MissingIAMPermissions", "Unauthorized operation: failed to call ec2:DescribeSubnets due to missing permissions.", 5)
			return c
		}, "add-pod-subnet", "ec2:DescribeSubnets", true},
		{"a further subnet with its routes", func() *scene {
			c := full()
			c.s.RouteTables = []vpc.RouteTable{{ID: "rtb-private", Subnets: []string{"subnet-a"}, Routes: []vpc.Route{{Destination: netip.MustParsePrefix("0.0.0.0/0"), Target: "nat-1"}}}, {ID: "rtb-main", Main: true}}
			return c
		}, "add-pod-subnet", "it needs route table rtb-private, since the main one of the VPC, rtb-main, has 0 default routes", false},
		{"nodes have no room anywhere", func() *scene { c := used(full()); c.s.Subnets[1].Available = 3; return c }, "new-node-group", "no subnet that could be read", true},
		{"the control plane is short too", func() *scene {
			c := full()
			c.s.Cluster = &eks.Cluster{Name: "prod", VPC: "vpc-1", Subnets: []string{"subnet-a", "subnet-b"}, Issues: []eks.Issue{{Code: "InsufficientFreeAddresses", Message: "not enough"}}}
			return c
		}, "cluster-subnets", "subnet-a (us-west-2a) has 0; the health of the cluster says so: InsufficientFreeAddresses", false},
		{"the control plane has room", func() *scene {
			c := full()
			c.s.Cluster = &eks.Cluster{Name: "prod", VPC: "vpc-1", Subnets: []string{"subnet-b"}}
			return c
		}, "cluster-subnets", "", true},
		{"nothing tells what stops the CNI", func() *scene {
			c := newScene(100, 100)
			c.node("n1", "a", 5, 9)
			c.wait("n1", 2, assignFailed, nil)
			return c
		}, "observe-ipam", "AWS_VPC_K8S_CNI_LOG_FILE unset → stdout", false},
		{"it is known what stops the CNI", full, "observe-ipam", "", true},
		{"its log can be read already", func() *scene {
			c := newScene(100, 100)
			c.node("n1", "a", 5, 9)
			c.s.Driver.Env["AWS_VPC_K8S_CNI_LOG_FILE"], c.s.Driver.Env["AWS_VPC_K8S_CNI_LOGLEVEL"] = "stdout", "DEBUG"
			c.wait("n1", 2, assignFailed, nil)
			return c
		}, "observe-ipam", "", true},
		{"addresses rest, and the subnet has room", func() *scene { return resting(200, "2") }, "tune-cooldown", "WARM_IP_TARGET 2 → 4", false},
		{"addresses rest, and the subnet has none to give", func() *scene { return resting(0, "2") }, "tune-cooldown", "IP_COOLDOWN_PERIOD unset → 15", false},
		{"addresses rest where whole interfaces are kept", func() *scene { return resting(200, "") }, "tune-cooldown", "IP_COOLDOWN_PERIOD unset → 15", false},
		{"network address units", func() *scene { return refusedBy("NetworkAddressUsageLimitExceeded") }, "raise-quota", "the default is 64000, and 256000 the most", false},
		{"network address units of peered VPCs", func() *scene { return refusedBy("NetworkAddressUsagePeeredLimitExceeded") }, "raise-quota", "the default is 128000, and 512000 the most", false},
		{"network address units: no restart", func() *scene { return refusedBy("NetworkAddressUsageLimitExceeded") }, "restart-ipamd", "on 1 node", true},
		{"interfaces of the Region", func() *scene { return refusedBy("NetworkInterfaceLimitExceeded") }, "raise-quota", "the default is 5000", false},
		{"a permission", func() *scene { return refusedBy("UnauthorizedOperation") }, "repair-cni-iam", "--role-name cni --policy-arn arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy", false},
		{"a permission of a pod identity", func() *scene {
			c := refusedBy("UnauthorizedOperation")
			c.s.Addon.RoleARN, c.s.Addon.PodIdentities = "", []string{"arn:aws:eks:us-west-2:111122223333:podidentityassociation/prod/a-1"}
			return c
		}, "repair-cni-iam", "describe-pod-identity-association --cluster-name prod --association-id a-1", false},
		{"a permission of a role that only the service account names", func() *scene { c := refusedBy("UnauthorizedOperation"); c.s.Addon = nil; return c }, "repair-cni-iam", "kubectl get serviceaccount aws-node", false},
		{"prefixes in a new subnet", fragmented, "reserve-prefix-range", "254 whole /28 blocks", false},
		{"prefixes in the old one", fragmented, "tune-warm-pool", "0 free /28", true},
		{"Windows without addresses", func() *scene { return unplaced(windowsDevice, 0, "windows", nil) }, "windows-ipam", "enable-windows-ipam → true", false},
		{"Windows without addresses, although they are managed", func() *scene {
			return unplaced(windowsDevice, 0, "windows", func(c *scene) { c.s.CNIConfig = map[string]string{"enable-windows-ipam": "true"} })
		}, "windows-ipam", "AmazonEKSVPCResourceController", false},
		{"Windows with all its addresses taken", func() *scene { return unplaced(windowsDevice, 9, "windows", nil) }, "windows-ipam", "enable-windows-prefix-delegation", false},
		{"Windows heeds no settings of aws-node", func() *scene { return unplaced(windowsDevice, 0, "windows", nil) }, "tune-warm-pool", "1 Windows node", true},
		{"branch interfaces switched off", func() *scene { return unplaced(branchDevice, 0, "linux", nil) }, "repair-pod-security-groups", "ENABLE_POD_ENI unset → true", false},
		{"types without trunk interfaces", func() *scene {
			return unplaced(branchDevice, 0, "linux", func(c *scene) { c.s.Driver.Env["ENABLE_POD_ENI"] = "true"; c.s.Nodes[0].Type = "t3.large" })
		}, "repair-pod-security-groups", "1 of 1 node are of types without trunk", false},
		{"all branch interfaces taken", func() *scene { return unplaced(branchDevice, 9, "linux", nil) }, "repair-pod-security-groups", "branch-eni-cooldown 60 → 30", false},
		{"leaked interfaces, and why they stay", func() *scene {
			c := full()
			c.tenant(10, func(i *vpc.NetworkInterface) {
				i.Status, i.Tags = "available", map[string]string{"cluster.k8s.amazonaws.com/name": "prod", "node.k8s.amazonaws.com/instance_id": "i-gone", "node.k8s.amazonaws.com/createdAt": now.Add(-48 * time.Hour).Format(time.RFC3339)}
			})
			c.s.States = map[string]string{"i-gone": "gone"}
			c.s.Driver.Env["ENABLE_IMDS_ONLY_MODE"] = "true"
			return c
		}, "delete-leaked-enis", "ENABLE_IMDS_ONLY_MODE of aws-node", false},
		{"custom networking, and its subnet is full", func() *scene { return customFull(251) }, "custom-networking", "has 251 free addresses, and 1 is missing", false},
		{"custom networking: new nodes take addresses of the same subnet", func() *scene { return customFull(251) }, "new-node-group", "has 0 left", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := c.build().judged(t)
			fix, there := offered(r, c.fix)
			switch {
			case c.not && there && c.says == "":
				t.Errorf("it is offered: %s", fix.Proof)
			case c.not && c.says != "" && !strings.Contains(whyRefused(r, c.fix), c.says):
				t.Errorf("refused with %q, want %q; offered %t", whyRefused(r, c.fix), c.says, there)
			case c.not:
			case !there:
				t.Errorf("not offered: %v, refused %v", fixIDs(r), r.Refused)
			default:
				all := fix.Proof + "\n" + strings.Join(fix.Changes, "\n") + "\n" + strings.Join(fix.Commands, "\n")
				if !strings.Contains(all, c.says) {
					t.Errorf("%q does not say %q", all, c.says)
				}
				if fix.Undo == "" || fix.SettlesIn == "" || len(fix.Commands) == 0 || fix.Owner == "" {
					t.Errorf("undo %q, settles in %q, commands %v, owner %q", fix.Undo, fix.SettlesIn, fix.Commands, fix.Owner)
				}
				if _, err := time.ParseDuration(fix.SettlesIn); err != nil {
					t.Error(err)
				}
				if !diagnostics.FixByID(fix.ID).Executable && (fix.Executable || fix.Action != nil) {
					t.Errorf("%s is not one that the bot carries out", fix.ID)
				}
			}
		})
	}
}

// resting is a node on which as many pods have ended within the minute as addresses look free.
func resting(available int, warm string) *scene {
	c := newScene(available, 100)
	c.node("n1", "a", 7, 9)
	if warm != "" {
		c.s.Driver.Env["WARM_IP_TARGET"] = warm
	}
	c.wait("n1", 2, assignFailed, nil)
	for _, uid := range []string{"ended-1", "ended-2", "ended-3"} {
		e := event("Killing", "Stopping container app", 0.3)
		e.Source.Host = "n1"
		e.Name = uid + ".1"
		e.InvolvedObject = corev1.ObjectReference{Kind: "Pod", Namespace: "backend", Name: uid, UID: types.UID(uid)}
		c.s.Events = append(c.s.Events, *e)
	}
	return c
}

// unplaced is a pod that finds no node for want of a device of which the only node offers so many.
func unplaced(device string, offered int64, system string, edit func(*scene)) *scene {
	c := newScene(100, 100)
	n := c.node("n1", "a", 2, 9)
	n.Labels["kubernetes.io/os"] = system
	if offered > 0 {
		n.Devices = map[string]int64{device: offered}
	}
	if edit != nil {
		edit(c)
	}
	c.wait("", 2, "", func(p *corev1.Pod) {
		p.Spec.Containers = []corev1.Container{{Name: "app", Resources: corev1.ResourceRequirements{
			Requests: corev1.ResourceList{corev1.ResourceName(device): resource.MustParse("1")}, Limits: corev1.ResourceList{corev1.ResourceName(device): resource.MustParse("1")}}}}
		p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Message: "0/1 nodes are available: 1 Insufficient " + device + "."}}
	})
	if offered > 0 { // others have taken them
		for n := range c.s.Nodes[0].Pods {
			c.s.Nodes[0].Pods[n].Devices = map[string]int64{device: offered}
		}
	}
	return c
}

// refusedBy is a node that EC2 refuses with a code, in a subnet with room.
func refusedBy(code string) *scene {
	c := newScene(150, 100)
	errorsOf(c.node("n1", "a", 9, 9), 9, 9, code)
	c.wait("n1", 2, assignFailed, nil)
	return c
}

// fragmented is a subnet with many free addresses, and one in use in each of its blocks.
func fragmented() *scene {
	c := newScene(200, 100)
	c.s.Driver.Env["ENABLE_PREFIX_DELEGATION"] = "true"
	c.node("n1", "a", 0, 0)
	for n := range 16 {
		a := netip.AddrFrom4([4]byte{10, 0, 1, byte(16*n + 7)})
		c.s.Interfaces = append(c.s.Interfaces, vpc.NetworkInterface{ID: "eni-spread-" + a.String(), Subnet: "subnet-a", Status: "in-use", Type: "interface", Primary: a, Addresses: []netip.Addr{a}})
	}
	c.wait("n1", 2, assignFailed, nil)
	return c
}

// customFull is a node whose ENIConfig names a full subnet, where another one for pods has so many addresses.
func customFull(available int) *scene {
	c, _ := customScene(nil, map[string]string{"default": "subnet-a"})
	c.s.Subnets[0].Available = 0
	c.s.Subnets = append(c.s.Subnets, vpc.Subnet{ID: "subnet-pods", VPC: "vpc-1", Zone: "us-west-2a", CIDR: netip.MustParsePrefix("10.0.9.0/24"), Available: available})
	return c
}
