package aws

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
)

// createInterface makes a network interface in a subnet.
func createInterface(s *Server, c *call) (object, error) {
	sp, err := s.spaceOf(c.str("SubnetId"))
	if err != nil {
		return nil, err
	}
	var groups []any
	for _, id := range c.strs("SecurityGroupId") {
		g, err := describes["DescribeSecurityGroups"].one(s, id)
		if err != nil {
			return nil, err
		}
		groups = append(groups, object{"GroupId": id, "GroupName": g["GroupName"]})
	}
	var addresses []string
	if primary := c.str("PrivateIpAddress"); primary != "" {
		addresses, err = []string{primary}, sp.claim([]string{primary})
	}
	if err == nil {
		var more []string
		more, err = sp.pick(1 - len(addresses) + c.number("SecondaryPrivateIpAddressCount", 0))
		addresses = append(addresses, more...)
	}
	var prefixes []string
	if err == nil {
		prefixes, err = sp.pickBlocks(c.number("Ipv4PrefixCount", 0))
	}
	if err != nil {
		return nil, err
	}
	if c.flag("DryRun") {
		return nil, dryRun()
	}
	eni := object{
		"NetworkInterfaceId": s.newID("eni-"), "SubnetId": sp.subnet["SubnetId"], "VpcId": sp.subnet["VpcId"],
		"AvailabilityZone": sp.subnet["AvailabilityZone"], "OwnerId": s.world.Meta.Account, "Status": "available",
		"InterfaceType": cmp.Or(c.str("InterfaceType"), "interface"), "MacAddress": fmt.Sprintf("06:00:00:%02x:%02x:%02x", s.serial>>16&255, s.serial>>8&255, s.serial&255),
		"SourceDestCheck": true, "Description": c.str("Description"), "Groups": groups, "RequesterManaged": false, "Ipv6Addresses": []any{},
		"PrivateIpAddress": addresses[0], "PrivateDnsName": s.dnsName(addresses[0]), "TagSet": newTags(c, "network-interface"),
		"PrivateIpAddresses": []any{object{"PrivateIpAddress": addresses[0], "Primary": true, "PrivateDnsName": s.dnsName(addresses[0])}},
	}
	s.give(eni, addresses[1:], prefixes)
	s.add("ec2", "NetworkInterfaces", eni)
	sp.use(len(addresses) + 16*len(prefixes) - sp.uncounted(prefixes))
	return object{"NetworkInterface": eni}, nil
}

// attachInterface attaches an interface to an instance, where its type has room for one more.
func attachInterface(s *Server, c *call) (object, error) {
	eni, err := describes["DescribeNetworkInterfaces"].one(s, c.str("NetworkInterfaceId"))
	if err != nil {
		return nil, err
	}
	instance, err := instances.one(s, c.str("InstanceId"))
	if err != nil {
		return nil, err
	}
	device, card := c.number("DeviceIndex", -1), c.number("NetworkCardIndex", 0)
	if err := s.attachable(eni, instance, device, card); err != nil {
		return nil, err
	}
	if c.flag("DryRun") {
		return nil, dryRun()
	}
	id := s.newID("eni-attach-")
	eni["Status"] = "in-use"
	eni["Attachment"] = object{
		"AttachmentId": id, "InstanceId": instance["InstanceId"], "InstanceOwnerId": s.world.Meta.Account, "DeviceIndex": device,
		"NetworkCardIndex": card, "Status": "attached", "DeleteOnTermination": false, "AttachTime": text(s.now()),
	}
	delete(instance, "NetworkInterfaces") // no longer what was recorded: made from the interfaces from now on
	return object{"AttachmentId": id, "NetworkCardIndex": card}, nil
}

