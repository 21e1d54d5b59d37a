package alb

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/elb"
	"github.com/netdiag/netdiag/internal/trail"
	"github.com/netdiag/netdiag/internal/vpc"
)

// listen lets the pods of the shop declare one more port.
func (f *fake) listen(port int32) {
	for i := range f.pods {
		f.pods[i].Spec.Containers[0].Ports = append(f.pods[i].Spec.Containers[0].Ports, corev1.ContainerPort{ContainerPort: port})
	}
}

// probe sets the readiness probe of the shop's pods.
func (f *fake) probe(p *corev1.Probe) {
	for i := range f.pods {
		f.pods[i].Spec.Containers[0].ReadinessProbe = p
	}
}

func get(path, scheme string, port int32) *corev1.Probe {
	return &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: path, Scheme: corev1.URIScheme(scheme), Port: intstr.FromInt32(port)}}}
}

// annotate sets an annotation of the load balancer controller on the shop's ingress.
func (f *fake) annotate(key, value string) { f.ingresses[0].Annotations[annotation(key)] = value }

// checkPort lets the health check ask another port, which the security groups admit.
func (f *fake) checkPort(port int) {
	f.groups[0].Check.Port = strconv.Itoa(port)
	f.annotate("healthcheck-port", f.groups[0].Check.Port)
	for i := range f.health[tgARN] {
		f.health[tgARN][i].HealthCheckPort = f.groups[0].Check.Port
	}
	f.sgRules = append(f.sgRules, vpc.SecurityGroupRule{ID: "sgr-check", Group: "sg-node", Protocol: "tcp", From: port, To: port, Source: "sg-back"})
}

// instances turns the shop's targets into nodes, with node port 30080 before port 8080 of the pods.
func (f *fake) instances() {
	f.groups[0].TargetType, f.groups[0].Port, f.bindings[0].TargetType = "instance", 30080, "instance"
	f.annotate("target-type", "instance")
	f.services[0].Spec.Type, f.services[0].Spec.Ports[0].NodePort = corev1.ServiceTypeNodePort, 30080
	f.bindings[0].Networking.Ingress[0].Ports[0].Port = "30080"
	for i := range f.health[tgARN] {
		h := &f.health[tgARN][i]
		h.ID, h.Port, h.HealthCheckPort, h.Zone = f.enis[2*i+1].Instance, 30080, "30080", ""
	}
	f.sgRules = append(f.sgRules, vpc.SecurityGroupRule{ID: "sgr-node-port", Group: "sg-node", Protocol: "tcp", From: 30080, To: 30080, Source: "sg-back"},
		vpc.SecurityGroupRule{ID: "sgr-self", Group: "sg-node", Protocol: "tcp", From: 1025, To: 65535, Source: "sg-node"})
}

// verdict is what a case wants of a report.
type verdict struct {
	broken     func(*fake)
	cause      string // the only one, none for empty
	reason     string
	confidence diagnostics.Confidence // confirmed where empty
	fix        string                 // the first one, none for empty
	executable bool
	says       string // in the summary of the cause
	changes    string // in the changes of the first fix
	refused    string // a fix that must be refused with a number, and not offered
}

func (v verdict) check(t *testing.T) {
	t.Helper()
	f := shop()
	v.broken(f)
	r := f.diagnose(t)
	var ids []string
	for _, c := range r.Causes {
		ids = append(ids, strings.TrimPrefix(c.ID, "alb/"))
	}
	if v.cause == "" {
		if len(ids) > 0 {
			t.Fatalf("causes %v (%s), want none", ids, r.Causes[0].Summary)
		}
		return
	}
	if !slices.Equal(ids, []string{v.cause}) {
		t.Fatalf("causes %v, want %s alone; summary %s", ids, v.cause, r.Summary)
	}
	c := r.Causes[0]
	if v.confidence == "" {
		v.confidence = diagnostics.Confirmed
	}
	if c.Confidence != v.confidence || c.Reason != v.reason || !strings.Contains(c.Summary, v.says) {
		t.Errorf("%s %q %q, want %s %q with %q", c.Confidence, c.Reason, c.Summary, v.confidence, v.reason, v.says)
	}
	for _, e := range c.Evidence {
		if e.Value == "" || e.Source == "" || e.Repeat == "" {
			t.Errorf("evidence without value, source or repeat: %+v", e)
		}
	}
	first := diagnostics.Fix{}
	if len(r.Fixes) > 0 {
		first = r.Fixes[0]
	}
	if strings.TrimPrefix(first.ID, "alb/") != v.fix || first.Executable != v.executable || !strings.Contains(strings.Join(first.Changes, "; "), v.changes) {
		t.Errorf("first fix %s, executable %v, changes %q; want %s, %v, %q", first.ID, first.Executable, first.Changes, v.fix, v.executable, v.changes)
	}
	refuses(t, r, v.refused)
}

