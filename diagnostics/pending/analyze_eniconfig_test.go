package pending

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/netdiag/netdiag/diagnostics"
)

// customScene is a node whose only interface serves no pods: those get their addresses where its ENIConfig says.
func customScene(env map[string]string, configs map[string]string) (*scene, *Node) {
	c := newScene(100, 100)
	n := c.node("n1", "a", 0, 0)
	c.s.Driver.Env["AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG"] = "true"
	maps.Copy(c.s.Driver.Env, env)
	c.s.ENIConfigs = configs
	c.wait("n1", 1, assignFailed, nil)
	return c, n
}

func TestENIConfig(t *testing.T) {
	const byZone = "topology.kubernetes.io/zone"
	for _, c := range []struct {
		name    string
		env     map[string]string
		configs map[string]string
		edit    func(*scene, *Node)
		want    []string
		says    string
	}{
		{"none", nil, nil, nil, []string{"eniconfig confirmed"}, `no ENIConfig "default"`},
		{"none of the node's zone", map[string]string{"ENI_CONFIG_LABEL_DEF": byZone}, map[string]string{"us-west-2b": "subnet-b"}, nil, []string{"eniconfig confirmed"}, `no ENIConfig "us-west-2a"`},
		{"of another zone", nil, map[string]string{"default": "subnet-b"}, nil, []string{"eniconfig confirmed"}, "which is in zone us-west-2b"},
		{"of another VPC", nil, map[string]string{"default": "subnet-elsewhere"}, nil, []string{"eniconfig confirmed"}, "not in VPC vpc-1"},
		{"without a subnet", nil, map[string]string{"default": ""}, nil, []string{"eniconfig confirmed"}, "names no subnet"},
		{"in order: what stops the node is not known", nil, map[string]string{"default": "subnet-a"}, nil, nil, ""},
		{"the annotation comes before the label", nil, map[string]string{"default": "subnet-b", "mine": "subnet-a"}, func(_ *scene, n *Node) { n.ENIConfig = "mine" }, nil, ""},
		{"the label that is kept from outside comes first", nil, map[string]string{"default": "subnet-a", "theirs": "subnet-b"}, func(_ *scene, n *Node) {
			n.ENIConfig, n.Labels["vpc.amazonaws.com/externalEniConfig"] = "default", "theirs"
		}, []string{"eniconfig confirmed"}, "which is in zone us-west-2b"},
		{"its subnet is full, and not the node's", nil, map[string]string{"default": "subnet-a"}, func(c *scene, _ *Node) { c.s.Subnets[0].Available = 0 }, []string{"subnet-exhausted confirmed"}, ""},
		{"the resource is not even there", nil, nil, func(c *scene, _ *Node) {
			c.s.Unread = []diagnostics.Unread{{Permission: listENIConfigs, Reason: diagnostics.Absent}}
		}, []string{"eniconfig confirmed"}, ""},
		{"they may not be read", nil, nil, func(c *scene, _ *Node) { c.s.Unread = denied(listENIConfigs) }, nil, ""},
		{"an interface for pods has room: none has to be made", nil, nil, func(c *scene, n *Node) {
			e := c.s.Interfaces[0]
			e.ID, e.Device = "eni-second", 1
			c.s.Interfaces = append(c.s.Interfaces, e)
		}, nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			sc, n := customScene(c.env, c.configs)
			if c.edit != nil {
				c.edit(sc, n)
			}
			r := sc.judged(t)
			if got := keys(r.Causes); !slices.Equal(got, c.want) {
				t.Fatalf("causes %v, want %v; %s", got, c.want, r.Summary)
			}
			if !strings.Contains(r.Summary, c.says) {
				t.Errorf("summary %q does not say %q", r.Summary, c.says)
			}
			if slices.Contains(c.want, "eniconfig confirmed") && !slices.Contains(fixIDs(r), "custom-networking") {
				t.Errorf("fixes %v", fixIDs(r))
			}
		})
	}
}
