package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	kjson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/remedy"
	"github.com/netdiag/netdiag/internal/store/storetest"
)

// docket writes records past internal/store/crd, which would refuse by itself what the API server has to refuse.
type docket struct {
	t   *testing.T
	api dynamic.ResourceInterface
	n   int
}

func docketOf(t *testing.T, cfg *rest.Config, namespace, resource string) *docket {
	t.Helper()
	client, err := dynamic.NewForConfig(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return &docket{t: t, api: client.Resource(records.WithResource(resource)).Namespace(namespace)}
}

// object is a record as the API server is sent it.
func object(t *testing.T, kind, name string, spec, status any) *unstructured.Unstructured {
	t.Helper()
	u := &unstructured.Unstructured{Object: map[string]any{}}
	u.SetAPIVersion(records.String())
	u.SetKind(kind)
	u.SetName(name)
	for field, v := range map[string]any{"spec": spec, "status": status} {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		var m map[string]any
		if err := kjson.Unmarshal(b, &m); err != nil {
			t.Fatal(err)
		}
		if u.Object[field] = m; m == nil {
			delete(u.Object, field)
		}
	}
	return u
}

// file creates a Remediation that nothing was decided about, without a status.
func (d *docket) file(plan casebook.Plan) (*unstructured.Unstructured, error) {
	d.n++
	return d.api.Create(d.t.Context(), object(d.t, "Remediation", fmt.Sprintf("rem-%d", d.n), plan, nil), metav1.CreateOptions{FieldValidation: metav1.FieldValidationStrict})
}

// put replaces the status of u.
func (d *docket) put(u *unstructured.Unstructured, status any) (*unstructured.Unstructured, error) {
	d.t.Helper()
	next := u.DeepCopy()
	next.Object["status"] = object(d.t, "", "", nil, status).Object["status"]
	return d.api.UpdateStatus(d.t.Context(), next, metav1.UpdateOptions{FieldValidation: metav1.FieldValidationStrict})
}

// walk files a Remediation and takes it along a path of phases.
func (d *docket) walk(plan casebook.Plan, path ...casebook.Phase) (*unstructured.Unstructured, casebook.RemediationStatus) {
	d.t.Helper()
	u, err := d.file(plan)
	if err != nil {
		d.t.Fatal(err)
	}
	var s casebook.RemediationStatus
	for _, phase := range path {
		s = advance(s, phase, plan)
		if u, err = d.put(u, s); err != nil {
			d.t.Fatalf("to %s: %v", phase, err)
		}
	}
	return u, s
}

var at = time.Date(2026, 11, 22, 10, 30, 0, 123456000, time.UTC)

// advance is s in another phase, with all that the phase asks for.
func advance(s casebook.RemediationStatus, to casebook.Phase, plan casebook.Plan) casebook.RemediationStatus {
	s.Phase = to
	if to != casebook.Proposed && s.Nonce == "" {
		s.Nonce, s.Card, s.Posted = "00", casebook.Message{Channel: "C1", TS: "1.1"}, map[string]string{"card": "1.1"}
		s.Delivery = casebook.Claim{Holder: "serve-1", Epoch: 2, Renewed: at, TTL: 30 * time.Second}
	}
	switch to {
	case casebook.Approved:
		s.Decisions = []casebook.Decision{approval("U0APPROVER", plan)}
	case casebook.Rejected:
		s.Decisions = []casebook.Decision{{Team: "T0TEAM", User: "U0APPROVER", Verdict: casebook.Reject, Hash: plan.Hash, At: at, Reason: "no"}}
	case casebook.Preflight:
		s.Claim = casebook.Claim{Holder: "executor-1", Epoch: 1, Renewed: at, TTL: 30 * time.Second}
	case casebook.Applying:
		s.Step, s.Attempts, s.Started = casebook.StepInFlight, 1, at
		s.Notes = []casebook.Note{{Key: "applying", At: at, Text: "Applying."}}
	case casebook.Verifying:
		s.Step, s.Applied, s.Deadline = casebook.StepApplied, at, at.Add(time.Minute)
		undo := remedy.Action{RevokeIngress: &remedy.RevokeIngress{Group: "sg-1", Rule: "sgr-1", Source: "sg-2", Port: 8080}}
		s.Receipt = &remedy.Receipt{ID: "sgr-1", Owned: true, Undo: &undo}
	case casebook.Succeeded:
		if s.Step == casebook.StepApplied {
			s.Step = casebook.StepVerified
			s.Watch = &casebook.Watch{Until: at.Add(time.Hour), State: casebook.Watching, At: at}
		}
	case casebook.RolledBack:
		s.Step = casebook.StepUndone
	}
	if to.Terminal() {
		s.Outcome, s.Finished = "Over.", at
	}
	return s
}

func approval(user string, plan casebook.Plan) casebook.Decision {
	return casebook.Decision{Team: "T0TEAM", User: user, Verdict: casebook.Approve, Hash: plan.Hash, At: at}
}

func plan() casebook.Plan { return storetest.Remediation("rem").Plan }

// phases with a way that leads there.
var ways = map[casebook.Phase][]casebook.Phase{
	casebook.Proposed:         {casebook.Proposed},
	casebook.AwaitingApproval: {casebook.Proposed, casebook.AwaitingApproval},
	casebook.Approved:         {casebook.Proposed, casebook.AwaitingApproval, casebook.Approved},
	casebook.Preflight:        {casebook.Proposed, casebook.AwaitingApproval, casebook.Approved, casebook.Preflight},
	casebook.Applying:         {casebook.Proposed, casebook.AwaitingApproval, casebook.Approved, casebook.Preflight, casebook.Applying},
	casebook.Verifying:        {casebook.Proposed, casebook.AwaitingApproval, casebook.Approved, casebook.Preflight, casebook.Applying, casebook.Verifying},
	casebook.Succeeded:        {casebook.Proposed, casebook.AwaitingApproval, casebook.Approved, casebook.Preflight, casebook.Applying, casebook.Verifying, casebook.Succeeded},
	casebook.Rejected:         {casebook.Proposed, casebook.AwaitingApproval, casebook.Rejected},
	casebook.Expired:          {casebook.Proposed, casebook.AwaitingApproval, casebook.Expired},
	casebook.Superseded:       {casebook.Proposed, casebook.AwaitingApproval, casebook.Approved, casebook.Preflight, casebook.Superseded},
	casebook.Cancelled:        {casebook.Proposed, casebook.Cancelled},
	casebook.RollingBack:      {casebook.Proposed, casebook.AwaitingApproval, casebook.Approved, casebook.Preflight, casebook.Applying, casebook.RollingBack},
	casebook.RolledBack:       {casebook.Proposed, casebook.AwaitingApproval, casebook.Approved, casebook.Preflight, casebook.Applying, casebook.RollingBack, casebook.RolledBack},
	casebook.NeedsHuman:       {casebook.Proposed, casebook.AwaitingApproval, casebook.Approved, casebook.Preflight, casebook.Applying, casebook.NeedsHuman},
	casebook.Failed:           {casebook.Proposed, casebook.AwaitingApproval, casebook.Approved, casebook.Preflight, casebook.Failed},
}

// refused checks that the API server said no, and for this reason: another refusal proves nothing about the rule.
func refused(t *testing.T, what string, err error, message string) {
	t.Helper()
	switch {
	case err == nil:
		t.Errorf("%s: was taken, want %q", what, message)
	case !strings.Contains(err.Error(), message):
		t.Errorf("%s: %v, want %q", what, err, message)
	}
}

func clone(s casebook.RemediationStatus) casebook.RemediationStatus {
	s.Decisions, s.Notes = slices.Clone(s.Decisions), slices.Clone(s.Notes)
	return s
}
