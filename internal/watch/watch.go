// Package watch decides about early warnings: which conditions a look has found, when one is worth a warning, when it is
// over, and what people have silenced. It looks at reports and talks to nothing.
package watch

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/netdiag/netdiag/diagnostics"
)

// The conditions.
const (
	SubnetLow   = "subnet-low"        // less of a subnet is free than the threshold
	SurgeShort  = "surge-short"       // less than one surge takes
	PrefixesLow = "prefixes-low"      // whole /28 run out while prefixes are delegated
	SlotsFull   = "slots-full"        // nodes can hold no further address
	AgentErrors = "agent-errors"      // the CNI complains
	Unhealthy   = "targets-unhealthy" // targets of a watched ingress
	Drift       = "drift"             // security groups or health checks of a watched ingress
)

// Conditions lists all of them.
func Conditions() []string {
	return []string{SubnetLow, SurgeShort, PrefixesLow, SlotsFull, AgentErrors, Unhealthy, Drift}
}

// Rules say when something is worth a warning.
type Rules struct {
	Free    int // percent of a subnet's addresses below which it is low
	Looks   int // in a row that have to find a condition before it is warned of
	Healthy int // in a row that must not find it before it is over
}

// everything is the question about all subnets; with a subnet or a zone after it, about that.
const everything = "ip"

// margin is how many percent above the threshold a subnet has to be before it is no longer low: what stands on the threshold
// would open and close one warning after the other.
const margin = 2

// Condition is something that is wrong, or will be, with one object.
type Condition struct {
	ID       string `json:"id"`
	Object   string `json:"object"`         // a subnet, "nodes in <zone>", daemonset/aws-node, or <namespace>/<ingress>
	Zone     string `json:"zone,omitempty"` // where it is, as far as it is anywhere
	Question string `json:"question"`       // that tells more, such as "ip subnet-0a1"
	Sentence string `json:"sentence"`       // may hold text from the cluster
}

// Key tells a condition of an object from every other one.
func (c Condition) Key() string { return c.ID + " " + c.Object }

// Subnet is what a look saw of a subnet.
type Subnet struct {
	ID, Zone                string
	Available, Usable, Free int // addresses; Free is in percent, with what prefix reservations keep for pods
}

// Finding is what one report says: the conditions, and which ones it could not decide on.
type Finding struct {
	Conditions []Condition
	// Near are those whose object is close to the threshold: they open nothing, and close nothing.
	Near []Condition
	// Blind are the ids of conditions that the report can't tell, for want of reads.
	Blind []string
	// Gaps are the permissions that were missing.
	Gaps    []diagnostics.Gap
	Subnets []Subnet
}

// Room reads a report of the question ip.
func Room(r diagnostics.Report, rules Rules) Finding {
	f := Finding{Gaps: r.Gaps, Subnets: subnets(r)}
	for _, s := range f.Subnets {
		c := Condition{ID: SubnetLow, Object: s.ID, Zone: s.Zone, Question: everything + " " + s.ID,
			Sentence: "subnet " + s.ID + " in " + s.Zone + " has " + strconv.Itoa(s.Available) + " of " + strconv.Itoa(s.Usable) + " addresses available, and less than " + strconv.Itoa(rules.Free) + " % free"}
		switch {
		case s.Free < rules.Free:
			f.Conditions = append(f.Conditions, c)
		case s.Free < rules.Free+margin:
			f.Near = append(f.Near, c)
		}
	}
	for _, x := range slices.Concat(r.Causes, r.Contributing, r.Symptoms) {
		id := strings.TrimPrefix(x.ID, "ip/")
		c := Condition{ID: id, Object: x.Subject, Question: everything, Sentence: x.Summary}
		switch id {
		case SurgeShort, PrefixesLow:
			c.Question = everything + " " + x.Subject
			for _, s := range f.Subnets {
				if s.ID == x.Subject {
					c.Zone = s.Zone
				}
			}
		case SlotsFull:
			c.Zone = strings.TrimPrefix(x.Subject, "nodes in ")
			if c.Zone != "" {
				c.Question = everything + " " + c.Zone
			}
		case AgentErrors:
		default:
			continue // subnet-low goes by the threshold of the settings
		}
		f.Conditions = append(f.Conditions, c)
	}
	for _, g := range r.Gaps {
		for _, id := range g.Caps {
			f.Blind = append(f.Blind, strings.TrimPrefix(id, "ip/"))
		}
		if g.Permission == "list events" {
			f.Blind = append(f.Blind, AgentErrors)
		}
	}
	return f
}

