package awsnode

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Drift is a variable of aws-node that lives otherwise than its owner declares.
type Drift struct {
	Name, Live string
	Declared   string // empty where the owner declares none
	Manager    string // who has set it, as far as managedFields tell
	At         time.Time
}

// DeclaredEnv is what the configuration of the add-on sets; readable is false where it is no JSON.
func (u Setup) DeclaredEnv() (env map[string]any, readable bool) {
	config := map[string]any{}
	if u.Addon == nil || u.Addon.Configuration == "" {
		return map[string]any{}, u.Addon != nil
	}
	if json.Unmarshal([]byte(u.Addon.Configuration), &config) != nil {
		return map[string]any{}, false
	}
	if env, _ = config["env"].(map[string]any); env == nil {
		env = map[string]any{}
	}
	return env, true
}

// Drifts lists the variables that were set past their owner, sorted by name: those that the add-on declares otherwise, and
// those that somebody else has set and the owner doesn't. EKS owns the fields that it applies; which of the others it sets
// back, and when, is not certain.
func (u Setup) Drifts() []Drift {
	d, o := u.Driver, u.Owned()
	if d == nil || o.Owner == "none" || o.Owner == "unknown" || o.Owner == "kubectl" {
		return nil
	}
	tool := o.Owner
	if u.Addon != nil {
		tool = "eks-addon" // whoever declares the add-on, EKS writes it
	}
	by := map[string]Manager{} // who has set a variable, other than the owner
	own := map[string]bool{}
	for _, m := range d.Managers {
		for _, name := range m.Env {
			if ManagerOwner(m.Name) == tool {
				own[name] = true
			} else if m.At.After(by[name].At) || by[name].Name == "" {
				by[name] = m
			}
		}
	}
	declared, readable := u.DeclaredEnv()
	var out []Drift
	for _, name := range slices.Sorted(maps.Keys(d.Env)) {
		m, others := by[name]
		value, says := declared[name]
		differs := says && fmt.Sprint(value) != d.Env[name] && u.Addon.Status != "UPDATING" && u.Addon.Status != "CREATING"
		alone := others && !own[name] && (!says || differs)
		if !differs && !alone || !readable && !alone {
			continue
		}
		x := Drift{Name: name, Live: d.Env[name], Manager: m.Name, At: m.At}
		if says {
			x.Declared = fmt.Sprint(value)
		}
		out = append(out, x)
	}
	return out
}
