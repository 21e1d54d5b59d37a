package awsnet_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netdiag/netdiag/internal/awsnet"
	"github.com/netdiag/netdiag/internal/remedy"
	simaws "github.com/netdiag/netdiag/internal/sim/aws"
	"github.com/netdiag/netdiag/internal/world"
)

const was = `{"env":{"WARM_ENI_TARGET":"1","ENABLE_PREFIX_DELEGATION":"false"},"nodeAgent":{"enablePolicyEventLogs":"true"}}`

// addonWorld is a world whose vpc-cni add-on has these configuration values.
func addonWorld(t *testing.T, values string) (*world.World, remedy.AddonConfig) {
	t.Helper()
	w := load(t, "pending-s01-warm-pool")
	addons, _ := recorded(t, w, "eks", "Addons")
	var a remedy.AddonConfig
	for _, o := range addons {
		if o["addonName"] == "vpc-cni" {
			o["configurationValues"] = values
			a = remedy.AddonConfig{
				Cluster: o["clusterName"].(string), Addon: "vpc-cni", Version: o["addonVersion"].(string), RoleARN: o["serviceAccountRoleArn"].(string),
				Set: map[string]string{"WARM_IP_TARGET": "2", "MINIMUM_IP_TARGET": "10"}, Unset: []string{"WARM_ENI_TARGET"}, Was: values,
			}
		}
	}
	raw, err := json.Marshal(addons)
	if err != nil {
		t.Fatal(err)
	}
	w.AWS["eks"]["Addons"] = raw
	return w, a
}

// playEKS ends every update at the second look at it.
func playEKS(s *simaws.Server, failure string) {
	var looks atomic.Int32
	s.SetFault(func(_, action string) *simaws.Fault {
		if action == "DescribeUpdate" && looks.Add(1)%2 == 0 {
			for _, u := range s.PendingUpdates() {
				s.FinishUpdate(u.ID, failure)
			}
		}
		return nil
	})
}

func meaning(t *testing.T, text string) any {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return v
}

// TestAddon changes two settings of an add-on, keeps all others, and undoes it.
func TestAddon(t *testing.T) {
	ctx := context.Background()
	w, set := addonWorld(t, was)
	s, c := serve(t, w)
	playEKS(s, "")
	a, h := remedy.Action{AddonConfig: &set}, c.Hands()
	if err := h.DryRun(ctx, a, mark); err != nil {
		t.Fatal(err)
	}
	if n := calls(s, "UpdateAddon"); n != 0 {
		t.Fatalf("the dry run updated the add-on")
	}
	receipt, err := h.Apply(ctx, a, mark)
	if err != nil || !receipt.Owned || receipt.ID == "" {
		t.Fatalf("receipt %+v, %v", receipt, err)
	}
	addon, err := c.Reader().Addon(ctx, set.Cluster, "vpc-cni")
	if err != nil {
		t.Fatal(err)
	}
	same(t, "configuration", meaning(t, `{"env":{"ENABLE_PREFIX_DELEGATION":"false","MINIMUM_IP_TARGET":"10","WARM_IP_TARGET":"2"},"nodeAgent":{"enablePolicyEventLogs":"true"}}`),
		meaning(t, addon.Configuration))
	if addon.Version != set.Version || addon.RoleARN != set.RoleARN || addon.Status != "ACTIVE" {
		t.Errorf("add-on %+v: version, role or status changed", addon)
	}
	done, seen, err := h.Look(ctx, a, mark)
	if !done || err != nil || cmp.Diff(receipt.Undo, seen.Undo) != "" {
		t.Errorf("look: %v, %v\n%s", done, err, cmp.Diff(receipt.Undo, seen.Undo))
	}
	if _, err := h.Apply(ctx, a, mark); err != nil || calls(s, "UpdateAddon") != 1 {
		t.Errorf("a second apply: %v after %d calls", err, calls(s, "UpdateAddon"))
	}
	if _, err := h.Apply(ctx, *receipt.Undo, mark); err != nil {
		t.Fatal(err)
	}
	addon, err = c.Reader().Addon(ctx, set.Cluster, "vpc-cni")
	if err != nil {
		t.Fatal(err)
	}
	same(t, "configuration after the undo", meaning(t, was), meaning(t, addon.Configuration))
}

