package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/store/crd"
	"github.com/netdiag/netdiag/internal/store/storetest"
)

// asked brings an Investigation into a phase.
func (d *docket) asked(phase casebook.InvestigationPhase) (*unstructured.Unstructured, casebook.InvestigationStatus) {
	d.t.Helper()
	d.n++
	u, err := d.api.Create(d.t.Context(), object(d.t, "Investigation", fmt.Sprintf("inv-%d", d.n), storetest.Investigation("").Question, nil),
		metav1.CreateOptions{FieldValidation: metav1.FieldValidationStrict})
	if err != nil {
		d.t.Fatal(err)
	}
	var s casebook.InvestigationStatus
	for _, step := range map[casebook.InvestigationPhase][]casebook.InvestigationPhase{
		casebook.Received: {casebook.Received}, casebook.Diagnosing: {casebook.Received, casebook.Diagnosing},
		casebook.Reported: {casebook.Received, casebook.Diagnosing, casebook.Reported}, casebook.Faulted: {casebook.Received, casebook.Faulted},
	}[phase] {
		s = looked(s, step)
		if u, err = d.put(u, s); err != nil {
			d.t.Fatalf("to %s: %v", step, err)
		}
	}
	return u, s
}

// looked is s in another phase, with all that the phase asks for.
func looked(s casebook.InvestigationStatus, to casebook.InvestigationPhase) casebook.InvestigationStatus {
	s.Phase, s.Report = to, nil
	switch to {
	case casebook.Received:
		s.Root, s.Posted = casebook.Message{Channel: "C1", TS: "1.1"}, map[string]string{"root": "1.1"}
	case casebook.Diagnosing:
		s.Claim = casebook.Claim{Holder: "serve-1", Epoch: 1, Renewed: at, TTL: 30 * time.Second}
		s.Delivery = s.Claim
	case casebook.Reported:
		s.Report, s.Wanted = &diagnostics.Report{Summary: "all is well", Severity: "P4", At: at, Tables: []diagnostics.Table{{Title: "Nodes"}}}, map[string]string{"evidence": "U1"}
	case casebook.Faulted:
		s.Error = "Nothing could be read."
	}
	return s
}

// TestInvestigationEdges tries every move of an Investigation.
func TestInvestigationEdges(t *testing.T) {
	p := need(t)
	d := docketOf(t, p.admin, p.namespace(t), "investigations")
	all := []casebook.InvestigationPhase{casebook.Received, casebook.Diagnosing, casebook.Reported, casebook.Faulted}
	legal := map[string]bool{"Received → Diagnosing": true, "Received → Failed": true, "Diagnosing → Reported": true, "Diagnosing → Failed": true}
	for _, from := range all {
		for _, to := range all {
			move := fmt.Sprintf("%s → %s", from, to)
			if from == to {
				continue
			}
			u, s := d.asked(from)
			if _, err := d.put(u, looked(s, to)); !legal[move] {
				refused(t, move, err, fmt.Sprintf("no move of the machine goes from %s to %s", from, to))
			} else if err != nil {
				t.Errorf("%s: %v", move, err)
			}
		}
	}
}

