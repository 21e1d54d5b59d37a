package alb

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/elb"
	"github.com/netdiag/netdiag/internal/trail"
	"github.com/netdiag/netdiag/internal/vpc"
)

// silent lets all targets of the shop time out.
func (f *fake) silent() { f.all("unhealthy", timeout, "Request timed out") }

// policy adds a NetworkPolicy for the pods of the shop that lets these blocks in on a port, or anybody of the namespace
// where there are none, and something that enforces it.
func (f *fake) policy(port int32, blocks ...string) {
	p := networkingv1.NetworkPolicy{}
	p.Namespace, p.Name = "shop", "cart"
	p.Spec.PodSelector.MatchLabels = map[string]string{"app": "cart"}
	n := intstr.FromInt32(port)
	rule := networkingv1.NetworkPolicyIngressRule{Ports: []networkingv1.NetworkPolicyPort{{Port: &n}}}
	for _, b := range blocks {
		rule.From = append(rule.From, networkingv1.NetworkPolicyPeer{IPBlock: &networkingv1.IPBlock{CIDR: b}})
	}
	if len(blocks) == 0 {
		rule.From = []networkingv1.NetworkPolicyPeer{{NamespaceSelector: &metav1.LabelSelector{}}}
	}
	p.Spec.Ingress = []networkingv1.NetworkPolicyIngressRule{rule}
	f.policies, f.daemonSets = append(f.policies, p), enforcing()
}

// late adds the event of a readiness probe of pod cart-a.
func (f *fake) late(message string) { f.complain("Pod", "cart-a", "Unhealthy", message) }

// agent adds a pod of kube-proxy on node-a.
func (f *fake) agent(ready corev1.ConditionStatus) {
	p := corev1.Pod{}
	p.Namespace, p.Name, p.Spec.NodeName = "kube-system", "kube-proxy-x", "node-a"
	p.Status.Phase = corev1.PodRunning
	p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: ready}}
	f.pods = append(f.pods, p)
}

