package pending

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/netdiag/netdiag/internal/eks"
	"github.com/netdiag/netdiag/internal/vpc"
)

// about adds a warning about the pods that wait.
func (c *scene) about(reason, message string, minutesAgo float64) {
	c.ofPod("Warning", reason, "kubelet", message, minutesAgo)
}

// onNode is a node with room for addresses, and one pod on it whose container is in a state.
func onNode(state corev1.ContainerState, edit func(*corev1.Pod)) *scene {
	c := newScene(100, 100)
	c.node("n1", "a", 2, 9)
	c.wait("n1", 1, "", func(p *corev1.Pod) {
		p.Spec.Containers = []corev1.Container{{Name: "api", Image: "registry.example.com/api:1.5.0"}}
		p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "api", Image: "registry.example.com/api:1.5.0", State: state}}
		if edit != nil {
			edit(p)
		}
	})
	return c
}

func waitingFor(reason, message string) corev1.ContainerState {
	return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}
}

const pullFailed = `Failed to pull image "registry.example.com/api:1.5.0": failed to resolve reference "registry.example.com/api:1.5.0": `

// Pods that have their address, or whose volumes or runtime fail, are never told to wait for one.
func TestWhatIsNoMatterOfAddresses(t *testing.T) {
	creating := waitingFor("ContainerCreating", "")
	with := func(volumes ...corev1.Volume) func(*corev1.Pod) {
		return func(p *corev1.Pod) { p.Spec.Volumes = volumes }
	}
	claim := corev1.Volume{Name: "data", VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "data-0"}}}
	config := corev1.Volume{Name: "cfg", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: "settings"}}}}
	initially := func(specs []corev1.Container, statuses ...corev1.ContainerStatus) func(*corev1.Pod) {
		return func(p *corev1.Pod) {
			p.Status.PodIP, p.Spec.InitContainers, p.Status.InitContainerStatuses = "10.0.1.77", specs, statuses
			p.Status.ContainerStatuses[0].State = waitingFor("PodInitializing", "")
		}
	}
	always, yes, no := corev1.ContainerRestartPolicyAlways, true, false
	proxy := []corev1.Container{{Name: "proxy", RestartPolicy: &always}}
	running := corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: minutes(9)}}
	for _, c := range []struct {
		name    string
		scene   *scene
		event   [2]string
		want    []string
		subject string
		says    string
	}{
		{"no such image", onNode(waitingFor("ImagePullBackOff", "Back-off pulling image"), nil), [2]string{"Failed", pullFailed + "registry.example.com/api:1.5.0: not found"}, []string{"image-pull confirmed"}, "registry.example.com/api:1.5.0", "it does not exist"},
		{"may not pull", onNode(waitingFor("ErrImagePull", pullFailed+"unexpected status: 403 Forbidden"), nil), [2]string{}, []string{"image-pull confirmed"}, "registry.example.com/api:1.5.0", "refuses the credentials"},
		{"no name of an image", onNode(waitingFor("InvalidImageName", "couldn't parse image"), nil), [2]string{}, []string{"image-pull confirmed"}, "registry.example.com/api:1.5.0", "no name of an image"},
		{"another platform", onNode(waitingFor("ErrImagePull", pullFailed+"no match for platform in manifest: not found"), nil), [2]string{}, []string{"image-pull confirmed"}, "registry.example.com/api:1.5.0", "platform"},
		{"the registry can't be reached", onNode(waitingFor("ImagePullBackOff", "Back-off pulling image"), nil), [2]string{"Failed", pullFailed + "dial tcp 192.0.2.1:443: i/o timeout"}, []string{"egress likely"}, "n1", "does not reach the registry registry.example.com"},
		{"an old failure of another container", onNode(waitingFor("ErrImagePull", pullFailed+"not found"), nil), [2]string{"Failed", "Error: failed to start container"}, []string{"image-pull confirmed"}, "registry.example.com/api:1.5.0", "it does not exist"},
		{"a Secret is missing", onNode(waitingFor("CreateContainerConfigError", `secret "db" not found`), nil), [2]string{}, []string{"missing-config confirmed"}, "secret/db", "is missing"},
		{"a key is missing", onNode(waitingFor("CreateContainerConfigError", `couldn't find key password in Secret backend/db`), nil), [2]string{}, []string{"missing-config confirmed"}, "secret/db", "lacks a key"},
		{"it may not run as root", onNode(waitingFor("CreateContainerConfigError", "container has runAsNonRoot and image will run as root"), nil), [2]string{}, nil, "", "runAsNonRoot"},
		{"a ConfigMap is missing as a volume", onNode(creating, with(config)), [2]string{"FailedMount", `MountVolume.SetUp failed for volume "cfg" : configmap "settings" not found`}, []string{"missing-config confirmed"}, "configmap/settings", "does not exist"},
		{"a key of it is missing", onNode(creating, with(config)), [2]string{"FailedMount", `MountVolume.SetUp failed for volume "cfg" : references non-existent config key: app.yaml`}, []string{"missing-config confirmed"}, "configmap/settings", "lacks the key app.yaml"},
		{"a volume is elsewhere", onNode(creating, with(config, claim)), [2]string{"FailedAttachVolume", `Multi-Attach error for volume "pvc-1" Volume is already exclusively attached to one node and can't be attached to another`}, []string{"volume-mount confirmed"}, "data-0", "still attached"},
		{"a volume is not mounted in time", onNode(creating, with(config, claim)), [2]string{"FailedMount", `Unable to attach or mount volumes: unmounted volumes=[data], unattached volumes=[], failed to process volumes=[]: timed out waiting for the condition`}, []string{"volume-mount confirmed"}, "data-0", "nothing says why"},
		{"no such runtime", onNode(creating, nil), [2]string{"FailedCreatePodSandBox", `Failed to create pod sandbox: rpc error: code = Unknown desc = failed to get sandbox runtime: no runtime for "kata" is configured`}, []string{"runtime confirmed"}, "runtimeclass/kata", "no handler kata"},
		{"a name is reserved", onNode(creating, nil), [2]string{"FailedCreatePodSandBox", `failed to reserve sandbox name "api-1_backend_1_0": name is reserved for "1c"`}, []string{"runtime likely"}, "n1", "earlier sandbox"},
		{"no time", onNode(creating, nil), [2]string{"FailedCreatePodSandBox", `Failed to create pod sandbox: rpc error: code = DeadlineExceeded desc = context deadline exceeded`}, []string{"runtime possible"}, "n1", "in time"},
		{"a command that the image lacks", onNode(waitingFor("RunContainerError", `failed to create containerd task: OCI runtime create failed: exec: "serve": executable file not found in $PATH`), nil), [2]string{}, []string{"runtime confirmed"}, "ReplicaSet/api-1", "could not start"},
		{"an init container runs", onNode(creating, initially([]corev1.Container{{Name: "wait"}}, corev1.ContainerStatus{Name: "wait", State: running})), [2]string{}, []string{"init-container confirmed"}, "ReplicaSet/api-1", "has been running for 9 minutes"},
		{"an init container fails, and runs just now", onNode(creating, initially([]corev1.Container{{Name: "wait"}}, corev1.ContainerStatus{Name: "wait", RestartCount: 4, State: running,
			LastTerminationState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 137, Reason: "OOMKilled"}}})), [2]string{}, []string{"init-container confirmed"}, "ReplicaSet/api-1", "ended with 137 (OOMKilled)"},
		{"a sidecar runs, as it should", onNode(creating, func(p *corev1.Pod) {
			initially(proxy, corev1.ContainerStatus{Name: "proxy", Started: &yes, State: running})(p)
			p.Status.ContainerStatuses[0].State = waitingFor("ErrImagePull", "not found")
		}), [2]string{}, []string{"image-pull confirmed"}, "registry.example.com/api:1.5.0", "it does not exist"},
		{"a sidecar does not start", onNode(creating, initially(proxy, corev1.ContainerStatus{Name: "proxy", Started: &no, State: running})), [2]string{}, []string{"init-container confirmed"}, "ReplicaSet/api-1", "startup probe"},
		{"an image is being pulled", onNode(creating, func(p *corev1.Pod) { p.Status.PodIP = "10.0.1.77" }), [2]string{"Pulling", `Pulling image "registry.example.com/api:1.5.0"`}, nil, "", "is being pulled since"},
	} {
		if c.event[0] != "" {
			c.scene.about(c.event[0], c.event[1], 1)
		}
		r := c.scene.judged(t)
		if d := cmp.Diff(c.want, keys(r.Causes)); d != "" {
			t.Errorf("%s: causes (-want +got):\n%s%s", c.name, d, r.Summary)
			continue
		}
		if len(c.want) > 0 && r.Causes[0].Subject != c.subject {
			t.Errorf("%s: subject %s, want %s", c.name, r.Causes[0].Subject, c.subject)
		}
		if !strings.Contains(r.Summary, c.says) {
			t.Errorf("%s: %q does not say %q", c.name, r.Summary, c.says)
		}
		for _, id := range []string{"tune-warm-pool", "add-pod-subnet", "enable-prefix-delegation"} {
			if slices.Contains(fixIDs(r), id) {
				t.Errorf("%s: %s is offered", c.name, id)
			}
		}
	}
}

