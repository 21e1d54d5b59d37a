package pending

import (
	"fmt"
	corev1 "k8s.io/api/core/v1"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/cni"
	"github.com/netdiag/netdiag/internal/vpc"
)

func table(r diagnostics.Report, title string) map[string][]string {
	out := map[string][]string{}
	for _, t := range r.Tables {
		if t.Title == title {
			for _, row := range t.Rows {
				out[row[0]] = row[1:]
			}
		}
	}
	return out
}

// surgeScene is two zones of m5.xlarge nodes that keep so many addresses in all, with six pods each, one of them in question; one
// more waits in zone a.
func surgeScene(minimum, availableA, availableB int) *scene {
	c := newScene(availableA, availableB)
	c.s.Types = []vpc.InstanceType{{Name: "m5.xlarge", Interfaces: 4, AddressesPerInterface: 15, VCPUs: 4, Nitro: true}}
	c.s.Driver.Env["WARM_IP_TARGET"], c.s.Driver.Env["MINIMUM_IP_TARGET"] = "1", fmt.Sprint(minimum)
	for k := range 3 {
		n := c.node(fmt.Sprintf("a%d", k), "a", 6, minimum)
		n.Type, n.MaxPods, n.Own = "m5.xlarge", 58, 1
		n = c.node(fmt.Sprintf("b%d", k), "b", 6, minimum)
		n.Type, n.MaxPods, n.Own = "m5.xlarge", 58, 1
	}
	n := c.node("waits", "a", 0, 0)
	n.Type, n.MaxPods = "m5.xlarge", 58
	c.wait("waits", 1, assignFailed, nil)
	c.s.node("waits").Own = 1
	return c
}

// What a zone lacks for a second copy, another zone's addresses don't make good.
func TestASecondCopyIsReckonedByZone(t *testing.T) {
	for _, c := range []struct {
		minimum, a, b    int
		perNodeA, perNod string
	}{
		{13, 0, 240, "4 nodes, 56: 56 short", "3 nodes, 42: fits"},
		{8, 0, 240, "4 nodes, 36: 36 short", "3 nodes, 27: fits"},
		{8, 0, 40, "4 nodes, 36: 36 short", "3 nodes, 27: only 13 left"},
		{8, 0, 20, "4 nodes, 36: 36 short", "3 nodes, 27: 7 short"},
	} {
		r := surgeScene(c.minimum, c.a, c.b).judged(t)
		rows := table(r, outlookTitle)
		const perNode = 4
		if got := []string{rows["subnet-a"][perNode], rows["subnet-b"][perNode]}; cmp.Diff([]string{c.perNodeA, c.perNod}, got) != "" {
			t.Errorf("minimum %d, %d and %d available: %q, want %q and %q", c.minimum, c.a, c.b, got, c.perNodeA, c.perNod)
		}
	}
}

func TestOutlookOfPrefixesCountsBlocks(t *testing.T) {
	c := newScene(240, 100)
	c.s.Driver.Env["ENABLE_PREFIX_DELEGATION"] = "true"
	n := c.node("n1", "a", 0, 0)
	n.Own = 4
	c.wait("n1", 4, assignFailed, nil)
	row := table(c.judged(t), outlookTitle)["subnet-a"]
	if row == nil || !strings.HasSuffix(row[1], " /28") || row[3] != "2 /28: fits" {
		t.Errorf("%q", row)
	}
}

func TestOutlookOfCustomNetworkingHasARowForTheNodes(t *testing.T) {
	c := newScene(30, 100)
	c.s.Subnets = append(c.s.Subnets, vpc.Subnet{ID: "subnet-pods", VPC: "vpc-1", Zone: "us-west-2a", CIDR: netip.MustParsePrefix("10.0.3.0/24")})
	c.s.Driver.Env["AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG"] = "true"
	c.s.ENIConfigs = map[string]string{"default": "subnet-pods"}
	n := c.node("n1", "a", 0, 0, 0)
	n.Own = 4
	c.s.Interfaces[1].Subnet = "subnet-pods"
	c.wait("n1", 4, assignFailed, nil)
	rows := table(c.judged(t), outlookTitle)
	nodes := rows["subnet-a (nodes only)"]
	if len(rows) != 2 || nodes == nil || nodes[4] != "4 nodes, 4: fits" {
		t.Errorf("%q", rows)
	}
	if pods := rows["subnet-pods"]; pods == nil || !strings.Contains(pods[4], "short") {
		t.Errorf("%q", rows)
	}
}

