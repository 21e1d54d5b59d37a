package alb

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/elb"
	"github.com/netdiag/netdiag/internal/trail"
)

func (f *fake) lbc() *appsv1.Deployment { return &f.deployments["kube-system"][0] }

// unregister leaves the target group without targets although its endpoints are ready.
func (f *fake) unregister() {
	f.health[tgARN] = nil
	f.metrics[elb503] = 6000
}

func (f *fake) lease(namespace, name, holder string, age time.Duration) {
	f.leases = append(f.leases, unstructured.Unstructured{Object: map[string]any{
		"metadata": map[string]any{"namespace": namespace, "name": name},
		"spec":     map[string]any{"holderIdentity": holder, "renewTime": now.Add(-age).Format("2006-01-02T15:04:05.000000Z07:00")},
	}})
}

// is compares the root causes, as id with reason and confidence, and the first fix.
func is(t *testing.T, r diagnostics.Report, fix string, want ...string) {
	t.Helper()
	var got []string
	for _, c := range r.Causes {
		got = append(got, strings.TrimSpace(strings.TrimPrefix(c.ID, "alb/")+" "+c.Reason)+" "+string(c.Confidence))
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Fatalf("causes %q, want %q\n%s", got, want, r.Summary)
	}
	first := ""
	if len(r.Fixes) > 0 {
		first = strings.TrimPrefix(r.Fixes[0].ID, "alb/")
	}
	if first != fix {
		t.Errorf("first fix %q, want %q", first, fix)
	}
	for _, x := range r.Fixes {
		if len(x.Changes) == 0 || len(x.Commands) == 0 || x.Undo == "" || x.SettlesIn == "" || x.Owner == "" || x.Risk == "" {
			t.Errorf("fix %s isn't whole: %+v", x.ID, x)
		}
		if _, err := time.ParseDuration(x.SettlesIn); err != nil {
			t.Errorf("fix %s settles in %q", x.ID, x.SettlesIn)
		}
	}
}