// TestRefused breaks connections in one way each.
func TestRefused(t *testing.T) {
	refuse := func(f *fake) {
		f.all("unhealthy", refusedBy, "Health checks failed")
		f.metrics[failedOpen], f.metrics[elb502], f.metrics[connectErrors] = 6000, 6000, 6000
	}
	tls := func(f *fake) {
		refuse(f)
		f.groups[0].Protocol, f.groups[0].Check.Protocol = "HTTPS", "HTTPS"
		f.annotate("backend-protocol", "HTTPS")
		f.metrics[connectErrors], f.metrics[tlsErrors] = 0, 6000
	}
	for name, v := range map[string]verdict{
		"HTTPS to plain pods": {broken: tls, cause: "tls.mismatch", fix: "set-protocol", changes: "backend-protocol HTTPS → HTTP", refused: "allow-pod-port"},
		"only the check speaks HTTPS": {broken: func(f *fake) {
			refuse(f)
			f.groups[0].Check.Protocol = "HTTPS"
			f.annotate("healthcheck-protocol", "HTTPS")
		}, cause: "tls.mismatch", fix: "set-health-check", executable: true, changes: "healthcheck-protocol HTTPS → HTTP"},
		"only the traffic speaks HTTPS": {broken: func(f *fake) {
			f.groups[0].Protocol = "HTTPS"
			f.annotate("backend-protocol", "HTTPS")
			f.annotate("healthcheck-protocol", "HTTP")
			f.metrics[elb502], f.metrics[tlsErrors] = 6000, 6000
		}, cause: "tls.mismatch", reason: "traffic-only", says: "every target looks healthy", fix: "set-protocol", changes: "backend-protocol HTTPS → HTTP"},
		"no cipher in common": {broken: func(f *fake) { tls(f); f.probe(get("/health", "HTTPS", 8080)) },
			cause: "tls.mismatch", reason: "no-common-cipher", confidence: diagnostics.Likely, fix: "fix-app"},
		"HTTPS, and nothing tells what the pods speak": {broken: func(f *fake) { tls(f); f.probe(nil) }, cause: "tls.mismatch", confidence: diagnostics.Likely, fix: "set-protocol"},
		"plain HTTP to pods that speak TLS": {broken: func(f *fake) { refuse(f); f.probe(get("/health", "HTTPS", 8080)) },
			cause: "tls.plain-to-tls", confidence: diagnostics.Likely, fix: "set-protocol", changes: "backend-protocol unset → HTTPS"},
		"HTTP2 to a server of HTTP/1.1": {broken: func(f *fake) {
			refuse(f)
			f.groups[0].ProtocolVersion = "HTTP2"
			f.annotate("backend-protocol-version", "HTTP2")
		}, cause: "proto.version", confidence: diagnostics.Likely, fix: "set-protocol", changes: "backend-protocol-version HTTP2 → HTTP1"},
		"HTTP/1.1 to a server of gRPC": {broken: func(f *fake) {
			refuse(f)
			f.probe(&corev1.Probe{ProbeHandler: corev1.ProbeHandler{GRPC: &corev1.GRPCAction{Port: 8080}}})
		}, cause: "proto.version", reason: "serves-grpc", confidence: diagnostics.Likely, fix: "set-protocol", changes: "→ GRPC"},
		"mutual TLS": {broken: func(f *fake) { refuse(f); f.mesh("STRICT", nil) }, cause: "mesh.mtls", confidence: diagnostics.Likely, fix: "fix-app", changes: "portLevelMtls 8080"},
		"mutual TLS, but not on this port": {broken: func(f *fake) {
			refuse(f)
			f.mesh("STRICT", map[string]any{"8080": map[string]any{"mode": "PERMISSIVE"}})
		}},
		"mutual TLS, but the port goes past the proxy": {broken: func(f *fake) {
			refuse(f)
			f.mesh("STRICT", nil)
			for i := range f.pods {
				f.pods[i].Annotations = map[string]string{"traffic.sidecar.istio.io/excludeInboundPorts": "9000-9010,8080"}
			}
		}},
		"mutual TLS without a sidecar": {broken: func(f *fake) {
			refuse(f)
			f.mesh("STRICT", nil)
			for i := range f.pods {
				f.pods[i].Spec.Containers = f.pods[i].Spec.Containers[:1]
				f.pods[i].Annotations = map[string]string{"ambient.istio.io/redirection": "enabled"}
			}
		}, cause: "mesh.mtls", confidence: diagnostics.Likely, fix: "fix-app"},
		"Linkerd wants an identity": {broken: func(f *fake) {
			refuse(f)
			for i := range f.pods {
				f.pods[i].Spec.InitContainers = []corev1.Container{{Name: "linkerd-proxy"}}
				f.pods[i].Annotations = map[string]string{"config.linkerd.io/default-inbound-policy": "all-authenticated"}
			}
		}, cause: "mesh.mtls", confidence: diagnostics.Likely, fix: "fix-app", changes: "skip-inbound-ports"},
		"check on a port that nobody has": {broken: func(f *fake) { refuse(f); f.checkPort(9090) },
			cause: "hc.port", confidence: diagnostics.Likely, fix: "set-health-check", executable: false, changes: "healthcheck-port 9090 → traffic-port", refused: "allow-pod-port"},
		"the Service names that port, the ingress another": {broken: func(f *fake) {
			refuse(f)
			f.checkPort(9090)
			f.annotate("healthcheck-port", "traffic-port")
			f.services[0].Annotations = map[string]string{annotation("healthcheck-port"): "9090"}
		}, cause: "hc.override", fix: "set-health-check", executable: true, changes: "Service shop/cart"},
		"Service port to where nobody listens": {broken: func(f *fake) {
			refuse(f)
			for i := range f.pods {
				f.pods[i].Spec.Containers[0].Ports[0].ContainerPort = 3000
			}
			f.probe(get("/health", "HTTP", 3000))
		}, cause: "app.not-listening", confidence: diagnostics.Likely, fix: "edit-service", changes: "targetPort of port 80 8080 → 3000", refused: "allow-pod-port"},
		"probe inside the pod": {broken: func(f *fake) {
			refuse(f)
			f.probe(&corev1.Probe{ProbeHandler: corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"curl", "localhost:8080"}}}})
		}, cause: "app.loopback-bind", confidence: diagnostics.Possible, fix: "fix-app", changes: "0.0.0.0:8080"},
		"probe of the node's loopback": {broken: func(f *fake) {
			refuse(f)
			p := get("/health", "HTTP", 8080)
			p.HTTPGet.Host = "127.0.0.1"
			f.probe(p)
		}, cause: "app.loopback-bind", confidence: diagnostics.Possible, fix: "fix-app"},
		"probe of another port": {broken: func(f *fake) { refuse(f); f.listen(9090); f.probe(get("/health", "HTTP", 9090)) },
			cause: "app.loopback-bind", confidence: diagnostics.Possible, fix: "fix-app"},
		"TCP probe of the port, by its name": {broken: func(f *fake) {
			refuse(f)
			f.probe(&corev1.Probe{ProbeHandler: corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromString("http")}}})
		}},
		"same probe passes, connections succeed": {broken: func(f *fake) { refuse(f); f.metrics[connectErrors] = 0 }, cause: "app.malformed", confidence: diagnostics.Possible, fix: "fix-app"},
		"same probe passes, connections fail":    {broken: refuse},
		"restarts again and again": {broken: func(f *fake) {
			refuse(f)
			for i := range f.pods {
				f.pods[i].Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "app", RestartCount: 5, State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}}}}
			}
		}, cause: "app.crashloop", fix: "fix-app"},
		"restarted long ago": {broken: func(f *fake) {
			refuse(f)
			f.metrics[connectErrors] = 0
			for i := range f.pods {
				f.pods[i].Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "app", RestartCount: 5, Ready: true,
					LastTerminationState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{FinishedAt: metav1.NewTime(now.Add(-40 * time.Hour))}}}}
			}
		}, cause: "app.malformed", confidence: diagnostics.Possible, fix: "fix-app"},
		"node ports before pods that aren't ready": {broken: func(f *fake) {
			f.instances()
			refuse(f)
			no := false
			for i := range f.slices[0].Endpoints {
				f.slices[0].Endpoints[i].Conditions.Ready = &no
				f.pods[i].Status.Conditions[0].Status = corev1.ConditionFalse
			}
		}, cause: "nodeport.reject-no-endpoints", reason: "not-ready", says: "none of 2 pods", fix: "fix-app", refused: "allow-pod-port"},
		"node ports before nobody": {broken: func(f *fake) {
			f.instances()
			refuse(f)
			f.services[0].Spec.Selector = map[string]string{"app": "carts"}
			f.slices[0].Endpoints = nil
		}, cause: "nodeport.reject-no-endpoints", reason: "no-pods", says: "pod cart-a has app=cart", fix: "edit-service"},
		"node ports, probe inside the pods": {broken: func(f *fake) {
			f.instances()
			refuse(f)
			f.probe(nil)
		}, cause: "app.loopback-bind", confidence: diagnostics.Possible, says: "port 8080", fix: "fix-app"},
	} {
		t.Run(name, v.check)
	}
}

