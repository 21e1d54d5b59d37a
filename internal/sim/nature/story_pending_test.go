package nature_test

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func (l *lab) updateAddon(t *testing.T, values string, resolve types.ResolveConflicts) (update string) {
	t.Helper()
	out, err := l.eks.UpdateAddon(t.Context(), &eks.UpdateAddonInput{
		ClusterName: aws.String(l.World.Meta.Cluster), AddonName: aws.String("vpc-cni"), ConfigurationValues: aws.String(values), ResolveConflicts: resolve,
	})
	if err != nil {
		t.Fatal(err)
	}
	return aws.ToString(out.Update.Id)
}

// ended wants the update to have this status.
func (l *lab) ended(ctx context.Context, update string, want types.UpdateStatus) error {
	out, err := l.eks.DescribeUpdate(ctx, &eks.DescribeUpdateInput{Name: aws.String(l.World.Meta.Cluster), AddonName: aws.String("vpc-cni"), UpdateId: aws.String(update)})
	if err != nil {
		return err
	}
	if out.Update.Status != want {
		return fmt.Errorf("update is %s", out.Update.Status)
	}
	return nil
}

func (l *lab) env(t *testing.T) map[string]string {
	t.Helper()
	d, err := l.kube.AppsV1().DaemonSets("kube-system").Get(t.Context(), "aws-node", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return envOf(d)
}

func envOf(d *appsv1.DaemonSet) map[string]string {
	env := map[string]string{}
	for _, c := range d.Spec.Template.Spec.Containers {
		for _, e := range c.Env {
			env[e.Name] = e.Value
		}
	}
	return env
}

func (l *lab) pods(ctx context.Context, namespace string) ([]corev1.Pod, error) {
	list, err := l.kube.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	return list.Items, nil
}

// available is AvailableIpAddressCount of each subnet; held counts the addresses of the interfaces in it.
func (l *lab) subnets(ctx context.Context) (available, held map[string]int, err error) {
	available, held = map[string]int{}, map[string]int{}
	subnets, err := l.ec2.DescribeSubnets(ctx, &ec2.DescribeSubnetsInput{})
	if err != nil {
		return nil, nil, err
	}
	for _, s := range subnets.Subnets {
		available[*s.SubnetId] = int(*s.AvailableIpAddressCount)
	}
	p := ec2.NewDescribeNetworkInterfacesPaginator(l.ec2, &ec2.DescribeNetworkInterfacesInput{})
	for p.HasMorePages() {
		page, err := p.NextPage(ctx)
		if err != nil {
			return nil, nil, err
		}
		for _, e := range page.NetworkInterfaces {
			held[*e.SubnetId] += len(e.PrivateIpAddresses) + 16*len(e.Ipv4Prefixes)
		}
	}
	return available, held, nil
}

// addressesOf is the addresses of the interfaces of each instance.
func (l *lab) addressesOf(t *testing.T) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	p := ec2.NewDescribeNetworkInterfacesPaginator(l.ec2, &ec2.DescribeNetworkInterfacesInput{})
	for p.HasMorePages() {
		page, err := p.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page.NetworkInterfaces {
			if e.Attachment == nil {
				continue
			}
			for _, a := range e.PrivateIpAddresses {
				out[aws.ToString(e.Attachment.InstanceId)] = append(out[aws.ToString(e.Attachment.InstanceId)], *a.PrivateIpAddress)
			}
		}
	}
	return out
}