// TestControllerDown: a controller that doesn't work is a cause where something waits for it, wherever it runs; the
// change of a leader is none.
func TestControllerDown(t *testing.T) {
	const leader = "aws-load-balancer-controller-leader"
	down := func(f *fake) { f.lbc().Status.ReadyReplicas = 0 }
	elsewhere := func(f *fake, change func(*appsv1.Deployment)) {
		d := *f.lbc()
		d.Namespace = "platform"
		change(&d)
		f.deployments = map[string][]appsv1.Deployment{"kube-system": nil, "shop": f.deployments["shop"], "platform": {d}}
	}
	for name, tc := range map[string]struct {
		broken func(*fake)
		want   []string
		fix    string
	}{
		"nobody waits": {broken: down},
		"endpoints wait": {broken: func(f *fake) {
			down(f)
			f.unregister()
		}, want: []string{"lbc.down not-ready confirmed"}, fix: "repair-controller"},
		"scaled to zero": {broken: func(f *fake) {
			down(f)
			var none int32
			f.lbc().Spec.Replicas = &none
			f.unregister()
		}, want: []string{"lbc.down scaled-to-zero confirmed"}, fix: "repair-controller"},
		"stale target waits": {broken: func(f *fake) {
			down(f)
			f.health[tgARN] = append(f.health[tgARN], elb.TargetHealth{ID: "10.0.1.77", Port: 8080, State: "healthy"})
		}, want: []string{"lbc.down not-ready confirmed"}, fix: "repair-controller"},
		"another cluster's target doesn't wait": {broken: func(f *fake) {
			down(f)
			f.bindings[0].MultiCluster = true
			f.health[tgARN] = append(f.health[tgARN], elb.TargetHealth{ID: "10.0.1.77", Port: 8080, State: "healthy"})
		}},
		"unavailable for half a minute": {broken: func(f *fake) {
			down(f)
			f.unregister()
			f.lbc().Status.Conditions = []appsv1.DeploymentCondition{{Type: appsv1.DeploymentAvailable, Status: corev1.ConditionFalse, LastTransitionTime: metav1.NewTime(now.Add(-30 * time.Second))}}
		}},
		"ready for half a minute": {broken: func(f *fake) {
			down(f)
			f.unregister()
			for i := range f.pods {
				f.pods[i].Status.Conditions = append(f.pods[i].Status.Conditions, corev1.PodCondition{Type: corev1.ContainersReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.NewTime(now.Add(-30 * time.Second))})
			}
		}, want: []string{"lb.initializing confirmed"}},
		"a leader renews": {broken: func(f *fake) {
			down(f)
			f.unregister()
			f.lease("kube-system", leader, "pod-1", 10*time.Second)
		}, want: []string{"lbc.down not-ready likely"}, fix: "repair-controller"},
		"nobody leads": {broken: func(f *fake) {
			f.unregister()
			f.lease("kube-system", leader, "pod-1", 20*time.Minute)
		}, want: []string{"lbc.down no-leader confirmed"}, fix: "repair-controller"},
		"the leader is changing": {broken: func(f *fake) {
			f.unregister()
			f.lease("kube-system", leader, "pod-1", 90*time.Second)
		}},
		"lease of another name, by flag": {broken: func(f *fake) {
			f.unregister()
			f.lbc().Spec.Template.Spec.Containers[0].Args = []string{"--leader-election-id=mine", "--leader-election-namespace", "locks"}
			f.lease("kube-system", leader, "pod-1", time.Second)
			f.lease("locks", "mine", "pod-1", time.Hour)
		}, want: []string{"lbc.down no-leader confirmed"}, fix: "repair-controller"},
		"in another namespace, by label": {broken: func(f *fake) {
			elsewhere(f, func(d *appsv1.Deployment) {
				d.Status.ReadyReplicas = 0
				d.Spec.Template.Spec.Containers = []corev1.Container{{Image: "mirror/lbc:1"}}
				d.Labels = map[string]string{"app.kubernetes.io/name": "aws-load-balancer-controller"}
			})
			f.unregister()
		}, want: []string{"lbc.down not-ready confirmed"}, fix: "repair-controller"},
		"in another namespace, by the way it is started": {broken: func(f *fake) {
			elsewhere(f, func(d *appsv1.Deployment) {
				d.Status.ReadyReplicas = 0
				d.Spec.Template.Spec.Containers = []corev1.Container{{Image: "mirror/lbc:1", Args: []string{"--cluster-name=prod"}, Ports: []corev1.ContainerPort{{Name: "webhook-server"}}}}
			})
			f.unregister()
		}, want: []string{"lbc.down not-ready confirmed"}, fix: "repair-controller"},
		"one that watches another namespace": {broken: func(f *fake) {
			f.unregister()
			second := *f.lbc()
			second.Name = "a-second"
			second.Spec.Template.Spec.Containers = []corev1.Container{{Image: second.Spec.Template.Spec.Containers[0].Image, Args: []string{"--watch-namespace=other"}}}
			down(f)
			f.deployments["kube-system"] = append(f.deployments["kube-system"], second)
		}, want: []string{"lbc.down not-ready confirmed"}, fix: "repair-controller"},
		"nowhere": {broken: func(f *fake) {
			f.deployments["kube-system"] = nil
			f.unregister()
		}, want: []string{"lbc.down absent likely"}, fix: "repair-controller"},
		"nowhere any more": {broken: func(f *fake) {
			f.deployments["kube-system"] = nil
			f.unregister()
			f.lease("kube-system", leader, "pod-1", time.Hour)
		}, want: []string{"lbc.down absent confirmed"}, fix: "repair-controller"},
		"nowhere to be seen, but something leads": {broken: func(f *fake) {
			f.deployments["kube-system"] = nil
			f.unregister()
			f.lease("kube-system", leader, "pod-1", time.Second)
		}},
		"Auto Mode has none": {broken: func(f *fake) {
			f.classes[0].Spec.Controller = autoController
			f.deployments["kube-system"] = nil
			f.unregister()
		}},
		"an ingress without load balancer": {broken: func(f *fake) {
			down(f)
			f.ingresses[0].Status.LoadBalancer.Ingress = nil
			f.balancers, f.bindings, f.groups, f.rules = nil, nil, nil, nil
		}, want: []string{"lbc.down not-ready confirmed"}, fix: "repair-controller"},
	} {
		t.Run(name, func(t *testing.T) {
			f := shop()
			tc.broken(f)
			is(t, f.diagnose(t), tc.fix, tc.want...)
		})
	}
}

