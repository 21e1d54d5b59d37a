package nature

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/netdiag/netdiag/internal/cni"
)

// agent is the CNI of one node.
type agent struct {
	name, instance string
	limits         cni.Limits
	maxPods        int
	began          setting // with which it ran when Run began
	setting        setting
	settled        bool // nothing is left to do with this setting
	// held means that pods waited when Run began although an address could have been had: something that isn't seen here
	// keeps them. Another setting lifts it.
	held bool
	// refused means that EC2 lets this CNI change nothing, for want of a permission, which no setting lifts.
	refused bool
	pod     types.UID // of the CNI's pod that ran last; empty where none did when Run began
	// restarted means that another pod of the CNI runs than when Run began: whatever the old one had wrong in memory is gone.
	restarted     bool
	release, wait time.Duration // until it may release, or ask EC2 for more, again
}

// setting is settings, with a text by which they can be compared.
type setting struct {
	cni.Settings
	text string
}

func newSetting(env map[string]string) setting {
	s, _ := cni.ParseSettings(env)
	s.Set = nil // what is set to its default is the same as unset
	return setting{s, fmt.Sprintf("%+v", s)}
}

// newAgent makes the agent of a node from its pod, which may be nil; nil where the node is none that the VPC CNI serves.
// env is what a pod runs with that says nothing itself.
func newAgent(node *corev1.Node, l cni.Limits, pod *corev1.Pod, env map[string]string, events []*corev1.Event) *agent {
	instance := node.Spec.ProviderID[strings.LastIndexByte(node.Spec.ProviderID, '/')+1:] // aws:///us-west-2a/i-…
	if l.Interfaces == 0 || !strings.HasPrefix(instance, "i-") {
		return nil
	}
	ag := &agent{name: node.Name, instance: instance, limits: l, maxPods: int(node.Status.Allocatable.Pods().Value())}
	if pod != nil {
		ag.pod = pod.UID
		if own := environment(pod.Spec); len(own) > 0 {
			env = own
		}
		ag.refused = slices.ContainsFunc(events, func(e *corev1.Event) bool {
			return e.Reason == "MissingIAMPermissions" && e.InvolvedObject.Namespace == pod.Namespace && e.InvolvedObject.Name == pod.Name
		})
	}
	ag.began = newSetting(env)
	ag.setting = ag.began
	return ag
}

// adopt takes over the settings of the pod that runs now; false means that none does. env is what a pod runs with that
// says nothing itself.
func (ag *agent) adopt(pod *corev1.Pod, env map[string]string) bool {
	if pod == nil || !isReady(pod) {
		return false
	}
	if own := environment(pod.Spec); len(own) > 0 {
		env = own
	}
	if _, problems := cni.ParseSettings(env); len(problems) > 0 {
		return false
	}
	if s := newSetting(env); s.text != ag.setting.text || pod.UID != ag.pod {
		ag.restarted = ag.restarted || pod.UID != ag.pod
		ag.setting, ag.pod, ag.settled, ag.held = s, pod.UID, false, ag.held && ag.refused
		ag.release, ag.wait = 0, 0 // after a restart the first release is immediate
	}
	return true
}

// agentPod finds the pod of the CNI among those of a node.
func agentPod(pods []*corev1.Pod) *corev1.Pod {
	for _, p := range pods {
		if p.Namespace == agentNamespace && p.Labels["k8s-app"] == agentName && p.DeletionTimestamp == nil {
			return p
		}
	}
	return nil
}
