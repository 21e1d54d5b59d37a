package kube

import (
	"context"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/recall"
)

// Deployments lists the Deployments of a namespace.
func (r *Reader) Deployments(ctx context.Context, namespace string) ([]appsv1.Deployment, error) {
	return all(ctx, r, "deployments.apps", namespace, metav1.ListOptions{}, r.client.typed.AppsV1().Deployments(namespace).List, func(l *appsv1.DeploymentList) []appsv1.Deployment { return l.Items })
}

// ReplicaSets lists the ReplicaSets of a namespace.
func (r *Reader) ReplicaSets(ctx context.Context, namespace string) ([]appsv1.ReplicaSet, error) {
	return all(ctx, r, "replicasets.apps", namespace, metav1.ListOptions{}, r.client.typed.AppsV1().ReplicaSets(namespace).List, func(l *appsv1.ReplicaSetList) []appsv1.ReplicaSet { return bare(l.Items) })
}

// StatefulSets lists the StatefulSets of a namespace.
func (r *Reader) StatefulSets(ctx context.Context, namespace string) ([]appsv1.StatefulSet, error) {
	return all(ctx, r, "statefulsets.apps", namespace, metav1.ListOptions{}, r.client.typed.AppsV1().StatefulSets(namespace).List, func(l *appsv1.StatefulSetList) []appsv1.StatefulSet { return l.Items })
}

// DaemonSets lists the DaemonSets of a namespace, managedFields included.
func (r *Reader) DaemonSets(ctx context.Context, namespace string) ([]appsv1.DaemonSet, error) {
	return all(ctx, r, "daemonsets.apps", namespace, metav1.ListOptions{}, r.client.typed.AppsV1().DaemonSets(namespace).List, func(l *appsv1.DaemonSetList) []appsv1.DaemonSet { return l.Items })
}

// Jobs lists the Jobs of a namespace.
func (r *Reader) Jobs(ctx context.Context, namespace string) ([]batchv1.Job, error) {
	return all(ctx, r, "jobs.batch", namespace, metav1.ListOptions{}, r.client.typed.BatchV1().Jobs(namespace).List, func(l *batchv1.JobList) []batchv1.Job { return l.Items })
}

// Claims lists the PersistentVolumeClaims of a namespace.
func (r *Reader) Claims(ctx context.Context, namespace string) ([]corev1.PersistentVolumeClaim, error) {
	return all(ctx, r, "persistentvolumeclaims", namespace, metav1.ListOptions{}, r.client.typed.CoreV1().PersistentVolumeClaims(namespace).List, func(l *corev1.PersistentVolumeClaimList) []corev1.PersistentVolumeClaim { return l.Items })
}

// PersistentVolumes lists all volumes.
func (r *Reader) PersistentVolumes(ctx context.Context) ([]corev1.PersistentVolume, error) {
	return all(ctx, r, "persistentvolumes", "", metav1.ListOptions{}, r.client.typed.CoreV1().PersistentVolumes().List, func(l *corev1.PersistentVolumeList) []corev1.PersistentVolume { return l.Items })
}

// CSINodes lists what each node's CSI drivers can attach.
func (r *Reader) CSINodes(ctx context.Context) ([]storagev1.CSINode, error) {
	return all(ctx, r, "csinodes.storage.k8s.io", "", metav1.ListOptions{}, r.client.typed.StorageV1().CSINodes().List, func(l *storagev1.CSINodeList) []storagev1.CSINode { return l.Items })
}

// ConfigMap reads the data of one ConfigMap; one that isn't there is nil without an error.
func (r *Reader) ConfigMap(ctx context.Context, namespace, name string) (map[string]string, error) {
	const permission = "get configmaps"
	m, err := recall.Once(ctx, &r.memory, permission+"\x00"+namespace+"\x00"+name, func(ctx context.Context) (*corev1.ConfigMap, error) {
		return once(ctx, r.client, permission, func(ctx context.Context) (*corev1.ConfigMap, error) {
			return r.client.typed.CoreV1().ConfigMaps(namespace).Get(ctx, name, metav1.GetOptions{})
		})
	})
	if reasonOf(err) == diagnostics.Absent {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return m.Data, nil
}

// ResourceQuotas lists the resource quotas of a namespace, with what is used of them.
func (r *Reader) ResourceQuotas(ctx context.Context, namespace string) ([]corev1.ResourceQuota, error) {
	return all(ctx, r, "resourcequotas", namespace, metav1.ListOptions{}, r.client.typed.CoreV1().ResourceQuotas(namespace).List, func(l *corev1.ResourceQuotaList) []corev1.ResourceQuota { return l.Items })
}

// Ingresses lists the Ingresses of a namespace, or of all where it is empty.
func (r *Reader) Ingresses(ctx context.Context, namespace string) ([]networkingv1.Ingress, error) {
	return all(ctx, r, "ingresses.networking.k8s.io", namespace, metav1.ListOptions{}, r.client.typed.NetworkingV1().Ingresses(namespace).List, func(l *networkingv1.IngressList) []networkingv1.Ingress { return l.Items })
}

// IngressClasses lists all IngressClasses.
func (r *Reader) IngressClasses(ctx context.Context) ([]networkingv1.IngressClass, error) {
	return all(ctx, r, "ingressclasses.networking.k8s.io", "", metav1.ListOptions{}, r.client.typed.NetworkingV1().IngressClasses().List, func(l *networkingv1.IngressClassList) []networkingv1.IngressClass { return l.Items })
}

// Services lists the Services of a namespace.
func (r *Reader) Services(ctx context.Context, namespace string) ([]corev1.Service, error) {
	return all(ctx, r, "services", namespace, metav1.ListOptions{}, r.client.typed.CoreV1().Services(namespace).List, func(l *corev1.ServiceList) []corev1.Service { return l.Items })
}

// EndpointSlices lists the EndpointSlices of a namespace.
func (r *Reader) EndpointSlices(ctx context.Context, namespace string) ([]discoveryv1.EndpointSlice, error) {
	return all(ctx, r, "endpointslices.discovery.k8s.io", namespace, metav1.ListOptions{}, r.client.typed.DiscoveryV1().EndpointSlices(namespace).List, func(l *discoveryv1.EndpointSliceList) []discoveryv1.EndpointSlice { return bare(l.Items) })
}

// NetworkPolicies lists the NetworkPolicies of a namespace.
func (r *Reader) NetworkPolicies(ctx context.Context, namespace string) ([]networkingv1.NetworkPolicy, error) {
	return all(ctx, r, "networkpolicies.networking.k8s.io", namespace, metav1.ListOptions{}, r.client.typed.NetworkingV1().NetworkPolicies(namespace).List, func(l *networkingv1.NetworkPolicyList) []networkingv1.NetworkPolicy { return l.Items })
}
