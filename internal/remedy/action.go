// Package remedy lists every change that netdiag can make. An Action is data: it can be stored, shown, hashed and read
// back. Hands is the one interface that writes.
package remedy

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

// Action is one change; exactly one field is set.
type Action struct {
	AddonConfig   *AddonConfig   `json:"addonConfig,omitempty"`
	DaemonSetEnv  *DaemonSetEnv  `json:"daemonSetEnv,omitempty"`
	AllowIngress  *AllowIngress  `json:"allowIngress,omitempty"`
	RevokeIngress *RevokeIngress `json:"revokeIngress,omitempty"`
	Annotate      *Annotate      `json:"annotate,omitempty"`
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

// Validate reports an action that doesn't have exactly one field set, or whose field can't be carried out.
func (a Action) Validate() error {
	n := 0
	for _, set := range []bool{a.AddonConfig != nil, a.DaemonSetEnv != nil, a.AllowIngress != nil, a.RevokeIngress != nil, a.Annotate != nil} {
		if set {
			n++
		}
	}
	if n != 1 {
		return fmt.Errorf("action has %d fields set, not one", n)
	}
	if r := a.AllowIngress; r != nil && (r.Group == "" || r.Source == "" || r.Port < 1 || r.Port > 65535) {
		return fmt.Errorf("allow ingress %+v: needs a group, a source group and a port from 1 to 65535", *r)
	}
	return nil
}

// Kind names the field that is set.
func (a Action) Kind() string {
	switch {
	case a.AddonConfig != nil:
		return "AddonConfig"
	case a.DaemonSetEnv != nil:
		return "DaemonSetEnv"
	case a.AllowIngress != nil:
		return "AllowIngress"
	case a.RevokeIngress != nil:
		return "RevokeIngress"
	case a.Annotate != nil:
		return "Annotate"
	}
	return ""
}

// Target names the thing that the action changes; two actions with the same target must not run at once.
func (a Action) Target() string {
	switch {
	case a.AddonConfig != nil:
		return "addon/" + a.AddonConfig.Cluster + "/" + a.AddonConfig.Addon
	case a.DaemonSetEnv != nil:
		return "daemonset/" + a.DaemonSetEnv.Namespace + "/" + a.DaemonSetEnv.Name
	case a.AllowIngress != nil:
		return "security-group/" + a.AllowIngress.Group
	case a.RevokeIngress != nil:
		return "security-group/" + a.RevokeIngress.Group
	case a.Annotate != nil:
		return a.Annotate.Resource + "/" + a.Annotate.Namespace + "/" + a.Annotate.Name
	}
	return ""
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

// Mark ties a change to what caused it; Hands writes it where the changed thing can carry it (rule tags, request tokens).
type Mark struct {
	Remediation string `json:"remediation"`
	Requester   string `json:"requester"`
	Approver    string `json:"approver"`
}

// Receipt is what a change left behind: what undoes it, and the id of what was made.
type Receipt struct {
	ID   string  `json:"id,omitempty"`   // rule id, update id
	Undo *Action `json:"undo,omitempty"` // nil where there is nothing to undo
	// Owned is false where the change was found already made by somebody else: then nothing is undone.
	Owned bool `json:"owned"`
}

// Hands carries out actions. It is the whole list of what netdiag can write to the world.
type Hands interface {
	// DryRun tries the action without effect, where the service can (EC2 DryRun, server-side dry run, the schema of the add-on).
	DryRun(ctx context.Context, a Action, m Mark) error
	// Look reports whether the action is already in effect, with the receipt that Apply would have given.
	Look(ctx context.Context, a Action, m Mark) (done bool, r Receipt, err error)
	// Apply makes the change. An error may mean that the answer was lost: Look decides.
	Apply(ctx context.Context, a Action, m Mark) (Receipt, error)
}
