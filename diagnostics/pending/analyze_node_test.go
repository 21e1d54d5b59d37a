package pending

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

const policyFailed = `Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox "x": plugin type="aws-cni" name="aws-cni" failed (add): add cmd: failed to setup network policy`

// What is wrong with a node, and not with its subnets: the facts of the node tell such causes apart.
func TestTroubleOfTheNode(t *testing.T) {
	for _, c := range []struct {
		name  string
		build func() *scene
		want  []string
		also  []string // contributing
		fix   string
		says  string
	}{
		{"short of disk, and addresses are free", func() *scene {
			c := newScene(100, 100)
			c.node("n1", "a", 5, 9).DiskPressure = true
			c.wait("n1", 2, assignFailed, nil)
			return c
		}, []string{"node-disk likely"}, nil, "fix-workload", "4 addresses free"},
		{"short of disk, but the subnet is full", func() *scene {
			c := newScene(0, 100)
			c.node("n1", "a", 9, 9).DiskPressure = true
			c.wait("n1", 2, assignFailed, nil)
			return c
		}, []string{"subnet-exhausted confirmed"}, nil, "add-pod-subnet", ""},
		{"short of disk, but ipamd counts all addresses as assigned", func() *scene {
			c := newScene(100, 100)
			n := c.node("n1", "a", 5, 9)
			n.DiskPressure, n.Metrics = true, &Metrics{Total: 9, Assigned: 9}
			c.wait("n1", 2, assignFailed, nil)
			for n := range c.s.Events {
				c.s.Events[n].FirstTimestamp.Time = now.Add(-settled / 2)
			}
			return c
		}, []string{"ipamd-leak possible"}, nil, "restart-ipamd", "less than two minutes"},
		{"short of disk, and nothing else tells why the pool does not grow", func() *scene {
			c := newScene(100, 100)
			c.node("n1", "a", 9, 9).DiskPressure = true
			c.wait("n1", 2, assignFailed, nil)
			return c
		}, []string{"node-disk possible"}, nil, "fix-workload", ""},
		{"the sandbox itself tells of the disk", func() *scene {
			c := newScene(100, 100)
			c.node("n1", "a", 5, 9)
			c.wait("n1", 1, "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to create containerd task: failed to create shim task: mkdir /run/containerd: no space left on device", nil)
			return c
		}, []string{"node-disk likely"}, nil, "fix-workload", ""},
		{"the metadata shows an interface too late", func() *scene {
			c := newScene(100, 100)
			c.node("n1", "a", 9, 9).Metrics = &Metrics{Total: 9, Assigned: 9, Failures: map[string]int{waitAttached: 3}}
			c.wait("n1", 2, assignFailed, nil)
			return c
		}, []string{"imds-lag possible"}, nil, "observe-ipam", "gives up"},
		{"the metadata does not show an interface that is attached: ipamd has lost nothing", func() *scene {
			c := newScene(100, 100)
			c.node("n1", "a", 9, 9, 9).Metrics = &Metrics{Total: 9, Assigned: 9, Failures: map[string]int{waitAttached: 3}}
			c.wait("n1", 2, assignFailed, nil)
			return c
		}, []string{"imds-lag possible"}, nil, "observe-ipam", ""},
		{"the metadata lagged once, but EC2 has no attachment left", func() *scene {
			c := newScene(100, 100)
			n := c.node("n1", "a", 9, 9)
			n.Volumes = 26
			n.Metrics = &Metrics{Total: 9, Assigned: 9, Errors: []APIError{{"AttachNetworkInterface", "AttachmentLimitExceeded", 40}}, Failures: map[string]int{waitAttached: 1}}
			c.wait("n1", 2, assignFailed, nil)
			return c
		}, []string{"attachment-limit likely"}, nil, "new-node-group", "26 volumes"},
		{"no attachment left, but an interface has room", func() *scene {
			c := newScene(100, 100)
			n := c.node("n1", "a", 8, 8)
			n.Metrics = &Metrics{Total: 8, Assigned: 8, Errors: []APIError{{"AttachNetworkInterface", "AttachmentLimitExceeded", 40}}}
			c.wait("n1", 2, assignFailed, nil)
			return c
		}, nil, nil, "observe-ipam", ""},
		{"the quota is hit, but an interface has room, and calls are throttled", func() *scene {
			c := newScene(100, 100)
			n := c.node("n1", "a", 8, 8)
			n.Metrics = &Metrics{Total: 8, Assigned: 8, Errors: []APIError{{"AssignPrivateIpAddresses", "RequestLimitExceeded", 5}, {"CreateNetworkInterface", "NetworkInterfaceLimitExceeded", 40}}}
			c.wait("n1", 2, assignFailed, nil)
			return c
		}, []string{"api-throttled likely"}, nil, "raise-quota", ""},
		{"only the log tells of the quota", func() *scene {
			c := newScene(100, 100)
			n := c.node("n1", "a", 9, 9)
			n.Agent.Log = []string{`{"level":"error","msg":"Failed to CreateNetworkInterface operation error EC2: CreateNetworkInterface, api error NetworkInterfaceLimitExceeded: … for subnet subnet-a"}`}
			c.wait("n1", 2, assignFailed, nil)
			return c
		}, []string{"eni-quota likely"}, nil, "raise-quota", ""},
		{"the log tells of a call that gets no address", func() *scene {
			c := newScene(100, 100)
			n := c.node("n1", "a", 9, 9)
			n.Agent.Log = []string{`{"level":"error","msg":"operation error EC2: DeleteNetworkInterface, api error UnauthorizedOperation"}`}
			c.wait("n1", 2, assignFailed, nil)
			return c
		}, nil, nil, "observe-ipam", ""},
		{"cordoned, and the subnet would be next", func() *scene {
			c := newScene(0, 100)
			c.node("n1", "a", 9, 9).Cordoned = true
			c.wait("n1", 1, assignFailed, nil)
			return c
		}, []string{"node-cordoned confirmed"}, []string{"subnet-exhausted confirmed"}, "fix-workload", ""},
		{"cordoned, but the CNI is told to serve such nodes", func() *scene {
			c := newScene(0, 100)
			c.node("n1", "a", 9, 9).Cordoned = true
			c.s.Driver.Env["AWS_MANAGE_ENIS_NON_SCHEDULABLE"] = "true"
			c.wait("n1", 1, assignFailed, nil)
			return c
		}, []string{"subnet-exhausted confirmed"}, nil, "add-pod-subnet", ""},
		{"cordoned, with fewer free addresses than pods", func() *scene {
			c := newScene(100, 100)
			c.node("n1", "a", 8, 9).Cordoned = true
			c.wait("n1", 2, assignFailed, nil)
			return c
		}, []string{"node-cordoned likely"}, nil, "fix-workload", ""},
		{"the books of ipamd do not fit, as the monitoring agent says", func() *scene {
			c := newScene(100, 100)
			c.node("n1", "a", 5, 9).Networking = "IPAMDInconsistentState"
			c.wait("n1", 2, assignFailed, func(p *corev1.Pod) {})
			for n := range c.s.Events {
				c.s.Events[n].FirstTimestamp.Time = now.Add(-10 * settled)
			}
			return c
		}, []string{"ipamd-leak likely"}, nil, "restart-ipamd", ""},
		{"the books of ipamd fit", func() *scene {
			c := newScene(100, 100)
			c.node("n1", "a", 5, 9).Metrics = &Metrics{Total: 9, Assigned: 5}
			c.wait("n1", 2, assignFailed, nil)
			return c
		}, nil, nil, "observe-ipam", ""},
		{"the policy agent does not answer", func() *scene {
			c := newScene(0, 100)
			c.node("n1", "a", 5, 9)
			c.wait("n1", 2, policyFailed, nil)
			return c
		}, []string{"network-policy-agent confirmed"}, nil, "restart-ipamd", ""},
		{"the policy agent ends again and again", func() *scene {
			c := newScene(0, 100)
			c.node("n1", "a", 5, 9).Agent.PolicyAgent = "CrashLoopBackOff, with 12 restarts"
			c.wait("n1", 2, policyFailed, nil)
			return c
		}, []string{"network-policy-agent confirmed"}, nil, "fix-workload", "CrashLoopBackOff"},
		{"the address was had, and the interface not set up", func() *scene {
			c := newScene(0, 100)
			c.node("n1", "a", 5, 5)
			c.wait("n1", 2, strings.Replace(policyFailed, "add cmd: failed to setup network policy", "add command: failed to setup network: setup NS network: failed to generate veth", 1), nil)
			return c
		}, nil, nil, "", "got its address"},
		{"another plugin calls the CNI, which has no address", func() *scene {
			c := newScene(0, 100)
			c.node("n1", "a", 5, 5)
			c.wait("n1", 2, `Failed to create pod sandbox: plugin type="multus" name="multus-cni-network" failed (add): [backend/api:aws-cni]: error adding container to network "aws-cni": add cmd: failed to assign an IP address to container`, nil)
			return c
		}, []string{"subnet-exhausted confirmed"}, nil, "add-pod-subnet", ""},
		{"a pod with its own security groups gets no branch interface, in the same words", func() *scene {
			c := newScene(0, 100)
			c.node("n1", "a", 5, 9)
			c.wait("n1", 1, assignFailed, func(p *corev1.Pod) {
				p.Spec.Containers = []corev1.Container{{Name: "app", Resources: corev1.ResourceRequirements{Limits: corev1.ResourceList{branchDevice: resource.MustParse("1")}}}}
			})
			e := event("BranchAllocationFailed", "failed to allocate branch ENI to pod: creating network interface, NotAuthorized", 1)
			e.InvolvedObject = corev1.ObjectReference{Kind: "Pod", Namespace: "backend", Name: c.s.Pods[0].Name, UID: c.s.Pods[0].UID}
			c.s.Events = append(c.s.Events, *e)
			return c
		}, []string{"branch-eni-failed confirmed"}, nil, "repair-pod-security-groups", ""},
		{"a plugin chained after the CNI fails", func() *scene {
			c := newScene(0, 100)
			c.node("n1", "a", 5, 5)
			c.wait("n1", 2, `Failed to create pod sandbox: plugin type="cilium-cni" name="aws-cni" failed (add): unable to connect to Cilium daemon`, nil)
			return c
		}, []string{"other-cni confirmed"}, nil, "", "chained"},
		{"a plain helper fails: no other CNI", func() *scene {
			c := newScene(100, 100)
			c.node("n1", "a", 5, 9)
			c.wait("n1", 2, `Failed to create pod sandbox: plugin type="portmap" name="aws-cni" failed (add): unable to create chain`, nil)
			return c
		}, nil, nil, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := c.build().judged(t)
			if got := keys(r.Causes); !slices.Equal(got, c.want) {
				t.Errorf("causes %v, want %v; %s", got, c.want, r.Summary)
			}
			if got := keys(r.Contributing); !slices.Equal(got, c.also) {
				t.Errorf("contributing %v, want %v", got, c.also)
			}
			first := ""
			if len(r.Fixes) > 0 {
				first = strings.TrimPrefix(r.Fixes[0].ID, "pending/")
			}
			if first != c.fix {
				t.Errorf("first fix %q, want %q", first, c.fix)
			}
			if !strings.Contains(r.Summary, c.says) {
				t.Errorf("summary %q does not say %q", r.Summary, c.says)
			}
		})
	}
}

func TestMissedReadsLeaveTheNodeOpen(t *testing.T) {
	c := newScene(100, 100)
	c.node("n1", "a", 5, 9)
	c.wait("n1", 2, assignFailed, nil)
	c.s.Unread = denied("get pods/proxy")
	r := c.judged(t)
	if len(r.Causes) > 0 || len(r.Gaps) != 1 || !slices.Contains(r.Gaps[0].Caps, "pending/ipamd-leak") || !slices.Contains(r.Gaps[0].Caps, "pending/imds-lag") {
		t.Errorf("causes %v, gaps %+v", keys(r.Causes), r.Gaps)
	}
}