// TestDeniedControllerIsNoCause: whether a controller runs can't be told where Deployments may not be read.
func TestDeniedControllerIsNoCause(t *testing.T) {
	f := shop()
	f.deployments["kube-system"] = nil
	f.unregister()
	f.denied = []string{"list deployments.apps"}
	r := f.diagnose(t)
	is(t, r, "")
	i := slices.IndexFunc(r.Gaps, func(g diagnostics.Gap) bool { return g.Permission == "list deployments.apps" })
	if i < 0 || !slices.Contains(r.Gaps[i].Caps, "alb/lbc.down") {
		t.Errorf("gaps %+v, want lbc.down to stay open", r.Gaps)
	}
}

// TestReadinessGates: an endpoint whose pod waits only for a readiness gate is due, and its pod passes its probes.
func TestReadinessGates(t *testing.T) {
	gate := corev1.PodConditionType(gatePrefix + "k8s-shop-cart-1")
	gated := func(f *fake) {
		no := false
		for i := range f.pods {
			f.pods[i].Spec.ReadinessGates = []corev1.PodReadinessGate{{ConditionType: gate}}
			f.pods[i].Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionFalse}, {Type: corev1.ContainersReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.NewTime(now.Add(-10 * time.Minute))},
				{Type: gate, Status: corev1.ConditionFalse, Reason: mismatch, Message: "Health checks failed with these codes: [404]"}}
			f.slices[0].Endpoints[i].Conditions.Ready = &no
		}
	}
	f := shop()
	gated(f)
	f.unregister()
	f.lbc().Status.ReadyReplicas = 0
	r := f.diagnose(t)
	is(t, r, "repair-controller", "lbc.down not-ready confirmed")
	if !slices.ContainsFunc(r.Causes[0].Evidence, func(e diagnostics.Evidence) bool {
		return e.What == "readiness gates of the pods" && strings.Contains(e.Value, "[404]")
	}) {
		t.Errorf("evidence %+v, want what the gates say", r.Causes[0].Evidence)
	}

	f = shop()
	gated(f)
	delete(f.ingresses[0].Annotations, "alb.ingress.kubernetes.io/healthcheck-path")
	f.groups[0].Check.Path = "/"
	f.all("unhealthy", mismatch, "Health checks failed with these codes: [404]")
	is(t, f.diagnose(t), "set-health-check", "hc.path confirmed")

	f = shop() // with its node unwell, such a pod isn't due
	gated(f)
	f.health[tgARN] = nil
	for i := range f.nodes {
		f.nodes[i].Status.Conditions[0].Status = corev1.ConditionFalse
	}
	if r := f.diagnose(t); len(r.Causes) != 1 || r.Causes[0].ID != "alb/ep.none-ready" {
		t.Errorf("causes %+v, want ep.none-ready", r.Causes)
	}

	f = shop() // health denied: the gap tells what the gates say
	gated(f)
	f.denied = []string{"elasticloadbalancing:DescribeTargetHealth"}
	r = f.diagnose(t)
	if i := slices.IndexFunc(r.Gaps, func(g diagnostics.Gap) bool { return g.Permission == f.denied[0] }); i < 0 || !strings.Contains(r.Gaps[i].Summary, "[404]") {
		t.Errorf("gaps %+v, want what the gates say", r.Gaps)
	}
}

