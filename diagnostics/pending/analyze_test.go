package pending

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/diagnostics/awsnode"
)

// errors gives a node's CNI an answer of EC2 that it has counted.
func errorsOf(n *Node, total, assigned int, code string) {
	n.Metrics = &Metrics{Total: total, Assigned: assigned, Errors: []APIError{{"AssignPrivateIpAddresses", code, 40}}}
}

// The text of the pods' event is the same in all of them: only ledgers and settings tell the causes apart.
func TestOneTextManyCauses(t *testing.T) {
	for _, c := range []struct {
		name  string
		build func() *scene
		want  []string
		fix   string // the first; empty where none may be offered
	}{
		{"the subnet is full", func() *scene {
			c := newScene(0, 100)
			c.node("n1", "a", 2, 2)
			c.wait("n1", 3, assignFailed, nil)
			return c
		}, []string{"subnet-exhausted confirmed"}, "add-pod-subnet"},
		{"the subnet is full, and nothing is said of the pods", func() *scene {
			c := newScene(0, 100)
			c.node("n1", "a", 2, 2)
			c.wait("n1", 3, "", nil)
			c.s.Unread = denied("list events")
			return c
		}, []string{"subnet-exhausted confirmed"}, "add-pod-subnet"},
		{"nothing is said of pods that may wait for a volume", func() *scene {
			c := newScene(0, 100)
			c.node("n1", "a", 2, 2)
			c.wait("n1", 3, "", func(p *corev1.Pod) {
				p.Spec.Volumes = []corev1.Volume{{VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "db"}}}}
			})
			c.s.Unread = denied("list events")
			return c
		}, []string{"subnet-exhausted likely"}, "add-pod-subnet"},
		{"fewer free than a whole interface asks for", func() *scene {
			c := newScene(6, 100)
			c.node("n1", "a", 9, 9)
			c.wait("n1", 2, assignFailed, nil)
			return c
		}, []string{"eni-all-or-nothing confirmed"}, "tune-warm-pool"},
		{"an interface with room needs one address, and there are six", func() *scene {
			c := newScene(6, 100)
			c.node("n1", "a", 8, 8)
			c.wait("n1", 2, assignFailed, nil)
			return c
		}, nil, "observe-ipam"},
		{"interfaces and addresses of the type are used up", func() *scene {
			c := newScene(0, 100)
			c.node("n1", "a", 27, 9, 9, 9).MaxPods = 40
			c.wait("n1", 1, assignFailed, nil)
			return c
		}, []string{"eni-slots-full confirmed"}, "set-max-pods"},
		{"a trunk takes the place of an interface", func() *scene {
			c := newScene(100, 100)
			c.node("n1", "a", 18, 9, 9, 0)
			c.s.Interfaces[2].Type = "trunk"
			c.wait("n1", 1, assignFailed, nil)
			return c
		}, []string{"eni-slots-full confirmed"}, "set-max-pods"},
		{"the minimum alone caps the node", func() *scene {
			c := newScene(200, 100)
			c.node("n1", "a", 8, 8)
			c.s.Driver.Env["MINIMUM_IP_TARGET"] = "8"
			c.wait("n1", 2, assignFailed, nil)
			return c
		}, []string{"warm-target-cap confirmed"}, "tune-warm-pool"},
		{"what runs on the node counts, not what the DaemonSet says by now", func() *scene {
			c := newScene(200, 100)
			c.node("n1", "a", 8, 8).Agent.Env = map[string]string{"WARM_ENI_TARGET": "1", "MINIMUM_IP_TARGET": "8"}
			c.wait("n1", 2, assignFailed, nil)
			return c
		}, []string{"warm-target-cap confirmed"}, "tune-warm-pool"},
		{"the DaemonSet can't be read, but the pod shows its settings", func() *scene {
			c := newScene(200, 100)
			c.node("n1", "a", 8, 8).Agent.Env = map[string]string{"WARM_ENI_TARGET": "1", "MINIMUM_IP_TARGET": "8"}
			c.wait("n1", 2, assignFailed, nil)
			c.s.Driver, c.s.Unread = nil, denied("list daemonsets.apps")
			return c
		}, []string{"warm-target-cap confirmed"}, "tune-warm-pool"},
		{"the settings can't be read, and there is room", func() *scene {
			c := newScene(200, 100)
			errorsOf(c.node("n1", "a", 9, 9), 9, 9, "InsufficientCidrBlocks")
			c.wait("n1", 2, assignFailed, nil)
			c.s.Driver, c.s.Unread = nil, denied("list daemonsets.apps")
			return c
		}, nil, ""},
		{"the node is cordoned", func() *scene {
			c := newScene(140, 100)
			c.node("n1", "a", 9, 9).Cordoned = true
			c.wait("n1", 1, assignFailed, nil)
			return c
		}, []string{"node-cordoned confirmed"}, "fix-workload"},
		{"ipamd counts addresses that no pod has", func() *scene {
			c := newScene(100, 100)
			errorsOf(c.node("n1", "a", 19, 9, 9, 9), 27, 27, "PrivateIpAddressLimitExceeded")
			c.wait("n1", 2, assignFailed, nil)
			return c
		}, []string{"ipamd-leak likely"}, "restart-ipamd"},
		{"addresses are free, and nothing tells why they are not used", func() *scene {
			c := newScene(100, 100)
			c.node("n1", "a", 5, 9)
			c.wait("n1", 2, assignFailed, nil)
			return c
		}, nil, "observe-ipam"},
		{"a permission is missing", func() *scene {
			c := newScene(150, 100)
			c.node("n1", "a", 9, 9)
			c.say("Pod", "aws-node-n1", "MissingIAMPermissions", "Unauthorized operation: failed to call ec2:AssignPrivateIpAddresses due to missing permissions.", 1)
			c.wait("n1", 2, assignFailed, nil)
			return c
		}, []string{"cni-iam confirmed"}, "repair-cni-iam"},
		{"a permission that gives addresses back is no reason", func() *scene {
			c := newScene(0, 100)
			c.node("n1", "a", 9, 9)
			c.say("Pod", "aws-node-n1", "MissingIAMPermissions", "Unauthorized operation: failed to call ec2:UnassignPrivateIpAddresses due to missing permissions.", 1)
			c.wait("n1", 2, assignFailed, nil)
			return c
		}, []string{"subnet-exhausted confirmed"}, "add-pod-subnet"},
		{"a permission that was missing two hours ago is no reason", func() *scene {
			c := newScene(0, 100)
			c.node("n1", "a", 9, 9)
			c.say("Pod", "aws-node-n1", "MissingIAMPermissions", "Unauthorized operation: failed to call ec2:AssignPrivateIpAddresses due to missing permissions.", 120)
			c.wait("n1", 2, assignFailed, nil)
			return c
		}, []string{"subnet-exhausted confirmed"}, "add-pod-subnet"},
		{"EC2 counted a missing permission", func() *scene {
			c := newScene(150, 100)
			errorsOf(c.node("n1", "a", 9, 9), 9, 9, "UnauthorizedOperation")
			c.wait("n1", 2, assignFailed, nil)
			return c
		}, []string{"cni-iam likely"}, "repair-cni-iam"},
		{"network address units", func() *scene {
			c := newScene(150, 100)
			errorsOf(c.node("n1", "a", 9, 9), 9, 9, "NetworkAddressUsageLimitExceeded")
			c.wait("n1", 2, assignFailed, nil)
			return c
		}, []string{"nau-limit confirmed"}, "raise-quota"},
		{"attachments", func() *scene {
			c := newScene(150, 100)
			errorsOf(c.node("n1", "a", 9, 9), 9, 9, "AttachmentLimitExceeded")
			c.wait("n1", 2, assignFailed, nil)
			return c
		}, []string{"attachment-limit likely"}, "new-node-group"},
		{"throttled on one node only", func() *scene {
			c := newScene(150, 100)
			errorsOf(c.node("n1", "a", 9, 9), 9, 9, "RequestLimitExceeded")
			c.wait("n1", 2, assignFailed, nil)
			return c
		}, []string{"api-throttled likely"}, "raise-quota"},
		{"another CNI", func() *scene {
			c := newScene(0, 100)
			c.node("n1", "a", 0, 0)
			c.wait("n1", 2, `failed to setup network for sandbox "x": plugin type="cilium-cni" failed (add): no IPs available in pool`, nil)
			return c
		}, []string{"other-cni confirmed"}, ""},
		{"the network of the node needs no address", func() *scene {
			c := newScene(0, 100)
			c.node("n1", "a", 2, 2)
			c.wait("n1", 1, "", func(p *corev1.Pod) { p.Spec.HostNetwork = true })
			return c
		}, nil, ""},
		{"Windows nodes have other ways", func() *scene {
			c := newScene(0, 100)
			c.node("n1", "a", 2, 2).Labels["kubernetes.io/os"] = "windows"
			c.wait("n1", 1, assignFailed, nil)
			return c
		}, nil, ""},
		{"no ENIConfig", func() *scene {
			c := newScene(100, 100)
			c.node("n1", "a", 0, 0)
			c.s.Driver.Env["AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG"] = "true"
			c.wait("n1", 1, assignFailed, nil)
			return c
		}, []string{"eniconfig confirmed"}, "custom-networking"},
		{"the ENIConfig names a subnet of another zone", func() *scene {
			c := newScene(100, 100)
			c.node("n1", "a", 0, 0)
			c.s.Driver.Env["AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG"] = "true"
			c.s.ENIConfigs = map[string]string{"default": "subnet-b"}
			c.wait("n1", 1, assignFailed, nil)
			return c
		}, []string{"eniconfig confirmed"}, "custom-networking"},
		{"settings that the CNI refuses", func() *scene {
			c := newScene(100, 100)
			n := c.node("n1", "a", 2, 2)
			n.Agent.Ready, n.Agent.Waiting = false, "CrashLoopBackOff"
			c.s.Driver.Env["ENABLE_PREFIX_DELEGATION"], c.s.Driver.Env["WARM_PREFIX_TARGET"] = "true", "0"
			c.wait("n1", 1, "add cmd: Error received from AddNetwork gRPC call: connection refused", nil)
			return c
		}, []string{"cni-misconfigured confirmed"}, "tune-warm-pool"},
		{"ipamd is down", func() *scene {
			c := newScene(100, 100)
			c.node("n1", "a", 2, 2).Agent.Ready = false
			c.wait("n1", 1, "add cmd: failed to connect to backend server", nil)
			return c
		}, []string{"ipamd-down confirmed"}, "restart-ipamd"},
		{"the node is gone silent", func() *scene {
			c := newScene(0, 100)
			n := c.node("n1", "a", 2, 2)
			n.Ready, n.ReadyMessage = "Unknown", "Kubelet stopped posting node status."
			c.wait("n1", 1, assignFailed, nil)
			return c
		}, []string{"node-not-ready confirmed"}, "fix-workload"},
	} {
		r := c.build().judged(t)
		if d := cmp.Diff(c.want, keys(r.Causes)); d != "" {
			t.Errorf("%s: causes (-want +got):\n%s%s", c.name, d, r.Summary)
		}
		first := ""
		if ids := fixIDs(r); len(ids) > 0 {
			first = ids[0]
		}
		if first != c.fix {
			t.Errorf("%s: first fix %q, want %q", c.name, first, c.fix)
		}
		if len(c.want) == 0 && !strings.Contains(r.Summary, "not known") && !r.Open() {
			t.Errorf("%s: an unknown cause must be said to be unknown: %s", c.name, r.Summary)
		}
		for _, f := range r.Refused {
			if !strings.ContainsAny(f.Why, "0123456789") {
				t.Errorf("%s: %s is refused without a number: %s", c.name, f.ID, f.Why)
			}
		}
		for _, f := range slices.Concat(r.Causes, r.Contributing, r.Symptoms) {
			for _, e := range f.Evidence {
				if e.Repeat == "" || e.Source == "" || e.Value == "" {
					t.Errorf("%s: evidence of %s that can't be repeated: %+v", c.name, f.ID, e)
				}
			}
		}
	}
}

