package aws

import (
	"net/netip"
	"slices"
	"time"
)

func insufficientAddresses() *apiError {
	return &apiError{Code: "InsufficientFreeAddressesInSubnet", Message: "The specified subnet does not have enough free addresses to satisfy the request."}
}

func insufficientBlocks() *apiError {
	return &apiError{Code: "InsufficientCidrBlocks", Message: "The specified subnet does not have enough free cidr blocks to satisfy the request."}
}

// space is the addresses of a subnet: what AWS keeps, what interfaces hold and what is reserved.
type space struct {
	s      *Server
	subnet object
	cidr   netip.Prefix
	taken  map[netip.Addr]bool
	blocks []netip.Prefix // delegated prefixes
	kept   []netip.Prefix // reservations
}

func (s *Server) spaceOf(subnetID string) (*space, error) {
	subnet, err := describes["DescribeSubnets"].one(s, subnetID)
	if err != nil {
		return nil, err
	}
	cidr, err := netip.ParsePrefix(text(subnet["CidrBlock"]))
	if err != nil {
		return nil, invalid("subnet %s has no IPv4 block", subnetID)
	}
	sp := &space{s: s, subnet: subnet, cidr: cidr.Masked(), taken: map[netip.Addr]bool{}}
	a := sp.cidr.Addr()
	for range 4 { // the network, the router, DNS and one for later
		sp.taken[a] = true
		a = a.Next()
	}
	sp.taken[last(sp.cidr)] = true
	for _, e := range objects(s.lists["ec2"]["NetworkInterfaces"]) {
		if text(e["SubnetId"]) != subnetID {
			continue
		}
		for _, ip := range values(e, "PrivateIpAddresses", "PrivateIpAddress") {
			if a, err := netip.ParseAddr(ip); err == nil {
				sp.taken[a] = true
			}
		}
		for _, p := range values(e, "Ipv4Prefixes", "Ipv4Prefix") {
			if b, err := netip.ParsePrefix(p); err == nil {
				sp.blocks = append(sp.blocks, b)
			}
		}
	}
	for _, r := range objects(s.lists["ec2"]["SubnetCidrReservations"]) {
		if b, err := netip.ParsePrefix(text(r["Cidr"])); err == nil && text(r["SubnetId"]) == subnetID {
			sp.kept = append(sp.kept, b)
		}
	}
	return sp, nil
}

// last is the highest address of a block.
func last(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().As4()
	for i := p.Bits(); i < 32; i++ {
		b[i/8] |= 1 << (7 - i%8)
	}
	return netip.AddrFrom4(b)
}

func within(blocks []netip.Prefix, a netip.Addr) bool {
	return slices.ContainsFunc(blocks, func(b netip.Prefix) bool { return b.Contains(a) })
}

// available is AvailableIpAddressCount, the truth even where more addresses look free.
func (sp *space) available() int { return integer(sp.subnet["AvailableIpAddressCount"]) }

// use takes n of the available addresses, or gives -n back: those can be taken at once, and are shown after the lag of the account.
func (sp *space) use(n int) {
	sp.subnet["AvailableIpAddressCount"] = sp.available() - n
	if n < 0 && sp.s.lag > 0 {
		sp.s.unshown = append(sp.s.unshown, freed{text(sp.subnet["SubnetId"]), -n, sp.s.now().Add(sp.s.lag)})
	}
}

// freed is addresses that a subnet doesn't show as available yet.
type freed struct {
	subnet string
	n      int
	until  time.Time
}

// withLag shows subnets without the addresses that came back only now.
func withLag(s *Server, items []object) []object {
	now := s.now()
	s.unshown = slices.DeleteFunc(s.unshown, func(f freed) bool { return !now.Before(f.until) })
	if len(s.unshown) == 0 {
		return items
	}
	out := slices.Clone(items)
	for i, o := range out {
		for _, f := range s.unshown {
			if f.subnet == text(o["SubnetId"]) {
				o = clone(o)
				o["AvailableIpAddressCount"] = max(integer(o["AvailableIpAddressCount"])-f.n, 0)
			}
		}
		out[i] = o
	}
	return out
}

// pick takes n free addresses, the lowest first.
func (sp *space) pick(n int) ([]string, error) {
	if n > sp.available() {
		return nil, insufficientAddresses()
	}
	var out []string
	for a := sp.cidr.Addr(); sp.cidr.Contains(a) && len(out) < n; a = a.Next() {
		if !sp.taken[a] && !within(sp.blocks, a) && !within(sp.kept, a) {
			out = append(out, a.String())
			sp.taken[a] = true
		}
	}
	if len(out) < n {
		return nil, insufficientAddresses()
	}
	return out, nil
}

// claim takes these addresses, which must be free.
func (sp *space) claim(addresses []string) error {
	for _, ip := range addresses {
		a, err := netip.ParseAddr(ip)
		switch {
		case err != nil || !sp.cidr.Contains(a):
			return invalid("Address %s does not fall within the subnet's address range", ip)
		case sp.taken[a] || within(sp.blocks, a):
			return &apiError{Code: "PrivateIpAddressInUse", Message: "The address '" + ip + "' is in use."}
		}
		sp.taken[a] = true
	}
	if len(addresses) > sp.available() {
		return insufficientAddresses()
	}
	return nil
}

// pickBlocks takes n free /28 blocks, those in prefix reservations first, as EC2 does.
func (sp *space) pickBlocks(n int) ([]string, error) {
	if 16*n > sp.available() && len(sp.kept) == 0 {
		return nil, insufficientBlocks()
	}
	var reserved, open []string
	for a := sp.cidr.Addr(); sp.cidr.Contains(a); {
		b := netip.PrefixFrom(a, 28)
		if sp.free(b) {
			if within(sp.kept, a) {
				reserved = append(reserved, b.String())
			} else {
				open = append(open, b.String())
			}
		}
		a = last(b).Next()
	}
	if all := append(reserved, open...); len(all) >= n {
		return all[:n], nil
	}
	return nil, insufficientBlocks()
}

func (sp *space) free(b netip.Prefix) bool {
	if slices.ContainsFunc(sp.blocks, b.Overlaps) {
		return false
	}
	for a := b.Addr(); b.Contains(a); a = a.Next() {
		if sp.taken[a] {
			return false
		}
	}
	return true
}

// uncounted is how many of the addresses were not available anyway, for they lay in a reservation.
func (sp *space) uncounted(blocks []string) int {
	n := 0
	for _, b := range blocks {
		if p, err := netip.ParsePrefix(b); err == nil && within(sp.kept, p.Addr()) {
			n += 16
		}
	}
	return n
}
