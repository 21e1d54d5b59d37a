package alb

import (
	"fmt"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/netdiag/netdiag/diagnostics"
)

// mendBackend fills in the Service that an ingress should name, or the one that is to be made.
func (a *analysis) mendBackend(x *diagnostics.Fix, f diagnostics.Finding) {
	full := strings.TrimPrefix(f.Subject, "service/")
	namespace, name, _ := strings.Cut(full, "/")
	x.Title = "Create the Service, or name another one in the ingress"
	x.Blast, x.Risk = "the requests of the rules that answer 503 now", "low: nothing serves these requests today"
	ing := a.s.Ingress
	if ing != nil {
		x.Owner = objectOwner(ing)
		a.rename(x, namespace, name)
		x.Blast += drift(x.Owner)
	}
	create := full + ": a Service of this name with the port that names it"
	for _, d := range a.s.Deployments {
		if d.Namespace == namespace && (d.Name == name || d.Spec.Template.Labels["app"] == name || d.Spec.Template.Labels["app.kubernetes.io/name"] == name) {
			create += fmt.Sprintf(", for the %d ready pods of Deployment %s", d.Status.ReadyReplicas, d.Name)
			x.Frees, x.Needs = int(d.Status.ReadyReplicas), replicas(d)
			x.Proof = fmt.Sprintf("Deployment %s/%s has %d of %d pods ready and no Service of the name in front", d.Namespace, d.Name, d.Status.ReadyReplicas, replicas(d))
			x.Commands = append(x.Commands, exposing(d.Name, name, namespace, d.Spec.Template.Spec.Containers, a.wantedPort(name)))
			break
		}
	}
	if len(x.Changes) > 0 {
		create = "or " + create
	}
	x.Changes = append(x.Changes, create)
	x.Commands = append(x.Commands, fmt.Sprintf("kubectl get services -n %s", namespace))
}

// rename fills in the Service with a similar name that the ingress probably means, provided that it has the port.
func (a *analysis) rename(x *diagnostics.Fix, namespace, name string) {
	ing := a.s.Ingress
	like := a.likeliest(name)
	if like == "" {
		return
	}
	for i, r := range ing.Spec.Rules {
		if r.HTTP == nil {
			continue
		}
		for j, p := range r.HTTP.Paths {
			b := p.Backend.Service
			if b == nil || b.Name != name || servicePort(a.s.service(namespace, like), backendPort(b.Port.Name, b.Port.Number)) == nil {
				continue
			}
			set := func(v string) string {
				return fmt.Sprintf(`kubectl patch ingress %s -n %s --type json -p '[{"op":"replace","path":"/spec/rules/%d/http/paths/%d/backend/service/name","value":"%s"}]'`, ing.Name, ing.Namespace, i, j, v)
			}
			x.Title = fmt.Sprintf("Name Service %s in the ingress, or create %s", like, name)
			x.Changes = append(x.Changes, fmt.Sprintf("Ingress %s/%s: backend of path %s: %s → %s", ing.Namespace, ing.Name, nonempty(p.Path, "/"), name, like))
			x.Commands = append(x.Commands, set(like))
			x.Undo = set(name)
			ready := 0
			for _, sl := range a.s.slicesOf(namespace, like) {
				for _, e := range sl.Endpoints {
					if e.Conditions.Ready == nil || *e.Conditions.Ready {
						ready++
					}
				}
			}
			x.Frees, x.Needs = ready, ready
			x.Proof = fmt.Sprintf("Service %s/%s has port %s and %s", namespace, like, backendPort(b.Port.Name, b.Port.Number), plural(ready, "ready endpoint"))
		}
	}
}

func backendPort(name string, number int32) string {
	if name != "" {
		return name
	}
	return strconv.Itoa(int(number))
}

// wantedPort is the port of a Service as the ingress names it; empty where it doesn't.
func (a *analysis) wantedPort(service string) string {
	if a.s.Ingress == nil {
		return ""
	}
	for _, b := range backends(*a.s.Ingress) {
		if b.Service == service {
			return b.Port
		}
	}
	return ""
}

// exposing is the command that makes a Service for a Deployment.
func exposing(deployment, service, namespace string, cs []corev1.Container, port string) string {
	if _, err := strconv.Atoi(port); err != nil {
		port = "80"
	}
	text := fmt.Sprintf("kubectl expose deployment %s -n %s --name %s --port %s", deployment, namespace, service, port)
	for _, c := range cs {
		if len(c.Ports) > 0 && !isSidecar(c.Name) {
			return text + fmt.Sprintf(" --target-port %d", c.Ports[0].ContainerPort)
		}
	}
	return text
}