// TestReusedAddress: a registered address that belongs to somebody else's pod is told whatever that pod answers.
func TestReusedAddress(t *testing.T) {
	other := func(f *fake, namespace string, labels map[string]string) {
		p := f.pods[0]
		p.Namespace, p.Name, p.Labels = namespace, "other", labels
		p.Status.PodIP, p.Status.PodIPs = "10.0.1.77", []corev1.PodIP{{IP: "10.0.1.77"}}
		start := metav1.NewTime(now.Add(-10 * time.Minute))
		p.Status.StartTime = &start
		f.pods = append(f.pods, p)
		f.enis[1].Addresses = append(f.enis[1].Addresses, eni("", "", "", nil, "10.0.1.77").Primary)
	}
	with := func(state, reason, text string) func(*fake) {
		return func(f *fake) {
			other(f, "jobs", map[string]string{"app": "batch"})
			f.health[tgARN] = append(f.health[tgARN], elb.TargetHealth{ID: "10.0.1.77", Port: 8080, Zone: "us-west-2a", HealthCheckPort: "8080", State: state, Reason: reason, Description: text})
		}
	}
	const told = "target.reused-ip confirmed"
	for name, tc := range map[string]struct {
		broken func(*fake)
		want   []string
		fix    string
	}{
		"answers [404]": {with("unhealthy", mismatch, "Health checks failed with these codes: [404]"), []string{told}, "repair-controller"},
		"refuses":       {with("unhealthy", refusedBy, "Health checks failed"), []string{told}, "repair-controller"},
		"doesn't answer": {func(f *fake) {
			with("unhealthy", timeout, "Request timed out")(f)
		}, []string{told}, "repair-controller"},
		"passes":   {with("healthy", "", ""), []string{told}, "repair-controller"},
		"draining": {with("draining", "Target.DeregistrationInProgress", "Target deregistration is in progress"), nil, ""},
		"in the same namespace": {func(f *fake) {
			with("unhealthy", mismatch, "Health checks failed with these codes: [404]")(f)
			f.pods[len(f.pods)-1].Namespace = "shop"
		}, []string{told}, "repair-controller"},
		"same labels, other namespace": {func(f *fake) {
			with("unhealthy", mismatch, "Health checks failed with these codes: [404]")(f)
			f.pods[len(f.pods)-1].Labels = map[string]string{"app": "cart"}
		}, []string{told}, "repair-controller"},
		"the pod is seconds old": {func(f *fake) {
			with("unhealthy", mismatch, "Health checks failed with these codes: [404]")(f)
			start := metav1.NewTime(now.Add(-20 * time.Second))
			f.pods[len(f.pods)-1].Status.StartTime = &start
		}, nil, ""},
		"of a shared group": {func(f *fake) {
			with("healthy", "", "")(f)
			f.bindings[0].MultiCluster = true
		}, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := shop()
			tc.broken(f)
			is(t, f.diagnose(t), tc.fix, tc.want...)
		})
	}
}