// TestAddonEmpty sets values where there were none, written in whatever way, and removes them again.
func TestAddonEmpty(t *testing.T) {
	for _, empty := range []string{"", "{}", "env: {}\n"} {
		w, set := addonWorld(t, empty)
		set.Unset = nil
		s, c := serve(t, w)
		playEKS(s, "")
		receipt, err := c.Hands().Apply(context.Background(), remedy.Action{AddonConfig: &set}, mark)
		if err != nil {
			t.Fatalf("%q: %v", empty, err)
		}
		same(t, "unset by the undo", []string{"MINIMUM_IP_TARGET", "WARM_IP_TARGET"}, receipt.Undo.AddonConfig.Unset)
		if _, err := c.Hands().Apply(context.Background(), *receipt.Undo, mark); err != nil {
			t.Fatalf("%q: %v", empty, err)
		}
		addon, err := c.Reader().Addon(context.Background(), set.Cluster, "vpc-cni")
		if err != nil {
			t.Fatal(err)
		}
		same(t, "configuration after the undo", meaning(t, "{}"), meaning(t, addon.Configuration))
	}
}

// TestAddonDrifted: a change that was approved for another state is refused.
func TestAddonDrifted(t *testing.T) {
	for what, change := range map[string]func(*remedy.AddonConfig){
		"values":  func(a *remedy.AddonConfig) { a.Was = `{"env":{"WARM_ENI_TARGET":"2"}}` },
		"version": func(a *remedy.AddonConfig) { a.Version = "v1.0.0" },
		"role":    func(a *remedy.AddonConfig) { a.RoleARN = "" },
	} {
		w, set := addonWorld(t, was)
		change(&set)
		s, c := serve(t, w)
		a := remedy.Action{AddonConfig: &set}
		var drifted *awsnet.Drifted
		if err := c.Hands().DryRun(context.Background(), a, mark); !errors.Is(err, remedy.ErrRefused) || !errors.As(err, &drifted) {
			t.Errorf("%s: dry run: %v", what, err)
		}
		if _, err := c.Hands().Apply(context.Background(), a, mark); !errors.Is(err, remedy.ErrRefused) || !errors.As(err, &drifted) {
			t.Errorf("%s: apply: %v", what, err)
		}
		if n := calls(s, "UpdateAddon"); n != 0 {
			t.Errorf("%s: the add-on was updated", what)
		}
	}
}

// TestAddonFails: an update that fails is reported with EKS's reason, and as refused where nothing has changed.
func TestAddonFails(t *testing.T) {
	w, set := addonWorld(t, was)
	s, c := serve(t, w)
	playEKS(s, "Conflicts found when trying to apply")
	_, err := c.Hands().Apply(context.Background(), remedy.Action{AddonConfig: &set}, mark)
	if !errors.Is(err, remedy.ErrRefused) || !strings.Contains(err.Error(), "Conflicts found when trying to apply") {
		t.Errorf("error %v", err)
	}
}

// TestAddonUnanswered: when the answer to UpdateAddon is lost, a repeat joins the same update.
func TestAddonUnanswered(t *testing.T) {
	ctx := context.Background()
	w, set := addonWorld(t, was)
	s, c := serve(t, w)
	s.SetFault(func(_, action string) *simaws.Fault {
		if action == "UpdateAddon" {
			return &simaws.Fault{Lost: true}
		}
		return nil
	})
	a := remedy.Action{AddonConfig: &set}
	if _, err := c.Hands().Apply(ctx, a, mark); err == nil || errors.Is(err, remedy.ErrRefused) {
		t.Fatalf("error %v, want one that leaves it open", err)
	}
	if done, _, err := c.Hands().Look(ctx, a, mark); done || err != nil {
		t.Errorf("while the update runs: done %v, %v", done, err)
	}
	running := s.PendingUpdates()
	if len(running) != 1 || !strings.Contains(running[0].Configuration, `"WARM_IP_TARGET":"2"`) || running[0].Resolve != "OVERWRITE" {
		t.Fatalf("updates %+v", running)
	}
	s.SetFault(nil)
	other := mark
	other.Remediation = "rem-2"
	if _, err := c.Hands().Apply(ctx, a, other); !errors.Is(err, remedy.ErrRefused) {
		t.Errorf("another remediation while an update runs: %v", err)
	}
	playEKS(s, "")
	receipt, err := c.Hands().Apply(ctx, a, mark)
	if err != nil || receipt.ID != running[0].ID {
		t.Errorf("receipt %+v, %v; want update %s", receipt, err, running[0].ID)
	}
}

