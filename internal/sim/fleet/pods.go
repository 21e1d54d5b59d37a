package fleet

import (
	"net/netip"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Kinds of UIDs.
const (
	uidPod = iota + 1
	uidNode
	uidWorkload
	uidEvent
	uidOther
)

const (
	registry = account + ".dkr.ecr." + region + ".amazonaws.com/"
	appPort  = 8080
	cniImage = "602401143452.dkr.ecr.us-west-2.amazonaws.com/amazon-k8s-cni:v1.20.4"
	// fieldsOfAPod is what the API server keeps of who manages the fields of a pod; it is a good part of every pod.
	fieldsOfAPod = `{"f:status":{"f:conditions":{".":{},"k:{\"type\":\"ContainersReady\"}":{".":{},"f:lastProbeTime":{},"f:lastTransitionTime":{},"f:status":{},"f:type":{}},"k:{\"type\":\"Initialized\"}":{".":{},"f:lastProbeTime":{},"f:lastTransitionTime":{},"f:status":{},"f:type":{}},"k:{\"type\":\"PodReadyToStartContainers\"}":{".":{},"f:lastProbeTime":{},"f:lastTransitionTime":{},"f:status":{},"f:type":{}},"k:{\"type\":\"Ready\"}":{".":{},"f:lastProbeTime":{},"f:lastTransitionTime":{},"f:status":{},"f:type":{}}},"f:containerStatuses":{},"f:hostIP":{},"f:hostIPs":{},"f:phase":{},"f:podIP":{},"f:podIPs":{},"f:startTime":{}}}`
)

// workloadUID numbers workloads: those of the teams follow the others.
func (f *Fleet) workloadUID(i identity) types.UID {
	n := map[string]int{"aws-node": 1, "kube-proxy": 2, storefront: 3, cart: 4, payments: 5}[i.workload]
	if n == 0 {
		n = 10 + i.n%f.teams
	}
	return types.UID(uid(uidWorkload, n))
}

func (i identity) labels() map[string]string {
	switch i.workload {
	case "aws-node", "kube-proxy":
		return map[string]string{"k8s-app": i.workload, "app.kubernetes.io/name": i.workload, "controller-revision-hash": "8p5hqdx5lk"}
	}
	app, hash := cutHash(i.workload)
	return map[string]string{"app": app, "pod-template-hash": hash}
}

// cutHash takes the name of a ReplicaSet apart.
func cutHash(set string) (app, hash string) {
	for i := len(set) - 1; i >= 0; i-- {
		if set[i] == '-' {
			return set[:i], set[i+1:]
		}
	}
	return set, ""
}

func (i identity) serviceAccount() string {
	if i.namespace == system {
		return i.workload
	}
	return "default"
}

// podAddress is the address of a pod that has one.
func (f *Fleet) podAddress(p pod) netip.Addr {
	if p.slot >= perNode {
		return f.address(p.node, 0, 0)
	}
	const each = perInterface - 1
	return f.address(p.node, p.slot/each, 1+p.slot%each)
}

func (f *Fleet) podObject(p pod) *corev1.Pod {
	i := f.identify(p)
	made := metav1.NewTime(f.now.Add(-90 * time.Hour))
	if p.slot >= stuckSlot {
		made = metav1.NewTime(f.now.Add(-15 * time.Minute))
	}
	yes, daemon := true, i.namespace == system
	owner := metav1.OwnerReference{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: i.workload, UID: f.workloadUID(i), Controller: &yes, BlockOwnerDeletion: &yes}
	app, _ := cutHash(i.workload)
	container := corev1.Container{
		Name: app, Image: registry + app + ":1.4.2", ImagePullPolicy: corev1.PullIfNotPresent,
		Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: appPort, Protocol: corev1.ProtocolTCP}},
		Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{
			corev1.ResourceCPU: resource.MustParse("50m"), corev1.ResourceMemory: resource.MustParse("128Mi"),
		}},
		ReadinessProbe:         &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/health", Port: port(appPort)}}, PeriodSeconds: 10, TimeoutSeconds: 2, FailureThreshold: 3},
		VolumeMounts:           []corev1.VolumeMount{{Name: "kube-api-access-x2k4q", ReadOnly: true, MountPath: "/var/run/secrets/kubernetes.io/serviceaccount"}},
		Env:                    []corev1.EnvVar{{Name: "LOG_LEVEL", Value: "info"}, {Name: "POD_NAME", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: "metadata.name"}}}},
		TerminationMessagePath: "/dev/termination-log", TerminationMessagePolicy: corev1.TerminationMessageReadFile,
	}
	if daemon {
		owner.Kind = "DaemonSet"
		container = corev1.Container{Name: i.workload, Image: cniImage, Resources: container.Resources, VolumeMounts: container.VolumeMounts}
		if i.workload == "kube-proxy" {
			container.Image = "602401143452.dkr.ecr.us-west-2.amazonaws.com/eks/kube-proxy:v1.34.0-minimal-eksbuild.4"
		}
	}
	grace := int64(60)
	o := &corev1.Pod{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: i.namespace, Name: i.name(), GenerateName: i.workload + "-", UID: types.UID(uid(uidPod, p.node<<8|p.slot)), ResourceVersion: "1", CreationTimestamp: made,
			Labels: i.labels(), OwnerReferences: []metav1.OwnerReference{owner},
			ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "kubelet", Operation: metav1.ManagedFieldsOperationUpdate, APIVersion: "v1", Time: &made, FieldsType: "FieldsV1", Subresource: "status", FieldsV1: &metav1.FieldsV1{Raw: []byte(fieldsOfAPod)}}},
		},
		Spec: corev1.PodSpec{
			NodeName: f.nodes[p.node].name, Containers: []corev1.Container{container}, RestartPolicy: corev1.RestartPolicyAlways, SchedulerName: "default-scheduler",
			ServiceAccountName: i.serviceAccount(), DeprecatedServiceAccount: i.serviceAccount(), HostNetwork: daemon, DNSPolicy: corev1.DNSClusterFirst, TerminationGracePeriodSeconds: &grace,
			Tolerations: []corev1.Toleration{
				{Key: "node.kubernetes.io/not-ready", Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute},
				{Key: "node.kubernetes.io/unreachable", Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute},
			},
			Volumes: []corev1.Volume{{Name: "kube-api-access-x2k4q", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{
				{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Path: "token"}}, {ConfigMap: &corev1.ConfigMapProjection{LocalObjectReference: corev1.LocalObjectReference{Name: "kube-root-ca.crt"}}},
			}}}}},
		},
	}
	f.run(o, p, container, made)
	return o
}