// A minimum alone caps the nodes; reckoned with that, a second copy would cost nothing.
func TestOutlookDoesNotReckonWithACap(t *testing.T) {
	s := uncapped(cni.Settings{MinimumIP: 8})
	if s.WarmIP != 1 || s.MinimumIP != 8 {
		t.Errorf("%+v", s)
	}
	if s := uncapped(cni.Settings{WarmIP: 2, MinimumIP: 8}); s.WarmIP != 2 {
		t.Errorf("%+v", s)
	}
}

// Lower targets free enough for those that wait: whether a second copy fits afterwards is said with them.
func TestTargetsAreProposedWithWhatASurgeWouldMeet(t *testing.T) {
	c := surgeScene(13, 0, 240)
	r := c.judged(t)
	if len(r.Fixes) == 0 || r.Fixes[0].ID != "pending/tune-warm-pool" || !strings.Contains(r.Fixes[0].Proof, "a second copy of the 4 pods of backend in us-west-2a, as a blue/green rollout needs, with a node for each as now, takes 36 more and would be") {
		t.Errorf("%v: %q", fixIDs(r), r.Fixes[0].Proof)
	}
}

func TestNodeLedger(t *testing.T) {
	c := newScene(120, 100)
	n := c.node("n1", "a", 6, 9)
	n.Freed = []Freed{{Name: "batch/x", IP: "10.0.1.18", At: now.Add(-9e9)}}
	c.wait("n1", 2, assignFailed, nil)
	r := c.judged(t)
	row := table(r, "Nodes")["n1"]
	if d := cmp.Diff([]string{"m5.large", "us-west-2a", "10 of 29", "6 of 9", "2, 1 resting", "27", "1 of 3", "2"}, row); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	at := slices.IndexFunc(r.Steps, func(s diagnostics.Step) bool { return s.Title == "Check what nodes hold" })
	const limits = "m5.large has 3 interfaces × 10 addresses and max-pods 29 here; by the formula 29, with custom networking 20, with prefixes 110"
	if at < 0 || !strings.Contains(r.Steps[at].Finding, limits) {
		t.Errorf("no step says %q", limits)
	}
}

func TestWarmPoolsBySubnet(t *testing.T) {
	c := warmScene()
	for k := range 2 {
		c.node(fmt.Sprintf("z%d", k), "b", 8, 9, 9)
	}
	rows := table(c.judged(t), "Subnets")
	for subnet, want := range map[string][]string{"subnet-a": {"120", "96"}, "subnet-b": {"20", "16"}} { // kept ready, and what would come back
		if d := cmp.Diff(want, rows[subnet][6:]); d != "" {
			t.Errorf("%s (-want +got):\n%s", subnet, d)
		}
	}
}

// Where the pods of a namespace are too many to be listed, no copy of them is reckoned from a part of them.
func TestUnlistedPodsAreNotCopied(t *testing.T) {
	c := newScene(0, 100)
	c.node("n1", "a", 9, 9, 9).Own = 4
	c.wait("n1", 2, assignFailed, func(*corev1.Pod) {})
	c.s.Unlisted = true
	r := c.judged(t)
	for _, table := range r.Tables {
		if table.Title != outlookTitle {
			continue
		}
		for _, row := range table.Rows {
			if row[3] != "not counted" || row[4] != "not reckoned" {
				t.Errorf("row %q", row)
			}
		}
		return
	}
	t.Error("there is no table of the outlook")
}