func TestWithoutEC2NoSubnetIsBlamed(t *testing.T) {
	c := newScene(0, 0)
	errorsOf(c.node("n1", "a", 2, 2), 2, 2, "InsufficientFreeAddressesInSubnet")
	c.wait("n1", 3, assignFailed, nil)
	c.s.Subnets, c.s.Interfaces, c.s.Whole, c.s.VPC = nil, nil, nil, nil
	c.s.Unread = denied("ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets")
	r := c.judged(t)
	if len(r.Causes) > 0 || len(r.Fixes) > 0 || !r.Open() {
		t.Errorf("causes %v, fixes %v, open %v", keys(r.Causes), fixIDs(r), r.Open())
	}
	for _, g := range r.Gaps {
		if !slices.Contains(g.Caps, "pending/subnet-exhausted") {
			t.Errorf("gap %s doesn't keep subnet-exhausted open: %v", g.Permission, g.Caps)
		}
	}
}

func TestSpareAddressesOfAnotherSubnetDontHelp(t *testing.T) {
	c := newScene(0, 50)
	c.node("n1", "a", 9, 9)
	for k := range 5 {
		c.node(fmt.Sprintf("m%d", k), "b", 6, 9, 9)
	}
	c.wait("n1", 2, assignFailed, nil)
	r := c.judged(t)
	if d := cmp.Diff([]string{"subnet-exhausted confirmed"}, keys(r.Causes)); d != "" {
		t.Error(d)
	}
	if slices.Contains(fixIDs(r), "tune-warm-pool") || !slices.Contains(refusedIDs(r), "tune-warm-pool") || slices.Contains(keys(r.Contributing), "warm-pool-overheld confirmed") {
		t.Errorf("fixes %v, refused %v, contributing %v", fixIDs(r), refusedIDs(r), keys(r.Contributing))
	}
}