// What the runtime says last may hide what the CNI said before.
func TestAReservedNameHidesAnEarlierFailure(t *testing.T) {
	c := newScene(0, 100)
	c.node("n1", "a", 9, 9)
	c.wait("n1", 2, "", nil)
	c.about("FailedCreatePodSandBox", assignFailed, 6)
	c.about("FailedCreatePodSandBox", `failed to reserve sandbox name "api-1_backend_1_0": name is reserved for "1c"`, 0.2)
	if d := cmp.Diff([]string{"subnet-exhausted confirmed"}, keys(c.judged(t).Causes)); d != "" {
		t.Error(d)
	}
}

// A timeout of the kubelet tells less than what was said of the volume itself.
func TestTheVolumesOwnTroubleGoesBeforeATimeout(t *testing.T) {
	c := onNode(waitingFor("ContainerCreating", ""), nil)
	c.about("FailedMount", `MountVolume.SetUp failed for volume "cfg" : secret "tls" not found`, 4)
	c.about("FailedMount", `Unable to attach or mount volumes: unmounted volumes=[cfg], unattached volumes=[cfg]: timed out waiting for the condition`, 1)
	if r := c.judged(t); len(r.Causes) != 1 || r.Causes[0].ID != "pending/missing-config" || r.Causes[0].Subject != "secret/tls" {
		t.Errorf("causes %v", keys(r.Causes))
	}
}

