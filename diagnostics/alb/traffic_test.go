package alb

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/elb"
	"github.com/netdiag/netdiag/internal/trail"
	"github.com/netdiag/netdiag/internal/vpc"
)

// curve is fifteen minutes of base, with other values in some of them.
func curve(base float64, others map[int]float64) []float64 {
	out := make([]float64, 15)
	for i := range out {
		out[i] = base
		if v, ok := others[i]; ok {
			out[i] = v
		}
	}
	return out
}

// minute is the start of one of those fifteen.
func minute(i int) time.Time { return now.Add(time.Duration(i-15) * time.Minute) }

// ended lets a container of a pod end.
func (f *fake) ended(pod int, container string, at time.Time, code int32, reason string, restarts int32) {
	f.pods[pod].Status.ContainerStatuses = append(f.pods[pod].Status.ContainerStatuses, corev1.ContainerStatus{Name: container, RestartCount: restarts,
		LastTerminationState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: code, Reason: reason, FinishedAt: metav1.NewTime(at)}}})
}

// rolled replaces the pods of the shop at a time: two ReplicaSets, and the events of the old one going.
func (f *fake) rolled(at time.Time) {
	for i, name := range []string{"cart-old", "cart-new"} {
		rs := appsv1.ReplicaSet{}
		rs.Namespace, rs.Name, rs.Annotations = "shop", name, map[string]string{"deployment.kubernetes.io/revision": fmt.Sprint(i + 1)}
		rs.OwnerReferences = []metav1.OwnerReference{{Kind: "Deployment", Name: "cart"}}
		rs.CreationTimestamp = metav1.NewTime(at.Add(-time.Minute))
		if i == 0 {
			rs.CreationTimestamp = metav1.NewTime(at.Add(-100 * time.Hour))
		}
		rs.Spec.Template.Labels = map[string]string{"app": "cart"}
		f.replicaSets = append(f.replicaSets, rs)
	}
	f.deployments["shop"][0].Spec.Template.Spec.Containers = []corev1.Container{{Name: "app"}}
	f.event("Deployment", "shop", "cart", "ScalingReplicaSet", "Scaled down replica set cart-old from 2 to 0", at)
}

func (f *fake) event(kind, namespace, name, reason, message string, at time.Time) {
	e := corev1.Event{Type: "Normal", Reason: reason, Message: message, Count: 1, LastTimestamp: metav1.NewTime(at)}
	e.Namespace, e.Name = namespace, strings.ToLower(name+"."+reason+fmt.Sprint(len(f.events)))
	if kind == "Node" {
		e.Namespace, namespace = "default", ""
	}
	e.InvolvedObject = corev1.ObjectReference{Kind: kind, Namespace: namespace, Name: name}
	f.events = append(f.events, e)
}

// careful gives pods a readiness gate and a preStop sleep.
func (f *fake) careful(seconds int64) {
	hook := &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{Sleep: &corev1.SleepAction{Seconds: seconds}}}
	for i := range f.pods {
		f.pods[i].Spec.ReadinessGates = []corev1.PodReadinessGate{{ConditionType: "target-health.elbv2.k8s.aws/k8s-shop-cart-1"}}
		f.pods[i].Spec.Containers[0].Lifecycle = hook
	}
	for i := range f.replicaSets {
		f.replicaSets[i].Spec.Template.Spec.Containers = []corev1.Container{{Name: "app", Lifecycle: hook}}
	}
	f.deployments["shop"][0].Spec.Template.Spec.Containers = []corev1.Container{{Name: "app", Lifecycle: hook}}
}

// byNode makes the targets nodes.
func (f *fake) byNode() {
	f.groups[0].TargetType, f.groups[0].Port, f.bindings[0].TargetType = "instance", 30080, "instance"
	f.sgRules = append(f.sgRules, vpc.SecurityGroupRule{ID: "sgr-node", Group: "sg-node", Protocol: "tcp", From: 30080, To: 30080, Source: "sg-back"})
	f.services[0].Spec.Type, f.services[0].Spec.Ports[0].NodePort = corev1.ServiceTypeNodePort, 30080
	for i, id := range []string{"i-a", "i-b"} {
		f.health[tgARN][i] = elb.TargetHealth{ID: id, Port: 30080, HealthCheckPort: "30080", State: "healthy"}
	}
}

// image names the image of the application.
func (f *fake) image(name string, command ...string) {
	for i := range f.pods {
		f.pods[i].Spec.Containers[0].Image, f.pods[i].Spec.Containers[0].Command = name, command
	}
}

