package watch

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/casebook"
)

var (
	start = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	usual = Rules{Free: 20, Looks: 2, Healthy: 3}
)

// room is a report of the question ip about one subnet of 251 addresses.
func room(available int, findings ...diagnostics.Finding) diagnostics.Report {
	return diagnostics.Report{Contributing: findings, Tables: []diagnostics.Table{{
		Title: "Subnets", Columns: []string{"Subnet", "Zone", "Available", "Usable", "Free"},
		Rows: [][]string{{"subnet-1", "us-west-2a", fmt.Sprint(available), "251", fmt.Sprintf("%d %%", 100*available/251)}},
	}}}
}

func anything(Condition) bool { return true }
func nothing(Condition) bool  { return false }

// run takes one look after the other, five minutes apart, and tells what is open after each: o, or - for nothing.
func run(s State, silenced func(Condition) bool, reports ...diagnostics.Report) (State, string) {
	var b strings.Builder
	for _, r := range reports {
		at := s.Looked.Add(5 * time.Minute)
		if s.Looked.IsZero() {
			at = start
		}
		s = s.Take(Look{At: at, Findings: []Finding{Room(r, usual)}, Asked: anything}, usual, silenced)
		open := 0
		for _, n := range s.OpenNow() {
			open += n
		}
		b.WriteString(map[bool]string{true: "o", false: "-"}[open > 0])
	}
	return s, b.String()
}

