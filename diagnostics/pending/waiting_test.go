package pending

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/netdiag/netdiag/diagnostics"
)

var now = time.Date(2026, 3, 22, 10, 30, 0, 0, time.UTC)

// minutes gives the time so many minutes ago.
func minutes(n float64) metav1.Time {
	return metav1.NewTime(now.Add(-time.Duration(n * float64(time.Minute))))
}

func event(reason, message string, minutesAgo float64) *corev1.Event {
	kind := corev1.EventTypeWarning
	if reason == "ResourceAllocated" {
		kind = corev1.EventTypeNormal
	}
	return &corev1.Event{Reason: reason, Message: message, Type: kind, FirstTimestamp: minutes(minutesAgo + 3), LastTimestamp: minutes(minutesAgo), Count: 4}
}

func pendingPod(edit func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "backend", Name: "api-1", UID: "1", CreationTimestamp: minutes(15)},
		Spec: corev1.PodSpec{NodeName: "node-1"}, Status: corev1.PodStatus{Phase: corev1.PodPending,
			ContainerStatuses: []corev1.ContainerStatus{{Name: "api", State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ContainerCreating"}}}}}}
	if edit != nil {
		edit(p)
	}
	return p
}

func TestJudge(t *testing.T) {
	failing := event("FailedCreatePodSandBox", "add cmd: failed to assign an IP address to container", 0.2)
	for _, c := range []struct {
		name   string
		pod    func(*corev1.Pod)
		events []*corev1.Event
		want   stage
	}{
		{"waits for its network", nil, []*corev1.Event{failing}, unconnected},
		{"nothing is said of it", nil, nil, unconnected},
		{"being deleted", func(p *corev1.Pod) { d := minutes(1); p.DeletionTimestamp = &d }, []*corev1.Event{failing}, terminating},
		{"gated", func(p *corev1.Pod) {
			p.Spec.NodeName, p.Spec.SchedulingGates = "", []corev1.PodSchedulingGate{{Name: "queue"}}
		}, nil, gated},
		{"a placeholder", func(p *corev1.Pod) { n := int32(-10); p.Spec.NodeName, p.Spec.Priority = "", &n }, nil, placeholder},
		{"a negative priority that has its node is no placeholder any more", func(p *corev1.Pod) { n := int32(-10); p.Spec.Priority = &n }, nil, unconnected},
		{"young", func(p *corev1.Pod) { p.CreationTimestamp = minutes(0.5) }, nil, starting},
		{"young, but warned of", func(p *corev1.Pod) { p.CreationTimestamp = minutes(0.5) }, []*corev1.Event{failing}, unconnected},
		{"has no node", func(p *corev1.Pod) { p.Spec.NodeName = "" }, nil, unscheduled},
		{"has its address", func(p *corev1.Pod) { p.Status.PodIP = "10.0.1.9" }, []*corev1.Event{failing}, connected},
		{"the address of its node is not its own", func(p *corev1.Pod) { p.Spec.HostNetwork, p.Status.PodIP = true, "10.0.1.9" }, nil, unconnected},
		{"its sandbox is ready", func(p *corev1.Pod) {
			p.Status.Conditions = []corev1.PodCondition{{Type: "PodReadyToStartContainers", Status: corev1.ConditionTrue}}
		}, nil, connected},
		{"its image is missing", func(p *corev1.Pod) { p.Status.ContainerStatuses[0].State.Waiting.Reason = "ImagePullBackOff" }, nil, connected},
		{"its volume is missing", nil, []*corev1.Event{event("FailedMount", `secret "db" not found`, 1)}, unmounted},
		{"its volume was missing, now it lacks an address", nil, []*corev1.Event{event("FailedMount", `secret "db" not found`, 5), failing}, unconnected},
		{"the failure is of forty minutes ago", nil, []*corev1.Event{event("FailedMount", "old", 40)}, unconnected},
		{"its branch interface came after the failure", nil, []*corev1.Event{event("FailedCreatePodSandBox", "failed to assign", 1), event("ResourceAllocated", "Allocated", 0.9)}, starting},
		{"running", func(p *corev1.Pod) { p.Status.Phase = corev1.PodRunning }, []*corev1.Event{failing}, started},
		{"refused by the kubelet", func(p *corev1.Pod) { p.Status.Phase, p.Status.Reason = corev1.PodFailed, "OutOfpods" }, nil, rejected},
		{"failed for its own reasons", func(p *corev1.Pod) { p.Status.Phase, p.Status.Reason = corev1.PodFailed, "Error" }, nil, finished},
		{"Fargate", func(p *corev1.Pod) { p.Spec.NodeName, p.Spec.SchedulerName = "", "fargate-scheduler" }, nil, onFargate},
	} {
		if got := judge(pendingPod(c.pod), c.events, now); got.stage != c.want {
			t.Errorf("%s: stage %d, want %d", c.name, got.stage, c.want)
		}
	}
}

func TestWhenReadsEveryGenerationOfEvents(t *testing.T) {
	series := &corev1.Event{EventTime: metav1.NewMicroTime(now.Add(-time.Hour)), Series: &corev1.EventSeries{Count: 7, LastObservedTime: metav1.NewMicroTime(now.Add(-time.Minute))}}
	if got := diagnostics.LastSeen(series); !got.Equal(now.Add(-time.Minute)) || times(series) != 7 || !since(series).Equal(now.Add(-time.Hour)) {
		t.Errorf("series: %v, %d times, since %v", got, times(series), since(series))
	}
	single := &corev1.Event{EventTime: metav1.NewMicroTime(now.Add(-time.Hour))}
	if got := diagnostics.LastSeen(single); !got.Equal(now.Add(-time.Hour)) || times(single) != 1 {
		t.Errorf("single: %v, %d times", got, times(single))
	}
}
