package pending

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/netdiag/netdiag/diagnostics"
)

const (
	refused       = `Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox "x": plugin type="aws-cni" name="aws-cni" failed (add): add cmd: Error received from AddNetwork gRPC call: rpc error: code = Unavailable desc = connection error: desc = "transport: Error while dialing: dial tcp 127.0.0.1:50051: connect: connection refused"`
	refusedUnix   = `add cmd: Error received from AddNetwork gRPC call: rpc error: code = Unavailable desc = connection error: desc = "transport: Error while dialing: dial unix /var/run/aws-node/ipamd.sock: connect: no such file or directory"`
	notInitialize = "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network plugin returns error: cni plugin not initialized"
)

// down is a node whose aws-node pod does not answer.
func down(text string, edit func(*scene, *Node)) func() *scene {
	return func() *scene {
		c := newScene(120, 100)
		n := c.node("n1", "a", 2, 9)
		n.Agent.Ready = false
		c.wait("n1", 2, text, nil)
		if edit != nil {
			edit(c, n)
		}
		return c
	}
}

// fresh is a node that never became ready.
func neverUp(edit func(*scene, *Node)) func() *scene {
	return func() *scene {
		c := newScene(120, 100)
		n := c.node("n1", "a", 0, 9)
		n.Created, n.ReadySince = now.Add(-20*time.Minute), now.Add(-20*time.Minute)
		n.Ready, n.ReadyMessage, n.Agent.Ready = "False", notInitialize, false
		c.wait("n1", 2, "", nil)
		if edit != nil {
			edit(c, n)
		}
		return c
	}
}

