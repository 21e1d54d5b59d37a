package nature

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/smithy-go"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/netdiag/netdiag/internal/vpc"
)

// serve does what the CNI of a node does in one turn: it gives free addresses to the pods that wait, and asks EC2 for
// more or gives back what is too much, one step at a time.
func (a *agents) serve(ctx context.Context, s *scene, available map[string]int) error {
	ag := s.agent
	for _, p := range s.waiting {
		addr, ok := s.pool.take()
		if !ok {
			break
		}
		a.leased[p.UID] = addr
		if err := a.c.started(ctx, p.Namespace, p.Name, addr.String(), a.n.o.Now()); err != nil {
			delete(a.leased, p.UID)
			if apierrors.IsNotFound(err) { // it was deleted meanwhile
				continue
			}
			return err
		}
		a.n.say("kubelet %s: pod %s/%s runs with %s", ag.name, p.Namespace, p.Name, addr)
		if err := a.c.counted(ctx, p, 1, a.n.o.Now()); err != nil {
			return err
		}
	}
	if s.frozen {
		return nil
	}
	if g := s.pool.grow(available); g != nil {
		if ag.wait > 0 {
			return nil
		}
		err := a.extend(ctx, s, g)
		if noRoom(err) {
			ag.wait = backOff
			a.n.say("ipamd %s: subnet %s has no room: %v", ag.name, g.subnet, err)
			return nil
		}
		if err == nil {
			available[g.subnet] -= g.footprint()
		}
		return err
	}
	list := s.pool.releases()
	if len(list) == 0 {
		ag.settled = s.pool.rests()
		return nil
	}
	if ag.release > 0 || ag.setting.text == ag.began.text { // with the same settings it holds what it held when Run began
		return nil
	}
	ag.release = decreaseLoop
	return a.giveBack(ctx, s, list)
}

// extend carries out a growth.
func (a *agents) extend(ctx context.Context, s *scene, g *growth) error {
	if g.eni == "" {
		return a.attach(ctx, s, g)
	}
	in := &ec2.AssignPrivateIpAddressesInput{NetworkInterfaceId: aws.String(g.eni)}
	if g.prefixes > 0 {
		in.Ipv4PrefixCount = aws.Int32(int32(g.prefixes))
	} else {
		in.SecondaryPrivateIpAddressCount = aws.Int32(int32(g.count))
	}
	if _, err := a.c.ec2.AssignPrivateIpAddresses(ctx, in); err != nil {
		return fmt.Errorf("assign private IP addresses to %s: %w", g.eni, err)
	}
	a.n.say("ipamd %s: %d addresses and %d prefixes more on %s", s.agent.name, g.count, g.prefixes, g.eni)
	return nil
}

// attach makes a further interface, tagged as the CNI does. One that can't be attached is deleted again.
func (a *agents) attach(ctx context.Context, s *scene, g *growth) error {
	ag := s.agent
	in := &ec2.CreateNetworkInterfaceInput{
		SubnetId: aws.String(g.subnet), Groups: s.pool.model().Groups, Description: aws.String("aws-K8S-" + ag.instance),
		TagSpecifications: []types.TagSpecification{{ResourceType: types.ResourceTypeNetworkInterface, Tags: []types.Tag{
			{Key: aws.String("cluster.k8s.amazonaws.com/name"), Value: aws.String(a.n.o.Cluster)},
			{Key: aws.String("node.k8s.amazonaws.com/instance_id"), Value: aws.String(ag.instance)},
			{Key: aws.String("node.k8s.amazonaws.com/createdAt"), Value: aws.String(a.n.o.Now().UTC().Format(time.RFC3339))},
		}}},
	}
	if g.prefixes > 0 {
		in.Ipv4PrefixCount = aws.Int32(int32(g.prefixes))
	} else {
		in.SecondaryPrivateIpAddressCount = aws.Int32(int32(g.count))
	}
	out, err := a.c.ec2.CreateNetworkInterface(ctx, in)
	if err != nil {
		return fmt.Errorf("create network interface in %s: %w", g.subnet, err)
	}
	id := aws.ToString(out.NetworkInterface.NetworkInterfaceId)
	device := 0
	for _, m := range s.pool.members {
		device = max(device, m.eni.Device)
	}
	_, err = a.c.ec2.AttachNetworkInterface(ctx, &ec2.AttachNetworkInterfaceInput{
		NetworkInterfaceId: aws.String(id), InstanceId: aws.String(ag.instance), DeviceIndex: aws.Int32(int32(device + 1 + s.pool.taken)),
	})
	if err != nil {
		err = fmt.Errorf("attach network interface %s to %s: %w", id, ag.instance, err)
		if _, cleanup := a.c.ec2.DeleteNetworkInterface(ctx, &ec2.DeleteNetworkInterfaceInput{NetworkInterfaceId: aws.String(id)}); cleanup != nil {
			err = errors.Join(err, fmt.Errorf("delete network interface %s: %w", id, cleanup))
		}
		return err
	}
	a.n.say("ipamd %s: interface %s attached with %d addresses and %d prefixes", ag.name, id, g.count, g.prefixes)
	return nil
}