// TestTraffic lets every target be healthy and gives the errors a shape: what they come from, or nothing where that can't be told.
func TestTraffic(t *testing.T) {
	burst := map[string][]float64{elb502: curve(0, map[int]float64{7: 40, 8: 20})}
	flat := map[string][]float64{elb502: curve(3, map[int]float64{2: 2, 5: 4, 9: 2})}
	for name, tc := range map[string]struct {
		change     func(*fake)
		curves     map[string][]float64
		cause      string
		confidence diagnostics.Confidence // likely where empty
		fix        string
		says       string // part of the summary
	}{
		"crash": {curves: burst, change: func(f *fake) { f.ended(0, "app", minute(7).Add(10*time.Second), 137, "OOMKilled", 1) }, cause: "app.crash-midrequest", fix: "fix-app", says: "60 within a minute"},
		"crash, with the zeros left out": {curves: map[string][]float64{elb502: {40}, requests: curve(6000, nil)}, change: func(f *fake) {
			f.ended(0, "app", now.Add(-40*time.Second), 139, "Error", 1)
		}, cause: "app.crash-midrequest", fix: "fix-app", says: "segmentation fault"},
		"crash, the last of three": {curves: map[string][]float64{elb502: curve(0, map[int]float64{2: 9, 6: 11, 12: 10})}, change: func(f *fake) { f.ended(0, "app", minute(12), 1, "Error", 3) }, cause: "app.crash-midrequest", fix: "fix-app"},
		"crash, the only one, of three bursts": {curves: map[string][]float64{elb502: curve(0, map[int]float64{2: 9, 6: 11, 12: 10})},
			change: func(f *fake) { f.ended(0, "app", minute(12), 1, "Error", 1) }},
		"crash amid a trickle":  {curves: flat, change: func(f *fake) { f.ended(0, "app", minute(7), 137, "OOMKilled", 1) }},
		"crash at another time": {curves: burst, change: func(f *fake) { f.ended(0, "app", minute(1), 137, "OOMKilled", 1) }},
		"crash of a sidecar":    {curves: burst, change: func(f *fake) { f.ended(0, "istio-proxy", minute(7), 137, "OOMKilled", 1) }},
		"crash of a log shipper": {curves: burst, change: func(f *fake) {
			f.pods[0].Spec.Containers = append(f.pods[0].Spec.Containers, corev1.Container{Name: "fluent-bit"})
			f.ended(0, "fluent-bit", minute(7), 1, "Error", 1)
		}},
		"drain race":              {curves: burst, change: func(f *fake) { f.rolled(minute(7)) }, cause: "rollout.drain-race", fix: "graceful-drain", says: "no readiness gate and no preStop hook"},
		"drain race, events gone": {curves: burst, change: func(f *fake) { f.rolled(minute(7)); f.events = nil }, cause: "rollout.drain-race", fix: "graceful-drain"},
		"drain race, short sleep": {curves: burst, change: func(f *fake) { f.rolled(minute(7)); f.careful(5) }, cause: "rollout.drain-race", fix: "graceful-drain", says: "a preStop sleep of only 5 s"},
		"drain race, old pods only": {curves: burst, change: func(f *fake) {
			f.rolled(minute(7))
			f.careful(25)
			f.replicaSets[0].Spec.Template.Spec.Containers = nil
		}, cause: "rollout.drain-race", says: "no preStop hook"},
		"drain race, sleep as long as the grace": {curves: burst, change: func(f *fake) { f.rolled(minute(7)); f.careful(30) }, cause: "rollout.drain-race", fix: "graceful-drain", says: "a grace period of 30 s"},
		"drain race of a StatefulSet": {curves: burst, change: func(f *fake) {
			f.pods[0].OwnerReferences = []metav1.OwnerReference{{Kind: "StatefulSet", Name: "cart"}}
			f.event("StatefulSet", "shop", "cart", "SuccessfulDelete", "delete Pod cart-1 in StatefulSet cart successful", minute(7))
		}, cause: "rollout.drain-race", fix: "graceful-drain"},
		"drain race by node": {curves: burst, change: func(f *fake) { f.byNode(); f.rolled(minute(7)) }, cause: "rollout.drain-race", confidence: diagnostics.Possible, fix: "graceful-drain"},
		"rollout with care by node": {curves: burst, change: func(f *fake) {
			f.byNode()
			f.rolled(minute(7))
			f.careful(25)
			f.pods[0].Spec.ReadinessGates, f.pods[1].Spec.ReadinessGates = nil, nil
		}},
		"rollout with care":       {curves: burst, change: func(f *fake) { f.rolled(minute(7)); f.careful(25) }},
		"rollout at another time": {curves: burst, change: func(f *fake) { f.rolled(minute(4)) }},
		"rollout of another application": {curves: burst, change: func(f *fake) {
			f.event("Deployment", "shop", "other", "ScalingReplicaSet", "Scaled down replica set other-1 from 1 to 0", minute(7))
		}},
		"first rollout":                             {curves: burst, change: func(f *fake) { f.rolled(minute(7)); f.events = nil; f.replicaSets = f.replicaSets[1:] }},
		"deregistration delay":                      {curves: burst, change: func(f *fake) { f.rolled(minute(2)); f.grace(900) }, cause: "dereg.delay-elapsed", fix: "graceful-drain", says: "300 s"},
		"deregistration delay, but pods end sooner": {curves: burst, change: func(f *fake) { f.rolled(minute(2)); f.grace(60) }, cause: "dereg.delay-elapsed", confidence: diagnostics.Possible, fix: "graceful-drain", says: "terminationGracePeriodSeconds of 60"},
		"another deregistration delay": {curves: burst, change: func(f *fake) {
			f.rolled(minute(2))
			f.attributes = map[string]string{"deregistration_delay.timeout_seconds": "120"}
		}},
		"node gone": {curves: burst, change: func(f *fake) {
			f.byNode()
			f.health[tgARN][1].State, f.health[tgARN][1].Reason = "unused", invalidState
			f.event("Node", "", "node-gone", "RemovingNode", "Removing Node", minute(8))
		}, cause: "node.termination", fix: "graceful-drain"},
		"node gone, told by CloudTrail": {curves: burst, change: func(f *fake) {
			f.byNode()
			f.health[tgARN][1].State, f.health[tgARN][1].Reason = "unused", invalidState
			f.audit = []trail.Event{{ID: "e", At: minute(6), Name: "BidEvictedEvent", User: "ec2.amazonaws.com", Resources: []string{"i-b"}}}
		}, cause: "node.termination", fix: "graceful-drain"},
		"node gone, nobody saw it": {curves: burst, change: func(f *fake) {
			f.byNode()
			f.health[tgARN][1].State, f.health[tgARN][1].Reason = "unused", invalidState
		}, cause: "node.termination", confidence: diagnostics.Possible, fix: "graceful-drain"},
		"node gone, errors all the time": {curves: flat, change: func(f *fake) {
			f.byNode()
			f.health[tgARN][1].State, f.health[tgARN][1].Reason = "unused", invalidState
			f.event("Node", "", "node-gone", "RemovingNode", "Removing Node", minute(8))
		}, cause: "node.termination", confidence: diagnostics.Possible, fix: "graceful-drain"},
		"node gone, its target too": {curves: burst, change: func(f *fake) {
			f.byNode()
			f.event("Node", "", "node-gone", "SpotInterrupted", "Spot interruption warning", minute(6))
		}, cause: "node.termination", fix: "graceful-drain"},
		"node gone without errors": {change: func(f *fake) {
			f.byNode()
			f.health[tgARN][1].State, f.health[tgARN][1].Reason = "unused", invalidState
			f.event("Node", "", "node-gone", "RemovingNode", "Removing Node", minute(8))
		}},
		"node that stays and is no target": {curves: burst, change: func(f *fake) {
			f.byNode()
			n := corev1.Node{}
			n.Name, n.Spec.ProviderID = "node-c", "aws:///us-west-2c/i-c"
			f.nodes = append(f.nodes, n)
			f.event("Node", "", "node-c", "Drained", "Drained", minute(7))
		}},
		"node gone behind targets by address": {curves: burst, change: func(f *fake) { f.event("Node", "", "node-gone", "RemovingNode", "Removing Node", minute(7)) }},
		"keep-alive":                          {curves: flat, change: func(f *fake) { f.image("registry/cart:1-node22") }, cause: "keepalive.mismatch", confidence: diagnostics.Possible, fix: "keepalive", says: "after 5 s"},
		"keep-alive by command":               {curves: flat, change: func(f *fake) { f.image("registry/cart:1", "gunicorn", "app:app") }, cause: "keepalive.mismatch", confidence: diagnostics.Possible, fix: "keepalive", says: "after 2 s"},
		"keep-alive as the log tells": {curves: flat, change: func(f *fake) {
			f.logs = map[string]string{"shop/cart-a/app": "listening on 8080, keepAliveTimeout=8000ms\n"}
		}, cause: "keepalive.mismatch", fix: "keepalive", says: "closes idle connections after 8 s"},
		"keep-alive, a scale-down in its midst": {curves: flat, change: func(f *fake) { f.image("node:22"); f.rolled(minute(7)) }, cause: "keepalive.mismatch", confidence: diagnostics.Possible, fix: "keepalive"},
		"keep-alive, but only at scale-downs": {curves: map[string][]float64{elb502: curve(0, map[int]float64{1: 3, 5: 3, 9: 3, 13: 3})}, change: func(f *fake) {
			f.image("node:22")
			f.careful(25)
			for _, m := range []int{1, 5, 9, 13} {
				f.event("Deployment", "shop", "cart", "ScalingReplicaSet", "Scaled down replica set cart-new from 3 to 2", minute(m))
			}
		}},
		"keep-alive set longer":           {curves: flat, change: func(f *fake) { f.image("registry/cart:1", "gunicorn", "--keep-alive", "75", "app:app") }},
		"keep-alive of an unknown server": {curves: flat, change: func(f *fake) { f.image("registry/cart:1") }},
		"keep-alive behind a mesh": {curves: flat, change: func(f *fake) {
			f.image("node:22")
			for i := range f.pods {
				f.pods[i].Spec.Containers = append(f.pods[i].Spec.Containers, corev1.Container{Name: "istio-proxy"})
			}
		}},
		"keep-alive, but connections fail": {curves: map[string][]float64{elb502: flat[elb502], connectErrors: flat[elb502]}, change: func(f *fake) { f.image("node:22") }},
		"keep-alive, but in a burst":       {curves: burst, change: func(f *fake) { f.image("node:22") }},
		"keep-alive, attributes unread": {curves: flat, change: func(f *fake) {
			f.image("node:22")
			f.denied = []string{"elasticloadbalancing:DescribeLoadBalancerAttributes"}
		}, cause: "keepalive.mismatch", confidence: diagnostics.Possible, fix: "keepalive"},
		"slow answers":                    {curves: map[string][]float64{elb504: curve(2, nil), responseTime: curve(59, nil)}, cause: "app.slow-response", fix: "idle-timeout", says: "60 s"},
		"slow answers, told by the log":   {curves: map[string][]float64{elb504: curve(2, nil)}, change: func(f *fake) { f.logs = map[string]string{"shop/cart-a/app": "GET /reports 200 75214ms\n"} }, cause: "app.slow-response", fix: "idle-timeout"},
		"slow answers, but not so slow":   {curves: map[string][]float64{elb504: curve(2, nil), responseTime: curve(20, nil)}},
		"504, but connections fail":       {curves: map[string][]float64{elb504: curve(2, nil), connectErrors: curve(2, nil), responseTime: curve(59, nil)}},
		"slow answers, attributes unread": {curves: map[string][]float64{elb504: curve(2, nil), responseTime: curve(59, nil)}, change: func(f *fake) { f.denied = []string{"elasticloadbalancing:DescribeLoadBalancerAttributes"} }, cause: "app.slow-response", confidence: diagnostics.Possible, fix: "idle-timeout"},
		"big headers": {curves: flat, change: func(f *fake) {
			f.logs = map[string]string{"shop/cart-b/app": "GET /login response_header_bytes=33912\n"}
		}, cause: "resp.header-too-large", fix: "fix-app"},
		"big headers of a request": {curves: flat, change: func(f *fake) {
			f.logs = map[string]string{"shop/cart-b/app": "GET /login request_header_bytes=33912\n"}
		}},
		"headers at the limit": {curves: flat, change: func(f *fake) {
			f.logs = map[string]string{"shop/cart-b/app": "GET /login response_header_bytes=32768\n"}
		}},
		"short body": {curves: map[string][]float64{elb504: curve(1, nil)}, change: func(f *fake) {
			f.logs = map[string]string{"shop/cart-a/app": "WARN response content shorter than Content-Length\n"}
		}, cause: "resp.malformed", confidence: diagnostics.Possible, fix: "fix-app"},
		"broken headers": {curves: flat, change: func(f *fake) { f.logs = map[string]string{"shop/cart-a/app": "ERROR illegal header value b'x\\n'\n"} }, cause: "resp.malformed", confidence: diagnostics.Possible, fix: "fix-app"},
		"length of a request": {curves: map[string][]float64{elb504: curve(1, nil)}, change: func(f *fake) {
			f.logs = map[string]string{"shop/cart-a/app": "POST /orders content_length=5120 body_bytes_sent=120\n"}
		}},
		"own errors beside explained ones":          {curves: map[string][]float64{elb502: burst[elb502], target5xx: curve(300, nil)}, change: func(f *fake) { f.rolled(minute(7)) }, cause: "rollout.drain-race", fix: "graceful-drain"},
		"own errors and a few of the load balancer": {curves: map[string][]float64{elb502: curve(1, nil), target5xx: curve(300, nil)}, cause: "app.own-5xx", fix: "fix-app", says: "15 further errors"},
		"hardly any own errors":                     {curves: map[string][]float64{target5xx: curve(3, nil)}},
		"own errors, load balancer shared": {curves: map[string][]float64{target5xx: curve(300, nil), requests: curve(6000, nil)}, change: func(f *fake) {
			f.ingresses[0].Annotations["alb.ingress.kubernetes.io/group.name"] = "shared"
			f.bindings[0].Labels = map[string]string{"ingress.k8s.aws/stack": "shared"}
			f.rules = append(f.rules, elb.Rule{ARN: "rule/9", Listener: "listener/1", Priority: 9, Conditions: []elb.Condition{{Field: "host-header", Values: []string{"other.example.com"}}},
				Actions: []elb.Action{{Type: "forward", Targets: []elb.Weighted{{TargetGroup: "arn:other", Weight: 1}}}}})
		}, cause: "app.own-5xx", fix: "fix-app", says: "which serves other ingresses too"},
		"HTTP/1.1 to gRPC":          {curves: map[string][]float64{elb4xx: curve(600, nil)}, change: func(f *fake) { f.groups[0].ProtocolVersion = "GRPC" }, cause: "proto.464", fix: "set-protocol", says: "9.1 %"},
		"gRPC to HTTP/1.1":          {curves: map[string][]float64{elb4xx: curve(600, nil)}, change: func(f *fake) { grpc := "grpc"; f.services[0].Spec.Ports[0].AppProtocol = &grpc }, cause: "proto.464", fix: "set-protocol", says: "speak gRPC"},
		"every request turned away": {curves: map[string][]float64{elb4xx: curve(600, nil), requests: {}}, change: func(f *fake) { f.groups[0].ProtocolVersion = "HTTP2" }, cause: "proto.464", fix: "set-protocol", says: "100.0 %"},
		"a few 4xx to gRPC":         {curves: map[string][]float64{elb4xx: curve(30, nil)}, change: func(f *fake) { f.groups[0].ProtocolVersion = "GRPC" }},
		"4xx to HTTP/1.1":           {curves: map[string][]float64{elb4xx: curve(600, nil)}},
		"web ACL": {curves: map[string][]float64{elb4xx: curve(3000, nil)}, change: func(f *fake) {
			f.ingresses[0].Annotations["alb.ingress.kubernetes.io/wafv2-acl-arn"] = "arn:aws:wafv2:us-west-2:1:regional/webacl/shop/1"
		}, cause: "waf.or.auth", confidence: diagnostics.Possible},
		"web ACL at its work": {curves: map[string][]float64{elb4xx: curve(300, nil)}, change: func(f *fake) {
			f.ingresses[0].Annotations["alb.ingress.kubernetes.io/wafv2-acl-arn"] = "arn:aws:wafv2:us-west-2:1:regional/webacl/shop/1"
		}},
		"login": {curves: map[string][]float64{authError: curve(20, nil)}, change: func(f *fake) {
			f.rules[0].Actions = append([]elb.Action{{Type: "authenticate-oidc"}}, f.rules[0].Actions...)
		}, cause: "waf.or.auth"},
		"login, no way out": {curves: map[string][]float64{authError: curve(20, nil)}, change: func(f *fake) {
			f.rules[0].Actions = append([]elb.Action{{Type: "authenticate-oidc"}}, f.rules[0].Actions...)
			for _, id := range []string{"sg-front", "sg-back"} {
				f.dropRule("sgr-out-" + id)
				f.sgRules = append(f.sgRules, vpc.SecurityGroupRule{ID: "sgr-pods-" + id, Group: id, Egress: true, Protocol: "tcp", From: 8080, To: 8080, Source: "sg-node"})
			}
		}, cause: "waf.or.auth", says: "let nothing out to port 443"},
		"logins turned down": {curves: map[string][]float64{authFailure: curve(20, nil)}, change: func(f *fake) {
			f.rules[0].Actions = append([]elb.Action{{Type: "authenticate-oidc"}}, f.rules[0].Actions...)
		}},
		"connections rejected":                  {curves: map[string][]float64{rejected: curve(20, nil)}, cause: "lb.capacity", says: "300 connections"},
		"refused on the traffic port":           {curves: map[string][]float64{elb502: curve(6000, nil), connectErrors: curve(6000, nil)}, change: func(f *fake) { f.checkOn9090(9090) }, cause: "port.traffic-differs", confidence: diagnostics.Confirmed, fix: "edit-service", says: "refuses connections"},
		"refused on the traffic port, declared": {curves: map[string][]float64{elb502: curve(6000, nil), connectErrors: curve(6000, nil)}, change: func(f *fake) { f.checkOn9090(8080) }, cause: "port.traffic-differs", fix: "edit-service"},
		"connections fail at a rollout":         {curves: map[string][]float64{elb502: burst[elb502], connectErrors: burst[elb502]}, change: func(f *fake) { f.checkOn9090(8080); f.rolled(minute(7)) }, cause: "rollout.drain-race", fix: "graceful-drain"},
		"connections fail on the one port":      {curves: map[string][]float64{elb502: curve(6000, nil), connectErrors: curve(6000, nil)}},
		"new targets in a rollout": {curves: burst, change: func(f *fake) {
			f.rolled(minute(7))
			f.health[tgARN] = append(f.health[tgARN], elb.TargetHealth{ID: "10.0.1.46", Port: 8080, State: "draining"})
		}, cause: "rollout.drain-race", fix: "graceful-drain"},
	} {
		t.Run(name, func(t *testing.T) {
			f := shop()
			f.curves = map[string][]float64{requests: curve(6000, nil)}
			maps.Copy(f.curves, tc.curves)
			if tc.change != nil {
				tc.change(f)
			}
			r := f.diagnose(t)
			if tc.cause == "" {
				if len(r.Causes) > 0 {
					t.Fatalf("causes %+v, want none", r.Causes)
				}
				return
			}
			if len(r.Causes) != 1 || r.Causes[0].ID != "alb/"+tc.cause {
				t.Fatalf("causes %+v, want %s alone", r.Causes, tc.cause)
			}
			c := r.Causes[0]
			if tc.confidence == "" {
				tc.confidence = diagnostics.Likely
			}
			if c.Confidence != tc.confidence || !strings.Contains(c.Summary, tc.says) {
				t.Errorf("%s %q, want %s %q", c.Confidence, c.Summary, tc.confidence, tc.says)
			}
			for _, e := range c.Evidence {
				if e.Value == "" || e.Source == "" || e.Repeat == "" {
					t.Errorf("evidence without value, source or repeat: %+v", e)
				}
			}
			switch {
			case tc.fix == "" && len(r.Fixes) > 0:
				t.Errorf("fixes %+v, want none", r.Fixes)
			case tc.fix != "" && (len(r.Fixes) == 0 || r.Fixes[0].ID != "alb/"+tc.fix || r.Fixes[0].Executable || len(r.Fixes[0].Changes) == 0 || len(r.Fixes[0].Commands) == 0):
				t.Errorf("fixes %+v, want %s with its changes and commands first", r.Fixes, tc.fix)
			}
			for _, x := range r.Fixes {
				if strings.Contains(x.ID, "allow-pod-port") {
					t.Errorf("offers %s although every path is open", x.ID)
				}
			}
		})
	}
}

