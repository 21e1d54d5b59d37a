package pending

import (
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/diagnostics/awsnode"
)

// makers are what makes pods in the namespace, as it was listed.
type makers struct {
	deployments []appsv1.Deployment
	sets        []appsv1.ReplicaSet
	stateful    []appsv1.StatefulSet
	jobs        []batchv1.Job
	daemons     []appsv1.DaemonSet
}

// each calls f for every one of them, with its kind.
func (m makers) each(f func(kind string, o metav1.Object)) {
	for n := range m.sets {
		f("ReplicaSet", &m.sets[n])
	}
	for n := range m.stateful {
		f("StatefulSet", &m.stateful[n])
	}
	for n := range m.jobs {
		f("Job", &m.jobs[n])
	}
	for n := range m.daemons {
		f("DaemonSet", &m.daemons[n])
	}
}

// known tells of each controller of pods what people edit to change it, and who declares that.
func (m makers) known() map[string]Maker {
	out := map[string]Maker{}
	m.each(func(kind string, o metav1.Object) {
		edited, of := Maker{Kind: kind, Name: o.GetName()}, o
		if up := metav1.GetControllerOf(o); up != nil {
			edited = Maker{Kind: up.Kind, Name: up.Name}
			if n := slices.IndexFunc(m.deployments, func(d appsv1.Deployment) bool { return d.Name == up.Name }); n >= 0 && up.Kind == "Deployment" {
				of = &m.deployments[n]
			}
		}
		edited.Owner, edited.Why, edited.Release = declared(of)
		out[kind+"/"+o.GetName()] = edited
	})
	return out
}

// declared finds who declares an object, by the marks that tools leave on it and by who sets its fields.
func declared(o metav1.Object) (owner, why, release string) {
	if by, ok := (&awsnode.Driver{Labels: o.GetLabels(), Annotations: o.GetAnnotations()}).Marked(); ok {
		mark, _, _ := strings.Cut(by.Why, " on DaemonSet")
		return by.Owner, mark, by.Name
	}
	for _, m := range o.GetManagedFields() {
		if by := awsnode.ManagerOwner(m.Manager); m.Subresource == "" && by != "" && by != "eks-addon" && by != "kubectl" {
			return by, "field manager " + m.Manager, ""
		}
	}
	return "none", "", ""
}

// narrow narrows everything down to the pod that was asked for or, where no pod has the name, to the pods of what has it.
// It refuses a name that nothing has, with the nearest that there are.
func (c *collector) narrow(m makers) error {
	name := c.s.Target.Name
	if name == "" {
		return nil
	}
	if n := slices.IndexFunc(c.all, func(p corev1.Pod) bool { return p.Name == name }); n >= 0 {
		c.all = c.all[n : n+1]
		c.s.Short = nil
		c.s.Settled = settledOf(c.all)
		return nil
	}
	of := map[string]bool{} // "<kind>/<name>" of what has the name, or is made by what has it
	m.each(func(kind string, o metav1.Object) {
		if o.GetName() == name || controllerName(o) == name {
			of[kind+"/"+o.GetName()] = true
		}
	})
	pods := slices.DeleteFunc(slices.Clone(c.all), func(p corev1.Pod) bool {
		o := metav1.GetControllerOf(&p)
		return o == nil || !of[o.Kind+"/"+o.Name] && o.Name != name
	})
	if _, missed := c.missed("list pods"); !missed && len(of) == 0 && len(pods) == 0 {
		return c.noSuchPod(m)
	}
	c.all = pods
	c.s.Short = slices.DeleteFunc(c.s.Short, func(w Workload) bool { return !of[w.Kind+"/"+w.Name] })
	c.s.Settled = settledOf(c.all)
	return nil
}

// missed finds a read that could not be made so far.
func (c *collector) missed(permission string) (diagnostics.Unread, bool) {
	for _, u := range c.reads.Unread() {
		if u.Permission == permission {
			return u, true
		}
	}
	return diagnostics.Unread{}, false
}

func (c *collector) noSuchPod(m makers) error {
	set := map[string]bool{}
	for n := range c.all {
		set[c.all[n].Name] = true
	}
	m.each(func(kind string, o metav1.Object) {
		if kind != "ReplicaSet" {
			set[o.GetName()] = true
		}
		if of := controllerName(o); of != "" {
			set[of] = true
		}
	})
	text := fmt.Sprintf("There is no pod %q in namespace %s, and nothing of that name makes pods there.", c.s.Target.Name, c.s.Target.Namespace)
	return diagnostics.Refusal(text + diagnostics.Suggest(c.s.Target.Name, sorted(set)))
}

// controllerName is the name of what made an object: of a Deployment for a ReplicaSet, of a CronJob for a Job. Empty where nothing did.
func controllerName(o metav1.Object) string {
	if of := metav1.GetControllerOf(o); of != nil {
		return of.Name
	}
	return ""
}

// settledOf tells of pods that wait for nothing what has become of them: who asks for a pod by name gets an answer about it.
func settledOf(pods []corev1.Pod) []Settled {
	var out []Settled
	for n := range pods {
		p := &pods[n]
		switch {
		case p.DeletionTimestamp != nil || p.Status.Phase == corev1.PodPending:
		case p.Status.Phase == corev1.PodFailed && refusedByKubelet(p.Status.Reason):
		default:
			s := Settled{Name: p.Name, Node: p.Spec.NodeName, Phase: string(p.Status.Phase), Reason: p.Status.Reason}
			if ready := condition(p, corev1.PodReady); ready != nil {
				s.Ready, s.Since = ready.Status == corev1.ConditionTrue, ready.LastTransitionTime.Time
			}
			for _, c := range p.Status.ContainerStatuses {
				if !c.Ready && s.Reason == "" && p.Status.Phase == corev1.PodRunning {
					s.Reason = "container " + c.Name + " " + state(c)
				}
			}
			out = append(out, s)
		}
	}
	return out
}
