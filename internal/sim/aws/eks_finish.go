package aws

import (
	"slices"
	"strings"
)

// FinishUpdate ends an update. With failure empty the add-on is ACTIVE with its new version, role and configuration;
// otherwise the update has failed with that message, of the error code that it begins with ("InsufficientNumberOfReplicas:
// …"), and the add-on is UPDATE_FAILED with what it had. An unknown or finished update is left alone.
func (s *Server) FinishUpdate(id, failure string) {
	if failure != "" {
		s.FailUpdate(id, Failure{Update: "Failed", Addon: "UPDATE_FAILED", Message: failure})
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	u, addon := s.ending(id)
	if u == nil {
		return
	}
	u.shown["status"] = "Successful"
	addon["status"], addon["modifiedAt"] = "ACTIVE", text(s.now())
	delete(addon, "health")
	s.take(u, addon)
}

// Failure is how an update of an add-on ends that doesn't go well.
type Failure struct {
	Update  string // status of the update: Failed or Cancelled
	Addon   string // status of the add-on then: UPDATE_FAILED, DEGRADED or ACTIVE
	Message string // begins with an error code of EKS and a colon; another is a ConfigurationConflict
	Taken   bool   // the add-on has the values of the update all the same
}

// FailUpdate ends an update in this way. An unknown or finished update is left alone.
func (s *Server) FailUpdate(id string, f Failure) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u, addon := s.ending(id)
	if u == nil {
		return
	}
	code, message, found := strings.Cut(f.Message, ": ")
	if !found || !slices.Contains(addonErrors(), code) {
		code, message = "ConfigurationConflict", f.Message
	}
	u.shown["status"] = f.Update
	u.shown["errors"] = []any{object{"errorCode": code, "errorMessage": message}}
	addon["status"], addon["modifiedAt"] = f.Addon, text(s.now())
	if f.Addon != "ACTIVE" {
		addon["health"] = object{"issues": []any{object{"code": code, "message": message}}}
	}
	if f.Taken {
		s.take(u, addon)
	}
}

// addonErrors are the codes of EKS's API (ErrorDetail) that the update of an add-on can fail with.
func addonErrors() []string {
	return []string{"AccessDenied", "AdmissionRequestDenied", "ClusterUnreachable", "ConfigurationConflict", "InsufficientNumberOfReplicas",
		"K8sResourceNotFound", "OperationNotPermitted", "Unknown", "UnsupportedAddonModification"}
}

// ending gives a running update, to be ended, and its add-on; nil where there is none that runs.
func (s *Server) ending(id string) (*addonUpdate, object) {
	i := slices.IndexFunc(s.updates, func(u *addonUpdate) bool { return u.id == id })
	if i < 0 || s.updates[i].shown["status"] != "InProgress" {
		return nil, nil
	}
	u := s.updates[i]
	u.shown = clone(u.shown) // the old one may be on its way to a client
	return u, s.addon(u.cluster, u.addon)
}

// take gives an add-on what an update brings.
func (s *Server) take(u *addonUpdate, addon object) {
	if configuration := s.configuration(u); configuration != "" {
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