// TestInvestigationBegins tries first statuses: nothing has been done about a new question.
func TestInvestigationBegins(t *testing.T) {
	p := need(t)
	d := docketOf(t, p.admin, p.namespace(t), "investigations")
	for name, s := range map[string]casebook.InvestigationStatus{
		"diagnosing": {Phase: casebook.Diagnosing},
		"answered":   {Phase: casebook.Reported, Report: &diagnostics.Report{}},
		"failed":     {Phase: casebook.Faulted},
		"claimed":    {Phase: casebook.Received, Claim: casebook.Claim{Holder: "serve-1", Epoch: 1, Renewed: at}},
		"told":       {Phase: casebook.Received, Delivery: casebook.Claim{Holder: "serve-1", Epoch: 1, Renewed: at}},
		"in error":   {Phase: casebook.Received, Error: "Nothing could be read."},
	} {
		u, err := d.api.Create(t.Context(), object(t, "Investigation", strings.ReplaceAll(name, " ", "-"), storetest.Investigation("").Question, nil), metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		_, err = d.put(u, s)
		refused(t, name, err, "a status begins as Received, with nothing done")
	}
}

// TestInvestigationRules breaks each rule of an Investigation.
func TestInvestigationRules(t *testing.T) {
	p := need(t)
	d := docketOf(t, p.admin, p.namespace(t), "investigations")
	type status = casebook.InvestigationStatus
	for name, c := range map[string]struct {
		from    casebook.InvestigationPhase
		spoil   func(*status)
		message string
	}{
		"another report": {casebook.Reported, func(s *status) { r := *s.Report; r.Summary = "other"; s.Report = &r }, "the report can't be changed"},
		"another cell of its tables": {casebook.Reported, func(s *status) {
			r := *s.Report
			r.Tables = []diagnostics.Table{{Title: "Nodes", Rows: [][]string{{"x"}}}}
			s.Report = &r
		}, "the report can't be changed"},
		"no report any more":         {casebook.Reported, func(s *status) { s.Report = nil }, "there is a report exactly in phase Reported"},
		"a report too early":         {casebook.Diagnosing, func(s *status) { s.Report = &diagnostics.Report{} }, "there is a report exactly in phase Reported"},
		"the root message moved":     {casebook.Diagnosing, func(s *status) { s.Root.TS = "2.2" }, "the root message is posted already"},
		"the root message forgotten": {casebook.Diagnosing, func(s *status) { s.Root = casebook.Message{} }, "the root message is posted already"},
		"a message forgotten":        {casebook.Diagnosing, func(s *status) { s.Posted = nil }, "a message that was posted can't be forgotten"},
		"more wanted too early":      {casebook.Diagnosing, func(s *status) { s.Wanted = map[string]string{"evidence": "U1"} }, "more of an answer can be wanted only once it is there"},
		"wanted by another":          {casebook.Reported, func(s *status) { s.Wanted = map[string]string{"evidence": "U2"} }, "what was wanted can't be forgotten"},
		"a claim without its turn":   {casebook.Diagnosing, func(s *status) { s.Claim.Holder = "serve-2" }, "a new holder needs a higher one"},
		"a telling without its turn": {casebook.Reported, func(s *status) { s.Delivery.Holder = "serve-2" }, "the epoch of a delivery can't go back"},
		"a telling thrown away":      {casebook.Reported, func(s *status) { s.Delivery = casebook.Claim{} }, "the epoch of a delivery can't go back"},
	} {
		u, s := d.asked(c.from)
		s.Posted = maps.Clone(s.Posted)
		c.spoil(&s)
		_, err := d.put(u, s)
		refused(t, name, err, c.message)
	}
	u, _ := d.asked(casebook.Diagnosing)
	_, err := d.put(u, nil)
	refused(t, "the status wiped", err, "status may not be removed once written")
	u.Object["spec"].(map[string]any)["user"] = "U0OTHER"
	_, err = d.api.Update(t.Context(), u, metav1.UpdateOptions{})
	refused(t, "another who asked", err, "the question can't be changed")
}

// TestReportSurvives stores reports with everything in them and one with nothing, and reads them back as they were.
func TestReportSurvives(t *testing.T) {
	p := need(t)
	s, err := crd.New(p.admin, crd.Options{Namespace: p.namespace(t)})
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("../internal/render/testdata/*.json")
	if err != nil || len(files) < 5 {
		t.Fatalf("%d golden reports, error %v", len(files), err)
	}
	reports := []diagnostics.Report{{}}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var r diagnostics.Report
		if err := json.Unmarshal(b, &r); err != nil {
			t.Fatal(err)
		}
		reports = append(reports, r)
	}
	for i, r := range reports {
		inv := answered(t, s, fmt.Sprintf("inv-%d", i), &r)
		if diff := cmp.Diff(r, *inv.Status.Report); diff != "" {
			t.Errorf("report %d comes back otherwise (-stored +read):\n%s", i, diff)
		}
	}
}

