package nature

import (
	"sync"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// births tells what was there when Run began from what came since. Several actors ask it at once.
type births struct {
	began func() map[types.UID]*corev1.Pod // as they were then

	mu       sync.Mutex
	replaced map[types.UID]bool // by a rollout, which makes the next ones itself
	rolling  bool               // a rollout of the CNI is under way, which counts its pods itself
}

func newBirths(pods watched) *births {
	return &births{replaced: map[types.UID]bool{}, began: sync.OnceValue(func() map[types.UID]*corev1.Pod {
		out := map[types.UID]*corev1.Pod{}
		for _, p := range listed[*corev1.Pod](pods) {
			out[p.UID] = p
		}
		return out
	})}
}

// born reports whether a pod was made since Run began.
func (b *births) born(p *corev1.Pod) bool { return b.began()[p.UID] == nil }

// lingers reports whether a pod was being deleted already when Run began: something that isn't seen here keeps it.
func (b *births) lingers(p *corev1.Pod) bool {
	was := b.began()[p.UID]
	return was != nil && was.DeletionTimestamp != nil
}

func (b *births) replace(p *corev1.Pod) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.replaced[p.UID] = true
}

func (b *births) isReplaced(p *corev1.Pod) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.replaced[p.UID]
}

func (b *births) setRolling(yes bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.rolling = yes
}

// counts reports whether a pod coming or going is to be told to what is above it: a rollout counts its own.
func (b *births) counts(p *corev1.Pod) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.rolling || !ofAgent(p)
}

// ofAgent reports whether a pod is one of the CNI.
func ofAgent(p *corev1.Pod) bool {
	o := metav1.GetControllerOf(p)
	return p.Namespace == agentNamespace && o != nil && o.Kind == "DaemonSet" && o.APIVersion == appsv1.SchemeGroupVersion.String() && o.Name == agentName
}
