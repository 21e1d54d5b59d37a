package e2e

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"

	core "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
)

// values switch everything of the chart on that the tests need.
const values = `{"cluster":"prod","region":"us-west-2","slack":{"team":"T0TEAM"},"fixes":{"enabled":true}}`

// install makes the namespace and the tokens, and applies the chart.
func (p *plane) install(ctx context.Context, values string) error {
	client, err := kubernetes.NewForConfig(p.admin)
	if err != nil {
		return err
	}
	if _, err := client.CoreV1().Namespaces().Create(ctx, &core.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "netdiag"}}, metav1.CreateOptions{}); err != nil {
		return err
	}
	secret := &core.Secret{ObjectMeta: metav1.ObjectMeta{Name: "netdiag-slack"}, StringData: map[string]string{"app-token": app, "bot-token": botToken}}
	if _, err := client.CoreV1().Secrets("netdiag").Create(ctx, secret, metav1.CreateOptions{}); err != nil {
		return err
	}
	return p.apply(ctx, values)
}

// apply applies the chart as Helm would, with strict validation, and waits until the custom resources are served. Whatever the
// API server warns of is an error: a field that is deprecated, a pod that a standard of Pod Security would refuse.
func (p *plane) apply(ctx context.Context, values string, sets ...string) error {
	var err error
	if p.chart, err = render(ctx, values, sets...); err != nil {
		return err
	}
	var told warnings
	cfg := rest.CopyConfig(p.admin)
	cfg.WarningHandler = &told
	client, err := kubernetes.NewForConfig(p.admin)
	if err != nil {
		return err
	}
	dyn, err := dynamic.NewForConfig(cfg)
	if err != nil {
		return err
	}
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(client.Discovery()))
	documents := yaml.NewYAMLReader(bufio.NewReader(strings.NewReader(p.chart)))
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return served(ctx, dyn, []schema.GroupVersionResource{records.WithResource("investigations"), records.WithResource("remediations")})
		}
		if err != nil {
			return err
		}
		u := &unstructured.Unstructured{}
		if err := yaml.Unmarshal(document, &u.Object); err != nil {
			return err
		}
		if u.GetKind() == "" { // only comments
			continue
		}
		if u.GetKind() == "Deployment" { // the tests run the programs beside the cluster
			if err := unstructured.SetNestedField(u.Object, int64(0), "spec", "replicas"); err != nil {
				return err
			}
		}
		mapping, err := mapper.RESTMapping(u.GroupVersionKind().GroupKind(), u.GroupVersionKind().Version)
		if err != nil {
			return fmt.Errorf("%s %s: %w", u.GetKind(), u.GetName(), err)
		}
		body, err := u.MarshalJSON()
		if err != nil {
			return err
		}
		if _, err := dyn.Resource(mapping.Resource).Namespace(u.GetNamespace()).Patch(ctx, u.GetName(), types.ApplyPatchType, body,
			metav1.PatchOptions{FieldManager: "e2e", FieldValidation: metav1.FieldValidationStrict}); err != nil {
			return fmt.Errorf("apply %s %s: %w", u.GetKind(), u.GetName(), err)
		}
		if len(told) > 0 {
			return fmt.Errorf("apply %s %s: the API server warns: %s", u.GetKind(), u.GetName(), strings.Join(told, "; "))
		}
	}
}

// warnings are those of the API server.
type warnings []string

// HandleWarningHeader keeps a warning.
func (w *warnings) HandleWarningHeader(_ int, _, text string) { *w = append(*w, text) }

// render renders the chart for the namespace netdiag, with sets as --set takes them over the values.
func render(ctx context.Context, values string, sets ...string) (string, error) {
	path, err := tool(ctx, "render")
	if err != nil {
		return "", err
	}
	out, err := exec.CommandContext(ctx, path, append([]string{"../deploy/helm/netdiag", "netdiag", values}, sets...)...).Output()
	if refused, ok := errors.AsType[*exec.ExitError](err); ok {
		return "", fmt.Errorf("render the chart: %s", refused.Stderr)
	}
	if err != nil {
		return "", fmt.Errorf("render the chart: %w", err)
	}
	return string(out), nil
}

// served waits until these kinds are.
func served(ctx context.Context, client dynamic.Interface, kinds []schema.GroupVersionResource) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for _, kind := range kinds {
		for {
			_, err := client.Resource(kind).List(ctx, metav1.ListOptions{})
			if err == nil {
				break
			}
			if !apierrors.IsNotFound(err) {
				return err
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return fmt.Errorf("%s are not served: %w", kind.Resource, err)
			}
		}
	}
	return nil
}