// TestSilence leaves the way through the VPC open, and lets something else keep the answers away.
func TestSilence(t *testing.T) {
	one := func(f *fake) { f.health[tgARN][0].State, f.health[tgARN][0].Reason = "unhealthy", timeout }
	sameSubnet := func(f *fake) { // node-b moves next to node-a
		f.enis[3].Subnet = "subnet-a"
	}
	for name, v := range map[string]verdict{
		"policy by labels": {broken: func(f *fake) { f.silent(); f.policy(8080) }, cause: "netpol.deny", confidence: diagnostics.Likely, says: "lets no address of the load balancer in", fix: "allow-network-policy", changes: "10.0.101.0/24, 10.0.102.0/24 on tcp 8080", refused: "allow-pod-port"},
		"policy that the VPC CNI has computed": {broken: func(f *fake) {
			f.silent()
			f.policy(8080)
			f.custom("policyendpoints.networking.k8s.aws", "shop", "cart-x", map[string]any{"podSelectorEndpoints": []any{map[string]any{"name": "cart-a", "namespace": "shop"}, map[string]any{"name": "cart-b", "namespace": "shop"}}})
		}, cause: "netpol.deny", fix: "allow-network-policy"},
		"policy with one of two subnets": {broken: func(f *fake) { f.silent(); f.policy(8080, "10.0.101.0/24") }, cause: "netpol.deny", confidence: diagnostics.Likely, says: "not from 10.0.102.10", fix: "allow-network-policy"},
		"policy with both subnets":       {broken: func(f *fake) { f.silent(); f.policy(8080, "10.0.101.0/24", "10.0.102.0/24") }},
		"policy for another port":        {broken: func(f *fake) { f.silent(); f.policy(9090, "10.0.0.0/16") }, cause: "netpol.deny", confidence: diagnostics.Likely, fix: "allow-network-policy"},
		"policy that nothing enforces":   {broken: func(f *fake) { f.silent(); f.policy(8080); f.daemonSets = nil }},
		"policy beside one of Cilium": {broken: func(f *fake) {
			f.silent()
			f.policy(8080)
			f.custom("ciliumnetworkpolicies.cilium.io", "shop", "cart", map[string]any{})
		}},
		"policy beside one of Cilium for others": {broken: func(f *fake) {
			f.silent()
			f.policy(8080)
			f.custom("ciliumnetworkpolicies.cilium.io", "other", "cart", map[string]any{})
		}, cause: "netpol.deny", confidence: diagnostics.Likely, fix: "allow-network-policy"},
		"policy that a target refutes": {broken: func(f *fake) { one(f); f.policy(8080) }},
		"policy for the traffic's port alone": {broken: func(f *fake) {
			f.checkPort(9090)
			f.policy(9090, "10.0.0.0/16")
			f.metrics[elb504], f.metrics[connectErrors] = 6000, 6000
		}, cause: "netpol.deny", confidence: diagnostics.Likely, says: "all targets look healthy", fix: "allow-network-policy", changes: "8080 and 9090"},
		"policy behind node ports": {broken: func(f *fake) { f.instances(); f.silent(); f.policy(8080, "10.0.101.0/24", "10.0.102.0/24") },
			cause: "netpol.deny", confidence: diagnostics.Likely, says: "the nodes through which the load balancer comes", fix: "allow-network-policy", changes: "10.0.1.0/24, 10.0.2.0/24 on tcp 8080"},
		"policy behind node ports that lets the nodes in": {broken: func(f *fake) { f.instances(); f.silent(); f.policy(8080, "10.0.0.0/20") }},
		"pods of other nodes closed": {broken: func(f *fake) {
			f.instances()
			f.silent()
			f.target(80)
		}, cause: "nodeport.cross-node-sg", says: "2 of 2 ways", fix: "allow-pod-port", changes: "sg-node: inbound tcp 80 from sg-node"},
		"pods of other nodes closed, in a group of their own": {broken: func(f *fake) {
			f.instances()
			f.silent()
			f.enis[1].Groups, f.enis[3].Groups = []string{"sg-node-a"}, []string{"sg-node-b"}
			for _, g := range []string{"sg-node-a", "sg-node-b"} {
				f.sgs = append(f.sgs, vpc.SecurityGroup{ID: g, Name: g})
				f.sgRules = append(f.sgRules, out(g), vpc.SecurityGroupRule{ID: "sgr-" + g, Group: g, Protocol: "tcp", From: 30080, To: 30080, Source: "sg-back"})
			}
			f.sgRules = append(f.sgRules, vpc.SecurityGroupRule{ID: "sgr-a-b", Group: "sg-node-a", Protocol: "tcp", From: 8080, To: 8080, Source: "sg-node-b"})
		}, cause: "nodeport.cross-node-sg", says: "1 of 2 ways", fix: "allow-pod-port", changes: "sg-node-b: inbound tcp 8080 from sg-node-a"},
		"pods of other nodes closed, and the groups of the nodes have a further one in common": {broken: func(f *fake) {
			f.instances()
			f.silent()
			f.target(80)
			f.enis[1].Groups, f.enis[3].Groups = []string{"sg-a", "sg-node"}, []string{"sg-a", "sg-node"}
			f.sgs[2].Tags = map[string]string{"kubernetes.io/cluster/prod": "owned"}
			f.sgs = append(f.sgs, vpc.SecurityGroup{ID: "sg-a"})
			f.sgRules = append(f.sgRules, out("sg-a"))
		}, cause: "nodeport.cross-node-sg", fix: "allow-pod-port", changes: "sg-node: inbound tcp 80 from sg-node"},
		"pods of other nodes closed, and a node without one answers": {broken: func(f *fake) {
			f.instances()
			one(f)
			f.target(80)
			f.elsewhere()
		}},
		"pods of other nodes closed, and no node without one answers": {broken: func(f *fake) {
			f.instances()
			f.silent()
			f.target(80)
			f.elsewhere()
		}, cause: "nodeport.cross-node-sg", says: "2 of 2 ways", fix: "allow-pod-port"},
		"externalTrafficPolicy Local": {broken: func(f *fake) {
			f.instances()
			f.services[0].Spec.ExternalTrafficPolicy = corev1.ServiceExternalTrafficPolicyLocal
			f.slices[0].Endpoints = f.slices[0].Endpoints[:1]
			f.health[tgARN][1].State, f.health[tgARN][1].Reason = "unhealthy", timeout
		}},
		"slow by the kubelet's word": {broken: func(f *fake) {
			one(f)
			f.late("Readiness probe failed: Get \"http://10.0.1.45:8080/health\": context deadline exceeded (Client.Timeout exceeded while awaiting headers)")
		}, cause: "app.slow-health", confidence: diagnostics.Likely, fix: "set-health-check", changes: "→ 10", refused: "allow-pod-port"},
		"slow by the kubelet's word, which can't connect": {broken: func(f *fake) {
			one(f)
			f.late("Readiness probe failed: Get \"http://10.0.1.45:8080/health\": dial tcp 10.0.1.45:8080: i/o timeout (Client.Timeout exceeded while awaiting headers)")
		}},
		"slow, and no room for a longer timeout": {broken: func(f *fake) {
			f.silent()
			f.metrics[failedOpen] = 6000
			f.groups[0].Check.Timeout, f.groups[0].Check.Interval = 14*time.Second, 15*time.Second
			f.annotate("healthcheck-timeout-seconds", "14")
		}, cause: "app.slow-health", confidence: diagnostics.Likely, fix: "fix-app", refused: "set-health-check"},
		"connections fail, so it isn't slow": {broken: func(f *fake) {
			f.silent()
			f.metrics[failedOpen], f.metrics[connectErrors], f.metrics[elb504] = 6000, 6000, 6000
		}},
		"node isn't ready": {broken: func(f *fake) {
			one(f)
			f.nodes[0].Status.Conditions[0].Status, f.nodes[0].Status.Conditions[0].Reason = corev1.ConditionUnknown, "NodeStatusUnknown"
		}, cause: "host.firewall-or-proxy", confidence: diagnostics.Possible, says: "only node node-a", fix: ""},
		"kube-proxy isn't ready": {broken: func(f *fake) { one(f); f.agent(corev1.ConditionFalse) }, cause: "host.firewall-or-proxy", confidence: diagnostics.Possible, says: "kube-proxy-x is not ready"},
		"kube-proxy is ready":    {broken: func(f *fake) { one(f); f.agent(corev1.ConditionTrue) }},
		"only the kubelet gets the answer, and a neighbour in the subnet is healthy": {broken: func(f *fake) { one(f); sameSubnet(f) }, cause: "host.firewall-or-proxy", confidence: diagnostics.Possible, says: "the kubelet of the node gets the answer"},
		"no sign but the silence": {broken: func(f *fake) { one(f); sameSubnet(f); f.probe(get("/other", "HTTP", 8080)) }},
		"another target of the node answers": {broken: func(f *fake) {
			one(f)
			f.agent(corev1.ConditionFalse)
			f.health[tgARN] = append(f.health[tgARN], f.health[tgARN][1])
			f.health[tgARN][2].ID = "10.0.1.46"
			p := *f.pods[0].DeepCopy()
			p.Name, p.Status.PodIP, p.Status.PodIPs = "cart-c", "10.0.1.46", []corev1.PodIP{{IP: "10.0.1.46"}}
			f.pods = append(f.pods, p)
			f.enis[1].Addresses = append(f.enis[1].Addresses, netip.MustParseAddr("10.0.1.46"))
		}},
	} {
		t.Run(name, v.check)
	}
}

