package casebook_test

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/remedy"
)

var phases = []casebook.Phase{
	casebook.Proposed, casebook.AwaitingApproval, casebook.Approved, casebook.Preflight, casebook.Applying, casebook.Verifying, casebook.Succeeded,
	casebook.Rejected, casebook.Expired, casebook.Superseded, casebook.Cancelled, casebook.RollingBack, casebook.RolledBack, casebook.NeedsHuman, casebook.Failed,
}

// approved is a remediation in a phase, with everything that the phase needs.
func inPhase(p casebook.Phase) casebook.Remediation {
	now := time.Date(2026, 11, 22, 10, 30, 0, 0, time.UTC)
	a := (&cluster{}).action()
	r := casebook.Remediation{
		Name: "rem-1",
		Plan: casebook.Plan{
			Question: question(now), Fix: diagnostics.Fix{ID: "alb/allow-pod-port", Action: &a}, Hash: a.Hash(), Target: a.Target(),
			Risk: "medium", Approvals: 1, Expires: now.Add(30 * time.Minute),
		},
		Status: casebook.RemediationStatus{Phase: p},
	}
	s := &r.Status
	switch p {
	case casebook.Proposed, casebook.AwaitingApproval, casebook.Rejected, casebook.Expired, casebook.Superseded, casebook.Cancelled:
		return r
	}
	s.Decisions = []casebook.Decision{{Team: team, User: approver, Verdict: casebook.Approve, Hash: r.Plan.Hash, At: now}}
	s.Claim = casebook.Claim{Holder: "executor-1", Epoch: 3}
	switch p {
	case casebook.Applying:
		s.Step, s.Attempts = casebook.StepInFlight, 1
	case casebook.Verifying, casebook.NeedsHuman, casebook.RollingBack:
		s.Step, s.Attempts, s.Receipt = casebook.StepApplied, 1, &remedy.Receipt{ID: "sgr-1", Owned: true}
	case casebook.Succeeded:
		s.Step, s.Attempts, s.Receipt = casebook.StepVerified, 1, &remedy.Receipt{ID: "sgr-1", Owned: true}
	}
	return r
}

// TestEveryEdge holds all pairs of phases against a second spelling of the machine.
func TestEveryEdge(t *testing.T) {
	legal := map[string]bool{}
	for from, to := range map[casebook.Phase]string{
		casebook.Proposed:         "AwaitingApproval Superseded Expired Cancelled",
		casebook.AwaitingApproval: "Approved Rejected Superseded Expired Cancelled",
		casebook.Approved:         "Preflight Expired Cancelled Superseded",
		casebook.Preflight:        "Applying Superseded Failed Cancelled",
		casebook.Applying:         "Verifying RollingBack Failed NeedsHuman",
		casebook.Verifying:        "Succeeded RollingBack NeedsHuman",
		casebook.RollingBack:      "RolledBack NeedsHuman",
		casebook.NeedsHuman:       "RollingBack RolledBack Succeeded",
	} {
		for p := range strings.FieldsSeq(to) {
			legal[string(from)+" "+p] = true
		}
	}
	edges := 0
	for _, from := range phases {
		for _, to := range phases {
			old, new := inPhase(from), inPhase(to)
			// What the new phase needs and the old one doesn't have is no part of this test.
			if old.Status.Step != "" && new.Status.Step == "" || to == casebook.RolledBack {
				new.Status.Step = old.Status.Step
			}
			new.Status.Receipt = old.Status.Receipt
			new.Status.Claim = old.Status.Claim
			new.Status.Attempts = max(old.Status.Attempts, new.Status.Attempts)
			if to == casebook.Applying || new.Status.Claim.Holder == "" {
				new.Status.Claim = inPhase(casebook.Applying).Status.Claim
			}
			if len(old.Status.Decisions) > 0 {
				new.Status.Decisions = old.Status.Decisions
			}
			err := casebook.Check(old, new)
			switch want := from == to || legal[string(from)+" "+string(to)]; {
			case want && from != to:
				edges++
				fallthrough
			case want:
				if err != nil && from != to {
					t.Errorf("%s → %s: %v, want it allowed", from, to, err)
				}
			case !errors.Is(err, casebook.ErrIllegal):
				t.Errorf("%s → %s: %v, want ErrIllegal", from, to, err)
			}
			if got := from.CanBecome(to); got != legal[string(from)+" "+string(to)] {
				t.Errorf("%s.CanBecome(%s) = %v", from, to, got)
			}
		}
	}
	if edges != len(legal) {
		t.Errorf("%d edges seen, %d there are", edges, len(legal))
	}
}

