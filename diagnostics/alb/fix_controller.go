package alb

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/netdiag/netdiag/diagnostics"
)

// charts is where the controller's own installation files are, by version.
const charts = "https://raw.githubusercontent.com/kubernetes-sigs/aws-load-balancer-controller/"

// repairController offers what the platform team has to do about the controller.
func (a *analysis) repairController(f diagnostics.Finding) {
	if strings.HasPrefix(f.ID, "alb/target.") && a.found("lbc.down", "lbc.iam", "lbc.webhook") {
		return // offered with what keeps the controller from taking it out
	}
	x := diagnostics.Fix{ID: "repair-controller", Title: "Repair the load balancer controller", Undo: "none needed", SettlesIn: "10m0s", Risk: "the controller serves the whole cluster",
		Blast: "every ingress and binding of the cluster gets what it waits for, not this one alone"}
	c := a.s.Controller
	if c != nil {
		x.Owner = c.Owner
	}
	due := a.overdue()
	x.Frees, x.Needs = due, due
	switch id := strings.TrimPrefix(f.ID, "alb/"); {
	case id == "lbc.down":
		a.bringUp(f, &x)
	case id == "lbc.iam" || f.Reason == "iam-denied" || f.Reason == "automode-policy":
		a.grant(f, &x)
	case id == "lbc.webhook":
		a.serveWebhook(f, &x)
	case id == "target.reused-ip" || id == "target.stale-ip":
		a.takeOut(f, &x)
	case id == "hc.not-applied":
		a.apply(f, &x)
	default:
		x.Changes = []string{"see in its log why it doesn't apply what it is told: " + f.Summary}
		x.Commands = append(a.controllerLog(), a.retry()...)
	}
	if b := a.blockOf(f); b != nil {
		x.Proof = "the controller holds the rule as soon as it may" + a.ruleIn(b, b.subject)
	}
	a.offer(f, x)
}

// apply fills in what gets an annotated health check into place.
func (a *analysis) apply(f diagnostics.Finding, x *diagnostics.Fix) {
	x.Title = "See why the controller doesn't apply the health check"
	x.Changes = []string{"the controller compares every target group when it reconciles the ingress, and then sets the health check as annotated: its log says what keeps it from that"}
	x.Frees, x.Needs, x.Blast = 0, 0, ""
	x.Commands = a.controllerLog()
	if f.Reason == "changed-outside" {
		x.Title = "Have the controller set the health check back"
		x.Changes = []string{"the next reconciliation puts the annotated health check back (any new annotation of the ingress starts one); whoever changed the target group must change the annotations instead"}
		x.Commands = append(a.retry(), x.Commands...)
	}
}

// overdue counts the targets that the controller should have registered or taken out.
func (a *analysis) overdue() int {
	n := 0
	for _, g := range a.groups {
		missing, surplus := g.gap()
		n += len(missing) + len(surplus)
	}
	return n
}

// controllerLog gives the command that shows what the controller says; none on EKS Auto Mode, where nobody sees it.
func (a *analysis) controllerLog() []string {
	switch {
	case a.s.managed():
		return []string{"aws eks describe-cluster --name " + a.s.Cluster + " --query cluster.roleArn"}
	case a.s.Controller == nil:
		return []string{"kubectl get deployments -A -l app.kubernetes.io/name=" + lbc}
	}
	c := a.s.Controller
	return []string{fmt.Sprintf("kubectl logs deployment/%s -n %s --tail 100", c.Name, c.Namespace)}
}

// retry gives the command that makes the controller look at the ingress at once: it reconciles whenever an annotation changes.
func (a *analysis) retry() []string {
	if a.s.Ingress == nil {
		return nil
	}
	return []string{fmt.Sprintf("kubectl annotate ingress %s -n %s reconcile-requested=\"$(date +%%s)\" --overwrite", a.s.Ingress.Name, a.s.Ingress.Namespace)}
}

