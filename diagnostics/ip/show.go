package ip

import (
	"fmt"
	"strings"
	"time"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/vpc"
)

func (r room) evidence() diagnostics.Evidence {
	value := fmt.Sprintf("%d of %d", r.Available, r.usable)
	if r.prefixes && r.Reserved > 0 {
		value += fmt.Sprintf(", and %d free in prefix reservations", r.Reserved)
	}
	return diagnostics.Evidence{What: "AvailableIpAddressCount of " + r.ID, Value: value, Source: "ec2:DescribeSubnets", Repeat: "aws ec2 describe-subnets --subnet-ids " + r.ID}
}

func (r room) typicalEvidence() diagnostics.Evidence {
	value := fmt.Sprintf("%d addresses", r.Typical.Total())
	if r.prefixes {
		value = fmt.Sprintf("%d prefixes and %d single addresses", r.Typical.Prefixes, r.Typical.Addresses)
	}
	return diagnostics.Evidence{What: fmt.Sprintf("what the median of the %s in %s holds", plural(r.Subnet.Nodes, "node"), r.ID), Value: value,
		Source: "ec2:DescribeNetworkInterfaces", Repeat: "aws ec2 describe-network-interfaces --filters Name=subnet-id,Values=" + r.ID}
}

func (r room) blockEvidence() diagnostics.Evidence {
	return diagnostics.Evidence{What: "aligned /28 blocks of " + r.ID + " without any address in use", Value: r.blocksText(),
		Source: "ec2:DescribeNetworkInterfaces, ec2:GetSubnetCidrReservations", Repeat: "aws ec2 describe-network-interfaces --filters Name=subnet-id,Values=" + r.ID}
}

func (r room) blocksText() string {
	text := fmt.Sprint(r.Blocks.Free)
	if r.Blocks.AtLeast != r.Blocks.Free {
		text = fmt.Sprintf("%d to %d", r.Blocks.AtLeast, r.Blocks.Free)
	}
	if r.Blocks.Reserved > 0 {
		text += fmt.Sprintf(" + %d reserved", r.Blocks.Reserved)
	}
	return text
}

func (r room) trendEvidence() diagnostics.Evidence {
	return diagnostics.Evidence{What: "trend of " + r.ID, Value: r.forecast(), Source: "what netdiag saw at earlier looks"}
}

// forecast says how long the subnet lasts, and on what that rests.
func (r room) forecast() string {
	if !r.known {
		if n := len(r.Past); n > 0 {
			return fmt.Sprintf("not known: %s so far, and a trend takes four over an hour at least", plural(n, "earlier look"))
		}
		return "not known: no earlier look is remembered"
	}
	rests := fmt.Sprintf("%d looks in %s", r.trend.Looks, about(r.trend.To.Sub(r.trend.From)))
	left, ends := r.trend.Lasts(r.Available)
	switch {
	case ends && r.Available == 0:
		return "it is used up; " + rests
	case ends:
		return fmt.Sprintf("about %s: %.1f addresses fewer an hour, by %s", about(left), -r.trend.PerHour, rests)
	case r.trend.PerHour < 0:
		return "over a year, by " + rests
	}
	return "no end in sight: it does not get fewer, by " + rests
}

// lasts is forecast in the words of a table.
func (r room) lasts() string {
	if !r.known {
		return "not known"
	}
	left, ends := r.trend.Lasts(r.Available)
	switch {
	case ends:
		return about(left)
	case r.trend.PerHour < 0:
		return "over a year"
	}
	return "no end in sight"
}

// about spells a time roughly.
func about(d time.Duration) string {
	switch {
	case d < 90*time.Minute:
		return plural(int(d.Round(time.Minute)/time.Minute), "minute")
	case d < 48*time.Hour:
		return plural(int(d.Round(time.Hour)/time.Hour), "hour")
	}
	return plural(int(d.Round(24*time.Hour)/(24*time.Hour)), "day")
}

