package pending

import (
	"fmt"
	"strings"

	apiresource "k8s.io/apimachinery/pkg/api/resource"

	corev1 "k8s.io/api/core/v1"

	"github.com/netdiag/netdiag/diagnostics"
)

// fixOfWorkload proposes what helps pods for which no address is missing, and reports whether the cause is such a one.
func (a *analysis) fixOfWorkload(f *diagnostics.Finding) bool {
	switch strings.TrimPrefix(f.ID, "pending/") {
	case "insufficient-resources":
		a.fixResources(f)
	case "taint":
		a.fixTaint(f)
	case "affinity":
		a.fixAffinity(f)
	case "host-port":
		a.fixHostPort(f)
	case "volume-binding":
		a.fixVolume(f)
	case "branch-eni-failed", "branch-eni-capacity":
		a.fixPodGroups(f)
	case "windows-ip-resource":
		a.fixWindows(f)
	case "autoscaler-limits":
		a.fixLimits(f)
	case "capacity-shortage":
		a.fixShortage(f)
	case "image-pull":
		a.fixImage(f)
	case "egress":
		a.fixEgress(f)
	case "volume-mount":
		a.fixMount(f)
	case "missing-config":
		a.fixConfig(f)
	case "runtime":
		a.fixRuntime(f)
	case "init-container":
		a.fixInit(f)
	case "quota":
		a.fixResourceQuota(f)
	case "admission-webhook":
		a.fixWebhook(f)
	case "admission-denied":
		a.fixDenied(f)
	case "kubelet-rejected":
		a.fixRejected(f)
	case "node-not-ready":
		a.fixNode(f)
	case "terminating":
		a.fixTerminating(f)
	case "fargate-no-ip":
		a.fixFargate(f)
	case "gated":
		a.fixScheduler(f)
	default:
		return false
	}
	return true
}

// pod is the name of a pod that a finding affects.
func (a *analysis) pod(f *diagnostics.Finding) string {
	if w, ok := a.first(f); ok {
		return w.pod.Name
	}
	return "<pod>"
}

func (a *analysis) fixImage(f *diagnostics.Finding) {
	ns, m := a.s.Target.Namespace, a.maker(f)
	what := "an image that exists, now " + f.Subject
	fix := diagnostics.Fix{Title: "Correct the image " + f.Subject + ", or push it", Changes: []string{fmt.Sprintf("%s: %s", m, what)}}
	patch := fmt.Sprintf("kubectl set image %s -n %s <container>=<image>", m, ns)
	repository, tag, _ := cutLast(f.Subject, ":")
	if host, path, ok := strings.Cut(repository, "/"); ok && strings.Contains(host, ".dkr.ecr.") {
		fix.Commands = append(fix.Commands, fmt.Sprintf("aws ecr describe-images --repository-name %s --image-ids imageTag=%s", path, tag))
	}
	switch {
	case strings.Contains(f.Summary, "credentials"):
		what = "an imagePullSecret that the registry accepts, or for Amazon ECR the policy AmazonEC2ContainerRegistryPullOnly on the role of the nodes"
		fix.Title, fix.Changes, patch = "Give the nodes or the pods the right to pull "+f.Subject, []string{what}, fmt.Sprintf("kubectl edit %s -n %s   # imagePullSecrets", m, ns)
	case strings.Contains(f.Summary, "too many pulls"):
		what = "an image from a registry of your own, or credentials for the registry"
		fix.Title, fix.Changes = "Pull "+f.Subject+" through a cache of your own, or with credentials", []string{what}
	case strings.Contains(f.Summary, "platform"):
		what = "an image for the platform of the nodes, or a node selector for nodes of its platform"
		fix.Title, fix.Changes = "Build "+f.Subject+" for the platform of the nodes", []string{what}
	}
	fix.Commands = append(fix.Commands, m.inItsTool(ns, what, patch)...)
	a.work(f, m, fix)
}

func (a *analysis) fixEgress(f *diagnostics.Finding) {
	if len(a.at(onFargate)) > 0 && a.s.node(f.Subject) == nil {
		a.fargateSubnets(f, "a way to the registry: a default route to a NAT gateway, or endpoints for ecr.api, ecr.dkr and s3")
		return
	}
	fix := diagnostics.Fix{Title: "Give the node a way to the registry", Needs: len(f.Affects), Owner: "none", Proof: f.Summary, Blast: "whatever else is in the subnet gets the way out too", Undo: "take the route away", SettlesIn: "2m",
		Changes:  []string{"a security group, network ACL or route that lets the node reach the registry on port 443"},
		Commands: []string{"kubectl describe pod -n " + a.s.Target.Namespace + " " + a.pod(f)}}
	if node := a.s.node(f.Subject); node != nil {
		if s := a.s.subnetAt(node.Address); s != nil {
			if table, way := a.wayOut(s.ID); table != "" && !way {
				fix.Title = "Give subnet " + s.ID + " a way to the registry: a NAT gateway, or endpoints for ecr.api, ecr.dkr and s3"
				fix.Changes = []string{fmt.Sprintf("route table %s: 0.0.0.0/0 → a NAT gateway", table)}
				fix.Commands = []string{fmt.Sprintf("aws ec2 create-route --route-table-id %s --destination-cidr-block 0.0.0.0/0 --nat-gateway-id <nat gateway>", table)}
			}
		}
	}
	a.offer("fix-workload", fix, f)
}