// TestForeignPolicies: policies that can't be evaluated are named where the cause stays unknown.
func TestForeignPolicies(t *testing.T) {
	f := shop()
	f.silent()
	f.policy(8080)
	f.custom("ciliumclusterwidenetworkpolicies.cilium.io", "", "all", map[string]any{})
	if r := f.diagnose(t); len(r.Causes) > 0 || !strings.Contains(r.Summary, "CiliumClusterwideNetworkPolicy") {
		t.Errorf("causes %+v, summary %q, want no cause and the kind of policy", r.Causes, r.Summary)
	}
}

// elsewhere moves the only pod of the shop to a node that is no target.
func (f *fake) elsewhere() {
	node := "node-c"
	f.enis = append(f.enis, eni("eni-c", "subnet-a", "us-west-2a", []string{"sg-node"}, "10.0.1.200", "10.0.1.245"))
	f.pods = f.pods[:1]
	f.pods[0].Spec.NodeName, f.pods[0].Status.PodIP, f.pods[0].Status.PodIPs = node, "10.0.1.245", []corev1.PodIP{{IP: "10.0.1.245"}}
	f.slices[0].Endpoints = f.slices[0].Endpoints[:1]
	f.slices[0].Endpoints[0].NodeName, f.slices[0].Endpoints[0].Addresses = &node, []string{"10.0.1.245"}
}

// target sends the shop's node port to another port of the pods.
func (f *fake) target(port int32) {
	f.services[0].Spec.Ports[0].TargetPort = intstr.FromInt32(port)
	f.slices[0].Ports[0].Port = &port
	for i := range f.pods {
		f.pods[i].Spec.Containers[0].Ports[0].ContainerPort = port
	}
}