// TestSelector tells a selector that matches nothing from workloads of every kind that are scaled to zero.
func TestSelector(t *testing.T) {
	gone := func(f *fake) {
		f.slices[0].Endpoints, f.health[tgARN] = nil, nil
		f.pods, f.deployments["shop"] = nil, nil
	}
	for name, tc := range map[string]struct {
		broken  func(*fake)
		want    string
		command string // part of the first command of the first fix
	}{
		"typing error": {func(f *fake) {
			f.slices[0].Endpoints, f.health[tgARN] = nil, nil
			f.services[0].Spec.Selector = map[string]string{"app": "crat"}
		}, "ep.selector confirmed", `{"spec":{"selector":{"app":"cart"}}}`},
		"another key": {func(f *fake) {
			f.slices[0].Endpoints, f.health[tgARN] = nil, nil
			f.services[0].Spec.Selector = map[string]string{"name": "cart"}
		}, "ep.selector confirmed", `{"spec":{"selector":{"app":"cart","name":null}}}`},
		"pods of another Service are not meant": {func(f *fake) {
			f.slices[0].Endpoints, f.health[tgARN] = nil, nil
			f.services[0].Spec.Selector = map[string]string{"app": "payments"}
			other := f.services[0]
			other.Name, other.Spec.Selector = "basket", map[string]string{"app": "cart"}
			f.services = append(f.services, other)
		}, "ep.selector confirmed", "kubectl get pods -n shop --show-labels"},
		"StatefulSet at 0": {func(f *fake) {
			gone(f)
			var none int32
			st := appsv1.StatefulSet{}
			st.Namespace, st.Name, st.Spec.Replicas = "shop", "cart", &none
			st.Spec.Template.Labels = map[string]string{"app": "cart"}
			f.statefulSet = []appsv1.StatefulSet{st}
		}, "ep.none-ready scaled-to-zero confirmed", "kubectl scale statefulset cart -n shop"},
		"rollout at 0": {func(f *fake) {
			gone(f)
			yes := true
			var none int32
			rs := appsv1.ReplicaSet{}
			rs.Namespace, rs.Name, rs.Spec.Replicas = "shop", "cart-5d6f", &none
			rs.Spec.Template.Labels = map[string]string{"app": "cart", "hash": "5d6f"}
			rs.OwnerReferences = []metav1.OwnerReference{{Kind: "Rollout", Name: "cart", Controller: &yes}}
			f.replicaSets = []appsv1.ReplicaSet{rs}
		}, "ep.none-ready scaled-to-zero confirmed", "kubectl scale rollout cart -n shop"},
		"scaled by KEDA": {func(f *fake) {
			d := f.deployments["shop"][0]
			gone(f)
			var none int32
			at := metav1.NewTime(now.Add(-time.Hour))
			d.Spec.Replicas = &none
			d.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "keda", Subresource: "scale", Time: &at}}
			f.deployments["shop"] = []appsv1.Deployment{d}
		}, "ep.none-ready scaled-to-zero confirmed", "kubectl get scaledobjects -n shop"},
		"no selector": {func(f *fake) {
			f.services[0].Spec.Selector = nil
			f.slices[0].Endpoints, f.health[tgARN] = nil, nil
		}, "ep.none-ready no-selector confirmed", "kubectl get endpointslices"},
	} {
		t.Run(name, func(t *testing.T) {
			f := shop()
			tc.broken(f)
			r := f.diagnose(t)
			is(t, r, "edit-service", tc.want)
			if c := r.Fixes[0].Commands[0]; !strings.Contains(c, tc.command) {
				t.Errorf("command %s, want %s", c, tc.command)
			}
		})
	}
	t.Run("pods denied", func(t *testing.T) {
		f := shop()
		no := false
		for i := range f.slices[0].Endpoints {
			f.slices[0].Endpoints[i].Conditions.Ready = &no
		}
		f.health[tgARN], f.denied = nil, []string{"list pods"}
		if r := f.diagnose(t); len(r.Causes) != 1 || r.Causes[0].ID != "alb/ep.none-ready" || r.Causes[0].Confidence != diagnostics.Confirmed {
			t.Errorf("causes %+v: the slices say by themselves that no endpoint is ready", r.Causes)
		}
		f.slices[0].Endpoints = nil
		if r := f.diagnose(t); len(r.Causes) > 0 {
			t.Errorf("causes %+v: without pods it can't be told why there is no endpoint", r.Causes)
		}
	})
}