func TestWhyTheCNIDoesNotAnswer(t *testing.T) {
	crash := func(c *scene, n *Node) {
		n.Agent.Waiting, n.Agent.Restarts, n.Agent.Ended = "CrashLoopBackOff", 7, &Exit{Reason: "Error", Code: 1, At: now.Add(-time.Minute)}
	}
	may := func(action string) func(*scene, *Node) {
		return func(c *scene, n *Node) {
			crash(c, n)
			c.say("Pod", "aws-node-n1", "MissingIAMPermissions", "Unauthorized operation: failed to call "+action+" due to missing permissions. Please refer https://github.com/aws/amazon-vpc-cni-k8s/blob/master/docs/iam-policy.md to attach relevant policy to IAM role", 1)
		}
	}
	env := func(pairs ...string) func(*scene, *Node) {
		return func(c *scene, n *Node) {
			crash(c, n)
			for i := 0; i < len(pairs); i += 2 {
				c.s.Driver.Env[pairs[i]] = pairs[i+1]
			}
		}
	}
	for _, c := range []struct {
		name           string
		build          func() *scene
		want, symptoms []string
		reason, fix    string
	}{
		{"connection refused", down(refused, nil), []string{"ipamd-down confirmed"}, nil, unhealthy, "restart-ipamd"},
		{"its socket is gone", down(refusedUnix, crash), []string{"ipamd-down confirmed"}, nil, crashing, "restart-ipamd"},
		{"the backend", down("add cmd: failed to connect to backend server", crash), []string{"ipamd-down confirmed"}, nil, crashing, "restart-ipamd"},
		{"nothing is said of the pods, and the CNI is down", down("", crash), []string{"ipamd-down confirmed"}, nil, crashing, "restart-ipamd"},
		{"killed for want of memory", down(refused, func(c *scene, n *Node) {
			crash(c, n)
			n.Agent.Ended.Reason, n.Agent.Ended.Code = "OOMKilled", 137
		}), []string{"ipamd-down confirmed"}, nil, noMemory, "restart-ipamd"},
		{"its image can't be pulled", down(refused, func(c *scene, n *Node) { n.Agent.Waiting = "ImagePullBackOff" }),
			[]string{"ipamd-down confirmed"}, nil, noImage, "fix-workload"},
		{"it is ready, and was when it did not answer", down(refused, func(c *scene, n *Node) {
			n.Agent.Ready, n.Agent.Started = true, now.Add(-time.Hour)
		}), []string{"ipamd-down likely"}, nil, "", "restart-ipamd"},
		{"it is up again since the last failure", down(refused, func(c *scene, n *Node) {
			n.Agent.Ready, n.Agent.Started = true, now.Add(-5*time.Second)
		}), nil, nil, "", ""},
		{"no pod of it on the node", down(refused, func(c *scene, n *Node) { n.Agent = nil }), []string{"ipamd-down likely"}, nil, "", "fix-workload"},
		{"it may not do what it must at its start", down(refused, may("ec2:DescribeInstanceTypes")), []string{"cni-iam confirmed"}, nil, "", "repair-cni-iam"},
		{"it may not do what it needn't", down(refused, may("ec2:DeleteNetworkInterface")), []string{"ipamd-down confirmed"}, nil, crashing, "restart-ipamd"},
		{"no warm prefix", down(refused, env("ENABLE_PREFIX_DELEGATION", "true", "WARM_PREFIX_TARGET", "0")),
			[]string{"cni-misconfigured confirmed"}, nil, "", "tune-warm-pool"},
		{"no warm prefix, but a warm address", down(refused, env("ENABLE_PREFIX_DELEGATION", "true", "WARM_PREFIX_TARGET", "0", "WARM_IP_TARGET", "2")),
			[]string{"ipamd-down confirmed"}, nil, crashing, "restart-ipamd"},
		{"both families", down(refused, env("ENABLE_IPv6", "true")), []string{"cni-misconfigured confirmed"}, nil, "", "fix-workload"},
		{"a cooldown in words", down(refused, env("IP_COOLDOWN_PERIOD", "30s")), []string{"cni-misconfigured confirmed"}, nil, "", "fix-workload"},
		{"it says in its log that it refuses its settings", down(refused, func(c *scene, n *Node) {
			crash(c, n)
			n.Agent.Log = []string{`time="2026-03-22T10:29:00Z" level=error msg="Setting WARM_PREFIX_TARGET = 0 is not supported while WARM_IP_TARGET/MINIMUM_IP_TARGET is not set. Please configure either one of the WARM_{PREFIX/IP}_TARGET or MINIMUM_IP_TARGET env variables"`}
		}), []string{"cni-misconfigured confirmed"}, nil, "", ""},
		{"settings that it would refuse, on a node that still runs with others", down(assignFailed, func(c *scene, n *Node) {
			env("ENABLE_PREFIX_DELEGATION", "true", "WARM_PREFIX_TARGET", "0")(c, n)
			n.Agent.Ready, n.Agent.Waiting = true, ""
			n.Agent.Env = map[string]string{"WARM_ENI_TARGET": "1", "ENABLE_PREFIX_DELEGATION": "false"}
		}), nil, nil, "", "observe-ipam"},

		{"never up", neverUp(crash), []string{"cni-not-initialized confirmed"}, nil, crashing, "restart-ipamd"},
		{"never up: no image", neverUp(func(c *scene, n *Node) { n.Agent.Waiting = "ErrImagePull" }), []string{"cni-not-initialized confirmed"}, nil, noImage, "fix-workload"},
		{"never up: no pod", neverUp(func(c *scene, n *Node) { n.Agent = nil }), []string{"cni-not-initialized confirmed"}, nil, "no-pod", "fix-workload"},
		{"never up: a permission", neverUp(may("ec2:DescribeNetworkInterfaces")), []string{"cni-iam confirmed"}, []string{"cni-not-initialized confirmed"}, "", "repair-cni-iam"},
		{"never up: settings", neverUp(env("IP_COOLDOWN_PERIOD", "soon")), []string{"cni-misconfigured confirmed"}, []string{"cni-not-initialized confirmed"}, "", "fix-workload"},
		{"never up: the subnet is full, which does not keep it from coming up", neverUp(func(c *scene, n *Node) {
			crash(c, n)
			c.s.Subnets[0].Available = 0
		}), []string{"cni-not-initialized confirmed"}, nil, crashing, "restart-ipamd"},
		{"never up: the subnet of custom networking is full", neverUp(func(c *scene, n *Node) {
			crash(c, n)
			c.s.Driver.Env["AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG"] = "true"
			c.s.ENIConfigs = map[string]string{"default": "subnet-a"}
			c.s.Subnets[0].Available = 0
		}), []string{"subnet-exhausted confirmed"}, []string{"cni-not-initialized confirmed"}, "", "custom-networking"},
		{"never up: the subnet of custom networking has too few", neverUp(func(c *scene, n *Node) {
			crash(c, n)
			c.s.Driver.Env["AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG"] = "true"
			c.s.ENIConfigs = map[string]string{"default": "subnet-a"}
			c.s.Subnets[0].Available = 9
		}), []string{"eni-all-or-nothing confirmed"}, []string{"cni-not-initialized confirmed"}, "", "tune-warm-pool"},
		{"never up: custom networking, and there is room", neverUp(func(c *scene, n *Node) {
			crash(c, n)
			c.s.Driver.Env["AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG"] = "true"
			c.s.ENIConfigs = map[string]string{"default": "subnet-a"}
		}), []string{"cni-not-initialized confirmed"}, nil, crashing, "restart-ipamd"},
		{"a new node on its way", neverUp(func(c *scene, n *Node) { n.Created, n.Agent.Waiting = now.Add(-40*time.Second), "ContainerCreating" }), nil, nil, "", ""},
		{"a new node whose CNI crashes already", neverUp(func(c *scene, n *Node) { crash(c, n); n.Created = now.Add(-100 * time.Second) }),
			[]string{"cni-not-initialized confirmed"}, nil, crashing, "restart-ipamd"},
		{"not ready for another reason", neverUp(func(c *scene, n *Node) { n.ReadyMessage = "PLEG is not healthy" }), []string{"node-not-ready confirmed"}, nil, "", "fix-workload"},
	} {
		r := c.build().judged(t)
		if d := cmp.Diff(c.want, keys(r.Causes)); d != "" {
			t.Errorf("%s: causes (-want +got):\n%s%s", c.name, d, r.Summary)
			continue
		}
		if d := cmp.Diff(c.symptoms, keys(r.Symptoms)); d != "" {
			t.Errorf("%s: symptoms (-want +got):\n%s", c.name, d)
		}
		if len(r.Causes) > 0 && r.Causes[0].Reason != c.reason {
			t.Errorf("%s: reason %q, want %q", c.name, r.Causes[0].Reason, c.reason)
		}
		first := ""
		if ids := fixIDs(r); len(ids) > 0 {
			first = ids[0]
		}
		if first != c.fix {
			t.Errorf("%s: first fix %q of %v, want %q", c.name, first, fixIDs(r), c.fix)
		}
		for _, f := range r.Refused {
			if !strings.ContainsAny(f.Why, "0123456789") {
				t.Errorf("%s: %s is refused without a number: %s", c.name, f.ID, f.Why)
			}
		}
	}
}

