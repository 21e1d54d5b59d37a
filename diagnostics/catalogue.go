package diagnostics

import (
	"slices"
	"strings"
)

//go:generate go run ../internal/catalogue

// Cause is an entry of the closed list of causes.
type Cause struct {
	ID           string // with the diagnosis' name and a slash
	Title        string // for pending; the alb ids explain themselves
	Contributing bool   // role contributing: never a root cause, never demotes one
}

// FixKind is an entry of the closed list of fixes.
type FixKind struct {
	ID         string
	Executable bool
	Risk       string // low, medium or high where executable, else empty
}

// CauseByID looks an id up; an unknown one gives the zero Cause.
func CauseByID(id string) Cause {
	for _, c := range causes {
		if c.ID == id {
			return c
		}
	}
	return Cause{}
}

// FixByID looks an id up; an unknown one gives the zero FixKind.
func FixByID(id string) FixKind {
	for _, f := range fixes {
		if f.ID == id {
			return f
		}
	}
	return FixKind{}
}

// Fixes lists the catalogue of fixes in its order.
func Fixes() []FixKind { return slices.Clone(fixes) }

// CausesOf lists the causes of a diagnosis in the order of the catalogue.
func CausesOf(diagnosis string) []Cause {
	var out []Cause
	for _, c := range causes {
		if strings.HasPrefix(c.ID, diagnosis+"/") {
			out = append(out, c)
		}
	}
	return out
}