func changed(id, name, role, session string, ago time.Duration, targets ...string) trail.Event {
	var list []string
	for _, ip := range targets {
		list = append(list, fmt.Sprintf(`{"id":%q}`, ip))
	}
	return trail.Event{ID: id, Name: name, At: now.Add(-ago), User: session, Resources: []string{tgARN}, Detail: fmt.Sprintf(
		`{"userIdentity":{"arn":"arn:aws:sts::1:assumed-role/%s/%s","sessionContext":{"sessionIssuer":{"userName":%q}}},"requestParameters":{"targets":[%s]}}`, role, session, role, strings.Join(list, ","))}
}

// TestOwners: two parties that undo each other's registrations, told by role and not by session.
func TestOwners(t *testing.T) {
	mine, theirs := []string{"10.0.1.45", "10.0.2.45"}, []string{"10.0.1.200"}
	foreign := func(f *fake) {
		f.health[tgARN] = []elb.TargetHealth{{ID: theirs[0], Port: 8080, Zone: "us-west-2a", HealthCheckPort: "8080", State: "healthy"}}
		f.enis[1].Addresses = append(f.enis[1].Addresses, eni("", "", "", nil, theirs[0]).Primary)
	}
	for name, tc := range map[string]struct {
		broken func(*fake)
		want   []string
		fix    string
	}{
		"two roles, one session name": {func(f *fake) {
			foreign(f)
			f.audit = []trail.Event{changed("1", "RegisterTargets", "blue", "lbc", time.Hour, mine...), changed("2", "DeregisterTargets", "green", "lbc", 50*time.Minute, mine...),
				changed("3", "RegisterTargets", "blue", "lbc", 40*time.Minute, mine...), changed("4", "DeregisterTargets", "green", "lbc", 30*time.Minute, mine...)}
		}, []string{"tg.two-owners likely"}, "multi-cluster-target-group"},
		"one role, many sessions": {func(f *fake) {
			foreign(f)
			f.audit = []trail.Event{changed("1", "RegisterTargets", "blue", "1", time.Hour, mine...), changed("2", "DeregisterTargets", "blue", "2", 50*time.Minute, mine...),
				changed("3", "RegisterTargets", "blue", "3", 40*time.Minute, mine...), changed("4", "DeregisterTargets", "blue", "4", 30*time.Minute, mine...)}
		}, nil, ""},
		"taken out once by hand and healed": {func(f *fake) {
			f.metrics[elb503] = 0
			f.audit = []trail.Event{changed("1", "RegisterTargets", "blue", "lbc", time.Hour, mine...), changed("2", "DeregisterTargets", "admin", "ann", 50*time.Minute, mine[0]), changed("3", "RegisterTargets", "blue", "lbc", 40*time.Minute, mine[0])}
		}, nil, ""},
		"two clusters that share": {func(f *fake) {
			f.bindings[0].MultiCluster = true
			f.metrics[elb503] = 1
			f.audit = []trail.Event{changed("1", "RegisterTargets", "blue", "lbc", time.Hour, mine...), changed("2", "RegisterTargets", "green", "lbc", 50*time.Minute, theirs...), changed("3", "DeregisterTargets", "green", "lbc", 40*time.Minute, theirs...)}
		}, nil, ""},
		"two bindings": {func(f *fake) {
			b := f.bindings[0]
			b.Name, b.Service, b.Labels = "second", "canary", nil
			f.bindings = append(f.bindings, b)
		}, []string{"tg.two-owners likely"}, "multi-cluster-target-group"},
		"two bindings that share": {func(f *fake) {
			b := f.bindings[0]
			b.Name, b.Service, b.MultiCluster = "second", "canary", true
			f.bindings[0].MultiCluster = true
			f.bindings = append(f.bindings, b)
		}, nil, ""},
		"two bindings of one Service": {func(f *fake) {
			b := f.bindings[0]
			b.Name = "second"
			f.bindings = append(f.bindings, b)
		}, nil, ""},
		"a controller too old to share": {func(f *fake) {
			b := f.bindings[0]
			b.Name, b.Service = "second", "canary"
			f.bindings = append(f.bindings, b)
			f.lbc().Spec.Template.Spec.Containers[0].Image = "x/aws-load-balancer-controller:v2.8.1"
		}, []string{"tg.two-owners likely"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := shop()
			tc.broken(f)
			is(t, f.diagnose(t), tc.fix, tc.want...)
		})
	}
}