// A node that isn't ready keeps pods without a node away too.
func TestANodeWhoseCNINeverCameUpRepelsPods(t *testing.T) {
	message := "0/1 nodes are available: 1 node(s) had untolerated taint {node.kubernetes.io/not-ready: }. preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling."
	for _, c := range []struct {
		name string
		age  time.Duration
		want []string
	}{{"for an hour", time.Hour, []string{"cni-not-initialized confirmed"}}, {"just started", 30 * time.Second, nil}} {
		s := newScene(120, 100)
		n := s.node("n1", "a", 0, 9)
		n.Created, n.Ready, n.ReadyMessage, n.Agent.Ready = now.Add(-c.age), "False", notInitialize, false
		n.Taints = []corev1.Taint{{Key: "node.kubernetes.io/not-ready", Effect: corev1.TaintEffectNoSchedule}}
		s.wait("", 2, "", func(p *corev1.Pod) {
			p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Message: message}}
		})
		r := s.judged(t)
		if d := cmp.Diff(c.want, keys(r.Causes)); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, d)
		}
		if len(r.Causes) > 0 && len(r.Causes[0].Affects) != 2 {
			t.Errorf("%s: affects %v", c.name, r.Causes[0].Affects)
		}
	}
}

func TestBranchInterfaces(t *testing.T) {
	own := func(p *corev1.Pod) {
		p.Spec.Containers = []corev1.Container{{Name: "api", Resources: corev1.ResourceRequirements{Limits: corev1.ResourceList{"vpc.amazonaws.com/pod-eni": *quantity(1)}}}}
	}
	says := func(c *scene, reason, message string, minutesAgo float64) {
		e := event(reason, message, minutesAgo)
		e.InvolvedObject = corev1.ObjectReference{Kind: "Pod", Namespace: "backend", UID: c.s.Pods[0].UID}
		c.s.Events = append(c.s.Events, *e)
	}
	const failedTo = "failed to allocate branch ENI to pod: creating network interface, operation error EC2: CreateNetworkInterface, https response error StatusCode: 400, api error "
	for _, c := range []struct {
		name           string
		edit           func(*scene)
		want, symptoms []string
		reason, fix    string
	}{
		{"a permission", func(c *scene) {
			says(c, "BranchAllocationFailed", failedTo+"UnauthorizedOperation: You are not authorized to perform this operation.", 0.1)
		}, []string{"branch-eni-failed confirmed"}, nil, "", "repair-pod-security-groups"},
		{"too many security groups", func(c *scene) {
			says(c, "BranchAllocationFailed", failedTo+"InvalidParameterValue: You have exceeded limit 5 on the number of interface security group memberships", 0.1)
		}, []string{"branch-eni-failed confirmed"}, nil, tooManyGroups, "fix-workload"},
		{"the subnet is full", func(c *scene) {
			c.s.Subnets[0].Available = 0
			says(c, "BranchAllocationFailed", failedTo+"InsufficientFreeAddressesInSubnet: The specified subnet does not have enough free addresses to satisfy the request.", 0.1)
		}, []string{"subnet-exhausted confirmed"}, []string{"branch-eni-failed confirmed"}, "", "add-pod-subnet"},
		{"the subnet was full", func(c *scene) {
			says(c, "BranchAllocationFailed", failedTo+"InsufficientFreeAddressesInSubnet: The specified subnet does not have enough free addresses to satisfy the request.", 0.1)
		}, []string{"branch-eni-failed confirmed"}, nil, noRoomLeft, ""},
		{"it was made after the failure", func(c *scene) { says(c, "ResourceAllocated", "Allocated [...] to the pod", 0.1) }, nil, nil, "", ""},
		{"the node got no trunk", func(c *scene) {
			c.say("Node", "n1", "TrunkENICreationFailed", "Failed to create trunk interface: no slot", 20)
		}, []string{"branch-eni-failed confirmed"}, nil, noTrunk, "repair-pod-security-groups"},
		{"the node says it has no trunk", func(c *scene) { c.s.node("n1").Labels["vpc.amazonaws.com/has-trunk-attached"] = "false" },
			[]string{"branch-eni-failed likely"}, nil, noTrunk, "repair-pod-security-groups"},
		{"nothing is said", func(*scene) {}, nil, nil, "", ""},
		{"nothing is said, and the node's subnet is full: a branch would need an address, but nobody has asked", func(c *scene) { c.s.Subnets[0].Available = 0 }, nil, nil, "", ""},
	} {
		s := newScene(120, 100)
		s.node("n1", "a", 2, 9)
		s.wait("n1", 1, assignFailed, own)
		c.edit(s)
		r := s.judged(t)
		if d := cmp.Diff(c.want, keys(r.Causes)); d != "" {
			t.Errorf("%s: causes (-want +got):\n%s%s", c.name, d, r.Summary)
			continue
		}
		if d := cmp.Diff(c.symptoms, keys(r.Symptoms)); d != "" {
			t.Errorf("%s: symptoms (-want +got):\n%s", c.name, d)
		}
		if len(r.Causes) > 0 && r.Causes[0].Reason != c.reason {
			t.Errorf("%s: reason %q, want %q", c.name, r.Causes[0].Reason, c.reason)
		}
		if ids := append(fixIDs(r), ""); ids[0] != c.fix {
			t.Errorf("%s: fixes %v, want %q first", c.name, ids, c.fix)
		}
	}
}