func (a *analysis) fixMount(f *diagnostics.Finding) {
	ns := a.s.Target.Namespace
	fix := diagnostics.Fix{Title: "Get the volume of " + f.Subject + " attached and mounted", Changes: []string{"the volume of claim " + f.Subject}, Blast: "none on running pods", Undo: "nothing to undo",
		Commands: []string{fmt.Sprintf("kubectl describe pvc -n %s %s", ns, f.Subject), "kubectl get volumeattachments"}}
	if strings.Contains(f.Summary, "still attached") {
		fix.Title = "End the pod that still has the volume of " + f.Subject + ", or wait: it is taken off a node that is gone after 6 minutes"
		fix.Changes = []string{"the pod on the other node is ended"}
		fix.Blast, fix.SettlesIn = "the pod that has the volume now stops", "6m"
		fix.Commands = append(fix.Commands, fmt.Sprintf("kubectl get pods -n %s -o wide", ns))
	}
	a.work(f, Maker{Kind: "PersistentVolumeClaim", Name: f.Subject, Owner: a.maker(f).Owner, Why: a.maker(f).Why}, fix)
}

func (a *analysis) fixConfig(f *diagnostics.Finding) {
	ns, m := a.s.Target.Namespace, a.maker(f)
	kind, name, _ := strings.Cut(f.Subject, "/")
	create := fmt.Sprintf("kubectl create secret generic %s -n %s --from-literal=<key>=<value>", name, ns)
	if kind == "configmap" {
		create = fmt.Sprintf("kubectl create configmap %s -n %s --from-literal=<key>=<value>", name, ns)
	}
	fix := diagnostics.Fix{Title: fmt.Sprintf("Create %s in namespace %s, or correct its name in %s", f.Subject, ns, m), Changes: []string{fmt.Sprintf("%s in namespace %s", f.Subject, ns)},
		Blast: "none: pods that wait for it start by themselves", Undo: fmt.Sprintf("kubectl delete %s -n %s %s", kind, ns, name)}
	if strings.Contains(f.Summary, "key") {
		fix.Title, fix.Changes = fmt.Sprintf("Add the key to %s, or correct its name in %s", f.Subject, m), []string{f.Subject + ": the key that is missing"}
		create = fmt.Sprintf("kubectl edit %s -n %s %s", kind, ns, name)
	}
	fix.Commands = append([]string{fmt.Sprintf("kubectl get %s -n %s", kind, ns)}, m.inItsTool(ns, f.Subject+" declared beside the workload", create)...)
	a.work(f, m, fix)
}

func (a *analysis) fixRuntime(f *diagnostics.Finding) {
	ns, m := a.s.Target.Namespace, a.maker(f)
	kind, name, _ := strings.Cut(f.Subject, "/")
	switch {
	case kind == "runtimeclass":
		what := "another runtimeClassName than " + name + ", or nodes whose containerd has that handler"
		a.work(f, m, diagnostics.Fix{Title: "Run the pods with a RuntimeClass that their nodes have, or on nodes that have " + name, Changes: []string{fmt.Sprintf("%s: %s", m, what)},
			Commands: append([]string{"kubectl get runtimeclass"}, m.inItsTool(ns, what, fmt.Sprintf("kubectl edit %s -n %s", m, ns))...)})
	case a.s.node(f.Subject) == nil: // the image or the command
		what := "a command that the image has"
		a.work(f, m, diagnostics.Fix{Title: "Correct the command of the container, or its image", Changes: []string{fmt.Sprintf("%s: %s", m, what)}, Commands: m.inItsTool(ns, what, fmt.Sprintf("kubectl edit %s -n %s", m, ns))})
	default:
		a.work(f, m, diagnostics.Fix{Title: "Restart containerd on node " + f.Subject + ", or replace the node", Changes: []string{"node " + f.Subject}, Blast: "containers go on running while containerd restarts; a node that is replaced ends its pods",
			Undo: "nothing to undo", SettlesIn: "5m", Commands: []string{"kubectl describe node " + f.Subject, "# on the node: systemctl restart containerd"}})
		a.fixMove(f)
	}
}