func TestCheckRefuses(t *testing.T) {
	now := time.Date(2026, 11, 22, 10, 35, 0, 0, time.UTC)
	decide := func(r *casebook.Remediation, user string, v casebook.Verdict) {
		r.Status.Decisions = append(slices.Clone(r.Status.Decisions), casebook.Decision{Team: team, User: user, Verdict: v, Hash: r.Plan.Hash, At: now})
	}
	for name, c := range map[string]struct {
		from   casebook.Phase
		change func(*casebook.Remediation)
		want   string
	}{
		"another plan": {casebook.AwaitingApproval, func(r *casebook.Remediation) { r.Plan.Expires = now.Add(time.Hour) }, "plan of rem-1 can't be changed"},
		"another name": {casebook.AwaitingApproval, func(r *casebook.Remediation) { r.Name = "rem-2" }, "plan of rem-1 can't be changed"},
		"no approval":  {casebook.AwaitingApproval, func(r *casebook.Remediation) { r.Status.Phase = casebook.Approved }, "0 of 1 approvals"},
		"only by the requester": {casebook.AwaitingApproval, func(r *casebook.Remediation) {
			decide(r, requester, casebook.Approve)
			r.Status.Phase = casebook.Approved
		}, "0 of 1 approvals"},
		"approved and rejected": {casebook.AwaitingApproval, func(r *casebook.Remediation) {
			decide(r, approver, casebook.Approve)
			decide(r, second, casebook.Reject)
			r.Status.Phase = casebook.Approved
		}, second + " rejected it"},
		"twice by one person": {casebook.AwaitingApproval, func(r *casebook.Remediation) {
			decide(r, approver, casebook.Approve)
			decide(r, approver, casebook.Approve)
		}, "decided twice"},
		"decision on another": {casebook.AwaitingApproval, func(r *casebook.Remediation) {
			decide(r, approver, casebook.Approve)
			r.Status.Decisions[0].Hash = strings.Repeat("0", 64)
		}, "another plan"},
		"decision after expiry": {casebook.AwaitingApproval, func(r *casebook.Remediation) {
			decide(r, approver, casebook.Approve)
			r.Status.Decisions[0].At = now.Add(time.Hour)
		}, "had expired"},
		"decision of nobody":       {casebook.AwaitingApproval, func(r *casebook.Remediation) { decide(r, "", casebook.Approve) }, "names nobody"},
		"neither yes nor no":       {casebook.AwaitingApproval, func(r *casebook.Remediation) { decide(r, approver, "Perhaps") }, "neither"},
		"decision too late":        {casebook.Approved, func(r *casebook.Remediation) { decide(r, second, casebook.Approve) }, "can't be added in phase Approved"},
		"decision before the card": {casebook.Proposed, func(r *casebook.Remediation) { decide(r, second, casebook.Approve) }, "can't be added in phase Proposed"},
		"decision taken back":      {casebook.Approved, func(r *casebook.Remediation) { r.Status.Decisions = nil }, "only ever added"},
		"decision changed": {casebook.Approved, func(r *casebook.Remediation) {
			r.Status.Decisions = slices.Clone(r.Status.Decisions)
			r.Status.Decisions[0].User = second
		}, "only ever added"},
		"epoch back":     {casebook.Preflight, func(r *casebook.Remediation) { r.Status.Claim.Epoch = 2 }, "can't go back from 3 to 2"},
		"claim stolen":   {casebook.Preflight, func(r *casebook.Remediation) { r.Status.Claim.Holder = "executor-2" }, "higher epoch than 3"},
		"telling back":   {casebook.Preflight, func(r *casebook.Remediation) { r.Status.Delivery.Epoch = 1 }, "can't go back from 2 to 1"},
		"telling stolen": {casebook.Succeeded, func(r *casebook.Remediation) { r.Status.Delivery.Holder = "front-2" }, "higher epoch than 2"},
		"step without a claim": {casebook.Preflight, func(r *casebook.Remediation) {
			r.Status.Phase, r.Status.Step = casebook.Applying, casebook.StepInFlight
			r.Status.Claim = casebook.Claim{Epoch: 4}
		}, "under a claim"},
		"step before its phase":           {casebook.Preflight, func(r *casebook.Remediation) { r.Status.Step = casebook.StepInFlight }, "starts only in phase Applying"},
		"step skipped":                    {casebook.Applying, func(r *casebook.Remediation) { r.Status.Step = casebook.StepVerified }, "step can't go"},
		"step back":                       {casebook.Verifying, func(r *casebook.Remediation) { r.Status.Step = casebook.StepInFlight }, "step can't go"},
		"attempts back":                   {casebook.Applying, func(r *casebook.Remediation) { r.Status.Attempts = 0 }, "attempts can't go back"},
		"verifying nothing":               {casebook.Applying, func(r *casebook.Remediation) { r.Status.Phase = casebook.Verifying }, "before it was applied"},
		"success unverified":              {casebook.Verifying, func(r *casebook.Remediation) { r.Status.Phase = casebook.Succeeded }, "verified step"},
		"receipt forgotten":               {casebook.Verifying, func(r *casebook.Remediation) { r.Status.Receipt = nil }, "receipt"},
		"outcome rewritten":               {casebook.Succeeded, func(r *casebook.Remediation) { r.Status.Outcome = "or not" }, "stands"},
		"claimed when over":               {casebook.Succeeded, func(r *casebook.Remediation) { r.Status.Claim.Epoch = 9 }, "stands"},
		"message forgotten":               {casebook.Verifying, func(r *casebook.Remediation) { delete(r.Status.Posted, "card") }, "can't be forgotten"},
		"message posted anew":             {casebook.Verifying, func(r *casebook.Remediation) { r.Status.Posted["card"] = "2.2" }, "can't be forgotten"},
		"watch on what has not succeeded": {casebook.Verifying, func(r *casebook.Remediation) { r.Status.Watch = &casebook.Watch{State: casebook.Watching} }, "a watch begins when"},
		"watch after the fact":            {casebook.Succeeded, func(r *casebook.Remediation) { r.Status.Watch = &casebook.Watch{State: casebook.Watching} }, "a watch begins when"},
		"watch that begins at its end": {casebook.Verifying, func(r *casebook.Remediation) {
			r.Status.Phase, r.Status.Step, r.Status.Watch = casebook.Succeeded, casebook.StepVerified, &casebook.Watch{State: casebook.Held}
		}, "a watch begins when"},
		"tried once it is approved": {casebook.Approved, func(r *casebook.Remediation) { r.Status.Trial = &casebook.Trial{At: now} }, "before it is decided on"},
		"tried as it is asked": {casebook.Proposed, func(r *casebook.Remediation) {
			r.Status.Phase, r.Status.Trial = casebook.AwaitingApproval, &casebook.Trial{At: now}
		}, "before it is decided on"},
		"moot once it was over": {casebook.Superseded, func(r *casebook.Remediation) { r.Status.Moot = true }, "stands"},
		"note forgotten":        {casebook.Verifying, func(r *casebook.Remediation) { r.Status.Notes = nil }, "notes are only ever added"},
	} {
		t.Run(name, func(t *testing.T) {
			old := inPhase(c.from)
			old.Status.Posted = map[string]string{"card": "1.1"}
			old.Status.Notes = []casebook.Note{{Key: "applying", Text: "…"}}
			old.Status.Delivery = casebook.Claim{Holder: "front-1", Epoch: 2}
			new := old
			new.Status.Posted = maps.Clone(old.Status.Posted)
			if err := casebook.Check(old, new); err != nil {
				t.Fatalf("no change at all: %v", err)
			}
			c.change(&new)
			if err := casebook.Check(old, new); !errors.Is(err, casebook.ErrIllegal) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want ErrIllegal with %q", err, c.want)
			}
		})
	}
}

