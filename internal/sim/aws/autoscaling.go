package aws

import (
	"slices"
	"strconv"
)

func autoscalingOperations() map[string]operation {
	return map[string]operation{"DescribeScalingActivities": scalingActivities, "DescribeAutoScalingGroups": autoScalingGroups}
}

func scalingActivities(s *Server, c *call) (object, error) {
	items, err := s.list("autoscaling", "Activities")
	if err != nil {
		return nil, err
	}
	if g := c.str("AutoScalingGroupName"); g != "" {
		items = keep(items, func(o object) bool { return text(o["AutoScalingGroupName"]) == g })
	}
	return records(c, "Activities", items)
}

// autoScalingGroups makes the groups of the recorded node groups.
func autoScalingGroups(s *Server, c *call) (object, error) {
	nodegroups, err := s.list("eks", "Nodegroups")
	if err != nil {
		return nil, err
	}
	want := c.strs("AutoScalingGroupNames")
	var items []object
	for _, n := range nodegroups {
		scaling := at(n, "scalingConfig")
		for _, name := range values(n, "resources", "autoScalingGroups", "name") {
			if len(want) > 0 && !slices.Contains(want, name) {
				continue
			}
			items = append(items, object{
				"AutoScalingGroupName": name, "MinSize": scaling["minSize"], "MaxSize": scaling["maxSize"], "DesiredCapacity": scaling["desiredSize"],
			})
		}
	}
	return records(c, "AutoScalingGroups", items)
}

// records cuts the items to a page of MaxRecords, 100 where none is asked for.
func records(c *call, out string, items []object) (object, error) {
	from, size := c.number("NextToken", 0), c.size("MaxRecords", 100)
	if from > len(items) || size < 1 || size > 100 {
		return nil, &apiError{Code: "ValidationError", Message: "NextToken or MaxRecords is out of range"}
	}
	items = items[from:]
	answer := object{}
	if len(items) > size {
		items = items[:size]
		answer["NextToken"] = strconv.Itoa(from + size)
	}
	answer[out] = anys(items)
	return answer, nil
}