// bringUp fills in what gets a controller that doesn't work to work.
func (a *analysis) bringUp(f diagnostics.Finding, x *diagnostics.Fix) {
	c := a.s.Controller
	waiting, _ := a.waiting()
	x.SettlesIn = "3m0s"
	x.Proof = fmt.Sprintf("%d %s for it: %s; a replica that leads does that within a minute", len(waiting), verb(len(waiting), "thing waits", "things wait"), strings.Join(waiting[:min(len(waiting), 3)], "; "))
	switch f.Reason {
	case "absent":
		x.Title = "Install the load balancer controller"
		x.Changes = []string{"Helm release " + lbc + " in kube-system, with the cluster's name and a service account whose role has its IAM policy"}
		x.Commands = []string{"helm repo add eks https://aws.github.io/eks-charts", fmt.Sprintf("helm upgrade --install %s eks/%s -n kube-system --set clusterName=%s --set serviceAccount.create=false --set serviceAccount.name=%s", lbc, lbc, a.s.Cluster, lbc)}
		x.Undo = "helm uninstall " + lbc + " -n kube-system: what it made stays"
		return
	case "scaled-to-zero":
		x.Title = "Scale the load balancer controller up"
		x.Changes = []string{fmt.Sprintf("Deployment %s/%s: replicas 0 → 2", c.Namespace, c.Name)}
		x.Commands = []string{fmt.Sprintf("kubectl scale deployment %s -n %s --replicas 2", c.Name, c.Namespace)}
		x.Undo = "scale it back to 0"
		x.Blast += drift(c.Owner)
	case "no-leader":
		l := a.s.Leader
		x.Title = "Have a replica of the load balancer controller lead"
		x.Changes = []string{fmt.Sprintf("see why %s no longer renews lease %s/%s and why no other replica takes it", l.Holder, l.Namespace, l.Name)}
		x.Commands = append([]string{fmt.Sprintf("kubectl get lease %s -n %s -o yaml", l.Name, l.Namespace)}, a.controllerLog()...)
	default:
		x.Title = "Get a replica of the load balancer controller ready"
		x.Changes = []string{fmt.Sprintf("Deployment %s/%s: at least 1 of %d replicas ready", c.Namespace, c.Name, c.Desired)}
		if len(c.Pods) > 0 {
			x.Changes = append(x.Changes, "what keeps them: "+strings.Join(c.Pods[:min(len(c.Pods), 3)], "; "))
		}
		x.Commands = []string{fmt.Sprintf("kubectl describe pods -n %s -l '%s'", c.Namespace, cmp.Or(c.Selector, "app.kubernetes.io/name="+lbc)), fmt.Sprintf("kubectl logs deployment/%s -n %s --previous --tail 100", c.Name, c.Namespace)}
	}
	a.refuse("reconcile-kick", "the controller has %d of %d replicas ready and none that leads: nobody would look", c.Ready, c.Desired)
}

// grant fills in which right the controller lacks, as far as AWS says.
func (a *analysis) grant(f diagnostics.Finding, x *diagnostics.Fix) {
	x.SettlesIn = "17m0s" // the longest pause between two tries; a change of the ingress shortens it
	x.Owner = ownerNone   // who declares the role can't be seen from here
	var text strings.Builder
	text.WriteString(f.Summary)
	for _, e := range f.Evidence {
		text.WriteString(" " + e.Value)
	}
	role, action := refusedAction(text.String())
	version := "main"
	if c := a.s.Controller; c != nil {
		version = cmp.Or(c.Version, version)
	}
	x.Commands = a.controllerLog()
	switch {
	case a.s.managed() || a.autoMode():
		x.Title = "Give the cluster role the right that EKS Auto Mode lacks"
		x.Changes = []string{"cluster role of " + a.s.Cluster + ": policy AmazonEKSLoadBalancingPolicy, and " + cmp.Or(action, "ec2:AuthorizeSecurityGroupIngress and ec2:RevokeSecurityGroupIngress") + " on security groups that aren't named eks-cluster-sg-*"}
		x.Commands = []string{"aws eks describe-cluster --name " + a.s.Cluster + " --query cluster.roleArn"}
	case f.Reason == "credentials":
		x.Title = "Let the load balancer controller assume its role"
		namespace := system
		if a.s.Controller != nil {
			namespace = a.s.Controller.Namespace
		}
		x.Changes = []string{fmt.Sprintf("role of service account %s/%s: a trust policy for the OIDC provider of cluster %s and sub system:serviceaccount:%s:%s (or a pod identity association)", namespace, lbc, a.s.Cluster, namespace, lbc)}
		x.Commands = append([]string{fmt.Sprintf("kubectl get serviceaccount %s -n %s -o yaml", lbc, namespace), fmt.Sprintf("aws eks describe-cluster --name %s --query cluster.identity.oidc.issuer", a.s.Cluster),
			"aws iam list-open-id-connect-providers", "aws eks list-pod-identity-associations --cluster-name " + a.s.Cluster}, x.Commands...)
	case action != "":
		x.Title = fmt.Sprintf("Allow %s to the load balancer controller", action)
		x.Changes = []string{fmt.Sprintf("role %s: allow %s, as the policy of version %s does", role, action, version)}
		x.Commands = append([]string{fmt.Sprintf("aws iam list-attached-role-policies --role-name %s", role), "curl -fsSLO " + charts + version + "/docs/install/iam_policy.json"}, x.Commands...)
	default:
		x.Title = "Give the load balancer controller the IAM policy of its version"
		x.Changes = []string{fmt.Sprintf("role of the controller: the policy of version %s (docs/install/iam_policy.json)", version)}
		x.Commands = append([]string{"curl -fsSLO " + charts + version + "/docs/install/iam_policy.json"}, x.Commands...)
	}
	if strings.Contains(text.String(), "explicit deny") {
		x.Changes = append(x.Changes, "an explicit deny stands against it: a service control policy, permissions boundary or deny statement must go, no allow helps")
	}
	if n := x.Frees; n > 0 {
		x.Proof = fmt.Sprintf("%s %s for this call and nothing else", plural(n, "target"), verb(n, "waits", "wait"))
	}
	x.Blast = "the controller alone"
	x.Undo = "take the permission away again"
	x.Commands = append(x.Commands, a.retry()...)
	a.refuse("reconcile-kick", "the controller would meet the same refusal: 0 of its attempts got through")
}