// subnets reads the table of a report; rows that serve nodes only count too, for nodes need addresses as well.
func subnets(r diagnostics.Report) (out []Subnet) {
	for _, t := range r.Tables {
		at := map[string]int{}
		for n, c := range t.Columns {
			at[c] = n + 1
		}
		if at["Subnet"]*at["Zone"]*at["Available"]*at["Usable"]*at["Free"] == 0 {
			continue
		}
		for _, row := range t.Rows {
			cell := func(column string) string {
				if n := at[column] - 1; n < len(row) {
					return row[n]
				}
				return ""
			}
			id, _, _ := strings.Cut(cell("Subnet"), " ")
			s := Subnet{ID: id, Zone: cell("Zone")}
			var errs [3]error
			s.Available, errs[0] = strconv.Atoi(cell("Available"))
			s.Usable, errs[1] = strconv.Atoi(cell("Usable"))
			s.Free, errs[2] = strconv.Atoi(strings.TrimSuffix(cell("Free"), " %"))
			if errs == [3]error{} && s.Usable > 0 {
				out = append(out, s)
			}
		}
	}
	return out
}

// Ingress reads a report of the question alb about an ingress, named <namespace>/<name>.
func Ingress(r diagnostics.Report, name string) Finding {
	f := Finding{Gaps: r.Gaps}
	namespace, ingress, _ := strings.Cut(name, "/")
	question := "alb " + ingress + " -n " + namespace
	if n, of := unhealthy(r); n > 0 {
		f.Conditions = append(f.Conditions, Condition{ID: Unhealthy, Object: name, Question: question,
			Sentence: strconv.Itoa(n) + " of " + strconv.Itoa(of) + " targets of ingress " + name + " are unhealthy"})
	}
	for _, x := range r.Causes {
		if drifts(x) {
			f.Conditions = append(f.Conditions, Condition{ID: Drift, Object: name, Question: question, Sentence: x.Summary})
			break
		}
	}
	if r.Open() {
		f.Blind = []string{Unhealthy, Drift}
	}
	return f
}

// drifts reports a cause that lies in security groups or health checks, and is more than possible.
func drifts(f diagnostics.Finding) bool {
	return f.Confidence != diagnostics.Possible && (strings.HasPrefix(f.ID, "alb/sg.") || strings.HasPrefix(f.ID, "alb/hc.") || f.ID == "alb/port.traffic-differs")
}

func unhealthy(r diagnostics.Report) (n, of int) {
	for _, t := range r.Tables {
		state := slices.Index(t.Columns, "State")
		if state < 0 || !slices.Contains(t.Columns, "Target") {
			continue
		}
		for _, row := range t.Rows {
			if state < len(row) && row[state] == "unhealthy" {
				n++
			}
			of++
		}
	}
	return n, of
}

// Snooze silences warnings until a time.
type Snooze struct {
	What  string    `json:"what,omitempty"` // a condition, an object, a zone or an ingress; empty: everything
	By    string    `json:"by"`             // user id
	Until time.Time `json:"until"`
}

// Silences reports whether a snooze that is not over covers a condition.
func (s Snooze) Silences(c Condition, now time.Time) bool {
	if !now.Before(s.Until) {
		return false
	}
	_, ingress, _ := strings.Cut(c.Object, "/")
	return s.What == "" || slices.Contains([]string{c.ID, c.Object, c.Zone, ingress}, s.What)
}

// Awake are the snoozes that are not over, the first to end first.
func Awake(all []Snooze, now time.Time) []Snooze {
	out := slices.DeleteFunc(slices.Clone(all), func(s Snooze) bool { return !now.Before(s.Until) })
	slices.SortFunc(out, func(a, b Snooze) int { return cmp.Or(a.Until.Compare(b.Until), strings.Compare(a.What, b.What)) })
	return out
}