func (a *analysis) fixInit(f *diagnostics.Finding) {
	ns, m := a.s.Target.Namespace, a.maker(f)
	a.work(f, m, diagnostics.Fix{Title: "See in its log why the init container does not end well", Changes: []string{fmt.Sprintf("%s: what the log tells", m)}, Commands: []string{
		fmt.Sprintf("kubectl logs -n %s %s --all-containers --tail 50", ns, a.pod(f)), fmt.Sprintf("kubectl logs -n %s %s --all-containers --previous --tail 50", ns, a.pod(f))}})
}

// fixResourceQuota raises what is used up by what the missing pods ask for.
func (a *analysis) fixResourceQuota(f *diagnostics.Finding) {
	ns, m := a.s.Target.Namespace, a.maker(f)
	fix := diagnostics.Fix{Title: "Raise the resource quota " + f.Subject + ", or ask for less", Undo: "set the quota back", Blast: "the namespace may take more of the cluster", SettlesIn: "15m"}
	missing := max(f.Weight/10, 1)
	q := a.quotaNamed(f.Subject)
	for _, e := range f.Evidence {
		name, of, found := strings.Cut(e.What, " of resource quota ")
		if !found || q == nil || of != q.Name {
			continue
		}
		asked, err := apiresource.ParseQuantity(quotaPart(strings.Join(messages(f), " "), "requested: ", ", used: ")[name])
		if err != nil {
			continue
		}
		hard, to := q.Status.Hard[corev1.ResourceName(name)], q.Status.Used[corev1.ResourceName(name)]
		for range missing {
			to.Add(asked)
		}
		if to.Cmp(hard) <= 0 {
			continue
		}
		fix.Changes = append(fix.Changes, fmt.Sprintf("ResourceQuota %s: %s %s → %s", q.Name, name, hard.String(), to.String()))
		fix.Commands = append(fix.Commands, fmt.Sprintf(`kubectl patch resourcequota %s -n %s --type merge -p '{"spec":{"hard":{"%s":"%s"}}}'`, q.Name, ns, name, to.String()))
	}
	if len(fix.Commands) == 0 {
		fix.Changes = []string{"ResourceQuota " + f.Subject + " of namespace " + ns}
		fix.Commands = []string{fmt.Sprintf("kubectl describe resourcequota -n %s %s", ns, f.Subject), fmt.Sprintf("kubectl edit resourcequota -n %s %s", ns, f.Subject)}
	}
	a.work(f, m, fix)
}

// messages are the values of a finding's evidence.
func messages(f *diagnostics.Finding) []string {
	var out []string
	for _, e := range f.Evidence {
		out = append(out, e.Value)
	}
	return out
}

func (a *analysis) fixWebhook(f *diagnostics.Finding) {
	a.work(f, Maker{Kind: "Webhook", Name: f.Subject, Owner: "none"}, diagnostics.Fix{Title: "Get the webhook " + f.Subject + " to answer again", Changes: []string{"the pods behind webhook " + f.Subject + ", or who lets the control plane reach them"},
		Blast: "none", Undo: "nothing to undo", SettlesIn: "15m", Commands: []string{"kubectl get mutatingwebhookconfigurations,validatingwebhookconfigurations -o yaml   # clientConfig.service of " + f.Subject,
			"kubectl get endpointslices -n <namespace of the service> -l kubernetes.io/service-name=<service>", "kubectl get pods -n <namespace of the service>"}})
}

func (a *analysis) fixDenied(f *diagnostics.Finding) {
	ns, m := a.s.Target.Namespace, a.maker(f)
	what := "a pod template that admission lets in: " + f.Summary
	fix := diagnostics.Fix{Title: "Make the pods fit what admission asks of them", Changes: []string{fmt.Sprintf("%s: what the refusal names", m)}, SettlesIn: "15m"}
	kind, name, _ := strings.Cut(f.Subject, "/")
	edit := fmt.Sprintf("kubectl edit %s -n %s", m, ns)
	switch kind {
	case "podsecurity":
		fix.Title = "Give the pods the security context that level " + name + " of Pod Security asks for"
		fix.Changes = []string{fmt.Sprintf("%s: securityContext", m)}
	case "serviceaccount":
		fix.Title, fix.Changes = "Create the service account "+name+", or correct its name", []string{"ServiceAccount " + name + " in namespace " + ns}
		edit = fmt.Sprintf("kubectl create serviceaccount %s -n %s", name, ns)
	}
	fix.Commands = m.inItsTool(ns, what, edit)
	a.work(f, m, fix)
}