// run gives a pod its status.
func (f *Fleet) run(o *corev1.Pod, p pod, c corev1.Container, made metav1.Time) {
	status, phase, reason := corev1.ConditionTrue, corev1.PodRunning, ""
	state := corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: made}}
	if p.slot >= stuckSlot {
		status, phase, reason = corev1.ConditionFalse, corev1.PodPending, "ContainersNotReady"
		state = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ContainerCreating"}}
	}
	host := f.address(p.node, 0, 0).String()
	up := phase == corev1.PodRunning
	o.Status = corev1.PodStatus{
		Phase: phase, QOSClass: corev1.PodQOSBurstable, HostIP: host, HostIPs: []corev1.HostIP{{IP: host}}, StartTime: &made,
		Conditions: []corev1.PodCondition{
			{Type: corev1.PodReadyToStartContainers, Status: status, LastTransitionTime: made},
			{Type: corev1.PodInitialized, Status: corev1.ConditionTrue, LastTransitionTime: made},
			{Type: corev1.PodReady, Status: status, Reason: reason, LastTransitionTime: made},
			{Type: corev1.ContainersReady, Status: status, Reason: reason, LastTransitionTime: made},
			{Type: corev1.PodScheduled, Status: corev1.ConditionTrue, LastTransitionTime: made},
		},
		ContainerStatuses: []corev1.ContainerStatus{{Name: c.Name, Image: c.Image, Ready: up, Started: &up, State: state}},
	}
	if up {
		address := f.podAddress(p).String()
		o.Status.PodIP, o.Status.PodIPs = address, []corev1.PodIP{{IP: address}}
		o.Status.ContainerStatuses[0].ImageID = c.Image + "@sha256:0023906fde372e25eda6816e13fb389f3985674aeeca9e851e0a022d14cd9942"
		o.Status.ContainerStatuses[0].ContainerID = "containerd://4129d7806dddf332755485c4f41ba25eb695310a9c59ee7bbeda424bbc4fd466"
	}
}
