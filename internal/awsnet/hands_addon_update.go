package awsnet

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awseks "github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"github.com/netdiag/netdiag/internal/eks"
	"github.com/netdiag/netdiag/internal/remedy"
)

// watch is how long Apply waits for an update of an add-on to end. A longer one goes on without it: whether it helped is
// seen by diagnosing again, and whether it failed by follow.
const watch = 10 * time.Second

// await follows an update for a while; only one that has failed is an error.
func (h addonHand) await(ctx context.Context, id string) error {
	until := time.NewTimer(watch)
	defer until.Stop()
	for {
		u, err := h.update(ctx, id)
		if err != nil {
			return nil // begun it is; how it ends shows in the diagnosis
		}
		switch u.Status {
		case types.UpdateStatusSuccessful:
			return nil
		case types.UpdateStatusFailed, types.UpdateStatusCancelled:
			return h.failed(ctx, id, u)
		}
		pause := time.NewTimer(h.c.poll)
		select {
		case <-pause.C:
		case <-until.C:
			return nil
		case <-ctx.Done():
			return nil
		}
	}
}

// failed says why an update failed, and refuses the change where the add-on still has the values that it had.
func (h addonHand) failed(ctx context.Context, id string, u *types.Update) error {
	err := fmt.Errorf("update %s is %s%s", id, u.Status, inParentheses(reasons(u)))
	if addon, readErr := h.c.addon(ctx, h.a.Cluster, h.a.Addon, h.c.cluster); readErr == nil && addon != nil && sameConfiguration(addon.Configuration, h.a.Was) {
		return refuse(h.what(), err)
	}
	return fmt.Errorf("%s: %w", h.what(), err)
}

func (h addonHand) update(ctx context.Context, id string) (*types.Update, error) {
	out, err := h.w.follows.DescribeUpdate(ctx, &awseks.DescribeUpdateInput{Name: aws.String(h.a.Cluster), AddonName: aws.String(h.a.Addon), UpdateId: aws.String(id)})
	if err != nil {
		return nil, fmt.Errorf("describe update %s of add-on %s of %s: %w", id, h.a.Addon, h.a.Cluster, err)
	}
	return out.Update, nil
}

// follow says what has become of an accepted update. The add-on is asked first, for the fix role need not be assumed to
// read that. id is empty where the update isn't known.
func (h addonHand) follow(ctx context.Context, id string) (remedy.Fate, error) {
	addon, err := h.c.addon(ctx, h.a.Cluster, h.a.Addon, h.c.cluster)
	if err != nil || addon == nil {
		return remedy.Fate{}, err
	}
	want, err := merge(h.a.Was, h.a.Set, h.a.Unset)
	if err != nil {
		return remedy.Fate{}, err
	}
	status := types.AddonStatus(addon.Status)
	switch {
	case status == types.AddonStatusUpdating:
		return remedy.Fate{Open: true}, nil
	case status == types.AddonStatusActive && sameConfiguration(addon.Configuration, want):
		return remedy.Fate{}, nil
	}
	which := "its update failed."
	if id != "" {
		u, err := h.update(ctx, id)
		switch {
		case err != nil && status != types.AddonStatusUpdateFailed:
			return remedy.Fate{}, err
		case err != nil: // what EKS says of the add-on is enough
		case u.Status == types.UpdateStatusFailed || u.Status == types.UpdateStatusCancelled:
			which = fmt.Sprintf("update %s is %s%s.", id, u.Status, inParentheses(reasons(u)))
		default:
			return remedy.Fate{Open: u.Status == types.UpdateStatusInProgress}, nil
		}
	} else if status != types.AddonStatusUpdateFailed {
		return remedy.Fate{}, nil
	}
	left := "others than before and than planned"
	switch {
	case sameConfiguration(addon.Configuration, want):
		left = "those of the change"
	case sameConfiguration(addon.Configuration, h.a.Was):
		left = "those from before the change"
	}
	return remedy.Fate{Failed: fmt.Sprintf("%s Add-on %s is %s%s; its settings are %s.", which, h.a.Addon, addon.Status, inParentheses(issues(addon)), left)}, nil
}

func reasons(u *types.Update) []string {
	var out []string
	for _, e := range u.Errors {
		out = append(out, string(e.ErrorCode)+": "+aws.ToString(e.ErrorMessage))
	}
	return out
}

func issues(addon *eks.Addon) []string {
	var out []string
	for _, i := range addon.Issues {
		out = append(out, i.Code+": "+i.Message)
	}
	return out
}

func inParentheses(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return " (" + strings.Join(list, "; ") + ")"
}