// TestAnswered lets targets answer with a code that doesn't count, for one reason each.
func TestAnswered(t *testing.T) {
	answer := func(f *fake, code string) {
		f.all("unhealthy", mismatch, "Health checks failed with these codes: ["+code+"]")
	}
	check := func(f *fake, path string) {
		f.groups[0].Check.Path = path
		f.annotate("healthcheck-path", path)
	}
	grpc := func(f *fake) {
		f.groups[0].ProtocolVersion, f.groups[0].Check.Path, f.groups[0].Check.Codes = "GRPC", "/AWS.ALB/healthcheck", "12"
		f.annotate("backend-protocol-version", "GRPC")
		delete(f.ingresses[0].Annotations, annotation("healthcheck-path"))
		f.probe(&corev1.Probe{ProbeHandler: corev1.ProbeHandler{GRPC: &corev1.GRPCAction{Port: 8080}}})
	}
	for name, v := range map[string]verdict{
		"[404] where the probe passes": {broken: func(f *fake) { check(f, "/"); answer(f, "404") }, cause: "hc.path", says: "the readiness probe asks /health", fix: "set-health-check", executable: true, refused: "set-success-codes"},
		"[404] of what the probe asks": {broken: func(f *fake) { answer(f, "404") }},
		"[404] behind node ports": {broken: func(f *fake) { f.instances(); check(f, "/"); answer(f, "404") },
			cause: "hc.path", fix: "set-health-check", executable: true, changes: "healthcheck-path / → /health"},
		"[404] behind node ports, of pods elsewhere": {broken: func(f *fake) { f.instances(); f.elsewhere(); check(f, "/"); answer(f, "404") },
			cause: "hc.path", fix: "set-health-check", executable: true, changes: "healthcheck-path / → /health"},
		"[204]":           {broken: func(f *fake) { answer(f, "204") }, cause: "hc.codes", fix: "set-success-codes", executable: true, changes: "success-codes unset → 200,204"},
		"[204] and [206]": {broken: func(f *fake) { answer(f, "204, 206") }, cause: "hc.codes", fix: "set-success-codes", executable: true, changes: "200,204,206"},
		"[204] and [404]": {broken: func(f *fake) { answer(f, "204, 404") }, cause: "hc.codes", fix: "fix-app"},
		"[204] where the Service sets codes": {broken: func(f *fake) {
			answer(f, "204")
			f.services[0].Annotations = map[string]string{annotation("success-codes"): "200"}
		}, cause: "hc.codes", fix: "set-success-codes", executable: true, changes: "Service shop/cart"},
		"[405]": {broken: func(f *fake) { answer(f, "405") }, cause: "hc.codes", confidence: diagnostics.Likely, fix: "fix-app", refused: "set-success-codes"},
		"[400] to plain HTTP": {broken: func(f *fake) { answer(f, "400"); f.probe(get("/health", "HTTPS", 8080)) },
			cause: "tls.plain-to-tls", confidence: diagnostics.Likely, fix: "set-protocol"},
		"[400] on 8443, where the probe speaks plain HTTP": {broken: func(f *fake) {
			f.checkPort(8443)
			f.listen(8443)
			f.probe(get("/health", "HTTP", 8443))
			answer(f, "400")
			f.metrics[target2xx] = 6000
		}, cause: "hc.host-header", confidence: diagnostics.Likely, fix: "fix-app"},
		"[400] to a check in plain HTTP alone": {broken: func(f *fake) {
			answer(f, "400")
			f.probe(get("/health", "HTTPS", 8080))
			f.groups[0].Protocol = "HTTPS"
			f.annotate("backend-protocol", "HTTPS")
			f.annotate("healthcheck-protocol", "HTTP")
		}, cause: "tls.plain-to-tls", confidence: diagnostics.Likely, fix: "set-health-check", changes: "healthcheck-protocol HTTP → HTTPS"},
		"[404], and the probe sends a Host but asks another path": {broken: func(f *fake) {
			check(f, "/")
			answer(f, "404")
			p := get("/health", "HTTP", 8080)
			p.HTTPGet.HTTPHeaders = []corev1.HTTPHeader{{Name: "host", Value: "shop.example.com"}}
			f.probe(p)
		}, cause: "hc.path", confidence: diagnostics.Likely, fix: "set-health-check"},
		"[404], and the probe sends a Host": {broken: func(f *fake) {
			answer(f, "404")
			p := get("/health", "HTTP", 8080)
			p.HTTPGet.HTTPHeaders = []corev1.HTTPHeader{{Name: "host", Value: "shop.example.com"}}
			f.probe(p)
		}, cause: "hc.host-header", confidence: diagnostics.Likely, says: "shop.example.com", fix: "fix-app"},
		"[403] of Linkerd": {broken: func(f *fake) {
			answer(f, "403")
			for i := range f.pods {
				f.pods[i].Spec.InitContainers = []corev1.Container{{Name: "linkerd-proxy"}}
				f.pods[i].Annotations = map[string]string{"config.linkerd.io/default-inbound-policy": "cluster-authenticated"}
			}
		}, cause: "mesh.mtls", confidence: diagnostics.Likely, fix: "fix-app"},
		"codes that the Service overrides": {broken: func(f *fake) {
			answer(f, "204")
			f.annotate("success-codes", "200-299")
			f.services[0].Annotations = map[string]string{annotation("success-codes"): "200"}
		}, cause: "hc.override", says: "success-codes", fix: "set-health-check", executable: true, changes: "success-codes 200 → 200-299"},
		"codes that the Service overrides, and that would not have helped": {broken: func(f *fake) {
			answer(f, "301")
			f.annotate("success-codes", "200-299")
			f.services[0].Annotations = map[string]string{annotation("success-codes"): "200"}
		}, cause: "hc.codes", fix: "fix-app"},
		"[404] where the probe asks another port": {broken: func(f *fake) {
			answer(f, "404")
			check(f, "/")
			f.listen(9090)
			f.probe(get("/health", "HTTP", 9090))
			f.sgRules = append(f.sgRules, vpc.SecurityGroupRule{ID: "sgr-9090", Group: "sg-node", Protocol: "tcp", From: 9090, To: 9090, Source: "sg-back"})
		}, cause: "hc.path", fix: "set-health-check", executable: false, changes: "healthcheck-port unset → 9090; Ingress shop/web: annotation alb.ingress.kubernetes.io/healthcheck-path / → /health"},
		"[404] where the probe asks another port, which is closed": {broken: func(f *fake) {
			answer(f, "404")
			check(f, "/")
			f.listen(9090)
			f.probe(get("/health", "HTTP", 9090))
		}, cause: "hc.path", refused: "set-health-check"},
		"path that the Service overrides, and asks what the probe asks": {broken: func(f *fake) {
			answer(f, "404")
			f.annotate("healthcheck-path", "/other")
			f.services[0].Annotations = map[string]string{annotation("healthcheck-path"): "/health"}
		}},
		"gRPC status 0": {broken: func(f *fake) {
			grpc(f)
			f.groups[0].Check.Path = healthMethod
			f.annotate("healthcheck-path", healthMethod)
			answer(f, "0")
		}, cause: "hc.codes", says: "status 0", fix: "set-success-codes", executable: true, changes: "success-codes unset → 0"},
		"gRPC status 12": {broken: func(f *fake) {
			grpc(f)
			f.groups[0].Check.Codes = "0"
			f.annotate("success-codes", "0")
			answer(f, "12")
		},
			cause: "hc.path", says: healthMethod, fix: "set-health-check", executable: true, changes: healthMethod},
		"gRPC status 14": {broken: func(f *fake) { grpc(f); answer(f, "14") }, cause: "app.unhealthy", confidence: diagnostics.Likely, fix: "fix-app"},
	} {
		t.Run(name, v.check)
	}
}