// TestLeftOut: nodes that are unhealthy by design are told of where another target is in trouble, and are no cause.
func TestLeftOut(t *testing.T) {
	f := shop()
	f.instances()
	f.services[0].Spec.ExternalTrafficPolicy = corev1.ServiceExternalTrafficPolicyLocal
	f.slices[0].Endpoints = f.slices[0].Endpoints[:1]
	f.silent()
	f.dropRule("sgr-node-port")
	r := f.diagnose(t)
	if len(r.Causes) != 1 || r.Causes[0].ID != "alb/sg.target-ingress" || strings.Join(r.Causes[0].Affects, " ") != "target/i-a:30080" {
		t.Errorf("causes %+v, want sg.target-ingress of the node with a pod", r.Causes)
	}
	i := 0
	for _, c := range r.Contributing {
		if c.ID == "alb/etp.local-no-pod" && strings.Join(c.Affects, " ") == "target/i-b:30080" {
			i++
		}
	}
	if i != 1 {
		t.Errorf("contributing %+v, want etp.local-no-pod of the node without one", r.Contributing)
	}
}

// TestBehind: what stands behind the first block is told, and is no cause yet.
func TestBehind(t *testing.T) {
	for name, c := range map[string]struct {
		broken func(*fake)
		cause  string
		behind string
	}{
		"policy behind a group": {func(f *fake) { f.silent(); f.dropRule("sgr-pod"); f.policy(8080) }, "sg.target-ingress", "netpol.deny"},
		"second hop behind a group": {func(f *fake) {
			f.instances()
			f.silent()
			f.target(80)
			f.dropRule("sgr-node-port")
		}, "sg.target-ingress", "nodeport.cross-node-sg"},
		"ACL of one zone behind a code": {func(f *fake) {
			f.all("unhealthy", mismatch, "Health checks failed with these codes: [503]")
			f.acls[0].Entries = append(f.acls[0].Entries, vpc.ACLEntry{Number: 90, Protocol: "6", CIDR: netip.MustParsePrefix("10.0.102.0/24"), To: 65535})
		}, "app.unhealthy", "nacl.forward"},
	} {
		t.Run(name, func(t *testing.T) {
			f := shop()
			c.broken(f)
			r := f.diagnose(t)
			if len(r.Causes) != 1 || r.Causes[0].ID != "alb/"+c.cause {
				t.Errorf("causes %+v, want %s alone", r.Causes, c.cause)
			}
			if !slices.ContainsFunc(r.Contributing, func(x diagnostics.Finding) bool { return x.ID == "alb/"+c.behind && x.Latent }) {
				t.Errorf("contributing %+v, want %s behind it", r.Contributing, c.behind)
			}
			if c.cause == "sg.target-ingress" && !strings.Contains(r.Fixes[0].Proof, "behind it") {
				t.Errorf("the proof of %s says nothing of %s: %s", r.Fixes[0].ID, c.behind, r.Fixes[0].Proof)
			}
		})
	}
}