// TestCheckOfTrialAndWatch: what is refused when it was tried is put to nobody, and a watch moves on its own, once.
func TestCheckOfTrialAndWatch(t *testing.T) {
	now := time.Date(2026, 11, 22, 10, 35, 0, 0, time.UTC)
	tried := inPhase(casebook.Proposed)
	tried.Status.Trial = &casebook.Trial{At: now, Refused: "no permission"}
	watched := inPhase(casebook.Succeeded)
	watched.Status.Watch = &casebook.Watch{Until: now.Add(time.Hour), State: casebook.Watching, At: now}
	held := inPhase(casebook.Succeeded)
	held.Status.Watch = &casebook.Watch{Until: now.Add(time.Hour), State: casebook.Held, At: now}
	if err := errors.Join(casebook.Check(inPhase(casebook.Proposed), tried), casebook.Check(watched, held)); err != nil {
		t.Fatal(err)
	}
	watch := func(w casebook.Watch) func(*casebook.Remediation) {
		return func(r *casebook.Remediation) { r.Status.Watch = &w }
	}
	for name, c := range map[string]struct {
		from   casebook.Remediation
		change func(*casebook.Remediation)
		want   string
	}{
		"asked all the same":  {tried, func(r *casebook.Remediation) { r.Status.Phase = casebook.AwaitingApproval }, "nobody is asked"},
		"cancelled":           {tried, func(r *casebook.Remediation) { r.Status.Phase = casebook.Cancelled }, ""},
		"trial forgotten":     {tried, func(r *casebook.Remediation) { r.Status.Trial = nil }, "trial of the change can't be changed"},
		"trial changed":       {tried, func(r *casebook.Remediation) { r.Status.Trial = &casebook.Trial{At: now} }, "trial of the change can't be changed"},
		"a look":              {watched, watch(casebook.Watch{Until: now.Add(time.Hour), State: casebook.Watching, At: now.Add(time.Minute)}), ""},
		"undone":              {watched, watch(casebook.Watch{Until: now.Add(time.Hour), State: casebook.Undone, At: now.Add(time.Minute)}), ""},
		"watched longer":      {watched, watch(casebook.Watch{Until: now.Add(2 * time.Hour), State: casebook.Watching, At: now}), "how long"},
		"watched no more":     {watched, func(r *casebook.Remediation) { r.Status.Watch = nil }, "how long"},
		"a look before":       {watched, watch(casebook.Watch{Until: now.Add(time.Hour), State: casebook.Watching, At: now.Add(-time.Minute)}), "can't go back"},
		"another state":       {watched, watch(casebook.Watch{Until: now.Add(time.Hour), State: "Lost", At: now}), "no state of a watch"},
		"held and undone":     {held, watch(casebook.Watch{Until: now.Add(time.Hour), State: casebook.Undone, At: now}), "the watch has ended"},
		"watched once more":   {held, watch(casebook.Watch{Until: now.Add(time.Hour), State: casebook.Watching, At: now}), "the watch has ended"},
		"looked at once more": {held, watch(casebook.Watch{Until: now.Add(time.Hour), State: casebook.Held, At: now.Add(time.Minute)}), "the watch has ended"},
	} {
		next := c.from
		c.change(&next)
		switch err := casebook.Check(c.from, next); {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.want != "" && (!errors.Is(err, casebook.ErrIllegal) || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %v, want ErrIllegal with %q", name, err, c.want)
		}
	}
}

func TestCheckRefusesToCreate(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*casebook.Remediation)
		want   string
	}{
		"no name":           {func(r *casebook.Remediation) { r.Name = "" }, "needs a name"},
		"no action":         {func(r *casebook.Remediation) { r.Plan.Fix.Action = nil }, "no action"},
		"hash of another":   {func(r *casebook.Remediation) { r.Plan.Hash = strings.Repeat("0", 64) }, "not those of its action"},
		"target of another": {func(r *casebook.Remediation) { r.Plan.Target = "security-group/sg-9" }, "not those of its action"},
		"asked by nobody":   {func(r *casebook.Remediation) { r.Plan.Question.User = "" }, "nobody"},
		"never expires":     {func(r *casebook.Remediation) { r.Plan.Expires = time.Time{} }, "never expires"},
		"approved already":  {func(r *casebook.Remediation) { r.Status = inPhase(casebook.Approved).Status }, "is Proposed"},
		"claimed already":   {func(r *casebook.Remediation) { r.Status.Claim.Epoch = 1 }, "is Proposed"},
		"not executable":    {func(r *casebook.Remediation) { r.Plan.Fix.ID = "alb/edit-nacl" }, "none that the catalogue marks"},
		"unknown fix":       {func(r *casebook.Remediation) { r.Plan.Fix.ID = "alb/reboot" }, "none that the catalogue marks"},
		"risk played down":  {func(r *casebook.Remediation) { r.Plan.Risk = "low" }, "is medium, not low"},
		"self-approval":     {func(r *casebook.Remediation) { r.Plan.SelfApproval = true }, "who asked for it"},
		"no approval":       {func(r *casebook.Remediation) { r.Plan.Approvals = 0 }, "needs 1 approvals"},
	} {
		t.Run(name, func(t *testing.T) {
			r := inPhase(casebook.Proposed)
			if err := casebook.Check(casebook.Remediation{}, r); err != nil {
				t.Fatalf("as it should be: %v", err)
			}
			c.change(&r)
			if err := casebook.Check(casebook.Remediation{}, r); !errors.Is(err, casebook.ErrIllegal) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want ErrIllegal with %q", err, c.want)
			}
		})
	}
}