// giveBack carries out releases; of interfaces, one at a time.
func (a *agents) giveBack(ctx context.Context, s *scene, list []release) error {
	deleted := false
	for _, r := range list {
		if r.deleted {
			if deleted {
				continue
			}
			deleted = true
			if err := a.detach(ctx, r.eni); err != nil {
				return err
			}
			a.n.say("ipamd %s: interface %s deleted with %d addresses", s.agent.name, r.eni.ID, r.eni.Held())
			continue
		}
		in := &ec2.UnassignPrivateIpAddressesInput{NetworkInterfaceId: aws.String(r.eni.ID), PrivateIpAddresses: texts(r.addresses), Ipv4Prefixes: texts(r.prefixes)}
		if _, err := a.c.ec2.UnassignPrivateIpAddresses(ctx, in); err != nil {
			return fmt.Errorf("unassign private IP addresses of %s: %w", r.eni.ID, err)
		}
		a.n.say("ipamd %s: %d addresses and %d prefixes of %s given back", s.agent.name, len(r.addresses), len(r.prefixes), r.eni.ID)
	}
	return nil
}

func (a *agents) detach(ctx context.Context, eni vpc.NetworkInterface) error {
	out, err := a.c.ec2.DescribeNetworkInterfaces(ctx, &ec2.DescribeNetworkInterfacesInput{NetworkInterfaceIds: []string{eni.ID}})
	if err != nil {
		return fmt.Errorf("describe network interface %s: %w", eni.ID, err)
	}
	for _, e := range out.NetworkInterfaces {
		if e.Attachment == nil {
			continue
		}
		id := e.Attachment.AttachmentId
		if _, err := a.c.ec2.DetachNetworkInterface(ctx, &ec2.DetachNetworkInterfaceInput{AttachmentId: id}); err != nil {
			return fmt.Errorf("detach network interface %s: %w", eni.ID, err)
		}
	}
	if _, err := a.c.ec2.DeleteNetworkInterface(ctx, &ec2.DeleteNetworkInterfaceInput{NetworkInterfaceId: aws.String(eni.ID)}); err != nil {
		return fmt.Errorf("delete network interface %s: %w", eni.ID, err)
	}
	return nil
}

func texts[T netip.Addr | netip.Prefix](in []T) []string {
	var out []string
	for _, v := range in {
		out = append(out, fmt.Sprint(v))
	}
	return out
}

// noRoom reports that EC2 had no addresses, or no whole prefix, to give.
func noRoom(err error) bool {
	switch code(err) {
	case "InsufficientFreeAddressesInSubnet", "InsufficientCidrBlocks", "PrivateIpAddressLimitExceeded":
		return true
	}
	return false
}

// code is the error code of AWS; empty where the error is none of AWS.
func code(err error) string {
	if e, ok := errors.AsType[smithy.APIError](err); ok {
		return e.ErrorCode()
	}
	return ""
}