// grace sets how long the pods have to end.
func (f *fake) grace(seconds int64) {
	for i := range f.replicaSets {
		f.replicaSets[i].Spec.Template.Spec.TerminationGracePeriodSeconds = &seconds
	}
}

// checkOn9090 gives the health check a port of its own, which is open and answers; the pods declare that of listens.
func (f *fake) checkOn9090(listens int32) {
	f.groups[0].Check.Port = "9090"
	f.ingresses[0].Annotations["alb.ingress.kubernetes.io/healthcheck-port"] = "9090"
	f.sgRules = append(f.sgRules, vpc.SecurityGroupRule{ID: "sgr-9090", Group: "sg-node", Protocol: "tcp", From: 9090, To: 9090, Source: "sg-back"})
	for i := range f.health[tgARN] {
		f.health[tgARN][i].HealthCheckPort = "9090"
	}
	for i := range f.pods {
		f.pods[i].Spec.Containers[0].Ports[0].ContainerPort = listens
	}
}

// TestOpenShapes denies what decides about the shape of errors: nothing is claimed, and the gap says which causes stay open.
func TestOpenShapes(t *testing.T) {
	burst := curve(0, map[int]float64{7: 40})
	for name, tc := range map[string]struct {
		denied []string
		curves map[string][]float64
		change func(*fake)
		caps   string // one of them; none for empty
	}{
		"metrics": {denied: []string{"cloudwatch:GetMetricData"}, change: func(f *fake) { f.ended(0, "app", minute(7), 137, "OOMKilled", 1) }, caps: "alb/app.crash-midrequest"},
		"metrics, with a node gone": {denied: []string{"cloudwatch:GetMetricData"}, change: func(f *fake) {
			f.byNode()
			f.health[tgARN][1].State, f.health[tgARN][1].Reason = "unused", invalidState
		}, caps: "alb/node.termination"},
		"names, without requests": {denied: []string{"list dnsendpoints.externaldns.k8s.io"}, curves: map[string][]float64{requests: curve(0, nil)}, caps: "alb/dns.wrong-lb"},
		"names, with requests":    {denied: []string{"list dnsendpoints.externaldns.k8s.io"}},
		"logs, with errors":       {denied: []string{"get pods/log"}, curves: map[string][]float64{elb502: curve(3, nil)}, caps: "alb/resp.header-too-large"},
		"logs, without errors":    {denied: []string{"get pods/log"}},
		"pods":                    {denied: []string{"list pods"}, curves: map[string][]float64{elb502: burst}, caps: "alb/rollout.drain-race"},
		"events":                  {denied: []string{"list events"}, curves: map[string][]float64{elb502: burst}, caps: "alb/dereg.delay-elapsed"},
		"events, without errors":  {denied: []string{"list events"}},
		"attributes":              {denied: []string{"elasticloadbalancing:DescribeTargetGroupAttributes"}, curves: map[string][]float64{elb502: burst}, caps: "alb/dereg.delay-elapsed"},
	} {
		t.Run(name, func(t *testing.T) {
			f := shop()
			f.denied = tc.denied
			f.curves = map[string][]float64{requests: curve(6000, nil)}
			maps.Copy(f.curves, tc.curves)
			if tc.change != nil {
				tc.change(f)
			}
			r := f.diagnose(t)
			if len(r.Causes) > 0 {
				t.Errorf("causes %+v, want none", r.Causes)
			}
			var caps []string
			for _, g := range r.Gaps {
				caps = append(caps, g.Caps...)
			}
			if tc.caps == "" && len(caps) > 0 || tc.caps != "" && !slices.Contains(caps, tc.caps) {
				t.Errorf("open are %v, want %q", caps, tc.caps)
			}
		})
	}
}