func TestARegistryWithoutAWay(t *testing.T) {
	for _, way := range []bool{false, true} {
		c := onNode(waitingFor("ErrImagePull", pullFailed+"dial tcp 192.0.2.1:443: i/o timeout"), nil)
		table := vpc.RouteTable{ID: "rtb-1", Subnets: []string{"subnet-a"}, Routes: []vpc.Route{{Destination: netip.MustParsePrefix("10.0.0.0/16"), Target: "local", State: "active"}}}
		want := []string{"egress confirmed"}
		if way {
			table.Routes = append(table.Routes, vpc.Route{Destination: netip.MustParsePrefix("0.0.0.0/0"), Target: "nat-1", State: "active"})
			want = []string{"egress likely"}
		}
		c.s.RouteTables = []vpc.RouteTable{table}
		if d := cmp.Diff(want, keys(c.judged(t).Causes)); d != "" {
			t.Errorf("way out %v: %s", way, d)
		}
	}
}

func TestClaimsThatKeepAPodFromItsNode(t *testing.T) {
	const unbound = "0/2 nodes are available: pod has unbound immediate PersistentVolumeClaims."
	const conflict = "0/2 nodes are available: 2 node(s) had volume node affinity conflict."
	claimed := func(p *corev1.Pod) {
		for _, name := range []string{"logs", "data"} {
			p.Spec.Volumes = append(p.Spec.Volumes, corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: name + "-0"}}})
		}
	}
	claim := func(name, volume string, phase corev1.PersistentVolumeClaimPhase) corev1.PersistentVolumeClaim {
		return corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: "backend", Name: name}, Spec: corev1.PersistentVolumeClaimSpec{VolumeName: volume}, Status: corev1.PersistentVolumeClaimStatus{Phase: phase}}
	}
	volume := func(name, zone string) corev1.PersistentVolume {
		v := corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: name}}
		v.Spec.NodeAffinity = &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchExpressions: []corev1.NodeSelectorRequirement{
			{Key: "topology.ebs.csi.aws.com/zone", Operator: corev1.NodeSelectorOpIn, Values: []string{zone}}}}}}}
		return v
	}
	for _, c := range []struct {
		name, message string
		claims        []corev1.PersistentVolumeClaim
		volumes       []corev1.PersistentVolume
		denied        []string
		want          []string
		subject       string
	}{
		{"not bound", unbound, []corev1.PersistentVolumeClaim{claim("logs-0", "v1", corev1.ClaimBound), claim("data-0", "", corev1.ClaimPending)}, nil, nil, []string{"volume-binding confirmed"}, "data-0"},
		{"bound by now", unbound, []corev1.PersistentVolumeClaim{claim("logs-0", "v1", corev1.ClaimBound), claim("data-0", "v2", corev1.ClaimBound)}, nil, nil, nil, ""},
		{"not there", unbound, []corev1.PersistentVolumeClaim{claim("logs-0", "v1", corev1.ClaimBound)}, nil, nil, []string{"volume-binding confirmed"}, "data-0"},
		{"claims can't be read", unbound, nil, nil, []string{"list persistentvolumeclaims"}, []string{"volume-binding likely"}, "logs-0"},
		{"named and missing", `0/2 nodes are available: persistentvolumeclaim "data-0" not found.`, []corev1.PersistentVolumeClaim{claim("logs-0", "v1", corev1.ClaimBound)}, nil, nil, []string{"volume-binding confirmed"}, "data-0"},
		{"named and there by now", `0/2 nodes are available: persistentvolumeclaim "data-0" not found.`, []corev1.PersistentVolumeClaim{claim("data-0", "", corev1.ClaimPending)}, nil, nil, nil, ""},
		{"in another zone", conflict, []corev1.PersistentVolumeClaim{claim("logs-0", "v1", corev1.ClaimBound), claim("data-0", "v2", corev1.ClaimBound)},
			[]corev1.PersistentVolume{volume("v1", "us-west-2a"), volume("v2", "us-west-2c")}, nil, []string{"volume-binding confirmed"}, "logs-0"},
		{"volumes can't be read", conflict, []corev1.PersistentVolumeClaim{claim("logs-0", "v1", corev1.ClaimBound)}, nil, []string{"list persistentvolumes"}, []string{"volume-binding likely"}, "logs-0"},
		{"too many", "0/2 nodes are available: 2 node(s) exceed max volume count.", []corev1.PersistentVolumeClaim{claim("logs-0", "v1", corev1.ClaimBound)}, nil, nil, []string{"volume-binding confirmed"}, "logs-0"},
	} {
		s := twoNodes(nil)
		s.unplaced(1, c.message, claimed)
		s.s.Claims, s.s.Volumes, s.s.Unread = c.claims, c.volumes, denied(c.denied...)
		r := s.judged(t)
		if d := cmp.Diff(c.want, keys(r.Causes)); d != "" {
			t.Errorf("%s: causes (-want +got):\n%s%s", c.name, d, r.Summary)
		} else if len(c.want) > 0 && r.Causes[0].Subject != c.subject {
			t.Errorf("%s: subject %s, want %s", c.name, r.Causes[0].Subject, c.subject)
		}
	}
}

