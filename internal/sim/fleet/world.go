package fleet

import (
	_ "embed" // the objects that a fleet has once
	"fmt"
	"maps"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	kyaml "sigs.k8s.io/yaml"

	"github.com/netdiag/netdiag/internal/world"
)

//go:embed base/cluster.yaml
var base string

// World is what a fleet keeps: everything but its pods, nodes and network interfaces, which the Crowd makes.
func (f *Fleet) World() *world.World {
	w := &world.World{
		Dir: fmt.Sprintf("fleet-%d", len(f.nodes)),
		Meta: world.Meta{
			Story: fmt.Sprintf("A cluster of %d nodes and %d pods. One subnet is full, and a load balancer can't reach some groups of nodes.", f.Nodes(), f.Pods()),
			Ask:   Pending, Now: f.now, Cluster: cluster, Region: region, Account: account, Want: f.Want(Pending),
		},
		AWS: f.account(), Logs: map[string]string{}, Metrics: map[string]string{},
	}
	dated := strings.NewReplacer("MADE", `"`+f.ago(2000*time.Hour)+`"`, "CHANGED", `"`+f.ago(1000*time.Hour)+`"`).Replace(base)
	for doc := range strings.SplitSeq(dated, "\n---\n") {
		o := object{}
		if err := kyaml.Unmarshal([]byte(doc), &o); err != nil {
			panic(err) // the file is part of the program
		}
		w.Objects = append(w.Objects, &unstructured.Unstructured{Object: o})
	}
	for _, o := range w.Objects {
		if o.GetKind() == "DaemonSet" {
			o.Object["status"] = object{"desiredNumberScheduled": len(f.nodes), "currentNumberScheduled": len(f.nodes), "numberReady": len(f.nodes), "numberAvailable": len(f.nodes), "updatedNumberScheduled": len(f.nodes)}
		}
	}
	for _, ns := range f.namespaces() {
		f.add(w, "v1", "Namespace", "", ns, object{"status": object{"phase": "Active"}})
	}
	f.workload(w, identity{shop, storefront, 0}, f.targets, f.targets)
	f.workload(w, identity{checkout, cart, 0}, f.carts, f.carts)
	f.workload(w, identity{checkout, payments, 0}, f.stuck, 0)
	for t := range f.teams {
		n := len(f.nodes) * perNode / f.teams
		f.workload(w, identity{team(t), teamApp, t}, n, n)
	}
	f.endpoints(w)
	f.events(w)
	for n := range f.nodes {
		w.Metrics[system+"/"+f.identify(pod{n, agentSlot}).name()] = f.metrics(n)
	}
	return w
}

// add puts an object into the world.
func (f *Fleet) add(w *world.World, apiVersion, kind, namespace, name string, more object) {
	o := object{"apiVersion": apiVersion, "kind": kind}
	maps.Copy(o, more)
	u := &unstructured.Unstructured{Object: o}
	u.SetName(name)
	u.SetNamespace(namespace)
	if u.GetUID() == "" {
		u.SetUID(types.UID(uid(uidOther, len(w.Objects))))
	}
	if t := u.GetCreationTimestamp(); t.IsZero() {
		_ = unstructured.SetNestedField(o, f.ago(90*time.Hour), "metadata", "creationTimestamp") // metadata is there: it has a name
	}
	w.Objects = append(w.Objects, u)
}

// workload adds a Deployment with its ReplicaSet.
func (f *Fleet) workload(w *world.World, i identity, replicas, ready int) {
	app, hash := cutHash(i.workload)
	labels := object{"app": app, "pod-template-hash": hash}
	spec := object{"replicas": int64(replicas), "selector": object{"matchLabels": object{"app": app}}, "template": object{"metadata": object{"labels": object{"app": app}},
		"spec": object{"containers": []any{object{"name": app, "image": registry + app + ":1.4.2", "ports": []any{object{"name": "http", "containerPort": int64(appPort)}},
			"readinessProbe": object{"httpGet": object{"path": "/health", "port": int64(appPort)}}}}}}}
	status := object{"replicas": int64(replicas), "readyReplicas": int64(ready), "availableReplicas": int64(ready), "observedGeneration": int64(1)}
	deployment := uid(uidOther, 1000+len(w.Objects))
	f.add(w, "apps/v1", "Deployment", i.namespace, app, object{"metadata": object{"uid": deployment, "labels": object{"app": app}, "generation": int64(1)}, "spec": spec, "status": status})
	f.add(w, "apps/v1", "ReplicaSet", i.namespace, i.workload, object{
		"metadata": object{"uid": string(f.workloadUID(i)), "labels": labels, "generation": int64(1), "ownerReferences": []any{
			object{"apiVersion": "apps/v1", "kind": "Deployment", "name": app, "uid": deployment, "controller": true, "blockOwnerDeletion": true}}},
		"spec": spec, "status": status,
	})
}