func TestCheckInvestigationRefuses(t *testing.T) {
	reported := casebook.Investigation{Name: "inv-1", Question: question(time.Time{}), Status: casebook.InvestigationStatus{
		Phase: casebook.Reported, Claim: casebook.Claim{Holder: "front-1", Epoch: 2}, Root: casebook.Message{Channel: "C1", TS: "1.1"},
		Report: &diagnostics.Report{Summary: "all is well"}, Posted: map[string]string{"root": "1.1"},
		Wanted: map[string]string{"evidence": requester}, Delivery: casebook.Claim{Holder: "front-1", Epoch: 1},
	}}
	for name, c := range map[string]struct {
		change func(*casebook.Investigation)
		want   string
	}{
		"another question":  {func(i *casebook.Investigation) { i.Question.User = second }, "question of inv-1"},
		"diagnosed again":   {func(i *casebook.Investigation) { i.Status.Phase, i.Status.Report = casebook.Diagnosing, nil }, "can't go from Reported"},
		"report gone":       {func(i *casebook.Investigation) { i.Status.Report = nil }, "a report exactly in"},
		"another report":    {func(i *casebook.Investigation) { i.Status.Report = &diagnostics.Report{Summary: "or not"} }, "can't be changed"},
		"another root":      {func(i *casebook.Investigation) { i.Status.Root.TS = "2.2" }, "posted already"},
		"message forgotten": {func(i *casebook.Investigation) { i.Status.Posted = nil }, "can't be forgotten"},
		"wish forgotten":    {func(i *casebook.Investigation) { i.Status.Wanted = nil }, "was wanted by"},
		"wish of another":   {func(i *casebook.Investigation) { i.Status.Wanted = map[string]string{"evidence": second} }, "was wanted by"},
		"another leader":    {func(i *casebook.Investigation) { i.Question.Follows = "inv-2" }, "question of inv-1"},
		"claim stolen":      {func(i *casebook.Investigation) { i.Status.Claim.Holder = "front-2" }, "higher epoch"},
		"telling stolen":    {func(i *casebook.Investigation) { i.Status.Delivery.Holder = "front-2" }, "higher epoch"},
	} {
		t.Run(name, func(t *testing.T) {
			new := reported
			if err := casebook.CheckInvestigation(reported, new); err != nil {
				t.Fatalf("no change at all: %v", err)
			}
			c.change(&new)
			if err := casebook.CheckInvestigation(reported, new); !errors.Is(err, casebook.ErrIllegal) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want ErrIllegal with %q", err, c.want)
			}
		})
	}
	if err := casebook.CheckInvestigation(casebook.Investigation{}, reported); !errors.Is(err, casebook.ErrIllegal) {
		t.Errorf("created with a report: %v, want ErrIllegal", err)
	}
	early := casebook.Investigation{Name: "inv-1", Question: reported.Question, Status: casebook.InvestigationStatus{Phase: casebook.Diagnosing}}
	wished := early
	wished.Status.Wanted = map[string]string{"evidence": requester}
	if err := casebook.CheckInvestigation(early, wished); !errors.Is(err, casebook.ErrIllegal) {
		t.Errorf("more is wanted before there is an answer: %v, want ErrIllegal", err)
	}
}

func TestNames(t *testing.T) {
	if got, want := casebook.InvestigationName("T1|C1|U1|123.456"), "inv-jd6iwzkpj5nhhj4vohalxvmug7"; got != want {
		t.Errorf("InvestigationName = %q, want %q: names are kept in clusters and must not change", got, want)
	}
	a, b := casebook.RemediationName("inv-a", "1"), casebook.RemediationName("inv-a", "2")
	if a == b || len(a) != 30 || !strings.HasPrefix(a, "rem-") || strings.ToLower(a) != a {
		t.Errorf("RemediationName = %q and %q", a, b)
	}
}
