package ask_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/ask"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]ask.Command{
		"":                               {Verb: "help"},
		"  ":                             {Verb: "help"},
		"pending backend":                {Verb: "pending", Namespace: "backend"},
		"PENDING\tbackend ":              {Verb: "pending", Namespace: "backend"},
		"pending -n backend":             {Verb: "pending", Namespace: "backend"},
		"pending backend api-5d9-x2":     {Verb: "pending", Namespace: "backend", Name: "api-5d9-x2"},
		"pending backend pod/api-5d9-x2": {Verb: "pending", Namespace: "backend", Name: "api-5d9-x2"},
		"pending api-5d9-x2 -n backend":  {Verb: "pending", Namespace: "backend", Name: "api-5d9-x2"},
		"pending backend/api-5d9-x2":     {Verb: "pending", Namespace: "backend", Name: "api-5d9-x2"},
		"pending deploy/api -n backend":  {Verb: "pending", Namespace: "backend", Name: "api"},
		"alb api-ingress":                {Verb: "alb", Name: "api-ingress"},
		"alb api-ingress -n backend":     {Verb: "alb", Name: "api-ingress", Namespace: "backend"},
		"alb --namespace=backend api":    {Verb: "alb", Name: "api", Namespace: "backend"},
		"alb backend/api-ingress":        {Verb: "alb", Name: "api-ingress", Namespace: "backend"},
		"alb ingress/api-ingress -n web": {Verb: "alb", Name: "api-ingress", Namespace: "web"},
		"alb targetgroupbinding.elbv2.k8s.aws/k8s-web-api-1 -n web": {Verb: "alb", Name: "k8s-web-api-1", Namespace: "web"},
		"alb TargetGroupBinding/k8s-web-api-1":                      {Verb: "alb", Name: "k8s-web-api-1"},
		"ip":                                                        {Verb: "ip"},
		"IP us-west-2a":                                             {Verb: "ip", Name: "us-west-2a"},
		"ip subnet-0a1b2c3d4e5f60718":                               {Verb: "ip", Name: "subnet-0a1b2c3d4e5f60718"},
		"ip us-west-2-lax-1a":                                       {Verb: "ip", Name: "us-west-2-lax-1a"},
		"snooze 2h":                                                 {Verb: "snooze", For: 2 * time.Hour},
		"snooze 7d us-west-2a":                                      {Verb: "snooze", For: 7 * 24 * time.Hour, Topic: "us-west-2a"},
		"snooze 1h30m backend/api":                                  {Verb: "snooze", For: 90 * time.Minute, Topic: "backend/api"},
		"snooze OFF":                                                {Verb: "snooze"},
		"snooze off subnet-low":                                     {Verb: "snooze", Topic: "subnet-low"},
		"ip --help":                                                 {Verb: "help", Topic: "ip"},
		"help alb":                                                  {Verb: "help", Topic: "alb"},
		"ping":                                                      {Verb: "ping"},
		"pending --help":                                            {Verb: "help", Topic: "pending"},
		"Status":                                                    {Verb: "status"},
		"STOP":                                                      {Verb: "stop"},
		"resume":                                                    {Verb: "resume"},
		"history":                                                   {Verb: "history"},
		"history 12":                                                {Verb: "history", Count: 12},
	} {
		got, err := ask.Parse(text)
		if err != nil || got != want {
			t.Errorf("Parse(%q) = %+v, %v; want %+v", text, got, err, want)
		}
	}
}

func TestParseRefusesWithTheNearestCommand(t *testing.T) {
	for text, want := range map[string]string{
		"pendnig backend":         `"pendnig" is no command. Did you mean pending backend?`,
		"abl api-ingress":         `"abl" is no command. Did you mean alb api-ingress?`,
		"🔥":                       `"🔥" is no command. There are: pending <namespace> [pod]`,
		"stop backend":            "stop takes no further words. Did you mean stop?",
		"resume -n backend":       "resume takes no namespace. Did you mean resume?",
		"resum":                   `"resum" is no command. Did you mean resume?`,
		"snooze":                  "snooze needs a time: snooze 2h, snooze 1d us-west-2a, snooze off",
		"snooze tomorrow":         `"tomorrow" is no time`,
		"snooze 59s":              `snooze takes from 1m to 7d, not "59s"`,
		"snooze 8d":               `snooze takes from 1m to 7d, not "8d"`,
		"snooze -2h":              "there is no option",
		"snooze 2h <!channel>":    `"<!channel>" can't be silenced`,
		"snooze 2h a b":           "snooze takes a time and at most one thing to silence, not 3 words",
		"snoze 2h":                `"snoze" is no command. Did you mean snooze 2h?`,
		"ip a b":                  "ip takes one subnet or zone, not 2 words. Did you mean ip a?",
		"ip -n backend":           "ip takes no namespace: subnets serve all of them. Did you mean ip?",
		"ip <!channel>":           `"<!channel>" is neither a subnet, such as subnet-0a1b2c3d4e5f60718, nor a zone, such as us-west-2a`,
		"pending":                 "pending needs a namespace: pending <namespace> [pod]",
		"pending a b c":           "pending takes a namespace and at most one pod, not 3 words. Did you mean pending a b?",
		"pending a b -n c":        "pending takes a namespace and at most one pod, not 3 words. Did you mean pending c a?",
		"pending a svc/b":         `"svc/b" can't be a pod`,
		"pending a Api":           `"Api" can't be a pod`,
		"pending Backend":         `"Backend" can't be a namespace`,
		"pending <!channel>":      `"<!channel>" can't be a namespace`,
		"alb":                     "alb needs an ingress",
		"alb my ingress":          "alb takes one ingress, not 2 words. Did you mean alb my -n ingress?",
		"alb api -x":              `there is no option "-x"`,
		"alb api -n":              "-n needs a namespace after it",
		"stauts":                  `"stauts" is no command. Did you mean status?`,
		"histroy 7":               `"histroy" is no command. Did you mean history 7?`,
		"histroy all":             `"histroy" is no command. Did you mean history [n]?`,
		"status backend":          "status takes no further words. Did you mean status?",
		"ping -n backend":         "ping takes no namespace. Did you mean ping?",
		"help alb -n backend":     "help takes no namespace. Did you mean help alb?",
		"history ten":             `"ten" is no number from 1 to 20. Did you mean history 5?`,
		"history 0":               `"0" is no number from 1 to 20`,
		"history 21":              `"21" is no number from 1 to 20`,
		"history 5 6":             "history takes one number, not 2 words. Did you mean history 5?",
		"help alb pending":        "help takes one topic, not 2 words. Did you mean help alb?",
		"help me":                 `there is no help on "me"`,
		strings.Repeat("x", 4000): `"` + strings.Repeat("x", 40) + `…" is no command`,
	} {
		_, err := ask.Parse(text)
		var r diagnostics.Refusal
		if !errors.As(err, &r) || !strings.HasPrefix(string(r), want) {
			t.Errorf("Parse(%.20q): %v; want a refusal that starts with %q", text, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"pending backend", "pending a pod/b", "alb a/b -n c", "help", "history 3", "status", "\x00‮", "-n", "alb -n -n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ask.Parse(text)
		if err != nil {
			return
		}
		again, err := ask.Parse(c.String())
		if err != nil || again != c {
			t.Errorf("Parse(%q) is %+v, but its own text %q is %+v, %v", text, c, c.String(), again, err)
		}
	})
}
