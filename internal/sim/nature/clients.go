package nature

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"

	"github.com/netdiag/netdiag/internal/awsnet"
)

// watched is a kind of object that is followed by a watch.
type watched = cache.SharedIndexInformer

// The parts of nature together make bursts of small calls, such as a wave of a rollout.
const qps, burst = 200, 400

// bindingKind is what the load balancer controller keeps for each target group.
var bindingKind = schema.GroupVersionResource{Group: "elbv2.k8s.aws", Version: "v1beta1", Resource: "targetgroupbindings"}

// clients reach the cluster and the account. What the cluster has is followed by watches, so that looking costs nothing.
type clients struct {
	kube    kubernetes.Interface
	dynamic dynamic.Interface
	ec2     *ec2.Client
	elb     *elb.Client
	eks     *eks.Client
	reads   *awsnet.Client

	pods, nodes, events, services, daemons, ingresses watched
	bindings                                          watched // nil where the cluster serves no TargetGroupBindings

	births *births
	plane  bool // the cluster counts its pods itself
}

func (n *Nature) connect(ctx context.Context) (*clients, error) {
	cfg := rest.CopyConfig(n.o.Kube)
	cfg.QPS, cfg.Burst = qps, burst
	typed, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		return nil, fmt.Errorf("client for %s: %w", cfg.Host, err)
	}
	dyn, err := dynamic.NewForConfig(cfg)
	if err != nil {
		return nil, fmt.Errorf("client for %s: %w", cfg.Host, err)
	}
	reads, err := awsnet.New(ctx, awsnet.Options{Region: n.o.AWS.Region, BaseEndpoint: aws.ToString(n.o.AWS.BaseEndpoint), Credentials: n.o.AWS.Credentials})
	if err != nil {
		return nil, fmt.Errorf("client for AWS: %w", err)
	}
	c := &clients{
		kube: typed, dynamic: dyn, reads: reads, plane: n.o.ControlPlane,
		ec2: ec2.NewFromConfig(n.o.AWS), elb: elb.NewFromConfig(n.o.AWS), eks: eks.NewFromConfig(n.o.AWS),
	}
	core := typed.CoreV1().RESTClient()
	c.pods = n.follow(listWatch(core, "pods"), &corev1.Pod{})
	c.births = newBirths(c.pods)
	c.nodes = n.follow(listWatch(core, "nodes"), &corev1.Node{})
	c.events = n.follow(listWatch(core, "events"), &corev1.Event{})
	c.services = n.follow(listWatch(core, "services"), &corev1.Service{})
	c.daemons = n.follow(listWatch(typed.AppsV1().RESTClient(), "daemonsets"), &appsv1.DaemonSet{})
	c.ingresses = n.follow(listWatch(typed.NetworkingV1().RESTClient(), "ingresses"), &networkingv1.Ingress{})
	switch _, err := typed.Discovery().ServerResourcesForGroupVersion(bindingKind.GroupVersion().String()); {
	case err == nil:
		c.bindings = n.follow(&cache.ListWatch{
			ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
				return dyn.Resource(bindingKind).List(ctx, o)
			},
			WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
				return dyn.Resource(bindingKind).Watch(ctx, o)
			},
		}, &unstructured.Unstructured{})
	case !apierrors.IsNotFound(err):
		return nil, fmt.Errorf("discover %s: %w", bindingKind.GroupVersion(), err)
	}
	return c, nil
}

func listWatch(c cache.Getter, resource string) *cache.ListWatch {
	return cache.NewListWatchFromClient(c, resource, metav1.NamespaceAll, fields.Everything())
}

func (n *Nature) follow(lw *cache.ListWatch, example runtime.Object) watched {
	w := cache.NewSharedIndexInformer(lw, example, 0, cache.Indexers{})
	// It fails only for one that runs already. Watches that break are begun again by themselves.
	_ = w.SetWatchErrorHandlerWithContext(func(ctx context.Context, _ *cache.Reflector, err error) {
		if ctx.Err() == nil {
			n.say("watch %T: %v", example, err)
		}
	})
	return w
}

func (c *clients) all() []watched {
	return slices.DeleteFunc([]watched{c.pods, c.nodes, c.events, c.services, c.daemons, c.ingresses, c.bindings}, func(w watched) bool { return w == nil })
}

// synced waits until these have been read once; false means that ctx has ended.
func synced(ctx context.Context, needs []watched) bool {
	for _, w := range needs {
		if w == nil {
			continue
		}
		select {
		case <-w.HasSyncedChecker().Done():
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// listed gives the objects of a watch in the order of their names. They are shared and must not be modified.
func listed[T metav1.Object](w watched) []T {
	if w == nil {
		return nil
	}
	var out []T
	for _, o := range w.GetStore().List() {
		if t, ok := o.(T); ok {
			out = append(out, t)
		}
	}
	slices.SortFunc(out, func(a, b T) int {
		return strings.Compare(key(a.GetNamespace(), a.GetName()), key(b.GetNamespace(), b.GetName()))
	})
	return out
}

// got gives one object of a watch, nil where there is none.
func got[T metav1.Object](w watched, namespace, name string) (out T) {
	if o, ok, err := w.GetStore().GetByKey(key(namespace, name)); err == nil && ok {
		out, _ = o.(T)
	}
	return out
}

func key(namespace, name string) string {
	if namespace == "" {
		return name
	}
	return namespace + "/" + name
}

// agent is the DaemonSet of the VPC CNI; nil where another CNI serves the pods.
func (c *clients) agent() *appsv1.DaemonSet {
	return got[*appsv1.DaemonSet](c.daemons, agentNamespace, agentName)
}

// The DaemonSet of the VPC CNI, and the container within it whose environment holds the settings.
const agentNamespace, agentName = "kube-system", "aws-node"

// environment is what a pod template sets for the CNI; values that come from elsewhere are left out.
func environment(s corev1.PodSpec) map[string]string {
	env := map[string]string{}
	for _, c := range s.Containers {
		if c.Name != agentName {
			continue
		}
		for _, e := range c.Env {
			if e.ValueFrom == nil {
				env[e.Name] = e.Value
			}
		}
	}
	return env
}