func TestHysteresis(t *testing.T) {
	low, near, fine := room(40), room(52), room(120)
	blind := room(120)
	blind.Tables, blind.Gaps = nil, []diagnostics.Gap{{Permission: "ec2:DescribeSubnets", Caps: []string{"ip/subnet-low"}}}
	for name, c := range map[string]struct {
		looks []diagnostics.Report
		want  string
	}{
		"two looks open, three close":           {[]diagnostics.Report{low, low, low, fine, fine, fine, fine}, "-oooo--"},
		"once is no warning":                    {[]diagnostics.Report{low, fine, low, fine, fine}, "-----"},
		"to and fro stays one":                  {[]diagnostics.Report{low, low, fine, low, fine, fine, low, fine}, "-ooooooo"},
		"on the threshold nothing opens":        {[]diagnostics.Report{near, near, near}, "---"},
		"on the threshold nothing closes":       {[]diagnostics.Report{low, low, near, near, near, near}, "-ooooo"},
		"what can't be read closes nothing":     {[]diagnostics.Report{low, low, blind, blind, blind, blind}, "-ooooo"},
		"what can't be read counts for nothing": {[]diagnostics.Report{low, blind, blind, low}, "---o"},
	} {
		if _, got := run(State{Cluster: "prod"}, nothing, c.looks...); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// Through the memo of another process it goes on as if nothing had happened; and what comes again is another warning.
func TestStateOutlivesTheProcess(t *testing.T) {
	low, fine := room(40), room(120)
	s, _ := run(State{Cluster: "prod"}, nothing, low, low)
	first := s.Warnings[0]
	if again, err := Parse(s.String(), "prod"); err != nil || cmp.Diff(s, again) != "" {
		t.Fatalf("%v\n%s", err, cmp.Diff(s, again))
	}
	s, _ = Parse(s.String(), "prod")
	if s, open := run(s, nothing, low); open != "o" || len(s.Warnings) != 1 || s.Warnings[0].Investigation != first.Investigation {
		t.Errorf("after a change of leaders: %+v", s.Warnings)
	}
	s, _ = run(s, nothing, fine, fine, fine)
	if w := s.Warnings[0]; w.Over.IsZero() || w.Open() {
		t.Errorf("healthy again: %+v", w)
	}
	s.Warnings = nil // the thread was told
	if s, _ = run(s, nothing, low, low); len(s.Warnings) != 1 || s.Warnings[0].Investigation == first.Investigation {
		t.Errorf("the same trouble a second time: %+v", s.Warnings)
	}
	if _, err := Parse(s.String(), "staging"); err == nil {
		t.Error("the state of another cluster is taken")
	}
	if s, err := Parse("nonsense", "prod"); err == nil || s.Cluster != "prod" {
		t.Errorf("nonsense: %+v, %v", s, err)
	}
}

// Two conditions of one subnet share a thread; those of another object don't.
func TestOneThreadForOneQuestion(t *testing.T) {
	surge := diagnostics.Finding{ID: "ip/surge-short", Subject: "subnet-1", Summary: "40 are missing"}
	errs := diagnostics.Finding{ID: "ip/agent-errors", Subject: "daemonset/aws-node", Summary: "the CNI complains"}
	s, _ := run(State{Cluster: "prod"}, nothing, room(40, surge, errs), room(40, surge, errs))
	threads := map[string]string{}
	for _, w := range s.Warnings {
		threads[w.ID] = w.Investigation
	}
	if len(threads) != 3 || threads[SubnetLow] != threads[SurgeShort] || threads[AgentErrors] == threads[SubnetLow] || threads[AgentErrors] == "" {
		t.Errorf("threads: %v", threads)
	}
}

func TestSilence(t *testing.T) {
	low := room(40)
	until := start.Add(time.Hour)
	for what, silent := range map[string]bool{"": true, SubnetLow: true, "subnet-1": true, "us-west-2a": true, "us-west-2b": false, "subnet-2": false, Drift: false} {
		z := Snooze{What: what, Until: until}
		quiet := func(now time.Time) func(Condition) bool {
			return func(c Condition) bool { return z.Silences(c, now) }
		}
		s, got := run(State{Cluster: "prod"}, quiet(start), low, low, low)
		if want := map[bool]string{true: "---", false: "-oo"}[silent]; got != want {
			t.Errorf("%q: %s, want %s", what, got, want)
		}
		if _, got := run(s, quiet(until), low); got != "o" {
			t.Errorf("%q is over: %s", what, got)
		}
	}
	if got := Awake([]Snooze{{Until: until}, {Until: start.Add(-time.Second)}}, start); len(got) != 1 {
		t.Errorf("awake: %v", got)
	}
}

func TestIngress(t *testing.T) {
	r := diagnostics.Report{
		Causes: []diagnostics.Finding{{ID: "alb/sg.target-ingress", Confidence: diagnostics.Confirmed, Summary: "port 8080 is closed"}},
		Tables: []diagnostics.Table{{Columns: []string{"Target", "Zone", "State"}, Rows: [][]string{{"10.0.0.1:80", "a", "unhealthy"}, {"10.0.0.2:80", "a", "healthy"}, {"10.0.0.3:80", "a", "draining"}}}},
	}
	got := Ingress(r, "backend/api")
	want := []Condition{
		{ID: Unhealthy, Object: "backend/api", Question: "alb api -n backend", Sentence: "1 of 3 targets of ingress backend/api are unhealthy"},
		{ID: Drift, Object: "backend/api", Question: "alb api -n backend", Sentence: "port 8080 is closed"},
	}
	if d := cmp.Diff(want, got.Conditions); d != "" {
		t.Error(d)
	}
	r.Causes[0].Confidence = diagnostics.Possible
	if got := Ingress(r, "backend/api"); len(got.Conditions) != 1 {
		t.Errorf("what is only possible is no drift: %v", got.Conditions)
	}
}

// Many subnets that run low at once open one thread, which asks about all of them; few have one each, and what is open stays
// where it is. In one thread the worst comes first.
func TestManySubnetsAtOnce(t *testing.T) {
	low := func(n int) diagnostics.Report {
		r := room(0)
		r.Tables[0].Rows = nil
		for i := range n {
			r.Tables[0].Rows = append(r.Tables[0].Rows, []string{fmt.Sprintf("subnet-%02d", n-i), "us-west-2a", fmt.Sprint(i), "251", fmt.Sprintf("%d %%", 100*i/251)})
		}
		return r
	}
	threads := func(s State) (questions map[string]int, names map[string]bool) {
		questions, names = map[string]int{}, map[string]bool{}
		for _, w := range s.Warnings {
			questions[w.Question]++
			names[w.Investigation] = true
		}
		return questions, names
	}
	s, _ := run(State{Cluster: "prod"}, nothing, low(3), low(3))
	if q, names := threads(s); len(q) != 3 || len(names) != 3 {
		t.Errorf("three subnets: %v, %v", q, names)
	}
	s, _ = run(s, nothing, low(30), low(30), low(30))
	if q, names := threads(s); len(q) != 4 || q["ip"] != 27 || len(names) != 4 {
		t.Errorf("27 more: %v, %v", q, names)
	}
	s, _ = run(State{Cluster: "prod"}, nothing, low(30), low(30), low(31), low(31))
	if q, names := threads(s); q["ip"] != 30 || q["ip subnet-31"] != 1 || len(names) != 2 {
		t.Errorf("30, and one more: %v, %v", q, names)
	}
	if first := s.Warnings[0]; first.Object != "subnet-30" || first.Investigation != casebook.InvestigationName(first.Cause("prod")) {
		t.Errorf("the first is %+v", first)
	}
}
