package casebook_test

import (
	"errors"
	"testing"
	"time"

	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/store/memory"
)

// One of several front ends tells a record; another does once it was given back, or was seen unchanged for 35 s.
func TestDelivery(t *testing.T) {
	now := time.Date(2026, 11, 22, 10, 30, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	book := &casebook.Book{Store: memory.New(clock), Policy: anyone{}, Now: clock}
	inv, _, err := book.Open(t.Context(), person(requester), question(now), "ask")
	if err != nil {
		t.Fatal(err)
	}
	first, doubt, err := book.Deliver(t.Context(), inv.Name, "serve-1")
	if err != nil || doubt || first.Status.Delivery.Holder != "serve-1" || first.Status.Delivery.Epoch != 1 {
		t.Fatalf("taken: %+v, doubt %t, %v", first.Status.Delivery, doubt, err)
	}
	mine := first.Status.Delivery
	held := func(when string) {
		t.Helper()
		if _, _, err := book.Deliver(t.Context(), inv.Name, "serve-2"); !errors.Is(err, casebook.ErrHeld) {
			t.Errorf("%s: %v, want ErrHeld", when, err)
		}
	}
	change := func(f func(*casebook.Claim) error) error {
		_, err := book.ChangeInvestigation(t.Context(), inv.Name, func(s *casebook.InvestigationStatus) error { return f(&s.Delivery) })
		return err
	}
	held("at once")
	now = now.Add(34 * time.Second)
	held("after 34 s")
	if err := change(func(c *casebook.Claim) error { return c.Keep(mine, now) }); err != nil {
		t.Fatal(err)
	}
	now = now.Add(10 * time.Second)
	held("renewed meanwhile")
	now = now.Add(35 * time.Second)
	second, doubt, err := book.Deliver(t.Context(), inv.Name, "serve-2")
	if err != nil || !doubt || second.Status.Delivery.Epoch != 2 {
		t.Fatalf("taken over: %+v, doubt %t, %v", second.Status.Delivery, doubt, err)
	}
	for name, f := range map[string]func(*casebook.Claim) error{
		"kept": func(c *casebook.Claim) error { return c.Keep(mine, now) },
		"left": func(c *casebook.Claim) error { return c.Leave(mine, now) },
	} {
		if err := change(f); !errors.Is(err, casebook.ErrLost) {
			t.Errorf("%s after it was lost: %v, want ErrLost", name, err)
		}
	}
	if err := change(func(c *casebook.Claim) error { return c.Leave(second.Status.Delivery, now) }); err != nil {
		t.Fatal(err)
	}
	third, doubt, err := book.Deliver(t.Context(), inv.Name, "serve-3")
	if err != nil || doubt || third.Status.Delivery.Epoch != 4 {
		t.Errorf("given back and taken: %+v, doubt %t, %v", third.Status.Delivery, doubt, err)
	}
}
