package nature

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"

	"github.com/netdiag/netdiag/internal/elb"
	"github.com/netdiag/netdiag/internal/vpc"
)

// recorder is what the health checkers have written.
type recorder struct{ got []string }

func (r *recorder) SetTargetHealth(_, id string, port int, state, reason, _ string) {
	r.got = append(r.got, fmt.Sprint(id, ":", port, " ", state, " ", reason))
}

// bench is one target at 10.0.1.5:8080, checked every 15 s, two passes or failures in a row.
type bench struct {
	*checks
	recorder
	v *view
	g elb.TargetGroup
}

func newBench(pods ...*corev1.Pod) *bench {
	b := &bench{}
	store := cache.NewSharedIndexInformer(&cache.ListWatch{}, &corev1.Pod{}, 0, cache.Indexers{})
	for _, p := range pods {
		if err := store.GetStore().Add(p); err != nil {
			panic(err)
		}
	}
	b.checks = newChecks(New(Options{Health: &b.recorder}), &clients{pods: store})
	b.g = elb.TargetGroup{ARN: "tg", Name: "tg", LoadBalancers: []string{"lb"}, Check: elb.HealthCheck{Port: "traffic-port", Path: "/", Interval: 15 * time.Second, Healthy: 2, Unhealthy: 2}}
	b.began["tg"] = b.g.Check
	front := vpc.NetworkInterface{ID: "eni-lb", Subnet: "subnet-1", Primary: netip.MustParseAddr("10.0.1.9"), Groups: []string{"sg-lb"}}
	node := vpc.NetworkInterface{ID: "eni-node", Subnet: "subnet-1", Primary: netip.MustParseAddr("10.0.1.4"), Groups: []string{"sg-node"}}
	b.v = &view{fronts: map[string][]vpc.NetworkInterface{"lb": {front}}, carriers: map[string]vpc.NetworkInterface{"10.0.1.5": node}}
	b.network(false)
	return b
}

// network opens or closes the port of the target.
func (b *bench) network(open bool) {
	b.v.firewall = vpc.Firewall{Rules: map[string][]vpc.SecurityGroupRule{
		"sg-lb": {{ID: "out", Group: "sg-lb", Egress: true, Protocol: "-1", From: -1, To: -1, CIDR: netip.MustParsePrefix("0.0.0.0/0")}}, "sg-node": {},
	}}
	if open {
		b.v.firewall.Rules["sg-node"] = []vpc.SecurityGroupRule{{ID: "in", Group: "sg-node", Protocol: "tcp", From: 8080, To: 8080, Source: "sg-lb"}}
	}
}

// after lets n rounds pass with the target in a state.
func (b *bench) after(n int, state, reason string) {
	for range n {
		b.check(b.v, b.g, elb.TargetHealth{ID: "10.0.1.5", Port: 8080, State: state, Reason: reason})
	}
}

func (b *bench) want(t *testing.T, what string, want ...string) {
	t.Helper()
	if fmt.Sprint(b.got) != fmt.Sprint(want) {
		t.Errorf("%s: written %q, want %q", what, b.got, want)
	}
}

func servingPod(ready corev1.ConditionStatus, probe string) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "pod", UID: types.UID("1")}}
	p.Status = corev1.PodStatus{Phase: corev1.PodRunning, PodIP: "10.0.1.5", Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: ready}}}
	p.Spec.Containers = []corev1.Container{{Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 8080}}, ReadinessProbe: &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: probe}}}}}
	p.Spec.Containers[0].ReadinessProbe.HTTPGet.Port.StrVal, p.Spec.Containers[0].ReadinessProbe.HTTPGet.Port.Type = "http", 1
	return p
}

func TestTargetFollowsTheNetwork(t *testing.T) {
	b := newBench()
	b.after(3, "unhealthy", timedOut)
	b.want(t, "closed")
	b.network(true)
	b.after(3, "unhealthy", timedOut) // 20 s of 30
	b.want(t, "not long enough open")
	b.after(1, "unhealthy", timedOut)
	b.want(t, "open", "10.0.1.5:8080 healthy ")
	b.network(false)
	b.after(2, "healthy", "")
	b.network(true)
	b.after(2, "healthy", "")
	b.network(false)
	b.after(3, "healthy", "")
	b.want(t, "flapping", "10.0.1.5:8080 healthy ")
	b.after(1, "healthy", "")
	b.want(t, "closed again", "10.0.1.5:8080 healthy ", "10.0.1.5:8080 unhealthy Target.Timeout")
}

func TestTargetStaysForOtherReasons(t *testing.T) {
	b := newBench()
	b.network(true)
	b.after(10, "unhealthy", timedOut)
	b.network(false)
	b.after(10, "unhealthy", timedOut)
	b.network(true)
	b.after(10, "unhealthy", timedOut)
	b.want(t, "timed out although open from the start")

	b = newBench(servingPod(corev1.ConditionFalse, "/"))
	b.after(1, "unhealthy", timedOut)
	b.network(true)
	b.after(10, "unhealthy", timedOut)
	b.want(t, "its pod isn't ready")

	b = newBench()
	b.v.firewall.Rules = map[string][]vpc.SecurityGroupRule{"sg-lb": b.v.firewall.Rules["sg-lb"]}
	b.after(1, "healthy", "")
	b.after(10, "healthy", "")
	b.want(t, "the network can't be read")

	b = newBench()
	b.after(10, "healthy", "")
	b.want(t, "healthy although closed from the start")
}

func TestTargetPassesACorrectedCheck(t *testing.T) {
	const mismatch = "Target.ResponseCodeMismatch"
	b := newBench(servingPod(corev1.ConditionTrue, "/health"))
	b.network(true)
	b.after(10, "unhealthy", mismatch)
	b.want(t, "as it was")
	b.g.Check.Path = "/wrong"
	b.after(10, "unhealthy", mismatch)
	b.want(t, "changed to another path that nothing answers")
	b.g.Check.Path = "/health"
	b.after(4, "unhealthy", mismatch)
	b.want(t, "changed to the path of the probe", "10.0.1.5:8080 healthy ")
}

func TestShort(t *testing.T) {
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{UID: "1"}}
	event := func(uid types.UID, after time.Duration, reason, message string) *corev1.Event {
		return &corev1.Event{InvolvedObject: corev1.ObjectReference{UID: uid}, Reason: reason, Message: message, LastTimestamp: metav1.NewTime(at.Add(after))}
	}
	const sandbox, mount = "FailedCreatePodSandBox", "FailedMount"
	want := event("1", time.Minute, sandbox, `plugin type="aws-cni" name="aws-cni" failed (add): add cmd: failed to assign an IP address to container`)
	for _, c := range []struct {
		name   string
		events []*corev1.Event
		want   bool
	}{
		{"no event", nil, false},
		{"the CNI has none", []*corev1.Event{want}, true},
		{"of another pod", []*corev1.Event{event("2", time.Minute, sandbox, noAddress)}, false},
		{"the last one says something else", []*corev1.Event{want, event("1", time.Hour, sandbox, "failed to setup network policy")}, false},
		{"an older one says something else", []*corev1.Event{event("1", 0, sandbox, "connection refused"), want}, true},
		{"another kind of event", []*corev1.Event{event("1", time.Minute, mount, noAddress)}, false},
	} {
		if got := short(pod, c.events); got != c.want {
			t.Errorf("%s: short %t", c.name, got)
		}
	}
}
