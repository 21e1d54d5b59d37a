package pending

import (
	"fmt"
	"strings"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/vpc"
)

// holderRows is how many holders of a subnet are shown; the smaller ones are summed up.
const holderRows = 8

const holdersTitle = "Who holds the addresses"

// unseen is what a ledger can't account for, where that is more than a count that lags a little: three in a hundred.
func unseen(l vpc.Ledger) int {
	if l.Unaccounted*100 > l.Usable*3 {
		return l.Unaccounted
	}
	return 0
}

// unseenEvidence says how many addresses of a subnet nothing visible holds; ok is false where that is none to speak of. They
// are laid at nobody's door.
func unseenEvidence(l vpc.Ledger) (e diagnostics.Evidence, ok bool) {
	n := unseen(l)
	return diagnostics.Evidence{What: "addresses of " + l.Subnet.ID + " that are in use and that no visible interface holds",
		Value:  fmt.Sprintf("%d of %d: interfaces of other accounts in a shared subnet, hidden managed ones, or a count that lags", n, l.Usable),
		Source: "ec2:DescribeSubnets, ec2:DescribeNetworkInterfaces", Repeat: "aws ec2 describe-network-interfaces --filters Name=subnet-id,Values=" + l.Subnet.ID}, n > 0
}

// shortSubnets are the ledgers of the subnets that findings are about, those of causes first.
func (a *analysis) shortSubnets() []vpc.Ledger {
	var out []vpc.Ledger
	seen := map[string]bool{}
	for _, f := range a.of("subnet-exhausted", "eni-all-or-nothing", "no-free-prefix", "node-launch-no-ip", "leaked-enis", "other-tenants") {
		if l, ok := a.ledgers[f.Subject]; ok && !seen[f.Subject] {
			seen[f.Subject] = true
			out = append(out, l)
		}
	}
	return out
}

// holdersTable tells who holds the addresses of the subnets that are short; the rows of a subnet add up to what is usable.
func (a *analysis) holdersTable() diagnostics.Table {
	t := diagnostics.Table{Title: holdersTitle, Columns: []string{"Subnet", "Holder", "Interfaces", "Addresses"}}
	const most = 3
	ledgers := a.shortSubnets()
	for _, l := range ledgers[:min(len(ledgers), most)] {
		row := func(what, interfaces string, n int) {
			t.Rows = append(t.Rows, []string{l.Subnet.ID, what, interfaces, fmt.Sprint(n)})
		}
		interfaces, addresses := 0, 0
		for n, h := range l.Holders {
			if n < holderRows {
				row(name(h), fmt.Sprint(h.Interfaces), h.Addresses)
				continue
			}
			interfaces += h.Interfaces
			addresses += h.Addresses
		}
		if addresses > 0 {
			row(fmt.Sprintf("%d smaller holders", len(l.Holders)-holderRows), fmt.Sprint(interfaces), addresses)
		}
		if l.Reserved > 0 {
			row("reserved for prefixes, and free", "", l.Reserved)
		}
		row("available", "", l.Available)
		if l.Unaccounted != 0 {
			row("not accounted for", "", l.Unaccounted)
		}
		row("usable in all", "", l.Usable)
	}
	for _, l := range ledgers[min(len(ledgers), most):] {
		t.Omitted += len(l.Holders)
	}
	return t
}

// tellHolders is the step in which it is looked up who is in a subnet that is short.
func (a *analysis) tellHolders(add func(title, read, finding, repeat string)) {
	ledgers := a.shortSubnets()
	if len(ledgers) == 0 {
		return
	}
	var read, finding, ids []string
	for _, l := range ledgers[:min(len(ledgers), 3)] {
		own := l.Used - l.Others()
		read = append(read, fmt.Sprintf("%s: %s", l.Subnet.ID, holders(l, false, 5)))
		text := fmt.Sprintf("%s: nodes of this cluster hold %d of %d addresses, others %d", l.Subnet.ID, own, l.Usable, l.Others())
		if n := unseen(l); n > 0 {
			text += fmt.Sprintf(", and %d can't be accounted for", n)
		}
		finding, ids = append(finding, text), append(ids, l.Subnet.ID)
	}
	add("See who holds the addresses", strings.Join(read, "; "), strings.Join(finding, "; "),
		"aws ec2 describe-network-interfaces --filters Name=subnet-id,Values="+strings.Join(ids, ","))
}
