package e2e

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
)

// TestEveryFieldIsCompared: the policies on aws-node and on nodes name each field that a DaemonSet, its pods and their containers, and a node have.
// One that Kubernetes adds and the policy doesn't know would be the executor's to change.
func TestEveryFieldIsCompared(t *testing.T) {
	b, err := os.ReadFile("../deploy/helm/netdiag/templates/policies.yaml")
	if err != nil {
		t.Fatal(err)
	}
	policy := regexp.MustCompile(`\s+`).ReplaceAllString(string(b), " ")
	for _, c := range []struct {
		of      any
		is, was string
		besides []string // judged by a rule of their own
	}{
		{core.Container{}, "n", "o", []string{"name", "env"}},
		{core.PodSpec{}, "variables.is", "variables.was", []string{"containers"}},
		{core.NodeSpec{}, "variables.now", "variables.then", []string{"unschedulable"}},
		{apps.DaemonSetSpec{}, "object.spec", "oldObject.spec", []string{"template", "selector"}},
	} {
		of := reflect.TypeOf(c.of)
		for field := range of.Fields() {
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			judged := strings.Contains(policy, c.is+".?"+name+" == "+c.was+".?"+name+" ") || strings.Contains(policy, c.is+".?"+name+" == "+c.was+".?"+name+")")
			for _, b := range c.besides {
				judged = judged || b == name
			}
			if !judged {
				t.Errorf("%s.%s isn't compared", of.Name(), name)
			}
		}
	}
}
