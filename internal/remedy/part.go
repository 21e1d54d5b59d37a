package remedy

import "fmt"

// part is the one field of an Action that is set.
type part interface {
	kind() string
	target() string
	validate() error
	kubernetes() bool // goes through Kubernetes rather than through AWS
}

// parts lists the fields of a that are set.
func (a Action) parts() []part {
	var out []part
	add := func(set bool, p part) {
		if set {
			out = append(out, p)
		}
	}
	add(a.AddonConfig != nil, a.AddonConfig)
	add(a.DaemonSetEnv != nil, a.DaemonSetEnv)
	add(a.AllowIngress != nil, a.AllowIngress)
	add(a.RevokeIngress != nil, a.RevokeIngress)
	add(a.Annotate != nil, a.Annotate)
	add(a.DeleteInterfaces != nil, a.DeleteInterfaces)
	add(a.Tag != nil, a.Tag)
	add(a.RestartPods != nil, a.RestartPods)
	add(a.MovePods != nil, a.MovePods)
	add(a.Cordon != nil, a.Cordon)
	return out
}

// Kinds lists all kinds of action.
func Kinds() []string {
	every := Action{
		AddonConfig: &AddonConfig{}, DaemonSetEnv: &DaemonSetEnv{}, AllowIngress: &AllowIngress{}, RevokeIngress: &RevokeIngress{}, Annotate: &Annotate{},
		DeleteInterfaces: &DeleteInterfaces{}, Tag: &Tag{}, RestartPods: &RestartPods{}, MovePods: &MovePods{}, Cordon: &Cordon{},
	}
	var out []string
	for _, p := range every.parts() {
		out = append(out, p.kind())
	}
	return out
}

// Validate reports an action that doesn't have exactly one field set, or whose field can't be carried out.
func (a Action) Validate() error {
	parts := a.parts()
	if len(parts) != 1 {
		return fmt.Errorf("action has %d fields set, not one", len(parts))
	}
	return parts[0].validate()
}

// Kind names the field that is set.
func (a Action) Kind() string {
	for _, p := range a.parts() {
		return p.kind()
	}
	return ""
}

// Target names the thing that the action changes; two actions with the same target must not run at once.
func (a Action) Target() string {
	for _, p := range a.parts() {
		return p.target()
	}
	return ""
}

func (*AddonConfig) kind() string      { return "AddonConfig" }
func (*DaemonSetEnv) kind() string     { return "DaemonSetEnv" }
func (*AllowIngress) kind() string     { return "AllowIngress" }
func (*RevokeIngress) kind() string    { return "RevokeIngress" }
func (*Annotate) kind() string         { return "Annotate" }
func (*DeleteInterfaces) kind() string { return "DeleteInterfaces" }
func (*Tag) kind() string              { return "Tag" }
func (*RestartPods) kind() string      { return "RestartPods" }
func (*MovePods) kind() string         { return "MovePods" }
func (*Cordon) kind() string           { return "Cordon" }

func (r *AddonConfig) target() string      { return "addon/" + r.Cluster + "/" + r.Addon }
func (r *DaemonSetEnv) target() string     { return "daemonset/" + r.Namespace + "/" + r.Name }
func (r *AllowIngress) target() string     { return "security-group/" + r.Group }
func (r *RevokeIngress) target() string    { return "security-group/" + r.Group }
func (r *Annotate) target() string         { return r.Resource + "/" + r.Namespace + "/" + r.Name }
func (r *DeleteInterfaces) target() string { return "interfaces/" + r.Cluster }
func (r *RestartPods) target() string      { return "daemonset/" + r.Namespace + "/" + r.DaemonSet }
func (r *MovePods) target() string         { return "node/" + r.Node }
func (r *Cordon) target() string           { return "node/" + r.Node }

func (r *Tag) target() string {
	if subnetID.MatchString(r.Resource) {
		return "subnet/" + r.Resource
	}
	return "security-group/" + r.Resource
}

func (*AddonConfig) kubernetes() bool      { return false }
func (*DaemonSetEnv) kubernetes() bool     { return true }
func (*AllowIngress) kubernetes() bool     { return false }
func (*RevokeIngress) kubernetes() bool    { return false }
func (*Annotate) kubernetes() bool         { return true }
func (*DeleteInterfaces) kubernetes() bool { return false }
func (*Tag) kubernetes() bool              { return false }
func (*RestartPods) kubernetes() bool      { return true }
func (*MovePods) kubernetes() bool         { return true }
func (*Cordon) kubernetes() bool           { return true }
