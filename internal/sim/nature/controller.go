package nature

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/netdiag/netdiag/internal/awsnet"
	"github.com/netdiag/netdiag/internal/elb"
)

// controllerLoop is how soon after a change the controller acts: its queue and the calls before.
const controllerLoop = 2 * time.Second

// requeue is how long the controller waits before it tries a binding again that it couldn't bring in line.
const requeue = time.Minute

// annotationPrefix begins every annotation of an ingress or Service that the controller reads.
const annotationPrefix = "alb.ingress.kubernetes.io/"

// controller is the AWS Load Balancer Controller: for ingresses whose annotations change, it brings health checks and
// the security group rules of the targets in line; for TargetGroupBindings that change, the rules that they ask for.
type controller struct {
	n *Nature
	c *clients

	ingresses map[string]map[string]string // annotations that were last acted on, by namespace/name
	services  map[string]map[string]string
	bindings  map[string]mark            // what was last acted on
	checks    map[string]elb.HealthCheck // as the controller left them, by the ARN of the target group
	waited    time.Duration              // since bindings were tried again
	rested    time.Duration              // since everything was looked at again
}

func newController(n *Nature, c *clients) *controller { return &controller{n: n, c: c} }

func (k *controller) round(ctx context.Context) error {
	first := k.ingresses == nil
	if first {
		k.ingresses, k.services, k.bindings = map[string]map[string]string{}, map[string]map[string]string{}, map[string]mark{}
		k.learn(ctx)
	}
	resync := k.rested >= k.n.o.Resync
	if k.rested += controllerLoop; resync {
		k.rested = 0
	}
	var trouble error
	note := func(err error) {
		if err != nil && trouble == nil {
			trouble = err
		}
	}
	changed := map[string]map[string]string{} // annotations before, by namespace/name of the Service
	for _, s := range listed[*corev1.Service](k.c.services) {
		id, now := key(s.Namespace, s.Name), annotations(s)
		if was, known := k.services[id]; known && !first && !maps.Equal(was, now) {
			changed[id] = was
		}
		k.services[id] = now
	}
	for _, i := range listed[*networkingv1.Ingress](k.c.ingresses) {
		id, now := key(i.Namespace, i.Name), annotations(i)
		was, known := k.ingresses[id]
		if first || !known {
			k.ingresses[id] = now // made anew it would get a load balancer, which nature doesn't play
			continue
		}
		if maps.Equal(was, now) && !backs(i, changed) && !resync {
			continue
		}
		if err := k.ingress(ctx, i, was, changed); err != nil {
			// they are looked at again
			maps.Copy(k.services, changed)
			note(fmt.Errorf("ingress %s: %w", id, err))
			continue
		}
		k.ingresses[id] = now
	}
	again := k.waited >= requeue
	if k.waited += controllerLoop; again {
		k.waited = 0
	}
	for _, b := range listed[*unstructured.Unstructured](k.c.bindings) {
		if slices.Contains(b.GetFinalizers(), bindingFinalizer) && b.GetDeletionTimestamp() != nil {
			note(k.finalize(ctx, b))
			continue
		}
		id, now := key(b.GetNamespace(), b.GetName()), markOf(b)
		was, known := k.bindings[id]
		changed := !first && known && (was.spec != now.spec || !was.unchecked && now.unchecked || resync)
		if !changed && !(again && k.chooses(ctx, b)) {
			k.bindings[id] = now
			continue
		}
		if err := k.binding(ctx, b); err != nil {
			note(fmt.Errorf("targetgroupbinding %s: %w", id, err))
			continue
		}
		k.bindings[id] = now
	}
	return trouble
}

// annotations is those that the controller reads.
func annotations(o metav1.Object) map[string]string {
	out := map[string]string{}
	for name, v := range o.GetAnnotations() {
		if short, ok := strings.CutPrefix(name, annotationPrefix); ok {
			out[short] = v
		}
	}
	return out
}

// backs reports whether one of these Services is behind the ingress.
func backs(i *networkingv1.Ingress, services map[string]map[string]string) bool {
	for id := range services {
		if namespace, name, _ := strings.Cut(id, "/"); namespace == i.Namespace && backend(i, name) {
			return true
		}
	}
	return false
}

func backend(i *networkingv1.Ingress, service string) bool {
	is := func(b *networkingv1.IngressBackend) bool {
		return b != nil && b.Service != nil && b.Service.Name == service
	}
	if is(i.Spec.DefaultBackend) {
		return true
	}
	for _, r := range i.Spec.Rules {
		if r.HTTP == nil {
			continue
		}
		for _, p := range r.HTTP.Paths {
			if is(&p.Backend) {
				return true
			}
		}
	}
	return false
}

// ready reports whether a controller is there that works.
func (k *controller) ready(ctx context.Context) (bool, error) {
	l, err := k.c.kube.AppsV1().Deployments(metav1.NamespaceAll).List(ctx, metav1.ListOptions{LabelSelector: "app.kubernetes.io/name=aws-load-balancer-controller"})
	if err != nil {
		return false, fmt.Errorf("list deployments: %w", err)
	}
	for _, d := range l.Items {
		if d.Status.ReadyReplicas > 0 {
			return true, nil
		}
	}
	return false, nil
}

