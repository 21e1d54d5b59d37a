package remedy_test

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/netdiag/netdiag/internal/remedy"
)

// half records what it was asked to do.
type half struct{ did []string }

func (h *half) DryRun(_ context.Context, a remedy.Action, _ remedy.Mark) error {
	h.did = append(h.did, "dry run "+a.Kind())
	return nil
}

func (h *half) Look(_ context.Context, a remedy.Action, _ remedy.Mark) (bool, remedy.Receipt, error) {
	h.did = append(h.did, "look "+a.Kind())
	return false, remedy.Receipt{}, nil
}

func (h *half) Apply(_ context.Context, a remedy.Action, _ remedy.Mark) (remedy.Receipt, error) {
	h.did = append(h.did, "apply "+a.Kind())
	return remedy.Receipt{ID: a.Kind(), Owned: true}, nil
}

func TestSplitSendsEachActionToItsHalf(t *testing.T) {
	aws := []remedy.Action{
		{AddonConfig: &remedy.AddonConfig{Cluster: "c", Addon: "vpc-cni"}},
		{AllowIngress: &remedy.AllowIngress{Group: "sg-1", Source: "sg-2", Port: 80}},
		{RevokeIngress: &remedy.RevokeIngress{Group: "sg-1", Rule: "sgr-1"}},
	}
	kubernetes := []remedy.Action{
		{DaemonSetEnv: &remedy.DaemonSetEnv{Namespace: "kube-system", Name: "aws-node"}},
		{Annotate: &remedy.Annotate{Resource: "ingresses", Name: "web"}},
	}
	some := sound()
	aws = append(aws, some["interfaces"], some["subnet tag"], some["group tag"])
	kubernetes = append(kubernetes, some["restart pods"], some["move pods"], some["cordon"])
	for _, side := range []struct {
		name    string
		actions []remedy.Action
	}{{"aws", aws}, {"kubernetes", kubernetes}} {
		for _, a := range side.actions {
			halves := map[string]*half{"aws": {}, "kubernetes": {}}
			s := remedy.Split{AWS: halves["aws"], Kubernetes: halves["kubernetes"]}
			err := s.DryRun(t.Context(), a, remedy.Mark{})
			_, _, lookErr := s.Look(t.Context(), a, remedy.Mark{})
			r, applyErr := s.Apply(t.Context(), a, remedy.Mark{})
			if err := errors.Join(err, lookErr, applyErr); err != nil || r.ID != a.Kind() {
				t.Errorf("%s: receipt %+v, error %v", a.Kind(), r, err)
			}
			if got := halves[side.name].did; len(got) != 3 {
				t.Errorf("%s: the %s half did %q, want a dry run, a look and an apply", a.Kind(), side.name, got)
			}
		}
	}
}

func TestSplitRefusesWhatNoHalfTakes(t *testing.T) {
	only := remedy.Split{AWS: &half{}}
	for name, a := range map[string]remedy.Action{
		"switched off":  {Annotate: &remedy.Annotate{Resource: "ingresses", Name: "web"}},
		"empty":         {},
		"two at once":   {Annotate: &remedy.Annotate{}, AddonConfig: &remedy.AddonConfig{}},
		"no such port":  {AllowIngress: &remedy.AllowIngress{Group: "sg-1", Source: "sg-2", Port: 0}},
		"source absent": {AllowIngress: &remedy.AllowIngress{Group: "sg-1", Port: 80}},
	} {
		if _, err := only.Apply(t.Context(), a, remedy.Mark{}); !errors.Is(err, remedy.ErrRefused) {
			t.Errorf("%s: error %v, want ErrRefused", name, err)
		}
	}
}

// A kind that is switched off is refused whatever is asked of it; the others aren't.
func TestSplitRefusesKindsThatAreOff(t *testing.T) {
	h := &half{}
	s := remedy.Split{AWS: h, Kubernetes: h, Kinds: []string{"Cordon", "AddonConfig"}}
	on, off := remedy.Action{Cordon: &remedy.Cordon{Node: "n1", On: true}}, remedy.Action{MovePods: &remedy.MovePods{Node: "n1", Pods: []remedy.NamespacedPod{{Namespace: "a", Name: "b", UID: "u"}}}}
	if err := s.DryRun(t.Context(), on, remedy.Mark{}); err != nil {
		t.Error(err)
	}
	err := s.DryRun(t.Context(), off, remedy.Mark{})
	if _, _, look := s.Look(t.Context(), off, remedy.Mark{}); !errors.Is(err, remedy.ErrRefused) || !errors.Is(look, remedy.ErrRefused) || !strings.Contains(err.Error(), "kind MovePods are switched off") {
		t.Errorf("%v, %v", err, look)
	}
	if _, err := (remedy.Split{AWS: h, Kubernetes: h, Kinds: []string{}}).Apply(t.Context(), on, remedy.Mark{}); !errors.Is(err, remedy.ErrRefused) {
		t.Errorf("without any kind: %v", err)
	}
}

// Every field of an Action is a kind of its own.
func TestKindsAreAll(t *testing.T) {
	if kinds, fields := remedy.Kinds(), reflect.TypeFor[remedy.Action]().NumField(); len(kinds) != fields {
		t.Errorf("%d kinds, %d fields: %v", len(kinds), fields, kinds)
	}
}

// follower is a half that hears of failures.
type follower struct{ half }

func (f *follower) Follow(_ context.Context, a remedy.Action, _ remedy.Mark, r remedy.Receipt) (remedy.Fate, error) {
	return remedy.Fate{Open: true, Failed: a.Kind() + " " + r.ID + " failed"}, nil
}

func TestSplitAsksTheHalfThatHearsOfFailures(t *testing.T) {
	s := remedy.Split{AWS: &follower{}, Kubernetes: &half{}}
	for kind, a := range map[string]remedy.Action{
		"AllowIngress sgr-1 failed": {AllowIngress: &remedy.AllowIngress{Group: "sg-1", Source: "sg-2", Port: 80}},
		"":                          sound()["cordon"],
	} {
		if fate, err := s.Follow(t.Context(), a, remedy.Mark{}, remedy.Receipt{ID: "sgr-1"}); fate.Failed != kind || fate.Open != (kind != "") || err != nil {
			t.Errorf("%s: %+v, %v; want %q", a.Kind(), fate, err, kind)
		}
	}
	if _, err := (remedy.Split{}).Follow(t.Context(), sound()["cordon"], remedy.Mark{}, remedy.Receipt{}); !errors.Is(err, remedy.ErrRefused) {
		t.Errorf("without a half: %v", err)
	}
}
