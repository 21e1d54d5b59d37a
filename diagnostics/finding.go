package diagnostics

import "time"

// Confidence says how sure a finding is.
type Confidence string

// Confirmed needs the symptom, a deterministic proof of the mechanism and no contradiction. Likely lacks one of the
// three. Possible means that every deciding read was made and still cannot decide.
const (
	Confirmed Confidence = "confirmed"
	Likely    Confidence = "likely"
	Possible  Confidence = "possible"
)

// Evidence is one thing that was read, and how anyone can read it again.
type Evidence struct {
	What   string `json:"what"`
	Value  string `json:"value"`
	Source string `json:"source"`           // the permission of the read, or the computation
	Repeat string `json:"repeat,omitempty"` // an aws or kubectl command line
}

// Finding is one trouble with its proof.
type Finding struct {
	// ID is the diagnosis' name, a slash, and an id of the catalogue.
	ID         string     `json:"id"`
	Subject    string     `json:"subject"` // the resource that is in trouble: an id or name of AWS or Kubernetes
	Confidence Confidence `json:"confidence"`
	Summary    string     `json:"summary"`
	// Reason tells apart how the same cause comes about (sg.target-ingress: custom-sg-unmanaged, tag-ambiguous, …).
	Reason   string     `json:"reason,omitempty"`
	Affects  []string   `json:"affects,omitempty"` // pod/<namespace>/<name>, target/<ip>:<port>, …
	Evidence []Evidence `json:"evidence"`
	// Because lists the subjects of causes that explain this one, as Finding.Key spells them.
	Because []string `json:"because,omitempty"`
	// Latent marks a cause that would only show once an earlier one is gone; it is reported as contributing.
	Latent bool `json:"latent,omitempty"`
	// Weight orders causes: the more damage, the greater. It isn't shown.
	Weight int `json:"-"`
}

// Key names a finding for Because: its id, a space and its subject.
func (f Finding) Key() string { return f.ID + " " + f.Subject }

// Passed is a check that was made and is in order. ID is a cause of the catalogue that is ruled out, or empty.
type Passed struct {
	ID      string `json:"id"`
	Summary string `json:"summary"`
}

// Why a read was not possible.
const (
	Denied    = "denied"
	Throttled = "throttled"
	Timeout   = "timeout"
	Absent    = "absent" // the feature, or the record of it, isn't there
)

// Gap is something that could not be read.
type Gap struct {
	Permission string `json:"permission"` // as the denied list of a world spells it: "ec2:DescribeSubnets", "list events"
	Reason     string `json:"reason"`
	Summary    string `json:"summary"`
	// Caps lists the causes that stay open because of it: with any, and no cause above possible, the question is open.
	Caps []string `json:"caps,omitempty"`
}

// Moment is an entry of the timeline.
type Moment struct {
	At     time.Time `json:"at"`
	What   string    `json:"what"`
	Source string    `json:"source"`
}

// Step tells what was read and what it means, in the order in which a person would look.
type Step struct {
	Title   string `json:"title"`
	Read    string `json:"read"`    // what was read
	Finding string `json:"finding"` // what it means
	Repeat  string `json:"repeat,omitempty"`
}

// Table is a small table of a report: subnets, nodes or targets. Omitted counts the rows left out.
type Table struct {
	Title   string     `json:"title"`
	Columns []string   `json:"columns"`
	Rows    [][]string `json:"rows"`
	Omitted int        `json:"omitted,omitempty"`
}
