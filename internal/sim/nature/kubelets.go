package nature

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/netdiag/netdiag/internal/cni"
)

const (
	kubeletLoop = time.Second
	// agentStart is how long a new aws-node pod takes until it is ready: its init container, then ipamd's own start.
	agentStart = 20 * time.Second
	hostStart  = 3 * time.Second // the same of another pod on the network of its node
	ending     = 2 * time.Second // how long containers take that are told to end
)

// kubelets end the pods that are being deleted and start those of the host's network that were bound since Run began.
// Pods that need an address are started by ipamd's turn, once there is one.
type kubelets struct {
	n     *Nature
	c     *clients
	spent map[types.UID]time.Duration // on starting or ending a pod
	done  map[types.UID]bool
}

func newKubelets(n *Nature, c *clients) *kubelets {
	return &kubelets{n, c, map[types.UID]time.Duration{}, map[types.UID]bool{}}
}

func (k *kubelets) round(ctx context.Context) error {
	k.c.births.began() // what comes from now on is new
	var all error
	spent, done := map[types.UID]time.Duration{}, map[types.UID]bool{}
	for _, p := range listed[*corev1.Pod](k.c.pods) {
		if p.Spec.NodeName == "" || k.silent(p.Spec.NodeName) {
			continue
		}
		var err error
		switch {
		case p.DeletionTimestamp != nil && !k.c.births.lingers(p):
			err = k.end(ctx, p)
		case p.DeletionTimestamp == nil && p.Spec.HostNetwork && p.Status.Phase == corev1.PodPending && k.c.births.born(p):
			err = k.start(ctx, p)
		default:
			continue
		}
		all = errors.Join(all, err)
		spent[p.UID], done[p.UID] = k.spent[p.UID], k.done[p.UID]
	}
	k.spent, k.done = spent, done
	return all
}

// silent reports a node whose kubelet isn't heard.
func (k *kubelets) silent(node string) bool {
	n := got[*corev1.Node](k.c.nodes, "", node)
	return n == nil || slices.ContainsFunc(n.Status.Conditions, func(c corev1.NodeCondition) bool {
		return c.Type == corev1.NodeReady && c.Status == corev1.ConditionUnknown
	})
}

// wait spends one more turn on a pod; false means that the time isn't over.
func (k *kubelets) wait(p *corev1.Pod, d time.Duration) bool {
	if k.done[p.UID] {
		return false
	}
	k.spent[p.UID] += kubeletLoop
	k.done[p.UID] = k.spent[p.UID] >= d
	return k.done[p.UID]
}

// end takes a pod away whose containers have ended: those that never ran have at once.
func (k *kubelets) end(ctx context.Context, p *corev1.Pod) error {
	d := min(ending, time.Duration(*p.DeletionGracePeriodSeconds)*time.Second)
	if p.Status.Phase == corev1.PodPending {
		d = 0
	}
	if !k.wait(p, d) {
		return nil
	}
	now := metav1.NewDeleteOptions(0)
	now.Preconditions = &metav1.Preconditions{UID: &p.UID}
	err := k.c.kube.CoreV1().Pods(p.Namespace).Delete(ctx, p.Name, *now)
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		k.done[p.UID] = false
		return fmt.Errorf("end pod %s/%s: %w", p.Namespace, p.Name, err)
	}
	k.n.say("kubelet %s: pod %s/%s has ended", p.Spec.NodeName, p.Namespace, p.Name)
	return nil
}