func TestWarmPoolFreesWhatIsMissingInTheShortSubnet(t *testing.T) {
	c := warmScene()
	r := c.judged(t)
	if d := cmp.Diff([]string{"warm-pool-overheld confirmed"}, keys(r.Contributing)); d != "" {
		t.Error(d)
	}
	fix := r.Fixes[0]
	if fix.ID != "pending/tune-warm-pool" || fix.Frees != 96 || fix.Needs != 6 || !fix.Executable {
		t.Fatalf("first fix %s frees %d of %d, executable %v", fix.ID, fix.Frees, fix.Needs, fix.Executable)
	}
	set := fix.Action.AddonConfig
	if d := cmp.Diff(map[string]string{"WARM_IP_TARGET": "2", "MINIMUM_IP_TARGET": "10"}, set.Set); d != "" || set.Was != "{}" || set.RoleARN == "" {
		t.Errorf("action %+v %s", set, d)
	}
	if d := cmp.Diff([]string{"pending/subnet-exhausted subnet-a"}, fix.Resolves); d != "" {
		t.Error(d)
	}
	if slices.Contains(fixIDs(r), "enable-prefix-delegation") || !slices.Contains(refusedIDs(r), "enable-prefix-delegation") {
		t.Errorf("prefix delegation must be refused: %v", r.Refused)
	}
}