// surgeText says what two further nodes take, and whether the subnet has it.
func (r room) surgeText() string {
	switch want, have := r.want(); {
	case !r.Read:
		return "not read"
	case r.Subnet.Nodes == 0:
		return "no node here"
	case have < want && r.prefixes:
		return fmt.Sprintf("%d /28: %d short", want, want-have)
	case have < want:
		return fmt.Sprintf("%d: %d short", want, want-have)
	case r.prefixes:
		return fmt.Sprintf("%d /28: fits", want)
	default:
		return fmt.Sprintf("%d: fits", want)
	}
}

// tables shows the subnets, the one with the least room first, and the nodes that are full.
func (a *analysis) tables() {
	t := diagnostics.Table{Title: "Subnets", Columns: []string{"Subnet", "Zone", "Block", "Available", "Usable", "Free", "Nodes", "One surge", "Free /28", "Lasts"}}
	for _, r := range a.rooms {
		name, blocks := r.ID, "no prefixes"
		if r.Hosts {
			name += " (nodes only)"
		}
		if r.prefixes && r.Read {
			blocks = r.blocksText()
		} else if r.prefixes {
			blocks = "not read"
		}
		t.Rows = append(t.Rows, []string{name, r.Zone, r.CIDR.String(), fmt.Sprint(r.Available), fmt.Sprint(r.usable), fmt.Sprintf("%d %%", r.share()), fmt.Sprint(r.Subnet.Nodes), r.surgeText(), blocks, r.lasts()})
	}
	n := diagnostics.Table{Title: "Nodes that can hold no further address", Columns: []string{"Node", "Type", "Zone", "In use", "Pods"}}
	for _, f := range a.s.Full {
		n.Rows = append(n.Rows, []string{f.Name, f.Type, f.Zone, strings.TrimSuffix(f.inUse(), " in use"), fmt.Sprintf("%d of %d", f.Pods, f.MaxPods)})
	}
	n.Omitted = a.s.Uncounted
	for _, t := range []diagnostics.Table{t, n} {
		if len(t.Rows) == 0 {
			continue
		}
		if more := len(t.Rows) - tableRows; more > 0 {
			t.Rows, t.Omitted = t.Rows[:tableRows], t.Omitted+more
		}
		a.res.Tables = append(a.res.Tables, t)
	}
}

// steps tells the way in the order in which a person would go it.
func (a *analysis) steps() {
	add := func(title, read, finding, repeat string) {
		a.res.Steps = append(a.res.Steps, diagnostics.Step{Title: title, Read: read, Finding: finding, Repeat: repeat})
	}
	if len(a.rooms) == 0 {
		return
	}
	shown := a.rooms[:min(len(a.rooms), 6)]
	var reads, ids, surges, lasts []string
	for _, r := range shown {
		reads = append(reads, fmt.Sprintf("%s %s: %d of %d", r.ID, r.Zone, r.Available, r.usable))
		ids = append(ids, r.ID)
		surges = append(surges, r.ID+": "+r.surgeText())
		lasts = append(lasts, r.ID+": "+r.forecast())
	}
	add("Check the subnets of pods", strings.Join(reads, "; "), fmt.Sprintf("%d of %s below %d %%", a.count("subnet-low"), plural(len(a.rooms), "subnet"), Low), "aws ec2 describe-subnets --subnet-ids "+strings.Join(ids, " "))
	add("Reckon one surge", fmt.Sprintf("%d further nodes in each subnet, like those there", surge), strings.Join(surges, "; "), "aws ec2 describe-network-interfaces --filters Name=subnet-id,Values="+ids[0])
	add("Reckon how long it lasts", "what netdiag saw at earlier looks", strings.Join(lasts, "; "), "")
	if a.settings.PrefixDelegation {
		var blocks []string
		for _, r := range shown {
			blocks = append(blocks, fmt.Sprintf("%s: %s of %d", r.ID, r.blocksText(), vpc.CleanPrefixes(r.CIDR)))
		}
		add("Count the free /28", strings.Join(blocks, "; "), "prefixes are delegated, so that pods need whole blocks; EC2 may keep some for itself", "")
	}
}

// count is how many findings there are of a cause.
func (a *analysis) count(id string) (n int) {
	for _, f := range a.res.Findings {
		if f.ID == "ip/"+id {
			n++
		}
	}
	return n
}
