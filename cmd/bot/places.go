package main

import (
	"context"

	"github.com/netdiag/netdiag/handlers"
	"github.com/netdiag/netdiag/internal/kube"
)

// places lists what forms offer. Every list is read anew: a kube.Reader answers a question once and then from memory.
type places struct{ kube *kube.Client }

// Namespaces lists the names of all namespaces.
func (p places) Namespaces(ctx context.Context) ([]string, error) {
	return p.kube.Reader().Namespaces(ctx)
}

// Ingresses lists all Ingresses, with the host names of their load balancers.
func (p places) Ingresses(ctx context.Context) ([]handlers.Ingress, error) {
	all, err := p.kube.Reader().Ingresses(ctx, "")
	var out []handlers.Ingress
	for _, i := range all {
		ingress := handlers.Ingress{Namespace: i.Namespace, Name: i.Name}
		for _, lb := range i.Status.LoadBalancer.Ingress {
			if lb.Hostname != "" {
				ingress.Hosts = append(ingress.Hosts, lb.Hostname)
			}
		}
		out = append(out, ingress)
	}
	return out, err
}