func TestAgentOf(t *testing.T) {
	ended := metav1.NewTime(now.Add(-time.Minute))
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "aws-node-x"}, Status: corev1.PodStatus{
		InitContainerStatuses: []corev1.ContainerStatus{{Name: "aws-vpc-cni-init", State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{}}}},
		ContainerStatuses: []corev1.ContainerStatus{
			{Name: "aws-eks-nodeagent", Ready: true},
			{Name: "aws-node", RestartCount: 9, State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}},
				LastTerminationState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: "OOMKilled", ExitCode: 137, FinishedAt: ended}}}}}}
	if d := cmp.Diff(&Agent{Name: "aws-node-x", Restarts: 9, Waiting: "CrashLoopBackOff", Ended: &Exit{"OOMKilled", 137, ended.Time}}, agentOf(p)); d != "" {
		t.Error(d)
	}
	p.Status.ContainerStatuses[1] = corev1.ContainerStatus{Name: "aws-node", State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "PodInitializing"}}}
	p.Status.InitContainerStatuses[0].State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff", Message: "no such host"}}
	if d := cmp.Diff(&Agent{Name: "aws-node-x", Waiting: "ImagePullBackOff", Message: "aws-vpc-cni-init: no such host"}, agentOf(p)); d != "" {
		t.Error(d)
	}
}