// serveWebhook fills in what lets the API server call the controller's webhook.
func (a *analysis) serveWebhook(f diagnostics.Finding, x *diagnostics.Fix) {
	x.SettlesIn = "17m0s" // the longest pause between two tries
	namespace, name := system, lbc
	if c := a.s.Controller; c != nil {
		namespace, name = c.Namespace, c.Name
	}
	empty := 0
	for _, g := range a.groups {
		if g.HealthRead && len(g.registered()) == 0 && len(g.rules) > 0 {
			empty++
		}
	}
	x.Proof = fmt.Sprintf("%d of %d target groups of the ingress are empty only because their binding could not be made", empty, len(a.groups))
	switch f.Reason {
	case "certificate":
		x.Title = "Renew the certificate of the controller's webhook"
		x.Changes = []string{fmt.Sprintf("secret aws-load-balancer-tls in %s and caBundle of the webhook configurations: both from one run of the Helm chart, or from cert-manager (a GitOps tool that renders the chart anew each time sets them apart: keepTLSSecret, or enableCertManager)", namespace)}
		x.Commands = []string{"kubectl get mutatingwebhookconfiguration aws-load-balancer-webhook -o jsonpath='{.webhooks[0].clientConfig.caBundle}'", fmt.Sprintf("kubectl get secret aws-load-balancer-tls -n %s -o jsonpath='{.data.ca\\.crt}'", namespace),
			fmt.Sprintf("helm upgrade %s eks/%s -n %s --reuse-values", lbc, lbc, namespace)}
	case "no-endpoints":
		x.Title = "Get a replica of the controller ready, to serve its webhook"
		x.Changes = []string{fmt.Sprintf("Service aws-load-balancer-webhook-service in %s: at least 1 ready endpoint", namespace)}
		x.Commands = []string{fmt.Sprintf("kubectl get endpointslices -n %s -l kubernetes.io/service-name=aws-load-balancer-webhook-service", namespace), fmt.Sprintf("kubectl get deployment %s -n %s", name, namespace)}
	default:
		from := "the cluster security group"
		if a.s.EKS != nil && a.s.EKS.SecurityGroup != "" {
			from += " " + a.s.EKS.SecurityGroup
		}
		x.Title = "Let the API server reach the webhook of the controller"
		x.Changes = []string{fmt.Sprintf("security group of the nodes of the controller: inbound tcp 9443 from %s; no NetworkPolicy in %s may stand against it", from, namespace)}
		x.Commands = []string{fmt.Sprintf("kubectl get pods -n %s -l app.kubernetes.io/name=%s -o wide", namespace, lbc), "aws ec2 authorize-security-group-ingress --group-id <group of those nodes> --protocol tcp --port 9443 --source-group " + strings.TrimPrefix(strings.TrimPrefix(from, "the cluster security group"), " ")}
		if a.s.EKS == nil || a.s.EKS.SecurityGroup == "" {
			x.Commands[1] = "aws eks describe-cluster --name " + a.s.Cluster + " --query cluster.resourcesVpcConfig.clusterSecurityGroupId"
		}
		x.Undo = "revoke the rule"
	}
	x.Commands = append(x.Commands, a.retry()...)
}

// takeOut fills in what makes the controller take a target out that isn't the Service's any more.
func (a *analysis) takeOut(f diagnostics.Finding, x *diagnostics.Fix) {
	g := a.groupFor(f)
	x.Title = "Have the controller take the stale target out"
	x.SettlesIn = "6m0s" // it remembers the targets of a group for five minutes
	x.Changes = []string{fmt.Sprintf("target group %s: without target %s", g.Name, f.Subject)}
	_, surplus := g.gap()
	x.Proof = fmt.Sprintf("%d of %d registered targets aren't endpoints of the Service; a reconciled binding takes them out", len(surplus), len(g.registered()))
	x.Blast = "one binding is reconciled again"
	a.refuse("allow-pod-port", "%s is not the address of a pod of the Service: a rule for it would open 0 paths to one", f.Subject)
	x.Commands = a.controllerLog()
	if b := g.binding; b != nil && b.Annotations["elbv2.k8s.aws/checkpoint"] != "" {
		x.Changes = append(x.Changes, fmt.Sprintf("TargetGroupBinding %s/%s: annotation elbv2.k8s.aws/checkpoint emptied, because the controller skips a binding whose endpoints haven't changed", b.Namespace, b.Name))
		x.Commands = slices.Insert(x.Commands, 0, fmt.Sprintf("kubectl annotate targetgroupbinding %s -n %s elbv2.k8s.aws/checkpoint= --overwrite", b.Name, b.Namespace))
	}
}
