package permissions

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/netdiag/netdiag/diagnostics/all"
)

// statement is one of a policy of IAM.
type statement struct {
	Sid       string
	Effect    string
	Action    []string
	Resource  any
	Condition map[string]map[string]string `json:",omitempty"`
}

const eksARN = "arn:${PARTITION}:eks:${REGION}:${ACCOUNT}:"

// fences lists what reads can be limited to by IAM, the finest first: EKS knows resources, the other services ask with * and
// can be held to a region. (Service Authorization Reference, Amazon EKS.)
var fences = []struct {
	sid, resource string
	actions       []string
}{
	{"ReadCluster", eksARN + "cluster/${CLUSTER}", []string{"eks:DescribeCluster", "eks:ListFargateProfiles", "eks:ListNodegroups"}},
	{"ReadAddon", eksARN + "addon/${CLUSTER}/vpc-cni/*", []string{"eks:DescribeAddon"}},
	{"ReadNodegroups", eksARN + "nodegroup/${CLUSTER}/*/*", []string{"eks:DescribeNodegroup"}},
	{"ReadFargateProfiles", eksARN + "fargateprofile/${CLUSTER}/*/*", []string{"eks:DescribeFargateProfile"}},
}

// Fence is the resource that a read of AWS is limited to; * where IAM knows none.
func Fence(action string) string {
	for _, f := range fences {
		if slices.Contains(f.actions, action) {
			return f.resource
		}
	}
	return "*"
}

// ReadPolicy is the policy of IAM that both processes read AWS by. Words in ${…} are for who installs it to fill in.
func ReadPolicy() (string, error) {
	reads, _ := all.Reads()
	region := statement{Sid: "ReadRegion", Effect: "Allow", Resource: "*", Condition: map[string]map[string]string{"StringEquals": {"aws:RequestedRegion": "${REGION}"}}}
	by := map[string][]string{}
	for _, action := range reads {
		if f := Fence(action); f != "*" {
			by[f] = append(by[f], action)
		} else {
			region.Action = append(region.Action, action)
		}
	}
	out := []statement{region}
	for _, f := range fences {
		if len(by[f.resource]) > 0 {
			out = append(out, statement{Sid: f.sid, Effect: "Allow", Action: by[f.resource], Resource: f.resource})
		}
	}
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	err := e.Encode(struct {
		Version   string
		Statement []statement
	}{"2012-10-17", out})
	return b.String(), err
}
