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

// FinishUpdate ends an update: with failure empty the add-on is ACTIVE with its new version, role and configuration;
// otherwise the update has failed with that message, and the add-on is UPDATE_FAILED with what it had. An unknown or
// finished update is left alone.
func (s *Server) FinishUpdate(id, failure string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.updates, func(u *addonUpdate) bool { return u.id == id })
	if i < 0 || s.updates[i].shown["status"] != "InProgress" {
		return
	}
	u := s.updates[i]
	shown, addon := clone(u.shown), s.addon(u.cluster, u.addon) // the old one may be on its way to a client
	u.shown = shown
	if failure != "" {
		shown["status"] = "Failed"
		shown["errors"] = []any{object{"errorCode": "ConfigurationConflict", "errorMessage": failure}}
		addon["status"] = "UPDATE_FAILED"
		return
	}
	shown["status"] = "Successful"
	configuration := s.configuration(u)
	addon["status"], addon["modifiedAt"] = "ACTIVE", text(s.now())
	if configuration != "" {
		addon["configurationValues"] = configuration
	}
	if v := text(u.params["addonVersion"]); v != "" {
		addon["addonVersion"] = v
	}
	delete(addon, "serviceAccountRoleArn")
	if role := text(u.params["serviceAccountRoleArn"]); role != "" {
		addon["serviceAccountRoleArn"] = role
	}
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
