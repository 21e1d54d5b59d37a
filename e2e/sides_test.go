package e2e

import (
	"context"
	"maps"
	"testing"
	"time"

	authz "k8s.io/api/authorization/v1"
	rbac "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/store/crd"
	"github.com/netdiag/netdiag/internal/store/storetest"
)

// eventually tries f until it is content: what is installed holds only once the API server has noticed.
func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	timeout := time.After(time.Minute)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for !f() {
		select {
		case <-tick.C:
		case <-timeout:
			t.Fatalf("%s: not so after a minute", what)
		}
	}
}

// omnipotent gives both service accounts every right there is, for the length of a test: what is refused then is refused
// by the admission policies alone.
func omnipotent(t *testing.T, p *plane) (front, executor *rest.Config) {
	t.Helper()
	client, err := kubernetes.NewForConfig(p.admin)
	if err != nil {
		t.Fatal(err)
	}
	b := &rbac.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}, RoleRef: rbac.RoleRef{APIGroup: rbac.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
		Subjects: []rbac.Subject{{Kind: "ServiceAccount", Namespace: "netdiag", Name: "netdiag"}, {Kind: "ServiceAccount", Namespace: "netdiag", Name: "netdiag-executor"}},
	}
	b, err = client.RbacV1().ClusterRoleBindings().Create(t.Context(), b, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	front, executor = p.as(t, "netdiag"), p.as(t, "netdiag-executor")
	t.Cleanup(func() {
		if err := client.RbacV1().ClusterRoleBindings().Delete(background(t), b.Name, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
		eventually(t, "rights taken back", func() bool { return !may(t, executor, "delete", "", "nodes", "", "") })
	})
	eventually(t, "rights", func() bool {
		return may(t, front, "delete", "", "nodes", "", "") && may(t, executor, "delete", "", "nodes", "", "")
	})
	return front, executor
}

// may asks the API server whether the holder of cfg may do something.
func may(t *testing.T, cfg *rest.Config, verb, group, resource, namespace, name string) bool {
	t.Helper()
	client, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		t.Fatal(err)
	}
	r, err := client.AuthorizationV1().SelfSubjectAccessReviews().Create(background(t), &authz.SelfSubjectAccessReview{Spec: authz.SelfSubjectAccessReviewSpec{
		ResourceAttributes: &authz.ResourceAttributes{Verb: verb, Group: group, Resource: resource, Namespace: namespace, Name: name},
	}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return r.Status.Allowed
}

// TestSidesWork takes a Remediation through its life as the two processes do, each with the roles that the chart gives it.
func TestSidesWork(t *testing.T) {
	p := need(t)
	open := func(account string) casebook.Store {
		s, err := crd.New(p.as(t, account), crd.Options{Namespace: "netdiag"})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	front, executor := open("netdiag"), open("netdiag-executor")
	if _, err := front.Investigations.Create(t.Context(), storetest.Investigation("inv-sides")); err != nil {
		t.Fatal(err)
	}
	if _, err := executor.Investigations.Get(t.Context(), "inv-sides"); err != nil {
		t.Errorf("the executor reads the question: %v", err)
	}
	r, err := front.Remediations.Create(t.Context(), storetest.Remediation("rem-sides"))
	if err != nil {
		t.Fatal(err)
	}
	acting := map[casebook.Phase]bool{casebook.Preflight: true, casebook.Applying: true, casebook.Verifying: true, casebook.Succeeded: true}
	for _, phase := range ways[casebook.Succeeded][1:] {
		store := front
		if acting[phase] {
			store = executor
		}
		r.Status = advance(r.Status, phase, r.Plan)
		if r, err = store.Remediations.Update(t.Context(), r); err != nil {
			t.Fatalf("to %s: %v", phase, err)
		}
	}
	r.Status.Posted = maps.Clone(r.Status.Posted)
	r.Status.Posted["settled"] = "9.9"
	if _, err := front.Remediations.Update(t.Context(), r); err != nil {
		t.Errorf("the front end says in the thread that it is over: %v", err)
	}
	// An approval that nobody takes up, and one whose world has moved.
	for name, last := range map[string]casebook.Phase{"rem-late": casebook.Expired, "rem-moved": casebook.Superseded} {
		r, err := front.Remediations.Create(t.Context(), storetest.Remediation(name))
		for _, phase := range ways[casebook.Approved][1:] {
			if r.Status = advance(r.Status, phase, r.Plan); err == nil {
				r, err = front.Remediations.Update(t.Context(), r)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
		r.Status = advance(r.Status, last, r.Plan)
		if _, err := executor.Remediations.Update(t.Context(), r); err != nil {
			t.Errorf("the executor, to %s: %v", last, err)
		}
	}
}

// TestSides has each side try the other's part, with every right there is.
func TestSides(t *testing.T) {
	p := need(t)
	asFront, asExecutor := omnipotent(t, p)
	front, executor := docketOf(t, asFront, "netdiag", "remediations"), docketOf(t, asExecutor, "netdiag", "remediations")
	admin := docketOf(t, p.admin, "netdiag", "remediations")
	front.n = 100
	const (
		decide, card = "the executor can't decide", "the executor has no part in the card and the messages"
		approve      = "the executor can't ask for approval, approve or reject"
		claim        = "the front end can't claim"
		record, do   = "the front end can't record what was done", "the front end can't carry out"
		strangers    = "only netdiag writes the status of a remediation"
	)
	eventually(t, "the policy", func() bool {
		_, err := executor.file(plan())
		return err != nil && !apierrors.IsAlreadyExists(err)
	})
	_, err := executor.file(plan())
	refused(t, "the executor proposes", err, "only the front end proposes")
	type status = casebook.RemediationStatus
	for name, c := range map[string]struct {
		by      *docket
		from    casebook.Phase
		change  func(*status)
		message string
	}{
		"the executor approves":                 {executor, casebook.AwaitingApproval, func(s *status) { *s = advance(*s, casebook.Approved, plan()) }, decide},
		"the executor counts an approval":       {executor, casebook.AwaitingApproval, func(s *status) { s.Decisions = []casebook.Decision{approval("U1", plan())} }, decide},
		"the executor rejects":                  {executor, casebook.AwaitingApproval, func(s *status) { s.Phase = casebook.Rejected }, approve},
		"the executor asks":                     {executor, casebook.Proposed, func(s *status) { s.Phase = casebook.AwaitingApproval }, approve},
		"the executor changes the nonce":        {executor, casebook.AwaitingApproval, func(s *status) { s.Nonce = "11" }, card},
		"the executor moves the card":           {executor, casebook.AwaitingApproval, func(s *status) { s.Card.TS = "2.2" }, card},
		"the executor says it has posted":       {executor, casebook.AwaitingApproval, func(s *status) { s.Posted = map[string]string{"card": "1.1", "note": "2.2"} }, card},
		"the executor takes the telling":        {executor, casebook.AwaitingApproval, func(s *status) { s.Delivery = casebook.Claim{Holder: "executor-1", Epoch: 3, Renewed: at} }, card},
		"the executor says what the card shows": {executor, casebook.AwaitingApproval, func(s *status) { s.Shown = "00" }, card},
		"the front end takes the telling":       {front, casebook.Applying, func(s *status) { s.Delivery, s.Shown = casebook.Claim{Holder: "front", Epoch: 3, Renewed: at}, "00" }, ""},
		"the front end claims":                  {front, casebook.Approved, func(s *status) { s.Claim = casebook.Claim{Holder: "front", Epoch: 1, Renewed: at} }, claim},
		"the front end starts":                  {front, casebook.Approved, func(s *status) { s.Phase = casebook.Preflight }, do},
		"the front end tells a lie":             {front, casebook.Approved, func(s *status) { s.Notes = []casebook.Note{{Key: "x", At: at, Text: "Done."}} }, record},
		"the front end counts attempts":         {front, casebook.Approved, func(s *status) { s.Attempts = 1 }, record},
		"the front end leaves a receipt":        {front, casebook.Approved, func(s *status) { *s = advance(*s, casebook.Verifying, plan()); s.Phase, s.Step = casebook.Approved, "" }, record},
		"the front end gives up":                {front, casebook.Applying, func(s *status) { s.Phase = casebook.NeedsHuman }, do},
		"the front end calls it failed":         {front, casebook.Applying, func(s *status) { s.Phase = casebook.Failed }, do},
		"the front end rolls back":              {front, casebook.Verifying, func(s *status) { s.Phase = casebook.RollingBack }, do},
		"the front end has it applied":          {front, casebook.Applying, func(s *status) { s.Step = casebook.StepApplied }, record},
		"the front end dates the start":         {front, casebook.Applying, func(s *status) { s.Started = at.Add(time.Hour) }, record},
		"the front end dates the change":        {front, casebook.Applying, func(s *status) { s.Applied = at }, record},
		"the front end gives more time":         {front, casebook.Verifying, func(s *status) { s.Deadline = at.Add(time.Hour) }, record},
		"the front end takes a claim over":      {front, casebook.Applying, func(s *status) { s.Claim.Holder, s.Claim.Epoch = "front", 2 }, claim},
		"the front end calls it moot":           {front, casebook.Approved, func(s *status) { s.Moot = true }, record},
		"the front end tries":                   {front, casebook.Proposed, func(s *status) { s.Trial = &casebook.Trial{At: at} }, record},
		"the front end ends a watch":            {front, casebook.Succeeded, func(s *status) { s.Watch = watched(casebook.Held, at) }, record},
		"the executor tries":                    {executor, casebook.Proposed, func(s *status) { s.Trial = &casebook.Trial{At: at} }, ""},
		"the executor ends a watch":             {executor, casebook.Succeeded, func(s *status) { s.Watch = watched(casebook.Held, at) }, ""},
		"the executor gives up":                 {executor, casebook.Applying, func(s *status) { s.Phase = casebook.NeedsHuman }, ""},
		"the executor calls it failed":          {executor, casebook.Applying, func(s *status) { *s = advance(*s, casebook.Failed, plan()) }, ""},
		"the executor cancels what isn't clear": {executor, casebook.Approved, func(s *status) { *s = advance(*s, casebook.Cancelled, plan()) }, ""},
		"the front end rejects":                 {front, casebook.AwaitingApproval, func(s *status) { *s = advance(*s, casebook.Rejected, plan()) }, ""},
		"the front end lets it expire":          {front, casebook.Approved, func(s *status) { *s = advance(*s, casebook.Expired, plan()) }, ""},
		"somebody else cancels":                 {admin, casebook.AwaitingApproval, func(s *status) { *s = advance(*s, casebook.Cancelled, plan()) }, strangers},
		"somebody else approves":                {admin, casebook.AwaitingApproval, func(s *status) { *s = advance(*s, casebook.Approved, plan()) }, strangers},
	} {
		u, s := front.walk(plan(), ways[c.from][:min(3, len(ways[c.from]))]...)
		for _, phase := range ways[c.from][min(3, len(ways[c.from])):] { // from Preflight on it is the executor's
			s = advance(s, phase, plan())
			if u, err = executor.put(u, s); err != nil {
				t.Fatalf("to %s: %v", phase, err)
			}
		}
		c.change(&s)
		if _, err := c.by.put(u, s); c.message != "" {
			refused(t, name, err, c.message)
		} else if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestTidyDeletes: the account that tidies up deletes what is over and nothing else, and the two others nothing, whatever
// rights they have.
func TestTidyDeletes(t *testing.T) {
	p := need(t)
	asFront, asExecutor := omnipotent(t, p)
	front, executor := docketOf(t, asFront, "netdiag", "remediations"), docketOf(t, asExecutor, "netdiag", "remediations")
	tidy := docketOf(t, p.as(t, "netdiag-tidy"), "netdiag", "remediations")
	questions, tidyQuestions := docketOf(t, asFront, "netdiag", "investigations"), docketOf(t, p.as(t, "netdiag-tidy"), "netdiag", "investigations")
	front.n, questions.n = 500, 500
	const nothing, open = "who talks to people and who makes changes delete nothing", "what is not over is not deleted"
	over, _ := front.walk(plan(), ways[casebook.Rejected]...)
	asked, _ := front.walk(plan(), ways[casebook.AwaitingApproval]...)
	answered, _ := questions.asked(casebook.Reported)
	unanswered, _ := questions.asked(casebook.Diagnosing)
	delete := func(d *docket, u *unstructured.Unstructured) error {
		return d.api.Delete(t.Context(), u.GetName(), metav1.DeleteOptions{})
	}
	refused(t, "the front end deletes", delete(front, over), nothing)
	refused(t, "the executor deletes", delete(executor, over), nothing)
	refused(t, "an open fix", delete(tidy, asked), open)
	refused(t, "an open question", delete(tidyQuestions, unanswered), open)
	for what, err := range map[string]error{"a fix that is over": delete(tidy, over), "an answered question": delete(tidyQuestions, answered)} {
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestRoles holds what the roles of the chart give, and what they must not.
func TestRoles(t *testing.T) {
	p := need(t)
	front, executor, tidy := p.as(t, "netdiag"), p.as(t, "netdiag-executor"), p.as(t, "netdiag-tidy")
	for _, c := range []struct {
		by                                     *rest.Config
		who                                    string
		verb, group, resource, namespace, name string
		want                                   bool
	}{
		{front, "front end", "create", "netdiag.io", "investigations", "netdiag", "", true},
		{front, "front end", "create", "netdiag.io", "remediations", "netdiag", "", true},
		{front, "front end", "patch", "apps", "daemonsets", "kube-system", "aws-node", false},
		{front, "front end", "patch", "networking.k8s.io", "ingresses", "shop", "web", false},
		{front, "front end", "create", "netdiag.io", "remediations", "shop", "", false},
		{executor, "executor", "create", "netdiag.io", "remediations", "netdiag", "", false},
		{executor, "executor", "create", "netdiag.io", "investigations", "netdiag", "", false},
		{executor, "executor", "patch", "apps", "daemonsets", "kube-system", "aws-node", true},
		{executor, "executor", "patch", "apps", "daemonsets", "kube-system", "kube-proxy", false},
		{executor, "executor", "patch", "apps", "daemonsets", "shop", "aws-node", false},
		{executor, "executor", "patch", "apps", "deployments", "shop", "web", false},
		{executor, "executor", "patch", "networking.k8s.io", "ingresses", "shop", "web", true},
		{executor, "executor", "delete", "", "pods", "kube-system", "", true},
		{executor, "executor", "delete", "", "pods", "shop", "", true},
		{executor, "executor", "create", "", "pods", "shop", "", false},
		{executor, "executor", "patch", "", "pods", "shop", "", false},
		{executor, "executor", "patch", "", "nodes", "", "n1", true},
		{executor, "executor", "delete", "", "nodes", "", "n1", false},
		{front, "front end", "delete", "", "pods", "shop", "", false},
		{front, "front end", "patch", "", "nodes", "", "n1", false},
		{executor, "executor", "get", "", "secrets", "netdiag", "netdiag-slack", false},
		{front, "front end", "list", "", "secrets", "", "", false},
		{front, "front end", "delete", "netdiag.io", "remediations", "netdiag", "", false},
		{executor, "executor", "delete", "netdiag.io", "remediations", "netdiag", "", false},
		{tidy, "tidy", "delete", "netdiag.io", "remediations", "netdiag", "", true},
		{tidy, "tidy", "update", "netdiag.io", "remediations/status", "netdiag", "", false},
		{tidy, "tidy", "list", "", "pods", "", "", false},
	} {
		if got := may(t, c.by, c.verb, c.group, c.resource, c.namespace, c.name); got != c.want {
			t.Errorf("%s may %s %s %s/%s: %t, want %t", c.who, c.verb, c.resource, c.namespace, c.name, got, c.want)
		}
	}
}

// background outlives the test's own context, which has ended when its clean-up runs.
func background(t *testing.T) context.Context { return context.WithoutCancel(t.Context()) }
