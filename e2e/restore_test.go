package e2e

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"

	apps "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/restmapper"

	"github.com/netdiag/netdiag/internal/world"
)

// restore puts the objects of a recorded world into etcd, as one restores a cluster from a backup: through the API every
// object would be a new one, with another UID, another time of creation, another generation and no status.
func (p *plane) restore(ctx context.Context, w *world.World) error {
	client, err := kubernetes.NewForConfig(p.admin)
	if err != nil {
		return err
	}
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(client.Discovery()))
	for _, o := range w.Objects {
		mapping, err := mapper.RESTMapping(o.GroupVersionKind().GroupKind(), o.GroupVersionKind().Version)
		if err != nil {
			return fmt.Errorf("%s %s: %w", o.GetKind(), o.GetName(), err)
		}
		o = o.DeepCopy()
		o.SetResourceVersion("") // it is that of etcd
		if o.GetKind() == "DaemonSet" && o.GetGeneration() == 0 {
			seen, _, _ := unstructured.NestedInt64(o.Object, "status", "observedGeneration")
			o.SetGeneration(max(seen, 1))
		}
		if owner := metav1.GetControllerOf(o); o.GetKind() == "Pod" && owner != nil && owner.Kind == "DaemonSet" {
			labels := o.GetLabels()
			labels[apps.ControllerRevisionHashLabelKey] = revision
			o.SetLabels(labels)
		}
		if err := p.put(ctx, etcdKey(mapping.Resource, o), o); err != nil {
			return err
		}
	}
	sets, err := client.AppsV1().DaemonSets(metav1.NamespaceAll).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	for i := range sets.Items {
		if err := record(ctx, client, &sets.Items[i]); err != nil {
			return err
		}
	}
	return nil
}

// revision is what the recorded pods of DaemonSets are labelled with: a world has no ControllerRevisions.
const revision = "recorded"

// record writes down the template of a DaemonSet as the DaemonSet controller does, so that it takes the recorded pods for
// up to date.
func record(ctx context.Context, client kubernetes.Interface, d *apps.DaemonSet) error {
	template, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&d.Spec.Template)
	if err != nil {
		return err
	}
	template["$patch"] = "replace"
	raw, err := json.Marshal(map[string]any{"spec": map[string]any{"template": template}})
	if err != nil {
		return err
	}
	labels := map[string]string{apps.ControllerRevisionHashLabelKey: revision}
	maps.Copy(labels, d.Spec.Template.Labels)
	_, err = client.AppsV1().ControllerRevisions(d.Namespace).Create(ctx, &apps.ControllerRevision{
		ObjectMeta: metav1.ObjectMeta{
			Name: d.Name + "-" + revision, Labels: labels,
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(d, apps.SchemeGroupVersion.WithKind("DaemonSet"))},
		},
		Revision: 1, Data: runtime.RawExtension{Raw: raw},
	}, metav1.CreateOptions{})
	return err
}

// etcdKey is where the API server keeps an object.
func etcdKey(of schema.GroupVersionResource, o *unstructured.Unstructured) string {
	folder := of.Resource
	switch {
	case of.Group == "" && of.Resource == "nodes":
		folder = "minions"
	case of.Group == "" && of.Resource == "services":
		folder = "services/specs"
	case of.Group == "networking.k8s.io" && of.Resource == "ingresses":
		folder = "ingress"
	case custom(of):
		folder = of.Group + "/" + of.Resource
	}
	key := "/registry/" + folder + "/"
	if o.GetNamespace() != "" {
		key += o.GetNamespace() + "/"
	}
	return key + o.GetName()
}

// put writes an object into etcd over its JSON gateway. The API server reads JSON as well as its own protobuf.
func (p *plane) put(ctx context.Context, key string, o *unstructured.Unstructured) error {
	value, err := o.MarshalJSON()
	if err != nil {
		return err
	}
	body, err := json.Marshal(map[string]string{"key": base64.StdEncoding.EncodeToString([]byte(key)), "value": base64.StdEncoding.EncodeToString(value)})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.etcd+"/v3/kv/put", bytes.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("put %s into etcd: %w", key, err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(resp.Body) // whatever it says
		return fmt.Errorf("put %s into etcd: %s: %s", key, resp.Status, text)
	}
	return nil
}
