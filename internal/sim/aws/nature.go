package aws

import "slices"

// Update is an update of an add-on that is running.
type Update struct {
	ID      string
	Cluster string
	Addon   string
	// Configuration is the configurationValues that the update brings, JSON or YAML; what the add-on has where it brings none.
	Configuration string
	// Resolve is how conflicts with other owners of fields are resolved: NONE, OVERWRITE or PRESERVE.
	Resolve string
}

// PendingUpdates lists the updates that are in progress, oldest first. Whatever plays EKS carries them out and calls FinishUpdate.
func (s *Server) PendingUpdates() []Update {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Update
	for _, u := range s.updates {
		if u.shown["status"] == "InProgress" {
			out = append(out, Update{u.id, u.cluster, u.addon, s.configuration(u), text(u.params["resolveConflicts"])})
		}
	}
	return out
}

func (s *Server) configuration(u *addonUpdate) string {
	if v := text(u.params["configurationValues"]); v != "" {
		return v
	}
	return text(s.addon(u.cluster, u.addon)["configurationValues"])
}

func (s *Server) addon(cluster, name string) object {
	for _, o := range objects(s.lists["eks"]["Addons"]) {
		if text(o["clusterName"]) == cluster && text(o["addonName"]) == name {
			return o
		}
	}
	return nil
}

// SetTargetHealth changes the health of a registered target; state "" takes it out of the target group.
func (s *Server) SetTargetHealth(targetGroupARN, targetID string, port int, state, reason, description string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all, _ := s.lists["elbv2"]["TargetHealthDescriptions"].(object)
	l := objects(all[targetGroupARN])
	for i, d := range l {
		if !isTarget(d, targetID, port) {
			continue
		}
		if state == "" {
			all[targetGroupARN] = anys(slices.Delete(l, i, i+1))
			return
		}
		health := object{"State": state}
		if reason != "" {
			health["Reason"], health["Description"] = reason, description
		}
		d["TargetHealth"] = health
	}
}
