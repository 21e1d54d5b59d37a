package awsnet

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/remedy"
	"github.com/netdiag/netdiag/internal/vpc"
)

// interfacesHand deletes network interfaces that nobody needs any more. Since nothing brings one back, all that proves it
// is read again each time, and once more for each interface right before it is deleted.
type interfacesHand struct {
	c *Client
	w writer
	a remedy.DeleteInterfaces
}

func (h interfacesHand) what() string {
	return fmt.Sprintf("delete %d interfaces of %s", len(h.a.Interfaces), h.a.Cluster)
}

// found is how interfaces are now: gone, leaked, or kept since somebody may need them.
type found struct {
	leaked []string
	gone   []string // for people
	kept   []string // for people, with the reason
}

// find reads interfaces and the instances that they were made for.
func (h interfacesHand) find(ctx context.Context, ids ...string) (found, error) {
	r, out := h.c.Reader(), found{}
	list, err := r.Interfaces(ctx, diagnostics.InterfaceQuery{IDs: ids})
	if err != nil {
		return out, err
	}
	have, t := map[string]vpc.NetworkInterface{}, vpc.Tenancy{Cluster: h.a.Cluster, States: map[string]string{}, Now: h.c.now()}
	var made []string
	for _, n := range list {
		have[n.ID] = n
		if instance := n.Tags["node.k8s.amazonaws.com/instance_id"]; instance != "" {
			made = append(made, instance)
			t.States[instance] = "gone"
		}
	}
	instances, err := r.Instances(ctx, made...)
	if err != nil {
		return out, err
	}
	for _, i := range instances {
		t.States[i.ID] = i.State
	}
	for _, id := range ids {
		n, there := have[id]
		switch why := t.Needed(n); {
		case !there:
			out.gone = append(out.gone, "interface "+id+" is gone")
		case why != "":
			out.kept = append(out.kept, "interface "+id+" is kept: "+why)
		default:
			out.leaked = append(out.leaked, id)
		}
	}
	return out, nil
}

// did is what is to be told of the whole.
func (f found) did() []string {
	if len(f.gone) == 0 {
		return nil
	}
	return append(f.gone, f.kept...)
}

// refusal says of what is kept that nothing was done.
func (h interfacesHand) refusal(f found) error {
	return refuse(h.what(), fmt.Errorf("%s", strings.Join(f.kept, "; ")))
}

func (h interfacesHand) dryRun(ctx context.Context, _ remedy.Mark) error {
	f, err := h.find(ctx, h.a.Interfaces...)
	if err != nil {
		return err
	}
	if len(f.kept) > 0 {
		return h.refusal(f)
	}
	return h.try(ctx, f.leaked)
}

// try asks EC2 whether it would delete these, without effect.
func (h interfacesHand) try(ctx context.Context, ids []string) error {
	for _, id := range ids {
		if err := h.delete(ctx, id, true); err != nil {
			return unchanged("delete interface "+id, "ec2:DeleteNetworkInterface", id, err)
		}
	}
	return nil
}

// delete deletes one; one that is gone is deleted.
func (h interfacesHand) delete(ctx context.Context, id string, dry bool) error {
	_, err := h.w.ec2.DeleteNetworkInterface(ctx, &ec2.DeleteNetworkInterfaceInput{NetworkInterfaceId: aws.String(id), DryRun: aws.Bool(dry)})
	if c := classify(err); err == nil || c == absent || dry && c == wouldSucceed {
		return nil
	}
	return err
}

// look takes the change for made where none is left that could be deleted. EC2 keeps no mark of who deleted an interface:
// one that is gone is taken for ours.
func (h interfacesHand) look(ctx context.Context, _ remedy.Mark) (bool, remedy.Receipt, error) {
	f, err := h.find(ctx, h.a.Interfaces...)
	if err != nil {
		return false, remedy.Receipt{}, err
	}
	return len(f.leaked) == 0 && len(f.gone) > 0, remedy.Receipt{Did: f.did(), Owned: len(f.gone) > 0}, nil
}

// apply tries all before it deletes the first. What turns up only then, such as an interface that has been attached, is
// left alone and told.
func (h interfacesHand) apply(ctx context.Context, _ remedy.Mark) (remedy.Receipt, error) {
	f, err := h.find(ctx, h.a.Interfaces...)
	if err != nil {
		return remedy.Receipt{}, err
	}
	begun := len(f.gone) > 0 // perhaps by an earlier try
	if len(f.kept) > 0 && !begun {
		return remedy.Receipt{}, h.refusal(f)
	}
	if err := h.try(ctx, f.leaked); err != nil {
		return remedy.Receipt{}, certainly(!begun, err)
	}
	for _, id := range f.leaked {
		now, err := h.find(ctx, id)
		if err != nil {
			return remedy.Receipt{}, err
		}
		f.gone, f.kept = append(f.gone, now.gone...), append(f.kept, now.kept...)
		if len(now.leaked) == 0 {
			continue
		}
		if err := h.delete(ctx, id, false); err != nil {
			return remedy.Receipt{}, certainly(!begun, unchanged("delete interface "+id, "ec2:DeleteNetworkInterface", id, err))
		}
		begun = true
		f.gone = append(f.gone, "interface "+id+" is gone")
	}
	if len(f.gone) == 0 {
		return remedy.Receipt{}, h.refusal(f)
	}
	return remedy.Receipt{Did: f.did(), Owned: true}, nil
}

// certainly keeps an error from saying that nothing was changed where something may have been.
func certainly(untouched bool, err error) error {
	if untouched {
		return err
	}
	return fmt.Errorf("after a part of it was done: %s", err.Error())
}