func (a *analysis) fixRejected(f *diagnostics.Finding) {
	ns := a.s.Target.Namespace
	a.work(f, a.maker(f), diagnostics.Fix{Title: "Delete the refused pods: their controller has made others", Changes: []string{fmt.Sprintf("%s deleted", plural(len(f.Affects), "refused pod"))}, Blast: "none: they never started",
		Undo: "nothing to undo", SettlesIn: "1m", Commands: []string{fmt.Sprintf("kubectl delete pod -n %s %s", ns, a.pod(f))}})
}

// fixNode replaces nodes that are not ready: one fix for all of them.
func (a *analysis) fixNode(f *diagnostics.Finding) {
	var names, instances []string
	needs := 0
	fix := diagnostics.Fix{Owner: "none", Blast: "whatever still runs on the node is ended", Undo: "none: a new node takes its place", SettlesIn: "5m"}
	for _, o := range a.of("node-not-ready") {
		if o.Latent {
			continue
		}
		names = append(names, o.Subject)
		needs = max(needs, len(o.Affects))
		fix.Changes = append(fix.Changes, "node "+o.Subject+" and its instance are replaced")
		fix.Commands = append(fix.Commands, "kubectl describe node "+o.Subject)
		switch node := a.s.node(o.Subject); {
		case node != nil && node.Group != "" && node.Instance != "":
			instances = append(instances, "aws autoscaling terminate-instance-in-auto-scaling-group --instance-id "+node.Instance+" --no-should-decrement-desired-capacity")
		case node != nil && node.Instance != "":
			instances = append(instances, "aws ec2 describe-instance-status --include-all-instances --instance-ids "+node.Instance, "kubectl delete node "+o.Subject)
		default:
			instances = append(instances, "kubectl delete node "+o.Subject)
		}
	}
	const shown = 5
	fix.Title, fix.Needs, fix.Proof = "Replace the node "+f.Subject, needs, f.Summary
	if len(names) > 1 {
		fix.Title, fix.Proof = fmt.Sprintf("Replace %d nodes that are not ready", len(names)), fmt.Sprintf("%d of %s are not ready: %s", len(names), plural(len(a.s.Nodes), "node"), strings.Join(names[:min(len(names), shown)], ", "))
	}
	if more := len(fix.Changes) - shown; more > 0 {
		fix.Changes = append(fix.Changes[:shown], fmt.Sprintf("and %d more", more))
	}
	fix.Commands = append(fix.Commands[:min(len(fix.Commands), shown)], instances[:min(len(instances), 2*shown)]...)
	a.offer("fix-workload", fix, f)
}

func (a *analysis) fixTerminating(f *diagnostics.Finding) {
	ns, pod := a.s.Target.Namespace, a.pod(f)
	fix := diagnostics.Fix{Title: "See what keeps the pod from ending", Changes: []string{"pod " + pod + " ends"}, Blast: "none", Undo: "nothing to undo", Commands: []string{fmt.Sprintf("kubectl describe pod -n %s %s", ns, pod)}}
	switch {
	case strings.Contains(f.Summary, "finalizer"):
		fix.Title = "Get whoever set the finalizer to finish and take it away"
		fix.Commands = append(fix.Commands, fmt.Sprintf("kubectl get pod -n %s %s -o jsonpath={.metadata.finalizers}", ns, pod))
	case strings.Contains(f.Summary, "does not exist"):
		fix.Title, fix.Blast = "Delete the pod for good: its node is gone, so that it can't run there any more", "the pod is forgotten at once"
		fix.Commands = []string{fmt.Sprintf("kubectl delete pod -n %s %s --grace-period=0 --force", ns, pod)}
	}
	a.work(f, a.maker(f), fix)
}

func (a *analysis) fixFargate(f *diagnostics.Finding) {
	a.fargateSubnets(f, "free addresses")
	a.refuse("tune-warm-pool", "Fargate pods take one address each from the subnets of their profile: 0 of them come from the warm pool of a node")
	a.refuse("enable-prefix-delegation", "Fargate knows no prefixes: each of %s takes 1 address of a subnet of its profile", plural(len(f.Affects), "pod"))
}

// fixScheduler is for pods that ask for a scheduler that isn't there; what is held back on purpose needs no fix.
func (a *analysis) fixScheduler(f *diagnostics.Finding) {
	name, missing := strings.CutPrefix(f.Subject, "scheduler/")
	if !missing {
		return
	}
	ns, m := a.s.Target.Namespace, a.maker(f)
	what := "schedulerName default-scheduler, or the scheduler " + name + " installed"
	a.work(f, m, diagnostics.Fix{Title: "Install the scheduler " + name + ", or let the pods use the default one", Changes: []string{fmt.Sprintf("%s: %s", m, what)},
		Commands: append([]string{"kubectl get pods -A | grep " + name}, m.inItsTool(ns, what, m.template(ns, map[string]any{"schedulerName": "default-scheduler"}))...)})
}
