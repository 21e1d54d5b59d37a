package aws

import (
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"strings"
)

func eksOperations() map[string]operation {
	ops := map[string]operation{
		"DescribeCluster": describeCluster, "ListClusters": listClusters, "DescribeAddonConfiguration": describeAddonConfiguration,
		"ListAddons": names("Addons", "addonName", "addons"), "DescribeAddon": member("Addons", "addonName", "addon", "addon"),
		"ListNodegroups": names("Nodegroups", "nodegroupName", "nodegroups"), "DescribeNodegroup": member("Nodegroups", "nodegroupName", "nodegroup", "node group"),
		"ListFargateProfiles":    names("FargateProfiles", "fargateProfileName", "fargateProfileNames"),
		"DescribeFargateProfile": member("FargateProfiles", "fargateProfileName", "fargateProfile", "Fargate Profile"),
	}
	maps.Copy(ops, eksWrites())
	return ops
}

// routeEKS finds the action of a path and puts the names within it among the parameters.
func routeEKS(r *http.Request, params object) string {
	for k, v := range r.URL.Query() {
		params[k] = v[0]
	}
	part := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	var name strings.Builder
	name.WriteString(r.Method)
	for i, p := range part {
		if i%2 == 0 || part[0] == "addons" {
			name.WriteString(" " + p)
			continue
		}
		field := map[string]string{"clusters": "clusterName", "addons": "addonName", "node-groups": "nodegroupName", "fargate-profiles": "fargateProfileName", "updates": "updateId"}[part[i-1]]
		params[field] = p
		name.WriteString(" " + "*")
	}
	routes := map[string]string{
		"GET clusters": "ListClusters", "GET clusters *": "DescribeCluster",
		"GET clusters * addons": "ListAddons", "GET clusters * addons *": "DescribeAddon", "POST clusters * addons * update": "UpdateAddon",
		"GET addons configuration-schemas": "DescribeAddonConfiguration", "GET addons supported-versions": "DescribeAddonVersions",
		"GET clusters * node-groups": "ListNodegroups", "GET clusters * node-groups *": "DescribeNodegroup",
		"GET clusters * fargate-profiles": "ListFargateProfiles", "GET clusters * fargate-profiles *": "DescribeFargateProfile",
		"GET clusters * updates": "ListUpdates", "GET clusters * updates *": "DescribeUpdate",
	}
	if action, ok := routes[name.String()]; ok {
		return action
	}
	return name.String()
}

func resourceNotFound(fields object, format string, args ...any) *apiError {
	return &apiError{Code: "ResourceNotFoundException", Status: http.StatusNotFound, Message: fmt.Sprintf(format, args...), Fields: fields}
}

// cluster gives the cluster that the call names.
func (s *Server) cluster(c *call) (object, error) {
	if _, err := s.list("eks", "Clusters"); err != nil {
		return nil, err
	}
	name := c.str("clusterName")
	o := s.find("eks", "Clusters", "name", name)
	if o == nil {
		return nil, resourceNotFound(object{"clusterName": name}, "No cluster found for name: %s.", name)
	}
	return o, nil
}

// inCluster refuses what is asked about a cluster that isn't there. A world that didn't record clusters can't tell.
func (s *Server) inCluster(c *call) error {
	if _, recorded := s.lists["eks"]["Clusters"]; !recorded {
		return nil
	}
	_, err := s.cluster(c)
	return err
}

func describeCluster(s *Server, c *call) (object, error) {
	o, err := s.cluster(c)
	if err != nil {
		return nil, err
	}
	return object{"cluster": o}, nil
}

func listClusters(s *Server, c *call) (object, error) {
	items, err := s.list("eks", "Clusters")
	if err != nil {
		return nil, err
	}
	var out []string
	for _, o := range items {
		out = append(out, text(o["name"]))
	}
	return tokened(c, "clusters", out)
}

// tokened cuts a list of names to a page of maxResults, 100 where none is asked for.
func tokened(c *call, out string, names []string) (object, error) {
	from, max := c.number("nextToken", 0), c.size("maxResults", 100)
	if from > len(names) || max < 1 || max > 100 {
		return nil, &apiError{Code: "InvalidParameterException", Message: "nextToken or maxResults is out of range"}
	}
	names = names[from:]
	answer := object{}
	if len(names) > max {
		names = names[:max]
		answer["nextToken"] = strconv.Itoa(from + max)
	}
	answer[out] = anys(names)
	return answer, nil
}

// names lists what belongs to the cluster of the call.
func names(list, field, out string) operation {
	return func(s *Server, c *call) (object, error) {
		if err := s.inCluster(c); err != nil {
			return nil, err
		}
		items, err := s.list("eks", list)
		if err != nil {
			return nil, err
		}
		var found []string
		for _, o := range items {
			if text(o["clusterName"]) == c.str("clusterName") {
				found = append(found, text(o[field]))
			}
		}
		return tokened(c, out, found)
	}
}

// member describes one thing of the cluster of the call.
func member(list, field, out, noun string) operation {
	return func(s *Server, c *call) (object, error) {
		o, err := s.memberOf(c, list, field, noun)
		if err != nil {
			return nil, err
		}
		return object{out: o}, nil
	}
}

func (s *Server) memberOf(c *call, list, field, noun string) (object, error) {
	if err := s.inCluster(c); err != nil {
		return nil, err
	}
	items, err := s.list("eks", list)
	if err != nil {
		return nil, err
	}
	cluster, name := c.str("clusterName"), c.str(field)
	for _, o := range items {
		if text(o["clusterName"]) == cluster && text(o[field]) == name {
			return o, nil
		}
	}
	return nil, resourceNotFound(object{"clusterName": cluster, field: name}, "No %s: %s found in cluster: %s", noun, name, cluster)
}

func describeAddonConfiguration(s *Server, c *call) (object, error) {
	items, err := s.list("eks", "AddonConfigurations")
	if err != nil {
		return nil, err
	}
	name, version := c.str("addonName"), c.str("addonVersion")
	for _, o := range items {
		if text(o["addonName"]) == name && text(o["addonVersion"]) == version {
			return o, nil
		}
	}
	return nil, resourceNotFound(object{"addonName": name}, "No addon configuration found for addon %s, version %s", name, version)
}
