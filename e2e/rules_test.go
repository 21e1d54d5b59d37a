package e2e

import (
	"maps"
	"testing"
	"time"

	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/remedy"
)

func opened(port int) *remedy.Action {
	return &remedy.Action{AllowIngress: &remedy.AllowIngress{Group: "sg-1", Source: "sg-2", Port: port}}
}

// both is an action with a second change hidden in it.
func both(a remedy.Action) *remedy.Action {
	a.RevokeIngress = &remedy.RevokeIngress{Group: "sg-1", Rule: "sgr-1", Source: "sg-2", Port: 8080}
	return &a
}

// TestRules breaks each rule of a Remediation's status, from a phase in which everything else would be in order.
func TestRules(t *testing.T) {
	p := need(t)
	d := docketOf(t, p.admin, p.namespace(t), "remediations")
	other := plan()
	other.Hash = "0000000000000000000000000000000000000000000000000000000000000000"
	const (
		added, changed = "decisions are only ever added", "a decision can't be changed"
		early          = "a decision can be added only while the phase is AwaitingApproval"
		approvals      = "needs spec.approvals approvals of spec.hash"
		epoch          = "the epoch of a claim can't go back, and a new holder needs a higher one"
		telling        = "the epoch of a delivery can't go back, and a new holder needs a higher one"
		stands         = "what was decided and done stands"
		step           = "the step can not go from"
		posted         = "a message that was posted can't be forgotten"
		tried          = "a change is tried before it is decided on"
		begins         = "a watch begins when a verified change succeeds"
	)
	type status = casebook.RemediationStatus
	for name, c := range map[string]struct {
		from    casebook.Phase
		spoil   func(*status)
		message string
	}{
		"about another plan":     {casebook.AwaitingApproval, func(s *status) { s.Decisions = []casebook.Decision{approval("U1", other)} }, "a decision is about spec.hash"},
		"after the plan expired": {casebook.AwaitingApproval, func(s *status) { s.Decisions = []casebook.Decision{late("U1")} }, "a decision after spec.expires is void"},
		"decided twice":          {casebook.AwaitingApproval, func(s *status) { s.Decisions = []casebook.Decision{approval("U1", plan()), approval("U1", plan())} }, "Duplicate value"},
		"by a name":              {casebook.AwaitingApproval, func(s *status) { s.Decisions = []casebook.Decision{approval("alice", plan())} }, "user in body should match"},
		"neither yes nor no": {casebook.AwaitingApproval, func(s *status) {
			s.Decisions = []casebook.Decision{{Team: "T1", User: "U1", Verdict: "Maybe", Hash: plan().Hash, At: at}}
		}, "Unsupported value: \"Maybe\""},
		"before anybody was asked":     {casebook.Proposed, func(s *status) { s.Decisions = []casebook.Decision{approval("U1", plan())} }, early},
		"one more while it is applied": {casebook.Applying, func(s *status) { s.Decisions = append(s.Decisions, approval("U1", plan())) }, early},
		"approved over a rejection": {casebook.AwaitingApproval, func(s *status) {
			*s = advance(*s, casebook.Approved, plan())
			s.Decisions = append(s.Decisions, advance(*s, casebook.Rejected, plan()).Decisions[0])
			s.Decisions[1].User = "U1"
		}, approvals},
		"a telling taken without its turn":   {casebook.Applying, func(s *status) { s.Delivery.Holder = "serve-2" }, telling},
		"a telling that goes back":           {casebook.Succeeded, func(s *status) { s.Delivery.Epoch = 1 }, telling},
		"a telling thrown away":              {casebook.Applying, func(s *status) { s.Delivery = casebook.Claim{} }, telling},
		"a decision taken back":              {casebook.Applying, func(s *status) { s.Decisions = nil }, added},
		"a decision changed":                 {casebook.Applying, func(s *status) { s.Decisions[0].Reason = "other" }, changed},
		"a decision for another":             {casebook.Applying, func(s *status) { s.Decisions[0].User = "U1" }, added},
		"an epoch that goes back":            {casebook.Applying, func(s *status) { s.Claim.Epoch = 0 }, "epoch in body should be greater"},
		"a claim taken without its turn":     {casebook.Applying, func(s *status) { s.Claim.Holder = "executor-2" }, epoch},
		"a claim thrown away":                {casebook.Applying, func(s *status) { s.Claim = casebook.Claim{} }, epoch},
		"a step that begins again":           {casebook.Verifying, func(s *status) { s.Step = casebook.StepInFlight }, step},
		"a step forgotten":                   {casebook.Verifying, func(s *status) { s.Step = "" }, step},
		"a step skipped":                     {casebook.Applying, func(s *status) { s.Step = casebook.StepVerified }, step},
		"a step begun too early":             {casebook.Preflight, func(s *status) { s.Step = casebook.StepInFlight }, "a step starts only in phase Applying"},
		"a step begun under no claim":        {casebook.Preflight, func(s *status) { *s = advance(*s, casebook.Applying, plan()); s.Claim.Holder, s.Claim.Epoch = "", 2 }, "a step starts only in phase Applying"},
		"verified before it was applied":     {casebook.Applying, func(s *status) { s.Phase = casebook.Verifying }, "nothing is verified before it was applied"},
		"success that nobody saw":            {casebook.Verifying, func(s *status) { s.Phase = casebook.Succeeded }, "success needs a verified step"},
		"attempts that go back":              {casebook.Applying, func(s *status) { s.Attempts = 0 }, "attempts can't go back"},
		"another receipt":                    {casebook.Verifying, func(s *status) { s.Receipt = &remedy.Receipt{ID: "sgr-2", Owned: true} }, "the receipt of what was done can't be changed"},
		"no receipt any more":                {casebook.Verifying, func(s *status) { s.Receipt = nil }, "the receipt of what was done can't be changed"},
		"a note taken back":                  {casebook.Verifying, func(s *status) { s.Notes = nil }, "notes are only ever added"},
		"a note changed":                     {casebook.Verifying, func(s *status) { s.Notes[0].Text = "other" }, "a note can't be changed"},
		"a message forgotten":                {casebook.Verifying, func(s *status) { s.Posted = nil }, posted},
		"a message moved":                    {casebook.Verifying, func(s *status) { s.Posted = map[string]string{"card": "2.2"} }, posted},
		"another outcome":                    {casebook.Succeeded, func(s *status) { s.Outcome = "Failed." }, stands},
		"tried once more after it was over":  {casebook.Succeeded, func(s *status) { s.Attempts = 9 }, stands},
		"started at another time":            {casebook.Succeeded, func(s *status) { s.Started = at.Add(time.Hour) }, stands},
		"applied at another time":            {casebook.Succeeded, func(s *status) { s.Applied = at.Add(time.Hour) }, stands},
		"another deadline":                   {casebook.Succeeded, func(s *status) { s.Deadline = at.Add(time.Hour) }, stands},
		"undone after it was over":           {casebook.Succeeded, func(s *status) { s.Step = casebook.StepUndone }, stands},
		"renewed after it was over":          {casebook.Succeeded, func(s *status) { s.Claim.Renewed = at.Add(time.Hour) }, stands},
		"a receipt for nothing":              {casebook.Failed, func(s *status) { s.Receipt = &remedy.Receipt{ID: "sgr-9"} }, stands},
		"a claim on what nobody took":        {casebook.Expired, func(s *status) { s.Claim = casebook.Claim{Holder: "x", Epoch: 1, Renewed: at} }, stands},
		"moot once it was over":              {casebook.Superseded, func(s *status) { s.Moot = true }, stands},
		"finished at another time":           {casebook.Expired, func(s *status) { s.Finished = at.Add(time.Hour) }, stands},
		"decided after it was cancelled":     {casebook.Cancelled, func(s *status) { s.Decisions = []casebook.Decision{approval("U1", plan())} }, early},
		"claimed after it was over":          {casebook.Failed, func(s *status) { s.Claim.Holder, s.Claim.Epoch = "executor-2", 9 }, stands},
		"tried once it is approved":          {casebook.Approved, func(s *status) { s.Trial = &casebook.Trial{At: at} }, tried},
		"tried as it is asked":               {casebook.Proposed, func(s *status) { s.Trial = &casebook.Trial{At: at}; s.Phase = casebook.AwaitingApproval }, tried},
		"watched before it succeeds":         {casebook.Verifying, func(s *status) { s.Watch = watched(casebook.Watching, at) }, begins},
		"watched though a person settled it": {casebook.NeedsHuman, func(s *status) { s.Phase, s.Watch = casebook.Succeeded, watched(casebook.Watching, at) }, begins},
		"held at once": {casebook.Verifying, func(s *status) {
			*s = advance(*s, casebook.Succeeded, plan())
			s.Watch.State = casebook.Held
		}, begins},
		"watched longer":                   {casebook.Succeeded, func(s *status) { s.Watch = watched(casebook.Watching, at); s.Watch.Until = at.Add(2 * time.Hour) }, "how long a change is watched"},
		"watched no more":                  {casebook.Succeeded, func(s *status) { s.Watch = nil }, "how long a change is watched"},
		"looked at before":                 {casebook.Succeeded, func(s *status) { s.Watch = watched(casebook.Held, at.Add(-time.Second)) }, "a watch that has ended stays as it is"},
		"a watch in no known state":        {casebook.Succeeded, func(s *status) { s.Watch = watched("Lost", at) }, "Unsupported value: \"Lost\""},
		"a phase that nobody has heard of": {casebook.Proposed, func(s *status) { s.Phase = "Done" }, "Unsupported value: \"Done\""},
	} {
		u, s := d.walk(plan(), ways[c.from]...)
		s = clone(s)
		c.spoil(&s)
		_, err := d.put(u, s)
		refused(t, name, err, c.message)
	}
	for name, spoil := range map[string]func(*status){
		"begun decided":  func(s *status) { s.Decisions = []casebook.Decision{approval("U1", plan())} },
		"begun claimed":  func(s *status) { s.Claim = casebook.Claim{Holder: "x", Epoch: 1, Renewed: at} },
		"begun to tell":  func(s *status) { s.Delivery = casebook.Claim{Holder: "x", Epoch: 1, Renewed: at} },
		"begun begun":    func(s *status) { s.Step = casebook.StepPending },
		"begun tried":    func(s *status) { s.Attempts = 1 },
		"begun applied":  func(s *status) { s.Applied = at },
		"begun done":     func(s *status) { s.Receipt = &remedy.Receipt{ID: "sgr-1"} },
		"begun told":     func(s *status) { s.Outcome = "Done." },
		"begun on trial": func(s *status) { s.Trial = &casebook.Trial{At: at} },
		"begun watched":  func(s *status) { s.Watch = watched(casebook.Watching, at) },
		"begun finished": func(s *status) { s.Finished = at },
	} {
		u, s := d.walk(plan())
		s.Phase = casebook.Proposed
		spoil(&s)
		_, err := d.put(u, s)
		refused(t, name, err, "a status begins as Proposed, with nothing decided or done")
	}
	u, _ := d.walk(plan(), ways[casebook.AwaitingApproval]...)
	_, err := d.put(u, nil)
	refused(t, "the status wiped", err, "status may not be removed once written")
}

