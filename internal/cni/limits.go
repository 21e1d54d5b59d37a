package cni

import "strings"

// Limits is what an instance type can carry on its default network card.
type Limits struct {
	Interfaces int  // network interfaces
	Addresses  int  // IPv4 addresses of one interface, the primary one included
	VCPUs      int  // 0 where unknown: then counted as less than 30
	Nitro      bool // hypervisor nitro or bare metal: prefix delegation works
}

// perInterface is the number of pod addresses of one full interface.
func (l Limits) perInterface(s Settings) int {
	per := max(l.Addresses-1, 0)
	if s.PrefixDelegation && l.Nitro {
		per *= PrefixSize
	}
	return per
}

// MaxPods is the kubelet's default limit of pods for a type: interfaces × (addresses − 1) + 2; with prefix delegation 16
// times as many, but no more than 110 (250 from 30 vCPUs on); with custom networking the primary interface doesn't count.
func MaxPods(l Limits, s Settings) int {
	n := l.Interfaces
	if s.CustomNetworking {
		n--
	}
	most := max(n, 0)*l.perInterface(s) + 2
	if s.PrefixDelegation && l.Nitro {
		limit := 110
		if l.VCPUs >= 30 {
			limit = 250
		}
		most = min(most, limit)
	}
	return most
}

// LimitsOf knows the limits of common instance types (pkg/vpc/vpc_ip_resource_limit.go), for where
// ec2:DescribeInstanceTypes can't be asked.
func LimitsOf(instanceType string) (Limits, bool) {
	if l, ok := oddTypes()[instanceType]; ok {
		return l, true
	}
	family, size, _ := strings.Cut(instanceType, ".")
	if !strings.Contains(" m5 m5a m5d m6a m6i m6g m6gd m7a m7g m7i m8g c5 c5d c6a c6i c6g c7a c7g c7i c8g r5 r5a r5d r6a r6i r6g r7a r7g r7i r8g ", " "+family+" ") {
		return Limits{}, false
	}
	l, ok := map[string]Limits{
		"large":    {3, 10, 2, true},
		"xlarge":   {4, 15, 4, true},
		"2xlarge":  {4, 15, 8, true},
		"4xlarge":  {8, 30, 16, true},
		"8xlarge":  {8, 30, 32, true},
		"12xlarge": {8, 30, 48, true},
		"16xlarge": {15, 50, 64, true},
	}[size]
	return l, ok
}

// oddTypes are types that don't follow the sizes of the m5 family.
func oddTypes() map[string]Limits {
	return map[string]Limits{
		"t2.medium":   {3, 6, 2, false},
		"t3.micro":    {2, 2, 2, true},
		"t3.small":    {3, 4, 2, true},
		"t3.medium":   {3, 6, 2, true},
		"t3.large":    {3, 12, 2, true},
		"t3.xlarge":   {4, 15, 4, true},
		"t3.2xlarge":  {4, 15, 8, true},
		"t3a.xlarge":  {4, 15, 4, true},
		"t3a.2xlarge": {4, 15, 8, true},
		"t4g.medium":  {3, 6, 2, true},
		"t4g.large":   {3, 12, 2, true},
		"t4g.xlarge":  {4, 15, 4, true},
		"m6g.medium":  {2, 4, 1, true},
		"m7g.medium":  {2, 4, 1, true},
		"m4.large":    {2, 10, 2, false},
		"m4.xlarge":   {4, 15, 4, false},
		"m4.4xlarge":  {8, 30, 16, false},
		"i4i.large":   {3, 10, 2, true},
		"g4dn.xlarge": {3, 10, 4, true},
		"g5.xlarge":   {4, 15, 4, true},
		"g6.xlarge":   {4, 15, 4, true},
		"c5.9xlarge":  {8, 30, 36, true},
		"c5.18xlarge": {15, 50, 72, true},
		"m5.24xlarge": {15, 50, 96, true},
		"m5.metal":    {15, 50, 96, true},
		"p5.48xlarge": {2, 50, 192, true},
	}
}
