package awsnet

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	awseks "github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/eks"
	"github.com/netdiag/netdiag/internal/remedy"
)

// addonHand sets environment variables of an EKS add-on.
type addonHand struct {
	c *Client
	w writer
	a remedy.AddonConfig
}

func (h addonHand) what() string { return "configure add-on " + h.a.Addon + " of " + h.a.Cluster }

// plan reads the add-on and says what it has to become. already is true where it has become that. An add-on that has
// drifted is given with the error.
func (h addonHand) plan(ctx context.Context) (addon *eks.Addon, want string, already bool, err error) {
	addon, err = h.c.addon(ctx, h.a.Cluster, h.a.Addon, h.c.cluster)
	if err != nil {
		return nil, "", false, err
	}
	target := "add-on " + h.a.Addon + " of " + h.a.Cluster
	if addon == nil {
		return nil, "", false, refuse(h.what(), fmt.Errorf("it is not installed"))
	}
	want, err = merge(h.a.Was, h.a.Set, h.a.Unset)
	if err != nil {
		return addon, "", false, refuse(h.what(), err)
	}
	for _, f := range []struct{ name, was, is string }{{"version", h.a.Version, addon.Version}, {"role", h.a.RoleARN, addon.RoleARN}} {
		if f.was != f.is {
			return addon, "", false, refuse(h.what(), &Drifted{Target: f.name + " of " + target, Was: f.was, Is: f.is})
		}
	}
	switch {
	case sameConfiguration(addon.Configuration, want):
		return addon, want, true, nil
	case sameConfiguration(addon.Configuration, h.a.Was):
		return addon, want, false, nil
	}
	return addon, "", false, refuse(h.what(), &Drifted{Target: "configuration of " + target, Was: h.a.Was, Is: addon.Configuration})
}

// dryRun checks the present state of the add-on, and the new values against the schema of its version where that can be read.
func (h addonHand) dryRun(ctx context.Context, _ remedy.Mark) error {
	addon, want, already, err := h.plan(ctx)
	if busy := h.busy(addon); busy != nil { // first: what an update has not finished yet is no drift
		return busy
	}
	if err != nil || already {
		return err
	}
	if err := h.valid(ctx, want); err != nil {
		return err
	}
	return h.permitted(ctx, addon)
}

// busy refuses a change of an add-on that EKS would not take now.
func (h addonHand) busy(addon *eks.Addon) error {
	if addon == nil {
		return nil
	}
	switch types.AddonStatus(addon.Status) {
	case types.AddonStatusActive, types.AddonStatusDegraded, types.AddonStatusUpdateFailed:
		return nil
	case types.AddonStatusUpdating:
		since := ""
		if !addon.Modified.IsZero() {
			since = " since " + addon.Modified.UTC().Format("2 January 15:04:05 UTC")
		}
		return refuse(h.what(), fmt.Errorf("the add-on is being updated%s; try again when that is over", since))
	}
	return refuse(h.what(), fmt.Errorf("it is %s", addon.Status))
}

// resource names the add-on where a permission is missing on it.
func (h addonHand) resource() string { return "addon/" + h.a.Cluster + "/" + h.a.Addon }

func (h addonHand) valid(ctx context.Context, want string) error {
	schema, err := addonSchema(ctx, h.w.follows, h.a.Addon, h.a.Version)
	var unread *diagnostics.ReadError
	if errors.As(err, &unread) && unread.Reason != diagnostics.Throttled && unread.Reason != diagnostics.Timeout {
		return nil // EKS checks it too
	}
	if err != nil {
		return err
	}
	if err := conforms(schema, want); err != nil {
		return refuse(h.what(), err)
	}
	return nil
}

func (h addonHand) look(ctx context.Context, _ remedy.Mark) (bool, remedy.Receipt, error) {
	addon, want, already, err := h.plan(ctx)
	switch {
	case err != nil:
		return false, remedy.Receipt{}, err
	case !already || addon.Status == string(types.AddonStatusUpdating):
		return false, remedy.Receipt{}, nil
	case addon.Status == string(types.AddonStatusUpdateFailed): // another update may still carry them out
		r := h.receipt("", want)
		r.Did = []string{fmt.Sprintf("the values are set, and the add-on is %s%s", addon.Status, inParentheses(issues(addon)))}
		return false, r, nil
	}
	return true, h.receipt("", want), nil
}

// receipt says how the change is undone. EKS keeps no mark of who made an update: what is exactly as planned, out of
// exactly what was, is taken for ours.
func (h addonHand) receipt(update, want string) remedy.Receipt {
	if sameConfiguration(h.a.Was, want) {
		return remedy.Receipt{ID: update}
	}
	undo := remedy.AddonConfig{Cluster: h.a.Cluster, Addon: h.a.Addon, Version: h.a.Version, RoleARN: h.a.RoleARN, Set: map[string]string{}, Was: want}
	env := environment(h.a.Was)
	for _, name := range slices.Concat(keysOf(h.a.Set), h.a.Unset) {
		if v, ok := env[name]; ok {
			undo.Set[name] = v
		} else {
			undo.Unset = append(undo.Unset, name)
		}
	}
	slices.Sort(undo.Unset)
	return remedy.Receipt{ID: update, Owned: true, Undo: &remedy.Action{AddonConfig: &undo}}
}

func (h addonHand) apply(ctx context.Context, m remedy.Mark) (remedy.Receipt, error) {
	addon, want, already, err := h.plan(ctx)
	if err != nil {
		return remedy.Receipt{}, err
	}
	if already && addon.Status != string(types.AddonStatusUpdating) && addon.Status != string(types.AddonStatusUpdateFailed) {
		_, r, err := h.look(ctx, m)
		return r, err
	}
	in := &awseks.UpdateAddonInput{
		ClusterName: aws.String(h.a.Cluster), AddonName: aws.String(h.a.Addon), AddonVersion: aws.String(h.a.Version),
		ConfigurationValues: aws.String(want), ResolveConflicts: types.ResolveConflictsOverwrite, ClientRequestToken: aws.String(h.token(m)),
	}
	if h.a.RoleARN != "" { // left out, the add-on would fall back on the role of the node
		in.ServiceAccountRoleArn = aws.String(h.a.RoleARN)
	}
	out, err := h.w.eks.UpdateAddon(ctx, in)
	if err != nil {
		return remedy.Receipt{}, unchanged(h.what(), "eks:UpdateAddon", h.resource(), err)
	}
	id := aws.ToString(out.Update.Id)
	if err := h.await(ctx, id); err != nil {
		return remedy.Receipt{}, err
	}
	return h.receipt(id, want), nil
}

// token makes a repeat of the call the same update, whoever repeats it.
func (h addonHand) token(m remedy.Mark) string {
	a := h.a
	sum := sha256.Sum256([]byte(m.Remediation + "\x00" + remedy.Action{AddonConfig: &a}.Hash()))
	return hex.EncodeToString(sum[:])
}