func watched(state casebook.WatchState, looked time.Time) *casebook.Watch {
	return &casebook.Watch{Until: at.Add(time.Hour), State: state, At: looked}
}

// TestRulesOfTwoSteps breaks rules that hold only once something was written before.
func TestRulesOfTwoSteps(t *testing.T) {
	p := need(t)
	d := docketOf(t, p.admin, p.namespace(t), "remediations")
	type status = casebook.RemediationStatus
	refusal := &casebook.Trial{At: at, Refused: "no permission"}
	for name, c := range map[string]struct {
		from    casebook.Phase
		first   func(*status)
		then    func(*status)
		message string
	}{
		"asked though it was refused":    {casebook.Proposed, func(s *status) { s.Trial = refusal }, func(s *status) { s.Phase = casebook.AwaitingApproval }, "nobody is asked to approve a change that was refused"},
		"approved though it was refused": {casebook.AwaitingApproval, func(s *status) { s.Trial = refusal }, func(s *status) { *s = advance(*s, casebook.Approved, plan()) }, "nobody is asked to approve a change that was refused"},
		"cancelled, for it was refused":  {casebook.AwaitingApproval, func(s *status) { s.Trial = refusal }, func(s *status) { *s = advance(*s, casebook.Cancelled, plan()) }, ""},
		"asked, for it went well":        {casebook.Proposed, func(s *status) { s.Trial = &casebook.Trial{At: at} }, func(s *status) { s.Phase = casebook.AwaitingApproval }, ""},
		"another trial":                  {casebook.Proposed, func(s *status) { s.Trial = refusal }, func(s *status) { s.Trial = &casebook.Trial{At: at} }, "the trial of the change can't be changed"},
		"no trial any more":              {casebook.Proposed, func(s *status) { s.Trial = refusal }, func(s *status) { s.Trial = nil }, "the trial of the change can't be changed"},
		"held, then undone":              {casebook.Succeeded, func(s *status) { s.Watch = watched(casebook.Held, at) }, func(s *status) { s.Watch = watched(casebook.Undone, at) }, "a watch that has ended stays as it is"},
		"held, then looked at again":     {casebook.Succeeded, func(s *status) { s.Watch = watched(casebook.Held, at) }, func(s *status) { s.Watch = watched(casebook.Held, at.Add(1)) }, "a watch that has ended stays as it is"},
		"looked at, then undone":         {casebook.Succeeded, func(s *status) { s.Watch = watched(casebook.Watching, at.Add(time.Minute)) }, func(s *status) { s.Watch = watched(casebook.Undone, at.Add(time.Hour)) }, ""},
	} {
		u, s := d.walk(plan(), ways[c.from]...)
		s = clone(s)
		c.first(&s)
		u, err := d.put(u, s)
		if err != nil {
			t.Errorf("%s: at first: %v", name, err)
			continue
		}
		s = clone(s)
		c.then(&s)
		if _, err := d.put(u, s); c.message != "" {
			refused(t, name, err, c.message)
		} else if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func late(user string) casebook.Decision {
	d := approval(user, plan())
	d.At = plan().Expires.Add(time.Nanosecond)
	return d
}

// TestStatusMoves: what the machine allows besides moves passes, such as a claim that another takes and a thread that is
// told more once all is over.
func TestStatusMoves(t *testing.T) {
	p := need(t)
	d := docketOf(t, p.admin, p.namespace(t), "remediations")
	type status = casebook.RemediationStatus
	for name, c := range map[string]struct {
		from   casebook.Phase
		change func(*status)
	}{
		"the claim renewed":                   {casebook.Applying, func(s *status) { s.Claim.Renewed = at.Add(time.Second) }},
		"the claim taken over":                {casebook.Applying, func(s *status) { s.Claim.Holder, s.Claim.Epoch = "executor-2", 2 }},
		"the telling taken over":              {casebook.Applying, func(s *status) { s.Delivery.Holder, s.Delivery.Epoch = "serve-2", 3 }},
		"the telling taken after it was over": {casebook.Failed, func(s *status) { s.Delivery.Holder, s.Delivery.Epoch, s.Shown = "serve-2", 3, "00" }},
		"the claim given back":                {casebook.Applying, func(s *status) { s.Claim.Holder, s.Claim.Epoch = "", 2 }},
		"tried once more":                     {casebook.Applying, func(s *status) { s.Attempts = 2 }},
		"one of two approvals":                {casebook.AwaitingApproval, func(s *status) { s.Decisions = []casebook.Decision{approval("U1", plan())} }},
		"a rejection":                         {casebook.AwaitingApproval, func(s *status) { *s = advance(*s, casebook.Rejected, plan()) }},
		"told once over":                      {casebook.Succeeded, func(s *status) { s.Posted = maps.Clone(s.Posted); s.Posted["settled"] = "3.3" }},
		"another note":                        {casebook.Verifying, func(s *status) { s.Notes = append(s.Notes, casebook.Note{Key: "b", At: at, Text: "more"}) }},
		"settled by a person":                 {casebook.NeedsHuman, func(s *status) { s.Phase = casebook.Succeeded }},
		"decided at the last moment": {casebook.AwaitingApproval, func(s *status) {
			x := approval("U1", plan())
			x.At = plan().Expires
			s.Decisions = []casebook.Decision{x}
		}},
	} {
		u, s := d.walk(plan(), ways[c.from]...)
		s = clone(s)
		c.change(&s)
		if _, err := d.put(u, s); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