// endpoints adds the EndpointSlices of the Service behind the load balancer, a hundred endpoints in each.
func (f *Fleet) endpoints(w *world.World) {
	const each = 100
	for from := 0; from < f.targets; from += each {
		var list []any
		for n := from; n < min(from+each, f.targets); n++ {
			node, nth := f.spread(n, f.targets)
			p := pod{node, nth}
			list = append(list, object{
				"addresses": []any{f.podAddress(p).String()}, "conditions": object{"ready": true, "serving": true, "terminating": false}, "nodeName": f.nodes[node].name,
				"zone": f.subnets[f.nodes[node].subnet].zone, "targetRef": object{"kind": "Pod", "namespace": shop, "name": f.identify(p).name(), "uid": uid(uidPod, node<<8|nth)},
			})
		}
		f.add(w, "discovery.k8s.io/v1", "EndpointSlice", shop, "storefront-"+suffix(from), object{
			"metadata":    object{"labels": object{"kubernetes.io/service-name": "storefront", "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io"}},
			"addressType": "IPv4", "endpoints": list, "ports": []any{object{"name": "http", "port": int64(appPort), "protocol": "TCP"}},
		})
	}
}

// events adds what the kubelets say of the pods that wait, and the noise of a cluster that works.
func (f *Fleet) events(w *world.World) {
	about := func(n int, namespace, kind, name, id, reason, message, severity, host string, first, last time.Duration, count int) {
		of := namespace
		if kind == "Node" {
			of = ""
		}
		f.add(w, "v1", "Event", namespace, fmt.Sprintf("%s.%016x", name, n), object{
			"metadata":       object{"uid": uid(uidEvent, len(w.Objects)), "creationTimestamp": f.ago(first)},
			"involvedObject": object{"apiVersion": "v1", "kind": kind, "namespace": of, "name": name, "uid": id},
			"reason":         reason, "message": message, "type": severity, "source": object{"component": "kubelet", "host": host},
			"firstTimestamp": f.ago(first), "lastTimestamp": f.ago(last), "count": int64(count), "reportingComponent": "kubelet", "reportingInstance": host,
		})
	}
	for n := range f.stuck {
		p := pod{n % f.affected, stuckSlot + n/f.affected}
		name, id, host := f.identify(p).name(), uid(uidPod, p.node<<8|p.slot), f.nodes[p.node].name
		about(1, checkout, "Pod", name, id, "FailedCreatePodSandBox", `Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox "81772b840a892e15": plugin type="aws-cni" name="aws-cni" failed (add): add cmd: failed to assign an IP address to container`, "Warning", host, 14*time.Minute, 10*time.Second, 61)
	}
	for n := range f.carts {
		node, nth := f.spread(n, f.carts)
		p := pod{node, perNode - 1 - nth}
		about(2, checkout, "Pod", f.identify(p).name(), uid(uidPod, p.node<<8|p.slot), "Pulled", "Container image already present on machine", "Normal", f.nodes[node].name, 50*time.Minute, 50*time.Minute, 1)
	}
	for n := 0; n < len(f.nodes); n += 10 {
		name := f.nodes[n].name
		about(3, "default", "Node", name, name, "NodeHasSufficientMemory", "Node "+name+" status is now: NodeHasSufficientMemory", "Normal", name, 55*time.Minute, 55*time.Minute, 1)
		agent := f.identify(pod{n, agentSlot}).name()
		about(4, system, "Pod", agent, uid(uidPod, n<<8|agentSlot), "Started", "Started container aws-node", "Normal", name, 55*time.Minute, 55*time.Minute, 1)
	}
}