// TestAddonIsBusy: while an update runs, another change of the add-on, and the undo of the running one, are refused before
// they are asked for, in words that say what to do.
func TestAddonIsBusy(t *testing.T) {
	ctx := context.Background()
	w, set := addonWorld(t, was)
	s, c := serve(t, w)
	a := remedy.Action{AddonConfig: &set}
	s.SetFault(func(_, action string) *simaws.Fault {
		if action == "UpdateAddon" {
			return &simaws.Fault{Lost: true}
		}
		return nil
	})
	if _, err := c.Hands().Apply(ctx, a, mark); err == nil {
		t.Fatal("the answer was not lost")
	}
	undo := set
	undo.Set, undo.Unset = map[string]string{"WARM_ENI_TARGET": "1"}, []string{"MINIMUM_IP_TARGET", "WARM_IP_TARGET"}
	undo.Was = `{"env":{"ENABLE_PREFIX_DELEGATION":"false","MINIMUM_IP_TARGET":"10","WARM_IP_TARGET":"2"},"nodeAgent":{"enablePolicyEventLogs":"true"}}`
	other := set
	other.Set = map[string]string{"WARM_IP_TARGET": "5"}
	later := undo // of a change that the running update is about to take back: not drifted yet
	later.Was = `{"env":{"WARM_ENI_TARGET":"3"}}`
	for name, change := range map[string]remedy.AddonConfig{"the same": set, "another": other, "the undo": undo, "drifting": later} {
		err := c.Hands().DryRun(ctx, remedy.Action{AddonConfig: &change}, mark)
		if !errors.Is(err, remedy.ErrRefused) || !strings.Contains(err.Error(), "the add-on is being updated since "+w.Meta.Now.UTC().Format("2 January 15:04:05 UTC")+"; try again when that is over") {
			t.Errorf("%s: %v", name, err)
		}
	}
	s.FinishUpdate(s.PendingUpdates()[0].ID, "")
	if err := c.Hands().DryRun(ctx, remedy.Action{AddonConfig: &undo}, mark); err != nil {
		t.Errorf("the undo, when the update is over: %v", err)
	}
}

// TestAddonSchema: values that the add-on doesn't take are refused before anything is sent.
func TestAddonSchema(t *testing.T) {
	w, set := addonWorld(t, was)
	raw, err := json.Marshal([]item{{"addonName": "vpc-cni", "addonVersion": set.Version, "configurationSchema": `{"$ref":"#/definitions/C","definitions":{
		"C":{"type":"object","additionalProperties":false,"properties":{"env":{"$ref":"#/definitions/Env"},"nodeAgent":{"type":"object"}}},
		"Env":{"type":"object","additionalProperties":false,"properties":{
			"WARM_IP_TARGET":{"type":"string","pattern":"^[0-9]+$"},"MINIMUM_IP_TARGET":{"type":"string"},"WARM_ENI_TARGET":{"type":"string"},
			"ENABLE_PREFIX_DELEGATION":{"type":"string","enum":["true","false"]}}}}}`}})
	if err != nil {
		t.Fatal(err)
	}
	w.AWS["eks"]["AddonConfigurations"] = raw
	_, c := serve(t, w)
	for _, test := range []struct {
		name, value string
		refused     bool
	}{
		{"WARM_IP_TARGET", "2", false}, {"WARM_IP_TARGET", "many", true}, {"WARM_IP_TARGETS", "2", true}, {"ENABLE_PREFIX_DELEGATION", "yes", true},
	} {
		set.Set = map[string]string{test.name: test.value}
		err := c.Hands().DryRun(context.Background(), remedy.Action{AddonConfig: &set}, mark)
		if errors.Is(err, remedy.ErrRefused) != test.refused || !test.refused && err != nil {
			t.Errorf("%s=%s: %v, want refused %v", test.name, test.value, err, test.refused)
		}
	}
}

// TestAddonMayNotBeUpdated: there is no dry run of an update, so that IAM is asked; where it may not be, the change goes on.
func TestAddonMayNotBeUpdated(t *testing.T) {
	for _, c := range []struct {
		denied []string
		want   string
	}{
		{[]string{"eks:UpdateAddon"}, "may not call eks:UpdateAddon on addon/prod/vpc-cni: statements ConfigureAddon and KeepRole of deploy/iam/fix-addon.json grant it"},
		{[]string{"iam:PassRole"}, "may not call iam:PassRole on arn:aws:iam::111122223333:role/"},
		{[]string{"eks:UpdateAddon", "iam:SimulatePrincipalPolicy"}, ""},
		{nil, ""},
	} {
		for _, role := range []string{"", fixRole} {
			w, set := addonWorld(t, was)
			w.Meta.Denied.AWS = c.denied
			s, client := serve(t, w)
			h := client.Hands()
			if role != "" {
				h = client.HandsAs(role)
			}
			err := h.DryRun(context.Background(), remedy.Action{AddonConfig: &set}, mark)
			if (err != nil) != (c.want != "") || err != nil && (!errors.Is(err, remedy.ErrRefused) || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%v denied, as %q: %v, want %q", c.denied, role, err, c.want)
			}
			if n := calls(s, "UpdateAddon"); n != 0 {
				t.Errorf("%v denied: %d updates", c.denied, n)
			}
		}
	}
}
