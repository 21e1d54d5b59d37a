package aws

import (
	"slices"
	"strings"
)

// held finds the interface that a call names, and the addresses of its subnet.
func (s *Server) held(c *call) (object, *space, error) {
	eni, err := describes["DescribeNetworkInterfaces"].one(s, c.str("NetworkInterfaceId"))
	if err != nil {
		return nil, nil, err
	}
	sp, err := s.spaceOf(text(eni["SubnetId"]))
	return eni, sp, err
}

// assignAddresses gives an interface more addresses or prefixes.
func assignAddresses(s *Server, c *call) (object, error) {
	eni, sp, err := s.held(c)
	if err != nil {
		return nil, err
	}
	addresses, count := c.strs("PrivateIpAddress"), c.number("SecondaryPrivateIpAddressCount", 0)
	blocks := c.number("Ipv4PrefixCount", 0)
	if len(addresses) == 0 && count == 0 && blocks == 0 {
		return nil, missing("privateIpAddress, secondaryPrivateIpAddressCount or ipv4PrefixCount")
	}
	if err := s.slots(eni, len(addresses)+count+blocks); err != nil {
		return nil, err
	}
	if len(addresses) > 0 {
		err = sp.claim(addresses)
	} else if count > 0 {
		addresses, err = sp.pick(count)
	}
	var prefixes []string
	if err == nil && blocks > 0 {
		prefixes, err = sp.pickBlocks(blocks)
	}
	if err != nil {
		return nil, err
	}
	if c.flag("DryRun") {
		return nil, dryRun()
	}
	s.give(eni, addresses, prefixes)
	sp.use(len(addresses) + 16*len(prefixes) - sp.uncounted(prefixes))
	out := object{"Return": true, "NetworkInterfaceId": eni["NetworkInterfaceId"]}
	out["AssignedPrivateIpAddresses"] = wrap("PrivateIpAddress", addresses)
	out["AssignedIpv4Prefixes"] = wrap("Ipv4Prefix", prefixes)
	return out, nil
}

// wrap makes a list of structures with one member.
func wrap(member string, vs []string) []any {
	out := []any{}
	for _, v := range vs {
		out = append(out, object{member: v})
	}
	return out
}

// slots refuses more addresses than the type of the instance has room for; a prefix takes one slot.
func (s *Server) slots(eni object, more int) error {
	instance := s.find("ec2", "Instances", "InstanceId", text(at(eni, "Attachment")["InstanceId"]))
	kind := s.find("ec2", "InstanceTypes", "InstanceType", text(instance["InstanceType"]))
	limit := integer(at(kind, "NetworkInfo")["Ipv4AddressesPerInterface"])
	if limit > 0 && len(objects(eni["PrivateIpAddresses"]))+len(objects(eni["Ipv4Prefixes"]))+more > limit {
		return &apiError{Code: "PrivateIpAddressLimitExceeded", Message: "Number of private addresses will exceed limit."}
	}
	return nil
}

// give adds secondary addresses and prefixes to an interface.
func (s *Server) give(eni object, addresses, prefixes []string) {
	l, _ := eni["PrivateIpAddresses"].([]any)
	for _, ip := range addresses {
		l = append(slices.Clip(l), object{"PrivateIpAddress": ip, "Primary": false, "PrivateDnsName": s.dnsName(ip)})
	}
	eni["PrivateIpAddresses"] = l
	if len(prefixes) > 0 {
		have, _ := eni["Ipv4Prefixes"].([]any)
		eni["Ipv4Prefixes"] = append(slices.Clip(have), wrap("Ipv4Prefix", prefixes)...)
	}
}

func (s *Server) dnsName(ip string) string {
	return "ip-" + strings.ReplaceAll(ip, ".", "-") + "." + s.world.Meta.Region + ".compute.internal"
}

// unassignAddresses takes secondary addresses and prefixes back.
func unassignAddresses(s *Server, c *call) (object, error) {
	eni, sp, err := s.held(c)
	if err != nil {
		return nil, err
	}
	addresses, prefixes := c.strs("PrivateIpAddress"), c.strs("Ipv4Prefix")
	for _, ip := range addresses {
		if ip == text(eni["PrivateIpAddress"]) || !slices.Contains(values(eni, "PrivateIpAddresses", "PrivateIpAddress"), ip) {
			return nil, invalid("Some of the specified addresses are not assigned to interface %s", text(eni["NetworkInterfaceId"]))
		}
	}
	for _, p := range prefixes {
		if !slices.Contains(values(eni, "Ipv4Prefixes", "Ipv4Prefix"), p) {
			return nil, invalid("Some of the specified prefixes are not assigned to interface %s", text(eni["NetworkInterfaceId"]))
		}
	}
	if len(addresses)+len(prefixes) == 0 {
		return nil, missing("privateIpAddress or ipv4Prefix")
	}
	if c.flag("DryRun") {
		return nil, dryRun()
	}
	eni["PrivateIpAddresses"] = anys(keep(objects(eni["PrivateIpAddresses"]), func(o object) bool { return !slices.Contains(addresses, text(o["PrivateIpAddress"])) }))
	if len(prefixes) > 0 {
		eni["Ipv4Prefixes"] = anys(keep(objects(eni["Ipv4Prefixes"]), func(o object) bool { return !slices.Contains(prefixes, text(o["Ipv4Prefix"])) }))
	}
	sp.use(-len(addresses) - 16*len(prefixes) + sp.uncounted(prefixes))
	return done(), nil
}
