package awsnet_test

import (
	"context"
	"strings"
	"testing"

	"github.com/netdiag/netdiag/internal/remedy"
	simaws "github.com/netdiag/netdiag/internal/sim/aws"
)

// begun is an update that EKS has accepted and carries out still.
func begun(t *testing.T) (s *simaws.Server, h *follows, receipt remedy.Receipt, a remedy.Action) {
	t.Helper()
	w, set := addonWorld(t, was)
	s, c := serve(t, w)
	a = remedy.Action{AddonConfig: &set}
	ctx, stop := context.WithCancel(context.Background())
	s.SetFault(func(_, action string) *simaws.Fault {
		if action == "DescribeUpdate" {
			stop() // it isn't waited for
		}
		return nil
	})
	receipt, err := c.Hands().Apply(ctx, a, mark)
	if err != nil || receipt.ID == "" {
		t.Fatalf("receipt %+v, %v", receipt, err)
	}
	s.SetFault(nil)
	return s, &follows{t, c.Hands()}, receipt, a
}

type follows struct {
	t *testing.T
	remedy.Follower
}

func (f *follows) says(a remedy.Action, r remedy.Receipt) string {
	f.t.Helper()
	fate := f.fate(a, r)
	if fate.Open {
		f.t.Errorf("it is still being carried out: %+v", fate)
	}
	return fate.Failed
}

func (f *follows) fate(a remedy.Action, r remedy.Receipt) remedy.Fate {
	f.t.Helper()
	fate, err := f.Follow(context.Background(), a, mark, r)
	if err != nil {
		f.t.Error(err)
	}
	return fate
}

// TestAddonFailsLate: an update that fails after Apply has returned is told with EKS's reasons and with the settings that
// it left, which are looked at.
func TestAddonFailsLate(t *testing.T) {
	const pods = "InsufficientNumberOfReplicas: The add-on is unhealthy because it doesn't have the desired number of replicas."
	for _, c := range []struct {
		how  simaws.Failure
		want string
	}{
		{simaws.Failure{Update: "Failed", Addon: "UPDATE_FAILED", Message: pods},
			" is Failed (" + pods + "). Add-on vpc-cni is UPDATE_FAILED (" + pods + "); its settings are those from before the change."},
		{simaws.Failure{Update: "Failed", Addon: "DEGRADED", Message: pods, Taken: true},
			" is Failed (" + pods + "). Add-on vpc-cni is DEGRADED (" + pods + "); its settings are those of the change."},
		{simaws.Failure{Update: "Cancelled", Addon: "ACTIVE", Message: "Unknown: cancelled"},
			" is Cancelled (Unknown: cancelled). Add-on vpc-cni is ACTIVE; its settings are those from before the change."},
	} {
		s, h, receipt, a := begun(t)
		if fate := h.fate(a, receipt); fate != (remedy.Fate{Open: true}) {
			t.Errorf("while it runs: %+v", fate)
		}
		s.FailUpdate(receipt.ID, c.how)
		if failed := h.says(a, receipt); failed != "update "+receipt.ID+c.want {
			t.Errorf("says %q\nwant %q", failed, "update "+receipt.ID+c.want)
		}
		receipt.ID = "" // as where the change was found in effect
		if failed := h.says(a, receipt); (failed != "") != (c.how.Addon == "UPDATE_FAILED") {
			t.Errorf("%s, by the add-on alone: %q", c.how.Addon, failed)
		}
	}
}

// TestAddonGoesWell: nothing is said of an update that ends well, nor is the fix role needed to hear that.
func TestAddonGoesWell(t *testing.T) {
	s, h, receipt, a := begun(t)
	s.FinishUpdate(receipt.ID, "")
	n := calls(s, "DescribeUpdate")
	if failed := h.says(a, receipt); failed != "" || calls(s, "DescribeUpdate") != n {
		t.Errorf("says %q after %d looks at the update", failed, calls(s, "DescribeUpdate")-n)
	}
}

// TestAddonUndoneAfterFailure: a failed update that left its settings is undone by another one; one that left those from
// before is carried out again as the undo, for it may have got as far as the DaemonSet.
func TestAddonUndoneAfterFailure(t *testing.T) {
	for _, taken := range []bool{true, false} {
		ctx := context.Background()
		s, h, receipt, a := begun(t)
		s.FailUpdate(receipt.ID, simaws.Failure{Update: "Failed", Addon: "UPDATE_FAILED", Message: "AccessDenied: no", Taken: taken})
		hands, undo := h.Follower.(remedy.Hands), *receipt.Undo
		done, r, err := hands.Look(ctx, a, mark)
		if done || err != nil || (len(r.Did) > 0) != taken {
			t.Errorf("taken %t: the failed change is done %t, %q, %v", taken, done, r.Did, err)
		}
		if err := hands.DryRun(ctx, undo, mark); err != nil {
			t.Fatal(err)
		}
		if done, _, err := hands.Look(ctx, undo, mark); done || err != nil {
			t.Fatalf("taken %t: undone %t, %v", taken, done, err)
		}
		playEKS(s, "")
		other := mark
		other.Remediation = "rem-undo"
		if _, err := hands.Apply(ctx, undo, other); err != nil {
			t.Fatal(err)
		}
		if done, _, err := hands.Look(ctx, undo, other); !done || err != nil || calls(s, "UpdateAddon") != 2 {
			t.Errorf("taken %t: undone %t, %v, after %d updates", taken, done, err, calls(s, "UpdateAddon"))
		}
		if failed := h.says(undo, receipt); strings.Contains(failed, "UPDATE_FAILED") {
			t.Errorf("taken %t: %s", taken, failed)
		}
	}
}
