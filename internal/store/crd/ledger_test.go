package crd_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	events "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/sim/fault"
	"github.com/netdiag/netdiag/internal/store/crd"
	"github.com/netdiag/netdiag/internal/store/storetest"
)

func TestEntriesAreEventsOnTheRecord(t *testing.T) {
	s, cfg := serve(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	r, err := open(t, cfg).Remediations.Create(ctx, storetest.Remediation("rem-1"))
	if err != nil {
		t.Fatal(err)
	}
	ledger := func(holder string) casebook.Ledger {
		l, err := crd.NewLedger(cfg, "netdiag", holder)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	e := casebook.Entry{
		Kind: "Remediation", Record: r.Name, Key: "decision-U0APPROVER", At: time.Date(2026, 11, 26, 3, 14, 15, 0, time.UTC), Reason: "Approve",
		By: "U0APPROVER", Text: strings.Repeat("ä", 600), Bad: true,
	}
	for i, holder := range []string{strings.Repeat("pod-", 50), "another"} {
		fresh, err := ledger(holder).Enter(ctx, e)
		if err != nil || fresh != (i == 0) {
			t.Fatalf("enter as process %d: fresh %t, error %v", i, fresh, err)
		}
	}
	client, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		t.Fatal(err)
	}
	list, err := client.EventsV1().Events("netdiag").List(ctx, metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range list.Items {
		got = append(got, told(e))
	}
	want := []string{"Warning Approve Remediation/rem-1 03:14:15 by netdiag.io/bot, instance of 128 bytes, uid true: note of 1023 bytes"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}

	e.Record = "rem-gone"
	if _, err := ledger("pod").Enter(ctx, e); err == nil {
		t.Error("an entry of a record that is not there: no error")
	}
	s.Faults().On("create *", fault.Fault{Kind: fault.Denied})
	e.Record, e.Key = r.Name, "note-applied"
	if _, err := ledger("pod").Enter(ctx, e); err == nil || !strings.Contains(err.Error(), "create event Approve of rem-1") {
		t.Errorf("an event that may not be created: %v", err)
	}
}

func told(e events.Event) string {
	return fmt.Sprintf("%s %s %s/%s %s by %s, instance of %d bytes, uid %t: note of %d bytes", e.Type, e.Reason, e.Regarding.Kind, e.Regarding.Name,
		e.EventTime.UTC().Format(time.TimeOnly), e.ReportingController, len(e.ReportingInstance), e.Regarding.UID != "", len(e.Note))
}
