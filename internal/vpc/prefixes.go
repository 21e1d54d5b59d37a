package vpc

import (
	"encoding/binary"
	"net/netip"
)

// Prefixes estimates how many aligned /28 blocks of a subnet are free. EC2 tells nobody: this counts the blocks in
// which nothing visible sits.
type Prefixes struct {
	// Free is the most that can be free outside reservations. EC2 may keep some for itself, so that one or more is no
	// proof that a prefix will be granted.
	Free int
	// AtLeast is Free less one block for each address that is used but can't be seen. Where it equals Free the estimate is exact.
	AtLeast int
	// Reserved counts the free blocks inside reservations of type prefix; they serve prefixes only.
	Reserved int
	// Broken counts the blocks that have free addresses, but not sixteen.
	Broken int
}

// None reports that no /28 is free, for certain: what can't be seen can only take more.
func (p Prefixes) None() bool { return p.Free == 0 && p.Reserved == 0 }

// FreePrefixes estimates the free /28 blocks of a subnet from its ledger and from all interfaces and reservations that are visible.
func FreePrefixes(l Ledger, interfaces []NetworkInterface, reservations []Reservation) Prefixes {
	s := l.Subnet
	if !s.CIDR.Addr().Is4() || s.CIDR.Bits() > 28 {
		return Prefixes{}
	}
	base := number(s.CIDR.Masked().Addr())
	blocks := 1 << (28 - s.CIDR.Bits())
	used := make([]int, blocks)
	mark := func(a netip.Addr) {
		if s.CIDR.Contains(a) {
			used[(number(a)-base)/16]++
		}
	}
	used[0] += 4 // network, router, DNS, future use
	used[blocks-1]++
	for _, i := range interfaces {
		if i.Subnet != s.ID {
			continue
		}
		for a := range i.each() {
			mark(a)
		}
	}
	reserved := make([]bool, blocks)
	for _, r := range reservations {
		if r.Subnet != s.ID || !r.CIDR.Addr().Is4() {
			continue
		}
		for a := r.CIDR.Masked().Addr(); r.CIDR.Contains(a) && s.CIDR.Contains(a); a = a.Next() {
			if r.Kind == "prefix" {
				reserved[(number(a)-base)/16] = true
			} else {
				mark(a)
			}
		}
	}
	var p Prefixes
	for n, u := range used {
		switch {
		case u == 0 && reserved[n]:
			p.Reserved++
		case u == 0:
			p.Free++
		case u < 16 && !reserved[n]:
			p.Broken++
		}
	}
	p.Free = min(p.Free, l.Available/16)
	p.AtLeast = max(p.Free-max(l.Unaccounted, 0), 0)
	return p
}

// CleanPrefixes is the number of /28 blocks of an empty subnet: the first and the last hold addresses that AWS keeps.
func CleanPrefixes(cidr netip.Prefix) int {
	if !cidr.Addr().Is4() || cidr.Bits() > 28 {
		return 0
	}
	return max(1<<(28-cidr.Bits())-2, 0)
}

// FreeBlock finds the lowest block of the given size within a VPC that no subnet overlaps. ok is false where there is none.
func FreeBlock(v VPC, subnets []Subnet, bits int) (block netip.Prefix, ok bool) {
	for _, cidr := range v.CIDRs {
		if !cidr.Addr().Is4() || cidr.Bits() > bits {
			continue
		}
		base, step := number(cidr.Masked().Addr()), uint32(1)<<(32-bits)
		for n := uint32(0); n < 1<<(bits-cidr.Bits()); n++ {
			candidate := netip.PrefixFrom(address(base+n*step), bits)
			free := true
			for _, s := range subnets {
				free = free && !s.CIDR.Overlaps(candidate)
			}
			if free {
				return candidate, true
			}
		}
	}
	return netip.Prefix{}, false
}

func number(a netip.Addr) uint32 {
	b := a.As4()
	return binary.BigEndian.Uint32(b[:])
}

func address(n uint32) netip.Addr {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], n)
	return netip.AddrFrom4(b)
}