// TestFailOpen: how few healthy targets make the load balancer send to all is an attribute of the group.
func TestFailOpen(t *testing.T) {
	for name, tc := range map[string]struct {
		attributes map[string]string
		unhealthy  int
		open       bool
		says       string
	}{
		"one healthy is enough by default": {unhealthy: 1, says: "sends it nothing"},
		"none is healthy":                  {unhealthy: 2, open: true, says: "no target of"},
		"two are asked for":                {attributes: map[string]string{leastCount: "2"}, unhealthy: 1, open: true, says: "only 1 of 2 targets"},
		"sixty percent are asked for":      {attributes: map[string]string{leastCount: "1", leastPercent: "60"}, unhealthy: 1, open: true, says: "asks for 2"},
		"half are asked for":               {attributes: map[string]string{leastPercent: "50"}, unhealthy: 1, says: "sends it nothing"},
		"all are healthy":                  {attributes: map[string]string{leastCount: "3"}},
		"each zone on its own":             {attributes: map[string]string{"load_balancing.cross_zone.enabled": "false"}, unhealthy: 1, says: "in us-west-2a none is healthy"},
	} {
		t.Run(name, func(t *testing.T) {
			f := shop()
			f.attributes = tc.attributes
			for i := range tc.unhealthy {
				h := &f.health[tgARN][i]
				h.State, h.Reason, h.Description = "unhealthy", mismatch, "Health checks failed with these codes: [503]"
			}
			r := f.diagnose(t)
			open := false
			for _, c := range append(r.Contributing, r.Causes...) {
				open = open || c.ID == "alb/lb.fail-open"
			}
			for _, c := range r.Causes {
				if c.ID == "alb/lb.fail-open" {
					t.Error("failing open is called a root cause")
				}
			}
			if open != tc.open || !strings.Contains(r.Impact, tc.says) {
				t.Errorf("fails open %v, impact %q; want %v, %q", open, r.Impact, tc.open, tc.says)
			}
		})
	}
}

