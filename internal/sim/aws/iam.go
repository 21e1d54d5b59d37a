package aws

func iamOperations() map[string]operation {
	return map[string]operation{"SimulatePrincipalPolicy": simulatePrincipalPolicy}
}

// simulatePrincipalPolicy answers for each action what the account would: a plain no for what the world denies.
func simulatePrincipalPolicy(s *Server, c *call) (object, error) {
	if c.str("PolicySourceArn") == "" {
		return nil, missing("PolicySourceArn")
	}
	resources := c.strs("ResourceArns")
	if len(resources) == 0 {
		resources = []string{"*"}
	}
	var out []any
	for _, action := range c.strs("ActionNames") {
		decision := "allowed"
		if s.denied[action] {
			decision = "implicitDeny"
		}
		for _, r := range resources {
			out = append(out, object{"EvalActionName": action, "EvalResourceName": r, "EvalDecision": decision})
		}
	}
	return object{"EvaluationResults": out, "IsTruncated": false}, nil
}
