package ask_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netdiag/netdiag/internal/ask"
)

// What a channel means counts only where a question leaves it out.
func TestParseIn(t *testing.T) {
	for text, want := range map[string]ask.Command{
		"pending":                             {Verb: "pending", Namespace: "backend"},
		"pending shop":                        {Verb: "pending", Namespace: "shop"},
		"pending -n shop api-0":               {Verb: "pending", Namespace: "shop", Name: "api-0"},
		"pending shop/api-0":                  {Verb: "pending", Namespace: "shop", Name: "api-0"},
		"alb api":                             {Verb: "alb", Namespace: "backend", Name: "api"},
		"alb api -n shop":                     {Verb: "alb", Namespace: "shop", Name: "api"},
		"alb shop/api":                        {Verb: "alb", Namespace: "shop", Name: "api"},
		"pending --cluster staging":           {Verb: "pending", Namespace: "backend", Cluster: "staging"},
		"alb api --cluster=Prod_2 -n=shop":    {Verb: "alb", Namespace: "shop", Name: "api", Cluster: "Prod_2"},
		"help alb":                            {Verb: "help", Topic: "alb"},
		"":                                    {Verb: "help"},
		"PENDING shop --cluster staging api0": {Verb: "pending", Namespace: "shop", Name: "api0", Cluster: "staging"},
	} {
		got, err := ask.ParseIn("backend", text)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%q: %v (-want +got):\n%s", text, err, diff)
		}
		if got.Verb == "pending" || got.Verb == "alb" { // what is shown as understood means the same anywhere
			if again, err := ask.Parse(got.String()); again != got {
				t.Errorf("%q is understood as %q, and that as %+v (%v)", text, got, again, err)
			}
		}
	}
}

func TestWrongOptions(t *testing.T) {
	for text, want := range map[string]string{
		"pending":                     "pending needs a namespace: pending <namespace> [pod]",
		"alb api --cluster":           "--cluster needs a cluster after it",
		"alb api --cluster $HOME":     `"$HOME" can't be an EKS cluster: letters, digits, - and _, at most 100`,
		"alb api --region eu-west-1":  `there is no option "--region": only -n <namespace> and --cluster <name>`,
		"status --cluster staging":    "status takes no cluster. Did you mean status?",
		"pendign shop --cluster prod": `"pendign" is no command. Did you mean pending shop --cluster prod?`,
	} {
		if _, err := ask.Parse(text); err == nil || err.Error() != want {
			t.Errorf("%q:\ngot  %v\nwant %s", text, err, want)
		}
	}
}
