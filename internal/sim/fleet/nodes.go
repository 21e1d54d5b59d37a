package fleet

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
)

func port(n int) intstr.IntOrString { return intstr.FromInt32(int32(n)) }

// images are what a node has pulled; fifty of them make most of the size of a node, as in a real cluster.
var images = func() []corev1.ContainerImage {
	var out []corev1.ContainerImage
	for n := range 50 {
		name := fmt.Sprintf("%steam-%02d/service", registry, n)
		out = append(out, corev1.ContainerImage{
			Names:     []string{fmt.Sprintf("%s@sha256:%064x", name, 0xf1ee7+n), name + ":1.4.2"},
			SizeBytes: int64(90_000_000 + n),
		})
	}
	return out
}()

func (f *Fleet) nodeObject(n int) *corev1.Node {
	at := f.nodes[n]
	s := f.subnets[at.subnet]
	made := metav1.NewTime(f.now.Add(-100 * time.Hour))
	beat := metav1.NewTime(f.now.Add(-20 * time.Second))
	address := f.address(n, 0, 0).String()
	condition := func(kind corev1.NodeConditionType, status corev1.ConditionStatus, reason, message string) corev1.NodeCondition {
		return corev1.NodeCondition{Type: kind, Status: status, Reason: reason, Message: message, LastHeartbeatTime: beat, LastTransitionTime: made}
	}
	room := func(cpu, memory string) corev1.ResourceList {
		return corev1.ResourceList{
			corev1.ResourceCPU: resource.MustParse(cpu), corev1.ResourceMemory: resource.MustParse(memory), corev1.ResourcePods: *resource.NewQuantity(maxPods, resource.DecimalSI),
			corev1.ResourceEphemeralStorage: resource.MustParse("83873772Ki"), "hugepages-1Gi": resource.MustParse("0"), "hugepages-2Mi": resource.MustParse("0"),
		}
	}
	return &corev1.Node{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Node"},
		ObjectMeta: metav1.ObjectMeta{
			Name: at.name, UID: types.UID(uid(uidNode, n)), ResourceVersion: "1", CreationTimestamp: made,
			Labels: map[string]string{
				"beta.kubernetes.io/arch": "amd64", "kubernetes.io/arch": "amd64", "kubernetes.io/os": "linux", "beta.kubernetes.io/os": "linux", "kubernetes.io/hostname": at.name,
				"node.kubernetes.io/instance-type": instanceType, "beta.kubernetes.io/instance-type": instanceType, "topology.kubernetes.io/region": region, "topology.kubernetes.io/zone": s.zone,
				"failure-domain.beta.kubernetes.io/region": region, "failure-domain.beta.kubernetes.io/zone": s.zone, "k8s.io/cloud-provider-aws": "0553605fc5bbbbab83c5bd5a7c4bd5c0",
				"eks.amazonaws.com/nodegroup": groupName(at.subnet), "eks.amazonaws.com/capacityType": "ON_DEMAND", "eks.amazonaws.com/nodegroup-image": "ami-0eb53805ebe583883",
			},
			Annotations: map[string]string{
				"node.alpha.kubernetes.io/ttl": "0", "volumes.kubernetes.io/controller-managed-attach-detach": "true", "alpha.kubernetes.io/provided-node-ip": address,
				"csi.volume.kubernetes.io/nodeid": `{"ebs.csi.aws.com":"` + instanceID(n) + `"}`,
			},
			ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "kubelet", Operation: metav1.ManagedFieldsOperationUpdate, APIVersion: "v1", Time: &beat, FieldsType: "FieldsV1", Subresource: "status", FieldsV1: &metav1.FieldsV1{Raw: []byte(fieldsOfAPod)}}},
		},
		Spec: corev1.NodeSpec{ProviderID: "aws:///" + s.zone + "/" + instanceID(n)},
		Status: corev1.NodeStatus{
			Addresses: []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: address}, {Type: corev1.NodeInternalDNS, Address: at.name}, {Type: corev1.NodeHostName, Address: at.name}},
			Capacity:  room("4", "15896704Ki"), Allocatable: room("3920m", "14880Mi"), Images: images,
			Conditions: []corev1.NodeCondition{
				condition(corev1.NodeMemoryPressure, corev1.ConditionFalse, "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
				condition(corev1.NodeDiskPressure, corev1.ConditionFalse, "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
				condition(corev1.NodePIDPressure, corev1.ConditionFalse, "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
				condition(corev1.NodeReady, corev1.ConditionTrue, "KubeletReady", "kubelet is posting ready status"),
			},
			DaemonEndpoints: corev1.NodeDaemonEndpoints{KubeletEndpoint: corev1.DaemonEndpoint{Port: 10250}},
			NodeInfo: corev1.NodeSystemInfo{
				Architecture: "amd64", OperatingSystem: "linux", KubeletVersion: "v1.34.1-eks-113cf36", KubeProxyVersion: "v1.34.1-eks-113cf36", ContainerRuntimeVersion: "containerd://2.1.4",
				KernelVersion: "6.12.46-66.121.amzn2023.x86_64", OSImage: "Amazon Linux 2023.9.20250929", MachineID: "a50b8b4c5aa42d93bfddf7803605d0ad", SystemUUID: "64fc3f8b-683f-4942-ae03-7488466b3f52",
				BootID: "16740f74-9149-4c19-adb1-ddc6e84040a4",
			},
		},
	}
}

// metrics is what the aws-node pod of a node counts.
func (f *Fleet) metrics(n int) string {
	total, refused := f.nodes[n].interfaces*(perInterface-1), ""
	if n < f.affected {
		refused = `awscni_aws_api_error_count{api="CreateNetworkInterface",error="InsufficientFreeAddressesInSubnet"} 71
awscni_no_available_ip_addresses 71
`
	}
	return fmt.Sprintf("# TYPE awscni_assigned_ip_addresses gauge\nawscni_assigned_ip_addresses %d\n# TYPE awscni_total_ip_addresses gauge\nawscni_total_ip_addresses %d\nawscni_eni_allocated %d\nawscni_eni_max 4\nawscni_ip_max 56\n%sprocess_start_time_seconds %d\n",
		perNode, total, f.nodes[n].interfaces, refused, f.now.Add(-100*time.Hour).Unix())
}
