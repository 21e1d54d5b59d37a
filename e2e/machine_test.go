package e2e

import (
	"fmt"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/netdiag/netdiag/internal/casebook"
)

// TestEdges tries every move from every phase to every other: the API server takes those of the casebook and no other.
func TestEdges(t *testing.T) {
	p := need(t)
	d := docketOf(t, p.admin, p.namespace(t), "remediations")
	legal, illegal := 0, 0
	for from, way := range ways {
		stuck, status := d.walk(plan(), way...)
		for to := range ways {
			move := fmt.Sprintf("%s → %s", from, to)
			if to == from {
				continue
			}
			if !from.CanBecome(to) {
				_, err := d.put(stuck, advance(clone(status), to, plan()))
				refused(t, move, err, fmt.Sprintf("no move of the machine goes from %s to %s", from, to))
				illegal++
				continue
			}
			u, s := d.walk(plan(), way...)
			if _, err := d.put(u, advance(s, to, plan())); err != nil {
				t.Errorf("%s: %v", move, err)
			}
			legal++
		}
	}
	if legal != 29 || legal+illegal != 15*14 {
		t.Errorf("tried %d legal and %d illegal moves", legal, illegal)
	}
	for to := range ways {
		u, err := d.file(plan())
		if err != nil {
			t.Fatal(err)
		}
		if _, err = d.put(u, advance(casebook.RemediationStatus{}, to, plan())); to != casebook.Proposed {
			refused(t, "nothing → "+string(to), err, "a status begins as Proposed")
		} else if err != nil {
			t.Errorf("nothing → %s: %v", to, err)
		}
	}
}

// TestPlan tries plans that ask for too little.
func TestPlan(t *testing.T) {
	p := need(t)
	d := docketOf(t, p.admin, p.namespace(t), "remediations")
	for message, spoil := range map[string]func(*casebook.Plan){
		"high risk needs two approvals":                  func(r *casebook.Plan) { r.Fix.ID, r.Risk = "pending/enable-prefix-delegation", "high" },
		"who asked can approve at low risk only":         func(r *casebook.Plan) { r.SelfApproval = true },
		"the risk is not the one that the catalogue":     func(r *casebook.Plan) { r.Risk = "low" },
		"spec.approvals in body should be greater":       func(r *casebook.Plan) { r.Approvals = 0 },
		`spec.fix.id: Unsupported value: "alb/open-all"`: func(r *casebook.Plan) { r.Fix.ID = "alb/open-all" },
		"spec.fix.executable: Unsupported value":         func(r *casebook.Plan) { r.Fix.Executable = false },
		"spec.fix.action: Required value":                func(r *casebook.Plan) { r.Fix.Action = nil },
		"spec.fix.action: Too many": func(r *casebook.Plan) {
			a := *r.Fix.Action
			r.Fix.Action = &a
			a.RevokeIngress = nil
			r.Fix.Action = both(a)
		},
		"spec.fix.action.allowIngress.port in body should": func(r *casebook.Plan) { r.Fix.Action = opened(0) },
		"spec.hash in body should match":                   func(r *casebook.Plan) { r.Hash = "0" },
		"spec.question.user in body should be at least":    func(r *casebook.Plan) { r.Question.User = "" },
	} {
		r := plan()
		spoil(&r)
		_, err := d.file(r)
		refused(t, message, err, message)
	}
	u, err := d.file(plan())
	if err != nil {
		t.Fatal(err)
	}
	u.Object["spec"].(map[string]any)["expires"] = "2030-01-01T00:00:00Z"
	_, err = d.api.Update(t.Context(), u, metav1.UpdateOptions{})
	refused(t, "a plan that expires later", err, "the plan can't be changed")
}

// TestTwoApprovals: high risk starts only once two people other than who asked have approved, whatever a front end records.
func TestTwoApprovals(t *testing.T) {
	p := need(t)
	d := docketOf(t, p.admin, p.namespace(t), "remediations")
	high := plan()
	high.Fix.ID, high.Risk, high.Approvals = "pending/enable-prefix-delegation", "high", 2
	low := plan()
	low.Fix.ID, low.Risk, low.SelfApproval = "alb/reconcile-kick", "low", true
	for name, c := range map[string]struct {
		plan casebook.Plan
		by   []string
		ok   bool
	}{
		"high, nobody":                  {high, nil, false},
		"high, one":                     {high, []string{"U0ONE"}, false},
		"high, one and who asked":       {high, []string{"U0ONE", "U0ASKER"}, false},
		"high, two":                     {high, []string{"U0ONE", "U0TWO"}, true},
		"high, two and who asked":       {high, []string{"U0ONE", "U0TWO", "U0ASKER"}, true},
		"medium, nobody":                {plan(), nil, false},
		"medium, who asked":             {plan(), []string{"U0ASKER"}, false},
		"medium, one":                   {plan(), []string{"U0ONE"}, true},
		"low, nobody":                   {low, nil, false},
		"low, who asked, allowed there": {low, []string{"U0ASKER"}, true},
	} {
		u, s := d.walk(c.plan, casebook.Proposed, casebook.AwaitingApproval)
		s = advance(s, casebook.Approved, c.plan)
		s.Decisions = nil
		for _, user := range c.by {
			s.Decisions = append(s.Decisions, approval(user, c.plan))
		}
		if _, err := d.put(u, s); !c.ok {
			refused(t, name, err, "needs spec.approvals approvals of spec.hash")
		} else if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
