package pending

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/vpc"
)

// tenant adds an interface with n addresses to subnet a.
func (c *scene) tenant(n int, edit func(*vpc.NetworkInterface)) {
	i := vpc.NetworkInterface{ID: fmt.Sprintf("eni-tenant-%d", len(c.s.Interfaces)), Subnet: "subnet-a", VPC: "vpc-1", Status: "in-use", Type: "interface"}
	for range n {
		c.next["a"]++
		i.Addresses = append(i.Addresses, netip.MustParseAddr(fmt.Sprintf("10.0.1.%d", c.next["a"])))
	}
	i.Primary = i.Addresses[0]
	edit(&i)
	c.s.Interfaces = append(c.s.Interfaces, i)
}

func TestTableOfHoldersAddsUp(t *testing.T) {
	c := newScene(0, 100)
	c.node("n1", "a", 9, 9)
	c.tenant(14, func(i *vpc.NetworkInterface) { i.Description = "ELB app/x/1" })
	c.tenant(6, func(i *vpc.NetworkInterface) { i.Type = "lambda" })
	c.tenant(20, func(i *vpc.NetworkInterface) { i.Instance = "i-asleep" })
	c.s.States = map[string]string{"i-asleep": "stopped"}
	c.wait("n1", 2, assignFailed, nil)
	r := c.judged(t)
	n := slices.IndexFunc(r.Tables, func(t diagnostics.Table) bool { return t.Title == holdersTitle })
	if n < 0 {
		t.Fatal("no table of holders")
	}
	rows := map[string]int{}
	sum := 0
	for _, row := range r.Tables[n].Rows {
		v, err := strconv.Atoi(row[3])
		if err != nil {
			t.Fatal(err)
		}
		rows[row[1]] = v
		if row[1] != "usable in all" {
			sum += v
		}
	}
	for what, want := range map[string]int{"nodes of this cluster": 10, "load balancers": 14, "Lambda functions": 6, "stopped instances": 20, "available": 0, "not accounted for": 201, "usable in all": 251} {
		if rows[what] != want {
			t.Errorf("%s: %d, want %d", what, rows[what], want)
		}
	}
	if sum != 251 {
		t.Errorf("the rows add up to %d, not to the 251 that are usable", sum)
	}
	// What nobody can see is said, and laid at nobody's door.
	if len(r.Contributing) > 0 {
		t.Errorf("contributing %v", keys(r.Contributing))
	}
	if !slices.ContainsFunc(r.Causes[0].Evidence, func(e diagnostics.Evidence) bool { return strings.HasPrefix(e.Value, "201 of 251") }) {
		t.Errorf("evidence %+v does not say what is unaccounted for", r.Causes[0].Evidence)
	}
}

func TestOthersContributeOnlyWhereTheyHoldAGoodPart(t *testing.T) {
	for _, c := range []struct {
		held int
		want bool
	}{{70, true}, {20, false}} {
		s := newScene(0, 100)
		s.node("n1", "a", 9, 9)
		s.tenant(c.held, func(i *vpc.NetworkInterface) { i.Type = "lambda" })
		s.wait("n1", 2, assignFailed, nil)
		if got := slices.Contains(keys(s.judged(t).Contributing), "other-tenants confirmed"); got != c.want {
			t.Errorf("others hold %d of 251: reported %t", c.held, got)
		}
	}
}
