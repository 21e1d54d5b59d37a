package ip

import (
	"fmt"
	"slices"

	"github.com/netdiag/netdiag/diagnostics"
)

// fixes proposes what ends a shortage before pods wait. A way that would not end it is refused with the number that refuses it.
func (a *analysis) fixes() {
	if a.s.Driver == nil || a.settings.IPv6 {
		return
	}
	a.fixWarmPool()
	a.fixFurther()
}

// offer adds a fix of those of pending, which mends the same things.
func (a *analysis) offer(id string, f diagnostics.Fix) {
	f.ID = "pending/" + id
	f.Risk = diagnostics.FixByID(f.ID).Risk
	if f.Owner == "" {
		f.Owner = "none"
	}
	for n := range a.res.Fixes {
		if o := &a.res.Fixes[n]; o.ID == f.ID && o.Title == f.Title { // one subnet beside two that are short
			o.Resolves = append(o.Resolves, f.Resolves...)
			return
		}
	}
	a.res.Fixes = append(a.res.Fixes, f)
}

func (a *analysis) refuse(id, why string, args ...any) {
	r := diagnostics.Refused{ID: "pending/" + id, Why: fmt.Sprintf(why, args...)}
	if !slices.Contains(a.res.Refused, r) {
		a.res.Refused = append(a.res.Refused, r)
	}
}