// Every pod that has an address has one that its node holds, and no other pod has it.
func (l *lab) consistent(t *testing.T) {
	t.Helper()
	nodes, err := l.kube.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	pods, err := l.pods(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	addresses, holder := l.addressesOf(t), map[string]string{}
	for _, n := range nodes.Items {
		instance := n.Spec.ProviderID[strings.LastIndexByte(n.Spec.ProviderID, '/')+1:]
		for _, p := range pods {
			if p.Spec.NodeName != n.Name || p.Spec.HostNetwork || p.Status.PodIP == "" {
				continue
			}
			if !slices.Contains(addresses[instance], p.Status.PodIP) {
				t.Errorf("pod %s has %s, which node %s doesn't hold", p.Name, p.Status.PodIP, n.Name)
			}
			if other := holder[p.Status.PodIP]; other != "" {
				t.Errorf("pods %s and %s both have %s", other, p.Name, p.Status.PodIP)
			}
			holder[p.Status.PodIP] = p.Name
		}
	}
}

func TestWarmPoolIsLowered(t *testing.T) {
	const full = "subnet-0a1b2c3d4e5f60718"
	l := open(t, "seeds/seed-ip-exhaustion")
	availableBefore, heldBefore, err := l.subnets(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if availableBefore[full] != 0 {
		t.Fatalf("the subnet has %d addresses to begin with", availableBefore[full])
	}
	l.live(t)
	l.lived(t, 3)
	update := l.updateAddon(t, `{"env":{"WARM_IP_TARGET":"2","MINIMUM_IP_TARGET":"10"}}`, types.ResolveConflictsOverwrite)

	var waited []string
	pods, err := l.pods(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pods {
		if p.Status.PodIP == "" {
			waited = append(waited, p.Namespace+"/"+p.Name)
		}
	}
	if len(waited) == 0 {
		t.Fatal("no pod waits to begin with")
	}
	l.until(t, func(ctx context.Context) error { return l.ended(ctx, update, types.UpdateStatusSuccessful) })
	l.until(t, func(ctx context.Context) error {
		for _, name := range waited {
			namespace, name, _ := strings.Cut(name, "/")
			p, err := l.kube.CoreV1().Pods(namespace).Get(ctx, name, metav1.GetOptions{})
			if err != nil {
				return err
			}
			if p.Status.Phase != corev1.PodRunning || !ready(p) {
				return fmt.Errorf("pod %s is %s", name, p.Status.Phase)
			}
			if a, err := netip.ParseAddr(p.Status.PodIP); err != nil || !netip.MustParsePrefix("10.0.1.0/24").Contains(a) {
				return fmt.Errorf("pod %s has address %q", name, p.Status.PodIP)
			}
		}
		return nil
	})
	// What is above the targets comes back: a third interface, six addresses, from each of 39 nodes; the new node takes nine more.
	l.until(t, func(ctx context.Context) error {
		available, held, err := l.subnets(ctx)
		if err != nil {
			return err
		}
		for id, n := range available {
			if want := availableBefore[id] + heldBefore[id] - held[id]; n != want {
				// Two reads are not one moment: an address may come back between them.
				return fmt.Errorf("subnet %s has %d available, want %d", id, n, want)
			}
		}
		if got := available[full]; got != 13*6-9 {
			return fmt.Errorf("subnet %s has %d available", full, got)
		}
		return nil
	})
	l.consistent(t)

	d, err := l.kube.AppsV1().DaemonSets("kube-system").Get(t.Context(), "aws-node", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if s := d.Status; s.ObservedGeneration != d.Generation || s.UpdatedNumberScheduled != 40 || s.NumberReady != 40 || s.NumberUnavailable != 0 {
		t.Errorf("daemonset: generation %d, status %+v", d.Generation, s)
	}
	if env := l.env(t); env["WARM_IP_TARGET"] != "2" || env["MINIMUM_IP_TARGET"] != "10" || env["WARM_ENI_TARGET"] != "1" {
		t.Errorf("environment %v", env)
	}
	if !slices.ContainsFunc(d.ManagedFields, func(m metav1.ManagedFieldsEntry) bool {
		return m.Manager == "eks" && m.Operation == metav1.ManagedFieldsOperationApply && strings.Contains(string(m.FieldsV1.Raw), "MINIMUM_IP_TARGET")
	}) {
		t.Error("EKS doesn't own MINIMUM_IP_TARGET")
	}
	deployment, err := l.kube.AppsV1().Deployments("backend").Get(t.Context(), "api-server", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if s := deployment.Status; s.ReadyReplicas != 56 || s.AvailableReplicas != 56 || s.UnavailableReplicas != 0 {
		t.Errorf("deployment: %+v", s)
	}
	addon, err := l.eks.DescribeAddon(t.Context(), &eks.DescribeAddonInput{ClusterName: aws.String(l.World.Meta.Cluster), AddonName: aws.String("vpc-cni")})
	if err != nil {
		t.Fatal(err)
	}
	if addon.Addon.Status != types.AddonStatusActive {
		t.Errorf("add-on is %s", addon.Addon.Status)
	}
	out, err := l.Diagnose(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Report.Causes) > 0 {
		t.Errorf("still diagnosed: %v", out.Report.Causes)
	}
	// At rest: nothing more is asked of EC2 or written.
	l.lived(t, 3)
	asked := len(l.AWS.Requests())
	l.lived(t, 5)
	for _, r := range l.AWS.Requests()[asked:] {
		if r.Service == "ec2" {
			t.Errorf("at rest, %s is called", r.Action)
		}
	}
}

func ready(p *corev1.Pod) bool {
	return slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}
