// Package remedy lists every change that netdiag can make. An Action is data: it can be stored, shown, hashed and read
// back. Hands is the one interface that writes.
package remedy

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
)

// Action is one change; exactly one field is set.
type Action struct {
	AddonConfig   *AddonConfig   `json:"addonConfig,omitempty"`
	DaemonSetEnv  *DaemonSetEnv  `json:"daemonSetEnv,omitempty"`
	AllowIngress  *AllowIngress  `json:"allowIngress,omitempty"`
	RevokeIngress *RevokeIngress `json:"revokeIngress,omitempty"`
	Annotate      *Annotate      `json:"annotate,omitempty"`

	DeleteInterfaces *DeleteInterfaces `json:"deleteInterfaces,omitempty"`
	Tag              *Tag              `json:"tag,omitempty"`
	RestartPods      *RestartPods      `json:"restartPods,omitempty"`
	MovePods         *MovePods         `json:"movePods,omitempty"`
	Cordon           *Cordon           `json:"cordon,omitempty"`
}

// AddonConfig sets environment variables of an EKS add-on through eks:UpdateAddon: the values are merged into
// configurationValues, version and role stay, conflicts are overwritten.
type AddonConfig struct {
	Cluster string            `json:"cluster"`
	Addon   string            `json:"addon"`
	Version string            `json:"version"`
	RoleARN string            `json:"roleARN,omitempty"`
	Set     map[string]string `json:"set"`             // environment variable → new value
	Unset   []string          `json:"unset,omitempty"` // sorted
	// Was is the whole configuration before, for the undo and as a precondition: the change is refused where it differs.
	Was string `json:"was"`
}

// DaemonSetEnv sets environment variables of one container of a DaemonSet that no other tool owns.
type DaemonSetEnv struct {
	Namespace string             `json:"namespace"`
	Name      string             `json:"name"`
	Container string             `json:"container"`
	Set       map[string]string  `json:"set"`
	Unset     []string           `json:"unset,omitempty"`
	Was       map[string]*string `json:"was"` // value before of each key of Set and Unset; nil where it was unset
}

// AllowIngress adds one inbound rule: one tcp port, from one security group. It can't express anything wider.
type AllowIngress struct {
	Group       string `json:"group"`  // the security group that gets the rule
	Source      string `json:"source"` // the security group that may enter
	Port        int    `json:"port"`   // 1 to 65535
	Description string `json:"description"`
}

// RevokeIngress takes back a rule that AllowIngress made, by its id, and only where it still is that rule.
type RevokeIngress struct {
	Group  string `json:"group"`
	Rule   string `json:"rule"`
	Source string `json:"source"`
	Port   int    `json:"port"`
}

// Annotate sets or removes one annotation of an object; Was is the value before, nil where it was unset.
type Annotate struct {
	APIVersion string  `json:"apiVersion"`
	Resource   string  `json:"resource"` // plural, such as ingresses
	Namespace  string  `json:"namespace"`
	Name       string  `json:"name"`
	Key        string  `json:"key"`
	Value      *string `json:"value"` // nil removes
	Was        *string `json:"was"`
}

// DeleteInterfaces deletes network interfaces that a node of the cluster left behind. Nothing brings one back.
type DeleteInterfaces struct {
	Cluster    string   `json:"cluster"`
	Interfaces []string `json:"interfaces,omitempty"` // eni-…, sorted, each once
}

// Tag sets or removes one tag: kubernetes.io/role/cni of a subnet, which gives it to pods or takes it from them, or
// kubernetes.io/cluster/<name> of a security group, by which the load balancer controller finds a node's group.
type Tag struct {
	Resource string  `json:"resource"` // subnet-… or sg-…
	Key      string  `json:"key"`
	Value    *string `json:"value"` // nil removes
	Was      *string `json:"was"`   // value before, nil where it was unset; the change is refused where it differs
}

// RestartPods deletes pods of the DaemonSet kube-system/aws-node, which makes them anew: ipamd begins again on those nodes.
type RestartPods struct {
	Namespace string `json:"namespace"`
	DaemonSet string `json:"daemonSet"`
	Pods      []Pod  `json:"pods,omitempty"` // sorted by name, each once
}

// Pod is one pod of a known namespace. It is deleted only while it is the one with this UID.
type Pod struct {
	Name string `json:"name"`
	UID  string `json:"uid"`
	Node string `json:"node"`
}

// MovePods cordons a node and deletes pods on it that can't start there, so that their controllers make them anew elsewhere.
type MovePods struct {
	Node string          `json:"node"`
	Pods []NamespacedPod `json:"pods,omitempty"` // sorted by namespace and name, each once
}

// NamespacedPod is one pod. It is deleted only while it is the one with this UID.
type NamespacedPod struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	UID       string `json:"uid"`
}

// Cordon keeps new pods off a node, or lets them on again: what undoes MovePods. Was is what it was before.
type Cordon struct {
	Node string `json:"node"`
	On   bool   `json:"on"`
	Was  bool   `json:"was"`
}

// Settings names what of its target the action gives another value, sorted; nil for an action that sets nothing but adds,
// deletes or restarts.
func (a Action) Settings() []string {
	var out []string
	switch {
	case a.AddonConfig != nil:
		out = slices.Concat(slices.Collect(maps.Keys(a.AddonConfig.Set)), a.AddonConfig.Unset)
	case a.DaemonSetEnv != nil:
		out = slices.Concat(slices.Collect(maps.Keys(a.DaemonSetEnv.Set)), a.DaemonSetEnv.Unset)
	case a.Annotate != nil:
		out = []string{a.Annotate.Key}
	case a.Tag != nil:
		out = []string{a.Tag.Key}
	}
	slices.Sort(out)
	return out
}

// Hash is the SHA-256 of the canonical JSON of an action, in hex: what an approval approves.
func (a Action) Hash() string {
	b, err := json.Marshal(a) // map keys are sorted by encoding/json, so the text is canonical
	if err != nil {
		panic(err) // strings, numbers and maps of them always encode
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