func TestWhoMayNot(t *testing.T) {
	c := newScene(120, 100)
	c.node("n1", "a", 9, 9).Agent.Env = map[string]string{"AWS_ROLE_ARN": "arn:aws:iam::111122223333:role/own", "WARM_ENI_TARGET": "1"}
	c.s.Addon = nil
	c.say("Pod", "aws-node-n1", "MissingIAMPermissions", "Unauthorized operation: failed to call ec2:AssignPrivateIpAddresses due to missing permissions.", 1)
	c.wait("n1", 2, assignFailed, nil)
	r := c.judged(t)
	if len(r.Causes) != 1 || r.Causes[0].Subject != "arn:aws:iam::111122223333:role/own" {
		t.Fatalf("%v %s", keys(r.Causes), r.Causes[0].Subject)
	}
	if commands := strings.Join(r.Fixes[0].Commands, "\n"); !strings.Contains(commands, "--role-name own") {
		t.Error(commands)
	}
	// What would come next: with the permission back there is still no address.
	c.s.Subnets[0].Available = 0
	r = c.judged(t)
	if d := cmp.Diff([]string{"cni-iam confirmed"}, keys(r.Causes)); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"subnet-exhausted confirmed"}, keys(r.Contributing)); d != "" {
		t.Error(d)
	}
}

// An outage of the reads leaves the CNI's pods unknown: nothing is claimed of them.
func TestUnreadAgentsAreAGap(t *testing.T) {
	c := down(refused, func(c *scene, n *Node) { n.Agent = nil })()
	c.s.Unread = []diagnostics.Unread{{Permission: "list pods", Reason: diagnostics.Denied}}
	r := c.judged(t)
	if len(r.Causes) > 0 || !r.Open() {
		t.Errorf("causes %v, open %v", keys(r.Causes), r.Open())
	}
}