// failing is the message of the warning that stands against an object; empty where its last event is a good one.
func (k *controller) failing(o metav1.Object) string {
	var last *corev1.Event
	for _, e := range listed[*corev1.Event](k.c.events) {
		if e.InvolvedObject.UID == o.GetUID() && (last == nil || seen(e).After(seen(last))) {
			last = e
		}
	}
	if last == nil || last.Type != corev1.EventTypeWarning || !strings.HasPrefix(last.Reason, "Failed") {
		return ""
	}
	return last.Message
}

// ingress reconciles an ingress whose annotations, or those of its Services, were something else before.
func (k *controller) ingress(ctx context.Context, i *networkingv1.Ingress, was map[string]string, services map[string]map[string]string) error {
	ok, err := k.ready(ctx)
	if err != nil {
		return err
	}
	if message := k.failing(i); !ok || message != "" {
		k.n.say("load balancer controller: ingress %s/%s is not reconciled: ready %t, %s", i.Namespace, i.Name, ok, message)
		return nil
	}
	r := k.c.reads.Reader()
	lb, err := balancerOf(ctx, r, i)
	if err != nil || lb == nil {
		return err
	}
	if conflict := k.conflict(i); conflict != "" {
		k.tell(ctx, i, corev1.EventTypeWarning, "FailedBuildModel", "Failed build model due to "+conflict)
		return nil
	}
	manages, managed := manages(annotations(i)), manages(was)
	for _, b := range k.stack(i) {
		if err := k.putBack(ctx, r, textAt(b, "spec", "targetGroupARN")); err != nil {
			return err
		}
		if err := k.healthCheck(ctx, r, i, b, was, services[key(b.GetNamespace(), serviceOf(b))]); err != nil {
			return err
		}
		switch {
		case manages && !managed:
			err = k.manage(ctx, r, lb, b)
		case managed && !manages:
			err = k.unmanage(ctx, r, lb, b)
		}
		if err != nil {
			return err
		}
	}
	k.n.say("load balancer controller: ingress %s/%s is reconciled", i.Namespace, i.Name)
	k.tell(ctx, i, corev1.EventTypeNormal, "SuccessfullyReconciled", "Successfully reconciled")
	return nil
}

// manages reports whether the controller is to keep the rules of the targets although the ingress brings its own groups.
func manages(a map[string]string) bool {
	return a["security-groups"] != "" && a["manage-backend-security-group-rules"] == "true"
}

// conflict says why the members of an ingress's group can't be brought together.
func (k *controller) conflict(i *networkingv1.Ingress) string {
	mine := annotations(i)
	for _, o := range listed[*networkingv1.Ingress](k.c.ingresses) {
		theirs := annotations(o)
		if mine["group.name"] != "" && theirs["group.name"] == mine["group.name"] && theirs["security-groups"] != "" && manages(theirs) != manages(mine) {
			return "conflicting manage backend security group rules settings"
		}
	}
	return ""
}

// balancerOf finds the load balancer of an ingress by its host name; nil where there is none.
func balancerOf(ctx context.Context, r *awsnet.Reader, i *networkingv1.Ingress) (*elb.LoadBalancer, error) {
	all, err := r.LoadBalancers(ctx)
	if err != nil {
		return nil, err
	}
	for n := range all {
		for _, h := range i.Status.LoadBalancer.Ingress {
			if strings.EqualFold(h.Hostname, all[n].DNSName) {
				return &all[n], nil
			}
		}
	}
	return nil, nil
}

// stack lists the bindings that the controller has made for an ingress.
func (k *controller) stack(i *networkingv1.Ingress) []*unstructured.Unstructured {
	var out []*unstructured.Unstructured
	for _, b := range listed[*unstructured.Unstructured](k.c.bindings) {
		l, group := b.GetLabels(), annotations(i)["group.name"]
		own := l["ingress.k8s.aws/stack-namespace"] == i.Namespace && l["ingress.k8s.aws/stack-name"] == i.Name
		shared := group != "" && l["ingress.k8s.aws/stack"] == group
		if (own || shared) && b.GetNamespace() == i.Namespace && backend(i, serviceOf(b)) {
			out = append(out, b)
		}
	}
	return out
}

// event records what the controller says about an object. As with any recorder, one that is lost is lost.
func (k *controller) event(ctx context.Context, o metav1.Object, apiVersion, kind, level, reason, message string) {
	now := metav1.NewTime(k.n.o.Now().UTC())
	e := &corev1.Event{
		ObjectMeta:     metav1.ObjectMeta{Namespace: o.GetNamespace(), Name: fmt.Sprintf("%s.%016x", o.GetName(), rand.Uint64())},
		InvolvedObject: corev1.ObjectReference{APIVersion: apiVersion, Kind: kind, Namespace: o.GetNamespace(), Name: o.GetName(), UID: o.GetUID()},
		Type:           level, Reason: reason, Message: message, FirstTimestamp: now, LastTimestamp: now, Count: 1,
		Source: corev1.EventSource{Component: strings.ToLower(kind)}, ReportingController: strings.ToLower(kind),
	}
	if _, err := k.c.kube.CoreV1().Events(o.GetNamespace()).Create(ctx, e, metav1.CreateOptions{}); err != nil {
		k.n.say("load balancer controller: create event %s about %s %s/%s: %v", reason, kind, o.GetNamespace(), o.GetName(), err)
	}
}

func (k *controller) tell(ctx context.Context, i *networkingv1.Ingress, level, reason, message string) {
	k.event(ctx, i, "networking.k8s.io/v1", "Ingress", level, reason, message)
}