// start takes a pod up, and reports it ready after a while. With settings that ipamd refuses, its pod never is.
func (k *kubelets) start(ctx context.Context, p *corev1.Pod) error {
	_, problems := cni.ParseSettings(environment(p.Spec))
	refused := ofAgent(p) && len(problems) > 0
	if p.Status.StartTime == nil && k.spent[p.UID] == 0 {
		taken := p.DeepCopy()
		taken.Status = k.takenUp(p, refused)
		_, err := k.c.kube.CoreV1().Pods(p.Namespace).UpdateStatus(ctx, taken, metav1.UpdateOptions{})
		switch {
		case apierrors.IsConflict(err) || apierrors.IsNotFound(err):
			return nil // it is looked at again
		case err != nil:
			return fmt.Errorf("update status of pod %s/%s: %w", p.Namespace, p.Name, err)
		}
	}
	d := hostStart
	if ofAgent(p) {
		d = agentStart
	}
	if refused || !k.wait(p, d) {
		return nil
	}
	if err := k.c.started(ctx, p.Namespace, p.Name, "", k.n.o.Now()); err != nil {
		k.done[p.UID] = false
		return err
	}
	if !ofAgent(p) {
		return k.count(ctx, p)
	}
	k.n.say("kubelet %s: pod %s is ready", p.Spec.NodeName, p.Name)
	return errors.Join(k.count(ctx, p), k.networkReady(ctx, p.Spec.NodeName))
}

func (k *kubelets) count(ctx context.Context, p *corev1.Pod) error {
	if !k.c.births.counts(p) {
		return nil
	}
	return k.c.counted(ctx, p, 1, k.n.o.Now())
}

// takenUp is the status of a pod that the kubelet has just taken up; its address is that of the node.
func (k *kubelets) takenUp(p *corev1.Pod, refused bool) corev1.PodStatus {
	now := metav1.NewTime(k.n.o.Now().UTC())
	s := corev1.PodStatus{
		Phase: corev1.PodPending, QOSClass: p.Status.QOSClass, StartTime: &now,
		Conditions: []corev1.PodCondition{
			{Type: corev1.PodInitialized, Status: corev1.ConditionTrue, LastTransitionTime: now},
			{Type: corev1.PodReady, Status: corev1.ConditionFalse, Reason: "ContainersNotReady", LastTransitionTime: now},
			{Type: corev1.ContainersReady, Status: corev1.ConditionFalse, Reason: "ContainersNotReady", LastTransitionTime: now},
			{Type: corev1.PodScheduled, Status: corev1.ConditionTrue, LastTransitionTime: now},
		},
	}
	if n := got[*corev1.Node](k.c.nodes, "", p.Spec.NodeName); n != nil {
		for _, a := range n.Status.Addresses {
			if a.Type == corev1.NodeInternalIP {
				s.HostIP, s.HostIPs = a.Address, append(s.HostIPs, corev1.HostIP{IP: a.Address})
				s.PodIP, s.PodIPs = a.Address, append(s.PodIPs, corev1.PodIP{IP: a.Address})
				break
			}
		}
	}
	for _, c := range p.Spec.Containers {
		state := corev1.ContainerStatus{Name: c.Name, Image: c.Image, State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ContainerCreating"}}}
		if refused && c.Name == agentName {
			state.RestartCount = 1
			state.State.Waiting = &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff", Message: "back-off restarting failed container=" + agentName}
		}
		s.ContainerStatuses = append(s.ContainerStatuses, state)
	}
	return s
}

// networkReady has the kubelet of a node, and the monitoring agent, see that its CNI works now.
func (k *kubelets) networkReady(ctx context.Context, name string) error {
	now := metav1.NewTime(k.n.o.Now().UTC())
	nodes := k.c.kube.CoreV1().Nodes()
	waits := func(c corev1.NodeCondition) bool {
		return c.Status == corev1.ConditionFalse && (c.Type == "NetworkingReady" || c.Type == corev1.NodeReady && strings.Contains(c.Message, "cni"))
	}
	if n := got[*corev1.Node](k.c.nodes, "", name); n == nil || !slices.ContainsFunc(n.Status.Conditions, waits) {
		return nil
	}
	_, err := statusChanged(ctx, nodes, name, func(n *corev1.Node) {
		for i := range n.Status.Conditions {
			if c := &n.Status.Conditions[i]; waits(*c) {
				c.Status, c.Message, c.LastTransitionTime = corev1.ConditionTrue, "", now
				if c.Reason = "NetworkingIsReady"; c.Type == corev1.NodeReady {
					c.Reason, c.Message = "KubeletReady", "kubelet is posting ready status"
				}
			}
		}
	})
	if err != nil {
		return fmt.Errorf("update status of node %s: %w", name, err)
	}
	k.n.say("kubelet %s: the network is ready", name)
	return nil
}
