package remedy_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netdiag/netdiag/internal/remedy"
)

func TestSettings(t *testing.T) {
	for _, c := range []struct {
		action remedy.Action
		want   []string
	}{
		{remedy.Action{AddonConfig: &remedy.AddonConfig{Set: map[string]string{"WARM_IP_TARGET": "2"}, Unset: []string{"MINIMUM_IP_TARGET"}}}, []string{"MINIMUM_IP_TARGET", "WARM_IP_TARGET"}},
		{remedy.Action{DaemonSetEnv: &remedy.DaemonSetEnv{Set: map[string]string{"WARM_IP_TARGET": "2"}}}, []string{"WARM_IP_TARGET"}},
		{remedy.Action{Annotate: &remedy.Annotate{Key: "k"}}, []string{"k"}},
		{remedy.Action{Tag: &remedy.Tag{Key: "kubernetes.io/role/cni"}}, []string{"kubernetes.io/role/cni"}},
		{remedy.Action{AllowIngress: &remedy.AllowIngress{Group: "sg-1", Port: 80}}, nil},
		{remedy.Action{DeleteInterfaces: &remedy.DeleteInterfaces{Interfaces: []string{"eni-1"}}}, nil},
	} {
		if d := cmp.Diff(c.want, c.action.Settings()); d != "" {
			t.Errorf("%s: %s", c.action.Kind(), d)
		}
	}
}