// Targets that most nodes don't reach have them take more than the others give: they are as low as they have to be, or refused.
func TestWarmPoolTargetsThatNodesGrowTo(t *testing.T) {
	crowded := func(target string, used, held int) diagnostics.Report {
		c := newScene(0, 120)
		c.s.Driver.Env = map[string]string{"WARM_IP_TARGET": target}
		for k := range 8 {
			c.node(fmt.Sprintf("m%02d", k), "a", used, held)
		}
		c.node("l0", "a", 8, 9, 9)
		c.node("l1", "a", 8, 9, 9)
		c.node("n1", "a", 2, 2)
		c.wait("n1", 2, assignFailed, nil)
		return c.judged(t)
	}
	r := crowded("2", 3, 5) // with 10 in all, as the larger nodes need, eight nodes would take 5 each
	if fix := r.Fixes[0]; fix.ID != "pending/tune-warm-pool" || fix.Frees != 16 || fix.Action.AddonConfig.Set["MINIMUM_IP_TARGET"] != "5" || !strings.Contains(fix.Proof, "14 are left over then") {
		t.Errorf("%s frees %d: %q, %s", fix.ID, fix.Frees, fix.Changes, fix.Proof)
	}
	r = crowded("1", 3, 4) // two instead of one: each takes one more at least
	if fix := r.Fixes[0]; fix.ID != "pending/tune-warm-pool" || !strings.Contains(fix.Proof, "up to 8 for nodes that hold fewer than the targets ask; 6 are left over then") {
		t.Errorf("%s frees %d: %q, %s", fix.ID, fix.Frees, fix.Changes, fix.Proof)
	}
	r = crowded("1", 8, 9) // and no larger interface to give anything but one each
	n := slices.IndexFunc(r.Refused, func(f diagnostics.Refused) bool { return f.ID == "pending/tune-warm-pool" })
	if n < 0 || slices.Contains(fixIDs(r), "tune-warm-pool") || !strings.Contains(r.Refused[n].Why, "and nodes that hold fewer than the targets ask take up to") {
		t.Errorf("fixes %v, refused %+v", fixIDs(r), r.Refused)
	}
}

