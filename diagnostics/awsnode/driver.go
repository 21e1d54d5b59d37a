package awsnode

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Driver is the DaemonSet aws-node.
type Driver struct {
	Version     string            `json:"version"` // image tag
	Env         map[string]string `json:"env"`
	Desired     int               `json:"desired"`
	Ready       int               `json:"ready"`
	Updated     int               `json:"updated"`
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
	Managers    []Manager         `json:"managers,omitempty"`
}

// Manager is an entry of managedFields that sets environment variables of the aws-node container.
type Manager struct {
	Name      string    `json:"name"`
	Operation string    `json:"operation"` // Apply or Update
	At        time.Time `json:"at,omitzero"`
	Env       []string  `json:"env,omitempty"` // sorted
}

// Environment is the variables of a container that have a value of their own; nil where there are none.
func Environment(c corev1.Container) map[string]string {
	var env map[string]string
	for _, e := range c.Env {
		if e.ValueFrom == nil {
			if env == nil {
				env = map[string]string{}
			}
			env[e.Name] = e.Value
		}
	}
	return env
}

// DriverOf keeps of the DaemonSet aws-node what can matter.
func DriverOf(d *appsv1.DaemonSet) *Driver {
	out := &Driver{
		Desired: int(d.Status.DesiredNumberScheduled), Ready: int(d.Status.NumberReady), Updated: int(d.Status.UpdatedNumberScheduled),
		Labels: d.Labels, Annotations: d.Annotations, Env: map[string]string{},
	}
	for _, c := range d.Spec.Template.Spec.Containers {
		if c.Name == "aws-node" {
			if env := Environment(c); env != nil {
				out.Env = env
			}
			if at := strings.LastIndexByte(c.Image, ':'); at >= 0 {
				out.Version = c.Image[at+1:]
			}
		}
	}
	for _, m := range d.ManagedFields {
		if m.Subresource != "" {
			continue
		}
		manager := Manager{Name: m.Manager, Operation: string(m.Operation), Env: managedEnv(m.FieldsV1)}
		if m.Time != nil {
			manager.At = m.Time.Time
		}
		out.Managers = append(out.Managers, manager)
	}
	return out
}

// managedEnv lists the variables of the aws-node container that a field manager owns.
func managedEnv(f *metav1.FieldsV1) []string {
	if f == nil {
		return nil
	}
	var fields any
	if json.Unmarshal(f.Raw, &fields) != nil {
		return nil
	}
	for _, key := range []string{"f:spec", "f:template", "f:spec", "f:containers", `k:{"name":"aws-node"}`, "f:env"} {
		m, ok := fields.(map[string]any)
		if !ok {
			return nil
		}
		fields = m[key]
	}
	env, _ := fields.(map[string]any)
	var out []string
	for key := range env {
		if name, ok := strings.CutPrefix(key, `k:{"name":"`); ok {
			out = append(out, strings.TrimSuffix(name, `"}`))
		}
	}
	slices.Sort(out)
	return out
}