// answered stores a question and takes it to its report.
func answered(t *testing.T, s casebook.Store, name string, r *diagnostics.Report) casebook.Investigation {
	t.Helper()
	inv, err := s.Investigations.Create(t.Context(), storetest.Investigation(name))
	for _, phase := range []casebook.InvestigationPhase{casebook.Diagnosing, casebook.Reported} {
		if inv.Status = looked(inv.Status, phase); phase == casebook.Reported {
			inv.Status.Report = r
		}
		if err == nil {
			inv, err = s.Investigations.Update(t.Context(), inv)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return inv
}

// TestLongReport: the rules can be evaluated over a report of a size that etcd just takes, whenever its status is written.
func TestLongReport(t *testing.T) {
	p := need(t)
	s, err := crd.New(p.admin, crd.Options{Namespace: p.namespace(t)})
	if err != nil {
		t.Fatal(err)
	}
	r := diagnostics.Report{Summary: "long"}
	for n := range 1000 { // 1.2 MB
		r.Causes = append(r.Causes, diagnostics.Finding{ID: "alb/hc.path", Subject: fmt.Sprint(n), Summary: strings.Repeat("x", 1000)})
	}
	inv := answered(t, s, "inv-1", &r)
	inv.Status.Posted = map[string]string{"root": "1.1", "answer": "2.2"}
	if _, err := s.Investigations.Update(t.Context(), inv); err != nil {
		t.Errorf("an answer posted: %v", err)
	}
}

// TestStory: kubectl get shows what was asked, found, decided and done, and finds it by phase.
func TestStory(t *testing.T) {
	p := need(t)
	namespace := p.namespace(t)
	questions, fixes := docketOf(t, p.admin, namespace, "investigations"), docketOf(t, p.admin, namespace, "remediations")
	questions.asked(casebook.Reported)
	questions.asked(casebook.Diagnosing)
	fixes.walk(plan(), ways[casebook.Succeeded]...)
	fixes.walk(plan(), ways[casebook.AwaitingApproval]...)
	for path, want := range map[string]string{
		"investigations?fieldSelector=status.phase=Reported":                                       "inv-1 | alb web | U0ASKER | Reported | P4 | all is well",
		"investigations?fieldSelector=spec.diagnosis=pending":                                      "",
		"remediations?fieldSelector=status.phase=Succeeded":                                        "rem-1 | alb/allow-pod-port | security-group/sg-1 | Succeeded | medium | U0APPROVER | executor-1 | Watching | Over.",
		"remediations?fieldSelector=spec.target=security-group/sg-1,status.phase=AwaitingApproval": "rem-2 | alb/allow-pod-port | security-group/sg-1 | AwaitingApproval | medium | <nil> | <nil> | <nil> | <nil>",
	} {
		table := p.table(t, "/apis/netdiag.io/v1alpha1/namespaces/"+namespace+"/"+path)
		var got []string
		for _, row := range table.Rows {
			var cells []string
			for _, c := range row.Cells[:len(row.Cells)-1] { // the last is the age
				cells = append(cells, fmt.Sprint(c))
			}
			got = append(got, strings.Join(cells, " | "))
		}
		if strings.Join(got, "\n") != want {
			t.Errorf("%s:\n%s\nwant\n%s", path, strings.Join(got, "\n"), want)
		}
	}
}

// table is what kubectl get prints.
func (p *plane) table(t *testing.T, path string) *metav1.Table {
	t.Helper()
	client, err := kubernetes.NewForConfig(p.admin)
	if err != nil {
		t.Fatal(err)
	}
	b, err := client.RESTClient().Get().RequestURI(path).SetHeader("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io").Do(t.Context()).Raw()
	if err != nil {
		t.Fatal(err)
	}
	var table metav1.Table
	if err := json.Unmarshal(b, &table); err != nil {
		t.Fatal(err)
	}
	return &table
}