// warmScene has twelve nodes that keep ten addresses each, and a new one whose six pods wait.
func warmScene() *scene {
	c := newScene(0, 120)
	for k := range 12 {
		c.node(fmt.Sprintf("m%02d", k), "a", 8, 9, 9)
	}
	c.node("n1", "a", 2, 2)
	c.wait("n1", 6, assignFailed, nil)
	return c
}

func TestSettingsAreChangedThroughTheirOwner(t *testing.T) {
	for _, c := range []struct {
		name, owner string
		edit        func(*Snapshot)
		executable  bool
		command     string
	}{
		{"the add-on", "eks-addon", func(*Snapshot) {}, true, `--configuration-values '{"env":{"MINIMUM_IP_TARGET":"10","WARM_IP_TARGET":"2"}}'`},
		{"the add-on keeps what it has", "eks-addon", func(s *Snapshot) {
			s.Addon.Configuration = `{"env":{"AWS_VPC_K8S_CNI_LOGLEVEL":"INFO"},"resources":{}}`
		}, true,
			`'{"env":{"AWS_VPC_K8S_CNI_LOGLEVEL":"INFO","MINIMUM_IP_TARGET":"10","WARM_IP_TARGET":"2"},"resources":{}}'`},
		{"what was set by hand is adopted", "eks-addon", func(s *Snapshot) {
			s.Driver.Env["ENABLE_POD_ENI"] = "true"
			s.Driver.Managers = []awsnode.Manager{{Name: "eks", Env: []string{"WARM_ENI_TARGET"}}, {Name: "kubectl-set", Env: []string{"ENABLE_POD_ENI"}}}
		}, true, `"ENABLE_POD_ENI":"true"`},
		{"the add-on is being updated", "eks-addon", func(s *Snapshot) { s.Addon.Status = "UPDATING" }, false, "update-addon"},
		{"a rollout is under way", "eks-addon", func(s *Snapshot) { s.Driver.Updated-- }, false, "update-addon"},
		{"its configuration is YAML", "eks-addon", func(s *Snapshot) { s.Addon.Configuration = "env:\n  A: b\n" }, false, "update-addon"},
		{"Terraform has the add-on", "terraform", func(s *Snapshot) { s.Addon.Tags = map[string]string{"managed-by": "Terraform"} }, false, "jsonencode"},
		{"CloudFormation has the add-on", "cloudformation", func(s *Snapshot) { s.Addon.Tags = map[string]string{"aws:cloudformation:stack-name": "x"} }, false, "ConfigurationValues"},
		{"nobody has it", "none", func(s *Snapshot) {
			s.Addon = nil
			s.Driver.Labels = map[string]string{"app.kubernetes.io/managed-by": "Helm"} // stands there without Helm too
		}, true, "kubectl set env daemonset/aws-node"},
		{"Helm", "helm", func(s *Snapshot) {
			s.Addon = nil
			s.Driver.Annotations = map[string]string{"meta.helm.sh/release-name": "aws-vpc-cni"}
		}, false, "helm upgrade"},
		{"Argo CD", "argocd", func(s *Snapshot) {
			s.Addon = nil
			s.Driver.Annotations = map[string]string{"argocd.argoproj.io/tracking-id": "x"}
		}, false, "in Git"},
		{"Flux, by its field manager", "flux", func(s *Snapshot) {
			s.Addon = nil
			s.Driver.Managers = []awsnode.Manager{{Name: "kustomize-controller"}}
		}, false, "in Git"},
		{"not known", "unknown", func(s *Snapshot) { s.Addon = nil; s.Unread = denied("eks:DescribeAddon") }, false, "aws-node is declared"},
	} {
		scene := warmScene()
		c.edit(&scene.s)
		fix := scene.judged(t).Fixes[0]
		if fix.ID != "pending/tune-warm-pool" || fix.Owner != c.owner || fix.Executable != c.executable || (fix.Action != nil) != c.executable {
			t.Errorf("%s: %s of %s, executable %v, action %v", c.name, fix.ID, fix.Owner, fix.Executable, fix.Action != nil)
		}
		if !strings.Contains(strings.Join(fix.Commands, "\n"), c.command) {
			t.Errorf("%s: commands %q lack %q", c.name, fix.Commands, c.command)
		}
	}
}