// TestFirstChecks tells targets that are new from those that stay in first checks.
func TestFirstChecks(t *testing.T) {
	young, old := metav1.NewTime(now.Add(-30*time.Second)), metav1.NewTime(now.Add(-20*time.Minute))
	ready := func(f *fake, kind corev1.PodConditionType, at metav1.Time) {
		for i := range f.pods {
			f.pods[i].Status.Conditions = append(f.pods[i].Status.Conditions, corev1.PodCondition{Type: kind, Status: corev1.ConditionTrue, LastTransitionTime: at})
		}
	}
	for name, tc := range map[string]struct {
		change func(*fake)
		cause  bool
		says   string // in the summary, or in a contradiction
	}{
		"new pods": {change: func(f *fake) {
			f.pods[0].Status.Conditions, f.pods[1].Status.Conditions = nil, nil
			ready(f, corev1.PodReady, young)
		}, cause: true, says: "wait until 10:31:00"},
		"gated new pods": {change: func(f *fake) {
			f.pods[0].Status.Conditions, f.pods[1].Status.Conditions = nil, nil
			ready(f, corev1.ContainersReady, young)
		}, cause: true},
		"old pods": {change: func(f *fake) {
			f.pods[0].Status.Conditions, f.pods[1].Status.Conditions = nil, nil
			ready(f, corev1.ContainersReady, old)
		}, says: "still in first health checks since 10:10:00"},
		"old pods, new binding":       {change: func(f *fake) { f.bindings[0].Created = young.Time }, cause: true},
		"old pods, new load balancer": {change: func(f *fake) { f.balancers[0].Created = young.Time }, cause: true},
		"old pods, registered just now": {change: func(f *fake) {
			f.health[tgARN] = f.health[tgARN][:1]
			f.audit = []trail.Event{{ID: "e", At: young.Time, Name: "RegisterTargets", User: "lbc", Resources: []string{tgARN}, Detail: `{"targets":[{"id":"10.0.1.45"}]}`}}
		}, cause: true},
		"nodes that joined just now": {change: func(f *fake) {
			f.byNode()
			f.all("initial", "Elb.InitialHealthChecking", "")
			f.nodes[0].CreationTimestamp, f.nodes[1].CreationTimestamp = young, young
		}, cause: true},
		"of an age that isn't known": {change: func(f *fake) { f.pods, f.slices[0].Endpoints = nil, nil; f.denied = []string{"list pods"} }},
		"being set up":               {change: func(f *fake) { f.balancers[0].State = "provisioning" }, cause: true, says: "until its state is active"},
	} {
		t.Run(name, func(t *testing.T) {
			f := shop()
			f.all("initial", "Elb.InitialHealthChecking", "Initial health checks in progress")
			tc.change(f)
			r := f.diagnose(t)
			if got := len(r.Causes) == 1 && r.Causes[0].ID == "alb/lb.initializing"; got != tc.cause || (!tc.cause && len(r.Causes) > 0) {
				t.Errorf("causes %+v, want lb.initializing: %v", r.Causes, tc.cause)
			}
			if !strings.Contains(r.Summary+fmt.Sprint(r.Contradictions), tc.says) {
				t.Errorf("says %q, %v; want %q", r.Summary, r.Contradictions, tc.says)
			}
			if len(r.Fixes) > 0 {
				t.Errorf("fixes %+v, want none but to wait", r.Fixes)
			}
		})
	}
}