func (s *Server) attachable(eni, instance object, device, card int) error {
	if at(eni, "Attachment") != nil {
		return &apiError{Code: "InvalidNetworkInterface.InUse", Message: fmt.Sprintf("Interface: [%s] in use.", text(eni["NetworkInterfaceId"]))}
	}
	if zone := text(at(instance, "Placement")["AvailabilityZone"]); zone != text(eni["AvailabilityZone"]) {
		return &apiError{Code: "InvalidParameterCombination", Message: "You may not attach a network interface to an instance in another availability zone"}
	}
	id := text(instance["InstanceId"])
	attached := keep(objects(s.lists["ec2"]["NetworkInterfaces"]), func(o object) bool {
		return text(at(o, "Attachment")["InstanceId"]) == id && integer(at(o, "Attachment")["NetworkCardIndex"]) == card
	})
	if device < 0 || slices.ContainsFunc(attached, func(o object) bool { return integer(at(o, "Attachment")["DeviceIndex"]) == device }) {
		return invalid("Instance '%s' already has an interface attached at device index '%s'.", id, strconv.Itoa(device))
	}
	kind := text(instance["InstanceType"])
	info := at(s.find("ec2", "InstanceTypes", "InstanceType", kind), "NetworkInfo")
	limit := integer(info["MaximumNetworkInterfaces"])
	for _, n := range objects(info["NetworkCards"]) {
		if integer(n["NetworkCardIndex"]) == card {
			limit = integer(n["MaximumNetworkInterfaces"])
		}
	}
	if limit > 0 && len(attached) >= limit {
		return &apiError{Code: "AttachmentLimitExceeded", Message: fmt.Sprintf("Interface count %d exceeds the limit for %s", len(attached)+1, kind)}
	}
	return nil
}

// detachInterface detaches an interface that isn't the instance's first.
func detachInterface(s *Server, c *call) (object, error) {
	items, err := s.list("ec2", "NetworkInterfaces")
	if err != nil {
		return nil, err
	}
	id := c.str("AttachmentId")
	i := slices.IndexFunc(items, func(o object) bool { return id != "" && text(at(o, "Attachment")["AttachmentId"]) == id })
	if i < 0 {
		return nil, &apiError{Code: "InvalidAttachmentID.NotFound", Message: fmt.Sprintf("The interface attachment '%s' does not exist", id)}
	}
	a := at(items[i], "Attachment")
	switch {
	case text(items[i]["RequesterManaged"]) == "true":
		return nil, &apiError{Code: "OperationNotPermitted", Message: fmt.Sprintf("You are not allowed to manage '%s' attachments.", text(items[i]["InterfaceType"]))}
	case integer(a["DeviceIndex"]) == 0:
		return nil, &apiError{Code: "OperationNotPermitted", Message: "The network interface at device index 0 cannot be detached."}
	case c.flag("DryRun"):
		return nil, dryRun()
	}
	if instance := s.find("ec2", "Instances", "InstanceId", text(a["InstanceId"])); instance != nil {
		delete(instance, "NetworkInterfaces")
	}
	delete(items[i], "Attachment")
	items[i]["Status"] = "available"
	return done(), nil
}

// deleteInterface deletes a detached interface; its addresses are available again.
func deleteInterface(s *Server, c *call) (object, error) {
	eni, err := describes["DescribeNetworkInterfaces"].one(s, c.str("NetworkInterfaceId"))
	if err != nil {
		return nil, err
	}
	id := text(eni["NetworkInterfaceId"])
	if text(eni["Status"]) != "available" {
		return nil, invalid("Network interface '%s' is currently in use.", id)
	}
	sp, err := s.spaceOf(text(eni["SubnetId"]))
	if err != nil {
		return nil, err
	}
	if c.flag("DryRun") {
		return nil, dryRun()
	}
	prefixes := values(eni, "Ipv4Prefixes", "Ipv4Prefix")
	s.remove("ec2", "NetworkInterfaces", func(o object) bool { return text(o["NetworkInterfaceId"]) == id })
	sp.use(-len(objects(eni["PrivateIpAddresses"])) - 16*len(prefixes) + sp.uncounted(prefixes))
	return done(), nil
}