func TestTwoCausesAtOnce(t *testing.T) {
	c := newScene(0, 120)
	c.node("n1", "a", 9, 9)
	c.node("n2", "b", 9, 9)
	c.say("Pod", "aws-node-n2", "MissingIAMPermissions", "Unauthorized operation: failed to call ec2:CreateNetworkInterface due to missing permissions.", 1)
	c.wait("n1", 3, assignFailed, nil)
	c.wait("n2", 2, assignFailed, nil)
	r := c.judged(t)
	if d := cmp.Diff([]string{"cni-iam confirmed", "subnet-exhausted confirmed"}, keys(r.Causes)); d != "" {
		t.Error(d)
	}
	if r.Causes[0].ID != "pending/subnet-exhausted" {
		t.Errorf("the one that stops three pods comes first, not %s", r.Causes[0].ID)
	}
}

func TestWhatHidesBehindAMissingSecretContributes(t *testing.T) {
	c := newScene(0, 120)
	c.node("n1", "a", 2, 2)
	c.wait("n1", 1, "", nil)
	e := event("FailedMount", `MountVolume.SetUp failed for volume "cfg" : secret "db" not found`, 0.2)
	e.InvolvedObject = corev1.ObjectReference{Kind: "Pod", Namespace: "backend", UID: c.s.Pods[0].UID}
	c.s.Events = append(c.s.Events, *e)
	r := c.judged(t)
	if d := cmp.Diff([]string{"missing-config confirmed"}, keys(r.Causes)); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"subnet-exhausted confirmed"}, keys(r.Contributing)); d != "" {
		t.Error(d)
	}
	if r.Causes[0].Subject != "secret/db" || fixIDs(r)[0] != "fix-workload" {
		t.Errorf("subject %s, fixes %v", r.Causes[0].Subject, fixIDs(r))
	}
}

func TestNothingWaits(t *testing.T) {
	c := newScene(0, 120)
	c.node("n1", "a", 2, 9, 9)
	r := c.judged(t)
	if !r.Healthy() || len(r.Fixes) > 0 || len(r.Passed) == 0 {
		t.Errorf("healthy %v, fixes %v, passed %v", r.Healthy(), fixIDs(r), r.Passed)
	}
}

func TestUsedByOthersThanTheNodesCanHold(t *testing.T) {
	c := newScene(3, 5)
	errorsOf(c.node("n1", "a", 11, 5, 5, 1), 11, 11, "InsufficientFreeAddressesInSubnet")
	c.wait("n1", 4, assignFailed, nil)
	r := c.judged(t)
	if d := cmp.Diff([]string{"subnet-exhausted likely"}, keys(r.Causes)); d != "" {
		t.Error(d)
	}
	if len(r.Contradictions) != 1 || !strings.Contains(r.Contradictions[0], "248 addresses are in use in 1 subnet, but 1 m5.large node can hold at most 30") {
		t.Errorf("contradictions %q", r.Contradictions)
	}
}

func TestSameSnapshotSameReport(t *testing.T) {
	c := warmScene()
	raw, err := json.Marshal(c.s)
	if err != nil {
		t.Fatal(err)
	}
	var first []byte
	for range 30 {
		out, err := Diagnosis.Replay(raw, c.s.Target, now)
		if err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(out.Report)
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = b
		}
		if !bytes.Equal(first, b) {
			t.Fatal("the same snapshot gave two reports")
		}
	}
}

func TestEveryCauseIsDeclared(t *testing.T) {
	for _, id := range Diagnosis.Causes {
		if diagnostics.CauseByID("pending/"+id).ID == "" {
			t.Errorf("%s is not in the catalogue", id)
		}
	}
}