func TestFargate(t *testing.T) {
	for _, c := range []struct {
		name string
		a, b int
		text string
		want []string
	}{
		{"all subnets are full", 0, 0, "Pod provisioning timed out (will retry) for pod: backend/api", []string{"fargate-no-ip confirmed"}},
		{"one has an address left", 0, 1, "Pod provisioning timed out (will retry) for pod: backend/api", nil},
		{"a quota, in subnets that are full too", 0, 0, "Your AWS account has reached the limit on the number of Fargate vCPUs", nil},
	} {
		s := newScene(c.a, c.b)
		s.s.Profiles = []eks.FargateProfile{{Name: "serverless", Subnets: []string{"subnet-a", "subnet-b"}, Namespaces: []string{"backend"}}}
		s.wait("", 2, "", func(p *corev1.Pod) { p.Spec.SchedulerName = "fargate-scheduler" })
		s.about("FailedScheduling", c.text, 2)
		r := s.judged(t)
		if d := cmp.Diff(c.want, keys(r.Causes)); d != "" {
			t.Errorf("%s: %s%s", c.name, d, r.Summary)
		}
		if len(c.want) > 0 && (fixIDs(r)[0] != "fargate-subnets" || !slices.Contains(refusedIDs(r), "tune-warm-pool")) {
			t.Errorf("%s: fixes %v, refused %v", c.name, fixIDs(r), refusedIDs(r))
		}
	}
	// Once it has its node, an address is no longer what a pod on Fargate waits for.
	s := newScene(0, 0)
	n := s.node("fargate-1", "a", 0, 0)
	n.Fargate = true
	s.wait("fargate-1", 1, "", func(p *corev1.Pod) {
		p.Labels, p.Status.PodIP = map[string]string{"eks.amazonaws.com/fargate-profile": "serverless"}, "10.0.1.5"
		p.Status.ContainerStatuses[0].State = waitingFor("ErrImagePull", "not found")
	})
	if d := cmp.Diff([]string{"image-pull confirmed"}, keys(s.judged(t).Causes)); d != "" {
		t.Error(d)
	}
}