// TestWeights: weight decides whether an empty target group is missed.
func TestWeights(t *testing.T) {
	const green = "arn:aws:elasticloadbalancing:us-west-2:1:targetgroup/green/cc"
	weighted := func(f *fake, blue, greens int) {
		g := f.groups[0]
		g.ARN, g.Name = green, "green"
		f.groups = append(f.groups, g)
		f.health[green] = nil
		f.rules[0].Actions[0].Targets = []elb.Weighted{{TargetGroup: tgARN, Weight: blue}, {TargetGroup: green, Weight: greens}}
		f.ingresses[0].Annotations["alb.ingress.kubernetes.io/actions.w"] = fmt.Sprintf(`{"type":"forward","forwardConfig":{"targetGroups":[{"serviceName":"cart","servicePort":80,"weight":%d},{"targetGroupARN":%q,"weight":%d}]}}`, blue, green, greens)
	}
	for name, tc := range map[string]struct {
		blue, green int
		want        []string
		fix, says   string
	}{
		"standby":         {blue: 100, green: 0},
		"no weight":       {0, 0, []string{"rule.weight-zero all-zero confirmed"}, "edit-service", `"weight":100`},
		"empty, a tenth":  {90, 10, []string{"rule.weight-zero empty-group confirmed"}, "edit-service", `"weight":0`},
		"empty, but all":  {0, 100, nil, "", ""}, // nothing is known of who should fill it
		"nothing smaller": {blue: 1, green: 0},
	} {
		t.Run(name, func(t *testing.T) {
			f := shop()
			weighted(f, tc.blue, tc.green)
			r := f.diagnose(t)
			is(t, r, tc.fix, tc.want...)
			if tc.says != "" && !strings.Contains(strings.Join(r.Fixes[0].Commands, "\n"), tc.says) {
				t.Errorf("commands %q, want %s", r.Fixes[0].Commands, tc.says)
			}
		})
	}
	f := shop() // an unhealthy group that gets nothing is no root cause
	weighted(f, 100, 0)
	f.health[green] = []elb.TargetHealth{{ID: "10.0.1.45", Port: 8080, HealthCheckPort: "8080", State: "unhealthy", Reason: mismatch, Description: "Health checks failed with these codes: [503]"}}
	is(t, f.diagnose(t), "")
}

// TestFixedAnswers tells why a rule answers by itself.
func TestFixedAnswers(t *testing.T) {
	fixed := func(code, body string) func(*fake) {
		return func(f *fake) {
			f.bindings, f.groups = nil, nil
			f.rules[0].Actions = []elb.Action{{Type: "fixed-response", StatusCode: code, Body: body}}
		}
	}
	for name, tc := range map[string]struct {
		broken func(*fake)
		want   []string
		fix    string
	}{
		"intended": {func(f *fake) {
			fixed("503", "back soon")(f)
			f.ingresses[0].Annotations["alb.ingress.kubernetes.io/actions.m"] = `{"type":"fixed-response","fixedResponseConfig":{"contentType":"text/plain","statusCode":"503","messageBody":"back soon"}}`
		}, []string{"rule.fixed-response intended confirmed"}, ""},
		"nobody asked":    {fixed("503", "back soon"), []string{"rule.fixed-response not-annotated likely"}, ""},
		"a 4xx is no 5xx": {fixed("403", "no entry"), nil, ""},
		"action missing": {func(f *fake) {
			fixed("503", noAction)(f)
			b := f.ingresses[0].Spec.Rules[0].HTTP.Paths[0].Backend.Service
			b.Name, b.Port = "blue-green", networkingv1.ServiceBackendPort{Name: "use-annotation"}
		}, []string{"rule.fixed-response missing-action confirmed"}, "edit-service"},
		"Service missing": {func(f *fake) {
			fixed("503", noService)(f)
			f.ingresses[0].Spec.Rules[0].HTTP.Paths[0].Backend.Service.Name = "crat"
		}, []string{"svc.missing confirmed"}, "edit-service"},
		"Service there, rule old": {fixed("503", noService), []string{"ingress.not-reconciled rule-outdated likely"}, "bind-target-group"},
		"Service there for a moment": {func(f *fake) {
			fixed("503", noService)(f)
			f.services[0].CreationTimestamp = metav1.NewTime(now.Add(-20 * time.Second))
		}, []string{"lb.initializing confirmed"}, ""},
		"Service there, controller down": {func(f *fake) {
			fixed("503", noService)(f)
			f.lbc().Status.ReadyReplicas = 0
		}, []string{"lbc.down not-ready confirmed"}, "repair-controller"},
	} {
		t.Run(name, func(t *testing.T) {
			f := shop()
			tc.broken(f)
			is(t, f.diagnose(t), tc.fix, tc.want...)
		})
	}
	f := shop()
	fixed("503", noService)(f)
	f.denied = []string{"list services"}
	is(t, f.diagnose(t), "edit-service", "svc.missing likely")
}

