package aws

import (
	"fmt"
	"maps"
	"net/http"
	"slices"

	"sigs.k8s.io/yaml"
)

func eksWrites() map[string]operation {
	return map[string]operation{"UpdateAddon": updateAddon, "DescribeUpdate": describeUpdate, "ListUpdates": listUpdates}
}

// addonUpdate is one accepted UpdateAddon.
type addonUpdate struct {
	id, cluster, addon string
	token              string
	params             object // of the call
	shown              object // as DescribeUpdate shows it
}

func invalidParameter(message string, fields object) *apiError {
	return &apiError{Code: "InvalidParameterException", Message: message, Fields: fields}
}

// updateAddon begins an update of an add-on; the simulated nature finishes it. Values that the call leaves out change as
// in EKS: without a role the add-on falls back on that of the node, without configurationValues they stay.
func updateAddon(s *Server, c *call) (object, error) {
	addon, err := s.memberOf(c, "Addons", "addonName", "addon")
	if err != nil {
		return nil, err
	}
	cluster, name := c.str("clusterName"), c.str("addonName")
	fields := object{"clusterName": cluster, "addonName": name}
	token := c.str("clientRequestToken")
	for _, u := range s.updates {
		if token == "" || u.token != token {
			continue
		}
		if !maps.EqualFunc(u.params, c.params, func(a, b any) bool { return string(marshal(a)) == string(marshal(b)) }) {
			return nil, invalidParameter("The client request token was used with other parameters", fields)
		}
		return object{"update": u.shown}, nil
	}
	values := c.str("configurationValues")
	var parsed map[string]any
	if err := yaml.Unmarshal([]byte(values), &parsed); err != nil { // JSON is YAML
		return nil, invalidParameter("ConfigurationValue is not in valid JSON or YAML format", fields)
	}
	if r := c.str("resolveConflicts"); r != "" && !slices.Contains([]string{"NONE", "OVERWRITE", "PRESERVE"}, r) {
		return nil, invalidParameter("resolveConflicts must be NONE, OVERWRITE or PRESERVE", fields)
	}
	for _, u := range s.updates {
		if u.cluster == cluster && u.addon == name && u.shown["status"] == "InProgress" {
			return nil, &apiError{Code: "ResourceInUseException", Status: http.StatusConflict, Fields: fields, Message: "Addon " + name + " cannot be updated as it is currently in UPDATING state"}
		}
	}
	s.serial++
	u := &addonUpdate{id: fmt.Sprintf("7d0c1f5e-0000-4000-8000-%012d", s.serial), cluster: cluster, addon: name, token: token, params: c.params}
	u.shown = object{"id": u.id, "status": "InProgress", "type": "AddonUpdate", "createdAt": text(s.now()), "errors": []any{}, "params": updateParams(c)}
	s.updates = append(s.updates, u)
	addon["status"], addon["modifiedAt"] = "UPDATING", text(s.now())
	return object{"update": u.shown}, nil
}

func updateParams(c *call) []any {
	var out []any
	for _, p := range []struct{ kind, param string }{
		{"AddonVersion", "addonVersion"}, {"ServiceAccountRoleArn", "serviceAccountRoleArn"},
		{"ResolveConflicts", "resolveConflicts"}, {"ConfigurationValues", "configurationValues"},
	} {
		if v := c.str(p.param); v != "" {
			out = append(out, object{"type": p.kind, "value": v})
		}
	}
	return out
}

func describeUpdate(s *Server, c *call) (object, error) {
	if _, err := s.cluster(c); err != nil {
		return nil, err
	}
	for _, u := range s.updates {
		if u.id == c.str("updateId") && u.cluster == c.str("clusterName") {
			return object{"update": u.shown}, nil
		}
	}
	return nil, resourceNotFound(object{"clusterName": c.str("clusterName")}, "No update found for ID: %s", c.str("updateId"))
}

func listUpdates(s *Server, c *call) (object, error) {
	if _, err := s.cluster(c); err != nil {
		return nil, err
	}
	var ids []string
	for _, u := range s.updates {
		if addon := c.str("addonName"); u.cluster == c.str("clusterName") && (addon == "" || addon == u.addon) {
			ids = append(ids, u.id)
		}
	}
	return tokened(c, "updateIds", ids)
}