// TestNotApplied lets the target group have another health check than the annotations ask for.
func TestNotApplied(t *testing.T) {
	unapplied := func(f *fake) {
		f.groups[0].Check.Path = "/"
		f.all("unhealthy", mismatch, "Health checks failed with these codes: [404]")
	}
	since := func(f *fake, ago time.Duration) {
		at := metav1.NewTime(now.Add(-ago))
		f.ingresses[0].ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "kubectl-annotate", Operation: "Update", Time: &at, FieldsV1: &metav1.FieldsV1{Raw: []byte(`{"f:metadata":{"f:annotations":{}}}`)}}}
	}
	for name, v := range map[string]verdict{
		"since nobody knows when": {broken: unapplied, cause: "hc.path", refused: "set-health-check"},
		"another version, for an hour": {broken: func(f *fake) {
			f.all("unhealthy", refusedBy, "Health checks failed")
			f.annotate("backend-protocol-version", "GRPC")
			f.probe(&corev1.Probe{ProbeHandler: corev1.ProbeHandler{GRPC: &corev1.GRPCAction{Port: 8080}}})
			since(f, time.Hour)
		}, cause: "hc.not-applied", reason: "no-reason-seen", confidence: diagnostics.Likely, says: "(version)", fix: "repair-controller"},
		"for an hour, no reason seen": {broken: func(f *fake) { unapplied(f); since(f, time.Hour) }, cause: "hc.not-applied", reason: "no-reason-seen", confidence: diagnostics.Likely, says: "(path)", fix: "repair-controller"},
		"a moment ago":                {broken: func(f *fake) { unapplied(f); since(f, 40*time.Second) }, cause: "hc.not-applied", reason: "applying", confidence: diagnostics.Likely},
		"changed by somebody": {broken: func(f *fake) {
			unapplied(f)
			f.audit = []trail.Event{{ID: "e1", At: now.Add(-20 * time.Minute), Name: "ModifyTargetGroup", User: "jonas", Resources: []string{tgARN}}}
		}, cause: "hc.not-applied", reason: "changed-outside", says: "jonas", fix: "repair-controller"},
		"value that AWS refuses": {broken: func(f *fake) {
			unapplied(f)
			f.annotate("healthcheck-timeout-seconds", "20")
			f.complain("Ingress", "web", "FailedDeployModel", "Failed deploy model due to operation error Elastic Load Balancing v2: ModifyTargetGroup, api error ValidationError: Health check timeout '20' must be smaller than or equal to the interval '15'")
		}, cause: "hc.not-applied", reason: "refused", says: "must be smaller", fix: "fix-ingress-group"},
		"controller down": {broken: func(f *fake) {
			unapplied(f)
			f.deployments["kube-system"][0].Status.ReadyReplicas = 0
		}, cause: "lbc.down", reason: "not-ready", says: "health check of k8s-shop-cart-1", fix: "repair-controller"},
		"codes that are no gRPC codes": {broken: func(f *fake) {
			f.complain("Ingress", "web", "FailedDeployModel", "Failed deploy model due to Health check matcher GRPC code '200' must be within '0-99' inclusive")
			f.groups[0].ProtocolVersion = "GRPC"
			f.annotate("backend-protocol-version", "GRPC")
			f.annotate("success-codes", "200")
			delete(f.ingresses[0].Annotations, annotation("healthcheck-path"))
		}, cause: "hc.grpc", fix: "set-health-check", executable: true, changes: "200 → 12"},
		"codes that are no gRPC codes, and no target group yet": {broken: func(f *fake) {
			f.complain("Ingress", "web", "FailedDeployModel", "Failed deploy model due to Health check matcher GRPC code '200' must be within '0-99' inclusive")
			f.annotate("success-codes", "200")
			f.balancers, f.listeners, f.rules, f.groups, f.bindings, f.health = nil, nil, nil, nil, nil, nil
			f.ingresses[0].Status.LoadBalancer.Ingress = nil
		}, cause: "hc.grpc", fix: "set-health-check", executable: true, changes: "Ingress shop/web: annotation alb.ingress.kubernetes.io/success-codes 200 → 0"},
		"annotation that the controller can't read, and no target group yet": {broken: func(f *fake) {
			f.complain("Ingress", "web", "FailedBuildModel", "Failed build model due to failed to parse int64 annotation, alb.ingress.kubernetes.io/healthcheck-interval-seconds: 15s: strconv.ParseInt: parsing \"15s\": invalid syntax")
			f.balancers, f.listeners, f.rules, f.groups, f.bindings, f.health = nil, nil, nil, nil, nil, nil
			f.ingresses[0].Status.LoadBalancer.Ingress = nil
		}, cause: "hc.not-applied", reason: "refused", fix: "fix-ingress-group"},
		"another setting that explains nothing": {broken: func(f *fake) {
			f.groups[0].Check.Codes = "200-299"
			since(f, time.Hour)
			f.all("unhealthy", refusedBy, "Health checks failed")
			f.probe(nil)
		}, cause: "app.loopback-bind", confidence: diagnostics.Possible, fix: "fix-app"},
	} {
		t.Run(name, v.check)
	}
}

// TestEachTargetSpeaksForItself: pods of two revisions fail for two reasons.
func TestEachTargetSpeaksForItself(t *testing.T) {
	f := shop()
	f.groups[0].Check.Path = "/live"
	f.annotate("healthcheck-path", "/live")
	f.all("unhealthy", mismatch, "Health checks failed with these codes: [404]")
	f.health[tgARN][1] = elb.TargetHealth{ID: "10.0.2.45", Port: 8080, HealthCheckPort: "8080", State: "unhealthy", Reason: mismatch, Description: "Health checks failed with these codes: [503]"}
	r := f.diagnose(t)
	if len(r.Causes) != 2 {
		t.Fatalf("causes %+v, want two", r.Causes)
	}
	for _, c := range r.Causes {
		if want := map[string]string{"alb/hc.path": "target/10.0.1.45:8080", "alb/app.unhealthy": "target/10.0.2.45:8080"}[c.ID]; !slices.Equal(c.Affects, []string{want}) {
			t.Errorf("%s affects %v, want %s", c.ID, c.Affects, want)
		}
	}
}