// TestNames follows the names of the ingress to this load balancer, to another one, or to something in front.
func TestNames(t *testing.T) {
	const name = "shop.example.com"
	for label, tc := range map[string]struct {
		dns        map[string]string
		requests   []float64
		denied     []string
		cause      string
		confidence diagnostics.Confidence
	}{
		"here":                                {dns: map[string]string{name: host}},
		"here, by its dualstack name":         {dns: map[string]string{name: "dualstack." + host + "."}},
		"here, by another name":               {dns: map[string]string{name: "lb.example.com", "lb.example.com": host}},
		"here, by a wildcard":                 {dns: map[string]string{"*.example.com": host}},
		"a record of its own goes before":     {dns: map[string]string{"*.example.com": host, name: "old-1.us-west-2.elb.amazonaws.com"}, requests: curve(0, nil), cause: "dns.wrong-lb", confidence: diagnostics.Confirmed},
		"other names don't count":             {dns: map[string]string{"other.example.com": "old-1.us-west-2.elb.amazonaws.com"}, requests: curve(0, nil)},
		"another one":                         {dns: map[string]string{name: "old-1.us-west-2.elb.amazonaws.com"}, requests: curve(0, nil), cause: "dns.wrong-lb", confidence: diagnostics.Confirmed},
		"another one, requests come still":    {dns: map[string]string{name: "old-1.us-west-2.elb.amazonaws.com"}, cause: "dns.wrong-lb", confidence: diagnostics.Likely},
		"another one, nothing measured":       {dns: map[string]string{name: "old-1.us-west-2.elb.amazonaws.com"}, denied: []string{"cloudwatch:GetMetricData"}, cause: "dns.wrong-lb", confidence: diagnostics.Likely},
		"another one, CloudWatch is silent":   {dns: map[string]string{name: "old-1.us-west-2.elb.amazonaws.com"}, requests: []float64{}, cause: "dns.wrong-lb", confidence: diagnostics.Confirmed},
		"a Network Load Balancer in front":    {dns: map[string]string{name: "front-1.elb.us-west-2.amazonaws.com"}},
		"a CDN that passes requests on":       {dns: map[string]string{name: "d1.cloudfront.net"}},
		"a CDN that doesn't":                  {dns: map[string]string{name: "d1.cloudfront.net"}, requests: curve(0, nil), cause: "edge.not-alb", confidence: diagnostics.Likely},
		"a CDN that hardly does":              {dns: map[string]string{name: "d1.cloudfront.net"}, requests: curve(1, nil), cause: "edge.not-alb", confidence: diagnostics.Possible},
		"a CDN, nothing measured":             {dns: map[string]string{name: "d1.cloudfront.net"}, denied: []string{"cloudwatch:GetMetricData"}},
		"requests stopped":                    {requests: append(curve(6000, nil)[:8], 0, 2, 0, 0, 1, 0, 0), cause: "edge.not-alb", confidence: diagnostics.Likely},
		"requests stopped, no points since":   {requests: append(curve(6000, nil)[:6], -1, -1, -1, -1, -1, -1, -1, -1, -1), cause: "edge.not-alb", confidence: diagnostics.Likely},
		"the newest minutes aren't there yet": {requests: append(curve(6000, nil)[:12], -1, -1, -1)},
		"requests are fewer":                  {requests: append(curve(6000, nil)[:8], 3000, 3000, 3000, 3000, 3000, 3000, 3000)},
		"a name that loops":                   {dns: map[string]string{name: "a.example.com", "a.example.com": name}},
	} {
		t.Run(label, func(t *testing.T) {
			f := shop()
			f.dns, f.denied = tc.dns, tc.denied
			if tc.requests != nil {
				f.curves = map[string][]float64{requests: tc.requests}
				for _, m := range []string{elb4xx, elb500, elb502, elb503, elb504, target2xx, target5xx, connectErrors, tlsErrors, rejected, failedOpen, authError, authFailure} {
					f.curves[m] = []float64{} // CloudWatch leaves out what stood still
				}
			}
			r := f.diagnose(t)
			if tc.cause == "" {
				if len(r.Causes) > 0 {
					t.Errorf("causes %+v, want none", r.Causes)
				}
				return
			}
			if len(r.Causes) != 1 || r.Causes[0].ID != "alb/"+tc.cause || r.Causes[0].Confidence != tc.confidence {
				t.Errorf("causes %+v, want %s %s", r.Causes, tc.confidence, tc.cause)
			}
			if len(r.Fixes) != 1 || r.Fixes[0].ID != "alb/point-dns" || !strings.Contains(fmt.Sprint(r.Fixes[0].Changes), host) {
				t.Errorf("fixes %+v, want point-dns to %s", r.Fixes, host)
			}
		})
	}
}

func TestMerged(t *testing.T) {
	for _, tc := range []struct{ value, key, to, want string }{
		{"", "idle_timeout.timeout_seconds", "90", "idle_timeout.timeout_seconds=90"},
		{"idle_timeout.timeout_seconds=60", "idle_timeout.timeout_seconds", "90", "idle_timeout.timeout_seconds=90"},
		{"access_logs.s3.enabled=true, idle_timeout.timeout_seconds=60,routing.http2.enabled=true", "idle_timeout.timeout_seconds", "90", "access_logs.s3.enabled=true,routing.http2.enabled=true,idle_timeout.timeout_seconds=90"},
	} {
		if got := merged(tc.value, tc.key, tc.to); got != tc.want {
			t.Errorf("merged(%q) = %q, want %q", tc.value, got, tc.want)
		}
	}
}

func TestDoubled(t *testing.T) {
	if got := doubled(resource.MustParse("512Mi")); got != "1Gi" {
		t.Errorf("twice 512Mi is %s", got)
	}
}