// Controllers that can't make their pods leave no pod to look at.
func TestPodsThatAreNotEvenMade(t *testing.T) {
	const exceeded = `Error creating: pods "api-1-x" is forbidden: exceeded quota: compute, requested: requests.cpu=500m, used: requests.cpu=1600m, limited: requests.cpu=2`
	quota := func(hard, used string) []corev1.ResourceQuota {
		q := corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Namespace: "backend", Name: "compute"}}
		q.Status.Hard = corev1.ResourceList{"requests.cpu": resource.MustParse(hard)}
		q.Status.Used = corev1.ResourceList{"requests.cpu": resource.MustParse(used)}
		return []corev1.ResourceQuota{q}
	}
	for _, c := range []struct {
		name, kind, message string
		minutesAgo          float64
		edit                func(*Snapshot)
		want                []string
		subject, says       string
	}{
		{"a quota", "ReplicaSet", exceeded, 2, func(s *Snapshot) { s.Quotas = quota("2", "1600m") }, []string{"quota confirmed"}, "compute", "1600m of 2 are used and one pod asks for 500m requests.cpu"},
		{"a quota that can't be read", "Job", exceeded, 2, func(s *Snapshot) { s.Unread = denied("list resourcequotas") }, []string{"quota confirmed"}, "compute", "leaves no room"},
		{"a quota with room by now", "ReplicaSet", exceeded, 12, func(s *Snapshot) { s.Quotas = quota("4", "1600m") }, nil, "", "has room by now"},
		{"a quota that is gone by now", "ReplicaSet", exceeded, 12, nil, nil, "", "is gone by now"},
		{"a quota that wants limits stated", "StatefulSet", `create Pod api-0 in StatefulSet api failed error: pods "api-0" is forbidden: failed quota: compute: must specify limits.cpu for: api`, 2, nil, []string{"quota confirmed"}, "compute", "limits.cpu for: api"},
		{"a webhook", "DaemonSet", `Error creating: Internal error occurred: failed calling webhook "mutate.example.com": failed to call webhook: Post "https://x.y.svc:443/": no endpoints available for service "x"`, 2, nil, []string{"admission-webhook confirmed"}, "mutate.example.com", "no ready pod"},
		{"a webhook that denies", "ReplicaSet", `Error creating: admission webhook "validate.example.com" denied the request: no team label`, 2, nil, []string{"admission-denied confirmed"}, "validate.example.com", "no team label"},
		{"Pod Security", "ReplicaSet", `Error creating: pods "api-1-x" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true`, 2, nil, []string{"admission-denied confirmed"}, "podsecurity/restricted:latest", "runAsNonRoot"},
		{"no service account", "Job", `Error creating: pods "api-1-x" is forbidden: error looking up service account backend/runner: serviceaccount "runner" not found`, 2, nil, []string{"admission-denied confirmed"}, "serviceaccount/runner", "runner"},
		{"a limit range", "ReplicaSet", `Error creating: pods "api-1-x" is forbidden: maximum cpu usage per Container is 1, but limit is 2`, 2, nil, []string{"admission-denied confirmed"}, "ReplicaSet/api-1", "maximum cpu usage"},
		{"something new", "ReplicaSet", "Error creating: the stars are wrong", 2, nil, nil, "", "for a reason that netdiag doesn't know: Error creating: the stars are wrong"},
		{"half an hour ago", "ReplicaSet", exceeded, 40, nil, nil, "", "waits for nothing"},
	} {
		s := newScene(100, 100)
		s.node("n1", "a", 2, 9)
		s.s.Short = []Workload{{Kind: c.kind, Name: "api-1", Desired: 3, Have: 1}}
		e := event("FailedCreate", c.message, c.minutesAgo)
		e.Namespace, e.InvolvedObject = "backend", corev1.ObjectReference{Kind: c.kind, Namespace: "backend", Name: "api-1"}
		s.s.Events = append(s.s.Events, *e)
		if c.edit != nil {
			c.edit(&s.s)
		}
		r := s.judged(t)
		if d := cmp.Diff(c.want, keys(r.Causes)); d != "" {
			t.Errorf("%s: causes (-want +got):\n%s%s", c.name, d, r.Summary)
			continue
		}
		if len(c.want) > 0 && (r.Causes[0].Subject != c.subject || fixIDs(r)[0] != "fix-workload" || r.Impact != "2 pods of backend are not even made") {
			t.Errorf("%s: subject %s, fixes %v, impact %q", c.name, r.Causes[0].Subject, fixIDs(r), r.Impact)
		}
		if says := strings.ReplaceAll(c.says, "waits for nothing", "waits for anything"); !strings.Contains(r.Summary, says) {
			t.Errorf("%s: %q does not say %q", c.name, r.Summary, says)
		}
	}
}

