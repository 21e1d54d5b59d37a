package alb

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/netdiag/netdiag/diagnostics"
)

// lbc is the name of the load balancer controller in its image and in the standard label app.kubernetes.io/name.
const lbc = "aws-load-balancer-controller"

// everywhere says in Unread that a read was about all namespaces.
const everywhere = "all namespaces"

// managed reports whether EKS itself runs the controller, outside of the cluster (Auto Mode): it has neither pods nor a lease.
func (s *Snapshot) managed() bool {
	return s.Class == autoController || (s.Asked != nil && strings.HasPrefix(s.Asked.APIVersion, "eks.amazonaws.com/"))
}

// controller finds the load balancer controller, wherever it runs: in kube-system, where its documentation puts it, or
// else in any namespace. The pods of one that isn't ready tell why.
func (c *collector) controller(ctx context.Context) {
	if c.s.managed() {
		return
	}
	found := c.controllerIn(ctx, system)
	if found == nil {
		found = c.controllerIn(ctx, "")
	}
	namespace, name := system, lbc+"-leader"
	if found != nil {
		namespace = cmp.Or(found.flag("leader-election-namespace"), found.Namespace)
		name = cmp.Or(found.flag("leader-election-id"), name)
		if found.Ready == 0 {
			pods, err := c.in.Pods.Pods(ctx, diagnostics.PodQuery{Namespace: found.Namespace, Labels: found.Selector})
			c.keep(err, found.Namespace, func() {
				for _, p := range pods {
					found.Pods = append(found.Pods, p.Name+": "+ailment(&p))
				}
				slices.Sort(found.Pods)
			})
		}
		c.mu.Lock()
		c.s.Controller = found
		c.mu.Unlock()
	}
	leases, err := c.in.Customs.Customs(ctx, "coordination.k8s.io", "v1", "leases", namespace)
	c.keep(err, namespace, func() {
		for _, u := range leases {
			l := leaseOf(u.Object)
			// It has the standard name, or is held by a pod of the Deployment.
			if l.Name == name || (c.s.Leader == nil && found != nil && strings.HasPrefix(l.Holder, found.Name+"-") && !l.Renewed.IsZero()) {
				c.s.Leader = &l
			}
		}
		if c.s.Leader != nil && c.s.Leader.Renewed.IsZero() {
			c.s.Leader = nil // without a time it says nothing
		}
	})
}

// leaseOf reads a Lease; Renewed is zero where it was never renewed.
func leaseOf(o map[string]any) Lease {
	namespace, _ := field(o, "metadata", "namespace").(string)
	name, _ := field(o, "metadata", "name").(string)
	holder, _ := field(o, "spec", "holderIdentity").(string)
	text, _ := field(o, "spec", "renewTime").(string)
	renewed, err := time.Parse(time.RFC3339, text)
	if err != nil {
		renewed = time.Time{}
	}
	return Lease{Namespace: namespace, Name: name, Holder: holder, Renewed: renewed.UTC()}
}

// controllerIn looks for the controller in a namespace, or in all where it is empty. Of several, the one that has ready
// replicas and watches the namespace of the ingress serves it.
func (c *collector) controllerIn(ctx context.Context, namespace string) *Controller {
	ds, err := c.in.Controllers.Deployments(ctx, namespace)
	var found *Controller
	c.keep(err, cmp.Or(namespace, everywhere), func() {
		ds = slices.Clone(ds) // the list belongs to the reader
		byName(ds)
		for i := range ds {
			if x := controllerOf(&ds[i]); x != nil && x.watches(c.s) && (found == nil || (found.Ready == 0 && x.Ready > 0)) {
				found = x
			}
		}
	})
	return found
}

// controllerOf recognises the Deployment of the controller by its standard label, its image, or the way in which it is
// started; nil for any other.
func controllerOf(d *appsv1.Deployment) *Controller {
	const label = "app.kubernetes.io/name"
	for _, ct := range d.Spec.Template.Spec.Containers {
		image := ct.Image[strings.LastIndexByte(ct.Image, '/')+1:]
		x := &Controller{Namespace: d.Namespace, Name: d.Name, Desired: replicas(*d), Ready: int(d.Status.ReadyReplicas), Args: ct.Args, Owner: objectOwner(d)}
		if !strings.HasPrefix(image, lbc) && d.Labels[label] != lbc && d.Spec.Template.Labels[label] != lbc &&
			(x.flag("cluster-name") == "" || !slices.ContainsFunc(ct.Ports, func(p corev1.ContainerPort) bool { return p.Name == "webhook-server" })) {
			continue
		}
		if _, version, ok := strings.Cut(image, ":"); ok {
			x.Version = version
		}
		if d.Spec.Selector != nil {
			x.Selector = metav1.FormatLabelSelector(d.Spec.Selector)
		}
		for _, cond := range d.Status.Conditions {
			if cond.Type == appsv1.DeploymentAvailable && cond.Status == corev1.ConditionFalse {
				x.DownSince = cond.LastTransitionTime.UTC()
			}
		}
		return x
	}
	return nil
}

// flag is the value of a command line flag of the controller; empty where it isn't set.
func (c *Controller) flag(name string) string {
	for i, arg := range c.Args {
		arg = strings.TrimLeft(arg, "-")
		if v, ok := strings.CutPrefix(arg, name+"="); ok {
			return v
		}
		if arg == name && i+1 < len(c.Args) {
			return c.Args[i+1]
		}
	}
	return ""
}

// watches reports whether the controller looks at the namespace of what was asked for.
func (c *Controller) watches(s *Snapshot) bool {
	only := c.flag("watch-namespace")
	switch {
	case only == "":
		return true
	case s.Ingress != nil:
		return only == s.Ingress.Namespace
	}
	return s.Asked == nil || only == s.Asked.Namespace
}

// ailment says in a few words why a pod isn't ready.
func ailment(p *corev1.Pod) string {
	for _, c := range p.Status.ContainerStatuses {
		if w := c.State.Waiting; w != nil && w.Reason != "" {
			text := w.Reason
			if end := c.LastTerminationState.Terminated; end != nil {
				text += ", last exit code " + strconv.Itoa(int(end.ExitCode))
			}
			return text
		}
	}
	for _, c := range p.Status.Conditions {
		if c.Status != corev1.ConditionTrue && (c.Type == corev1.PodScheduled || c.Type == corev1.PodReady) {
			return strings.TrimSpace(string(p.Status.Phase) + ", " + string(c.Type) + " is " + string(c.Status) + " " + c.Reason + " " + c.Message)
		}
	}
	return string(p.Status.Phase)
}