// TestEligibleNodes follows the controller in which nodes it registers.
func TestEligibleNodes(t *testing.T) {
	node := func(change func(*corev1.Node)) corev1.Node {
		n := corev1.Node{}
		n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
		change(&n)
		return n
	}
	for name, tc := range map[string]struct {
		node corev1.Node
		in   bool
	}{
		"well":              {node(func(*corev1.Node) {}), true},
		"left out by label": {node(func(n *corev1.Node) { n.Labels = map[string]string{excludingLabels[1]: ""} }), false},
		"autoscaler": {node(func(n *corev1.Node) {
			n.Spec.Taints = []corev1.Taint{{Key: "ToBeDeletedByClusterAutoscaler", Effect: "NoSchedule"}}
		}), false},
		"Karpenter": {node(func(n *corev1.Node) {
			n.Spec.Taints = []corev1.Taint{{Key: "karpenter.sh/disrupted", Effect: "NoSchedule"}}
		}), false},
		"Karpenter, only a hint": {node(func(n *corev1.Node) {
			n.Spec.Taints = []corev1.Taint{{Key: "karpenter.sh/disrupted", Effect: "PreferNoSchedule"}}
		}), true},
		"another taint":         {node(func(n *corev1.Node) { n.Spec.Taints = []corev1.Taint{{Key: "gpu", Effect: "NoSchedule"}} }), true},
		"Fargate":               {node(func(n *corev1.Node) { n.Labels = map[string]string{"eks.amazonaws.com/compute-type": "fargate"} }), false},
		"not ready":             {node(func(n *corev1.Node) { n.Status.Conditions[0].Status = corev1.ConditionFalse }), false},
		"unknown, and no other": {node(func(n *corev1.Node) { n.Status.Conditions[0].Status = corev1.ConditionUnknown }), true},
	} {
		g := &group{m: &model{s: &Snapshot{Nodes: []corev1.Node{tc.node}}}, TargetGroup: &TargetGroup{}}
		if nodes, why := g.eligible(); (len(nodes) == 1) != tc.in || (tc.in == (len(why) > 0)) {
			t.Errorf("%s: %d nodes, %v", name, len(nodes), why)
		}
	}
	g := &group{m: &model{s: &Snapshot{Nodes: []corev1.Node{node(func(*corev1.Node) {})}}}, TargetGroup: &TargetGroup{}, binding: &elb.TargetGroupBinding{NodeLabels: map[string]string{"pool": "web"}}}
	if nodes, _ := g.eligible(); len(nodes) > 0 {
		t.Error("a node without the labels of the binding is no target")
	}
}