// TestClosedPort: what opens a blocked way is proved, entry by entry, before it is offered.
func TestClosedPort(t *testing.T) {
	deny := func(number int, egress bool, cidr string, from, to int) vpc.ACLEntry {
		return vpc.ACLEntry{Number: number, Egress: egress, Protocol: "6", CIDR: netip.MustParsePrefix(cidr), From: from, To: to}
	}
	for name, v := range map[string]struct {
		verdict
		proof string
	}{
		"ACL, room below": {verdict{broken: func(f *fake) {
			f.silent()
			f.acls[0].Entries = append(f.acls[0].Entries, deny(90, false, "10.0.101.0/24", 0, 65535))
		}, cause: "nacl.forward", fix: "edit-nacl", changes: "inbound entry 80, allow tcp 8080 for 10.0.101.0/24", refused: "allow-pod-port"}, "2 of 2 blocked paths are open"},
		"ACL, no room below": {verdict{broken: func(f *fake) {
			f.silent()
			f.acls[0].Entries = append(f.acls[0].Entries, deny(1, false, "10.0.101.0/24", 0, 65535))
		}, cause: "nacl.forward", fix: "edit-nacl", changes: "must be renumbered"}, "2 of 2"},
		"ACL, answers": {verdict{broken: func(f *fake) {
			f.silent()
			f.acls[0].Entries = append(f.acls[0].Entries, deny(90, true, "10.0.101.0/24", 1024, 32767), deny(91, true, "10.0.102.0/24", 1024, 32767))
		}, cause: "nacl.return", says: "drops some of", fix: "edit-nacl", changes: "outbound entry 80, allow tcp 1024-65535 for 10.0.101.0/24; network ACL acl-1: outbound entry 79, allow tcp 1024-65535 for 10.0.102.0/24"}, "4 of 4"},
		"ACL, and a group behind it": {verdict{broken: func(f *fake) {
			f.silent()
			f.acls[0].Entries = append(f.acls[0].Entries, deny(90, false, "10.0.101.0/24", 0, 65535), deny(91, false, "10.0.102.0/24", 0, 65535))
			f.dropRule("sgr-pod")
		}, cause: "nacl.forward", fix: "edit-nacl"}, "0 of 4 blocked paths are open; what else blocks: no rule of sg-node"},
		"nothing out of the load balancer": {verdict{broken: func(f *fake) {
			f.silent()
			f.dropRule("sgr-out-sg-front")
			f.dropRule("sgr-out-sg-back")
		}, cause: "sg.alb-egress", fix: "allow-alb-egress", changes: "sg-front: outbound tcp 8080 to sg-node", refused: "allow-pod-port"}, "with 1 outbound rule 4 of 4 blocked paths are open"},
		"closed check port on which nobody listens": {verdict{broken: func(f *fake) {
			f.checkPort(9090)
			f.dropRule("sgr-check")
			f.silent()
			f.bindings[0].Networking = nil
		}, cause: "sg.target-ingress", reason: "hc-port-not-covered", fix: "set-health-check", executable: true, changes: "9090 → traffic-port", refused: "allow-pod-port"}, "port 8080 is open for all targets"},
		"two groups tagged": {verdict{broken: func(f *fake) {
			f.silent()
			f.dropRule("sgr-pod")
			for _, i := range []int{1, 3} {
				f.enis[i].Groups = []string{"sg-eks", "sg-node"}
			}
			f.sgs[2].Tags = map[string]string{"kubernetes.io/cluster/prod": "owned", "terraform": "true"}
			f.sgs = append(f.sgs, vpc.SecurityGroup{ID: "sg-eks", Name: "eks-cluster-sg-prod-1", Tags: map[string]string{"kubernetes.io/cluster/prod": "owned"}})
			f.sgRules = append(f.sgRules, out("sg-eks"))
		}, cause: "sg.target-ingress", reason: "tag-ambiguous", fix: "tag-security-group", changes: "sg-node: tag kubernetes.io/cluster/prod removed; in terraform-aws-eks", refused: "reconcile-kick"}, "its rule in sg-eks opens 4 of 4 blocked paths"},
	} {
		t.Run(name, func(t *testing.T) {
			v.check(t)
			f := shop()
			v.broken(f)
			if r := f.diagnose(t); !strings.Contains(r.Fixes[0].Proof, v.proof) {
				t.Errorf("proof %q, want %q", r.Fixes[0].Proof, v.proof)
			}
		})
	}
}

// TestWhyNoRule tells why the controller has not put its rule in place.
func TestWhyNoRule(t *testing.T) {
	closed := func(f *fake) { f.silent(); f.dropRule("sgr-pod") }
	auto := func(f *fake) {
		closed(f)
		f.classes[0].Spec.Controller = "eks.amazonaws.com/alb"
		f.deployments["kube-system"] = nil
		f.bindings[0].Labels = map[string]string{"ingress.eks.amazonaws.com/stack-namespace": "shop", "ingress.eks.amazonaws.com/stack-name": "web"}
	}
	for name, v := range map[string]verdict{
		"hand-written binding without networking": {broken: func(f *fake) {
			closed(f)
			f.bindings[0].Networking, f.bindings[0].Labels = nil, nil
		}, cause: "sg.target-ingress", reason: "tgb-no-networking", fix: "bind-target-group", changes: "spec.networking.ingress.ports → 8080, from sg-back"},
		"pods that the controller can't find": {broken: func(f *fake) {
			closed(f)
			f.complain("TargetGroupBinding", "k8s-shop-cart-1", "FailedNetworkReconcile", "cannot resolve pod ENI for pods: [shop/cart-a]")
		}, cause: "sg.target-ingress", reason: "pod-eni-unresolved", fix: "repair-controller", refused: "reconcile-kick"},
		"refused, as CloudTrail tells": {broken: func(f *fake) {
			closed(f)
			f.audit = []trail.Event{{ID: "e1", At: now.Add(-8 * time.Minute), Name: "AuthorizeSecurityGroupIngress", User: "lbc", Error: "Client.UnauthorizedOperation", Resources: []string{"sg-node"}}}
		}, cause: "sg.target-ingress", reason: "iam-denied", says: "lbc was refused", fix: "repair-controller", refused: "reconcile-kick"},
		"Auto Mode, group with a name of its own": {broken: auto, cause: "sg.target-ingress", reason: "automode-policy", confidence: diagnostics.Likely, says: "eks-cluster-sg-*", fix: "repair-controller", changes: "cluster role"},
		"Auto Mode, group of the cluster":         {broken: func(f *fake) { auto(f); f.sgs[2].Name = "eks-cluster-sg-prod-1" }, cause: "sg.target-ingress", reason: "drift-removed", fix: "reconcile-kick", executable: true},
	} {
		t.Run(name, v.check)
	}
}