func TestWindowsAndBranchInterfaces(t *testing.T) {
	const windows, branch = "0/2 nodes are available: 2 Insufficient vpc.amazonaws.com/PrivateIPv4Address.", "0/2 nodes are available: 2 Insufficient vpc.amazonaws.com/pod-eni."
	ask := func(device string) func(*corev1.Pod) {
		return func(p *corev1.Pod) {
			p.Spec.Containers[0].Resources.Requests[corev1.ResourceName(device)] = resource.MustParse("1")
		}
	}
	offer := func(device string, each, used int64) func(n1, n2 *Node) {
		return func(n1, n2 *Node) {
			for _, n := range []*Node{n1, n2} {
				n.Devices = map[string]int64{device: each}
				if device == windowsDevice {
					n.Labels["kubernetes.io/os"] = "windows"
				}
				n.Pods = append(n.Pods, Placed{Name: "uses", Host: true, Devices: map[string]int64{device: used}})
			}
		}
	}
	for _, c := range []struct {
		name, message, device string
		nodes                 func(n1, n2 *Node)
		edit                  func(*Snapshot)
		want                  []string
		fix, says             string
	}{
		{"Windows, no addresses offered", windows, windowsDevice, func(n1, n2 *Node) {
			n1.Labels["kubernetes.io/os"], n2.Labels["kubernetes.io/os"] = "windows", "windows"
		}, nil, []string{"windows-ip-resource confirmed"}, "enable-windows-ipam → true", "management is off"},
		{"Windows, all given away", windows, windowsDevice, offer(windowsDevice, 9, 9), nil, []string{"windows-ip-resource confirmed"}, "enable-windows-prefix-delegation → true", "18 of the 18"},
		{"Windows, some left by now", windows, windowsDevice, offer(windowsDevice, 9, 2), nil, nil, "", ""},
		{"no trunk", branch, branchDevice, nil, func(s *Snapshot) { s.Driver.Env["ENABLE_POD_ENI"] = "true" }, []string{"branch-eni-capacity confirmed"}, "a place for a trunk interface", "no trunk interface is attached"},
		{"a type without trunks", branch, branchDevice, func(n1, n2 *Node) { n1.Type, n2.Type = "t3.medium", "t3.medium" }, func(s *Snapshot) { s.Driver.Env["ENABLE_POD_ENI"] = "true" }, []string{"branch-eni-capacity confirmed"}, "a node group of types such as m5", "t3.medium can't have a trunk"},
		{"the CNI was not told", branch, branchDevice, nil, nil, []string{"branch-eni-capacity confirmed"}, "ENABLE_POD_ENI unset → true", "ENABLE_POD_ENI of aws-node is unset"},
		{"all taken", branch, branchDevice, offer(branchDevice, 9, 9), func(s *Snapshot) { s.Driver.Env["ENABLE_POD_ENI"] = "true" }, []string{"branch-eni-capacity confirmed"}, "node group", "18 of them are taken"},
		{"some left by now", branch, branchDevice, offer(branchDevice, 9, 8), nil, nil, "", ""},
	} {
		s := twoNodes(c.nodes)
		s.unplaced(2, c.message, ask(c.device))
		if c.edit != nil {
			c.edit(&s.s)
		}
		r := s.judged(t)
		if d := cmp.Diff(c.want, keys(r.Causes)); d != "" {
			t.Errorf("%s: %s%s", c.name, d, r.Summary)
			continue
		}
		if len(c.want) == 0 {
			continue
		}
		if !strings.Contains(r.Summary, c.says) || !strings.Contains(fmt.Sprint(r.Fixes[0].Changes), c.fix) {
			t.Errorf("%s: %q, first fix changes %v", c.name, r.Summary, r.Fixes[0].Changes)
		}
		if slices.Contains(fixIDs(r), "tune-warm-pool") || slices.Contains(fixIDs(r), "add-pod-subnet") {
			t.Errorf("%s: fixes %v", c.name, fixIDs(r))
		}
	}
}