// TestRouteThrough: a route inside the VPC that leads through something else leaves the cause open.
func TestRouteThrough(t *testing.T) {
	f := shop()
	f.silent()
	f.metrics[failedOpen] = 6000
	rt := vpc.RouteTable{ID: "rtb-1", Main: true, Routes: []vpc.Route{{Destination: netip.MustParsePrefix("10.0.0.0/16"), Target: "local"}, {Destination: netip.MustParsePrefix("10.0.1.0/24"), Target: "vpce-1", State: "active"},
		{Destination: netip.MustParsePrefix("10.0.2.0/24"), Target: "vpce-1", State: "active"}}}
	f.routes = []vpc.RouteTable{rt}
	if r := f.diagnose(t); len(r.Causes) > 0 || !strings.Contains(r.Summary, "leads through vpce-1") {
		t.Errorf("causes %+v, summary %q, want none, and vpce-1 named", r.Causes, r.Summary)
	}
}

// TestRouteOut tells which route the load balancer's packets take to a target outside the VPC.
func TestRouteOut(t *testing.T) {
	f := shop()
	f.silent()
	f.health[tgARN][0].ID, f.health[tgARN][0].Zone = "192.168.7.7", "all"
	f.health[tgARN][1].State, f.health[tgARN][1].Reason = "healthy", ""
	to := func(target string, cidrs ...string) vpc.RouteTable {
		rt := vpc.RouteTable{ID: "rtb-" + target}
		for _, c := range cidrs {
			rt.Routes = append(rt.Routes, vpc.Route{Destination: netip.MustParsePrefix(c), Target: target, State: "active"})
		}
		return rt
	}
	own, main := to("tgw-1", "192.168.0.0/16", "0.0.0.0/0"), to("igw-1", "0.0.0.0/0")
	own.Subnets, main.Main = []string{"subnet-pa", "subnet-pb"}, true
	f.routes = []vpc.RouteTable{own, main}
	r := f.diagnose(t)
	if len(r.Causes) != 1 || r.Causes[0].ID != "alb/route.off-vpc" || r.Causes[0].Confidence != diagnostics.Possible {
		t.Fatalf("causes %+v, want route.off-vpc, possible", r.Causes)
	}
	text := fmt.Sprint(r.Causes[0].Evidence)
	if !strings.Contains(text, "rtb-tgw-1: 192.168.0.0/16 → tgw-1 (active)") || strings.Contains(text, "rtb-igw-1") {
		t.Errorf("evidence %s, want the subnets' own route table and not the main one", text)
	}
}

// TestSharedGroup: one security group before two target groups is told with the targets of both.
func TestSharedGroup(t *testing.T) {
	f := shop()
	f.silent()
	f.dropRule("sgr-pod")
	other := strings.Replace(tgARN, "cart", "list", 1)
	g, b := f.groups[0], f.bindings[0]
	g.ARN, g.Name, b.TargetGroupARN, b.Name = other, "k8s-shop-list-1", other, "k8s-shop-list-1"
	f.groups, f.bindings, f.health[other] = append(f.groups, g), append(f.bindings, b), f.health[tgARN][:1]
	f.rules[0].Actions[0].Targets = append(f.rules[0].Actions[0].Targets, elb.Weighted{TargetGroup: other, Weight: 1})
	r := f.diagnose(t)
	if len(r.Causes) != 1 || !strings.Contains(r.Causes[0].Summary, "any of the 3 targets of k8s-shop-cart-1, k8s-shop-list-1") {
		t.Errorf("causes %+v, want one for all three targets of both groups", r.Causes)
	}
}
