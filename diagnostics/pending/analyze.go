package pending

import (
	"slices"
	"strings"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/vpc"
)

// analysis is a snapshot being judged.
type analysis struct {
	s        *Snapshot
	pods     []waiting
	pools    map[string]*pool      // by node name
	ledgers  map[string]vpc.Ledger // by subnet, of those whose interfaces were all read
	findings []*diagnostics.Finding
	// unsolved are pods whose trouble is not known, with what is known of it.
	unsolved []unsolved
	// soon are pods whose trouble is over: they have only to be tried again.
	soon []unsolved
	// unmade says of pods that could not be made for a reason that is not known, notes what will come right by itself.
	unmade, notes []string
	// skipped are pods on nodes that were not looked at, because enough others were.
	skipped []waiting
	// open lists the causes that a missed read leaves undecided.
	open map[diagnostics.Unread][]string
	// supplied are pods of which it is known why no node is started for them.
	supplied map[string]bool
	// launching counts, by subnet, the pods for which a node gets no address there.
	launching map[string]int
	res       diagnostics.Result
}

type unsolved struct {
	pods []waiting
	why  string
}

func analyze(s Snapshot) diagnostics.Result {
	a := &analysis{s: &s, pools: map[string]*pool{}, ledgers: map[string]vpc.Ledger{}, open: map[diagnostics.Unread][]string{}, supplied: map[string]bool{}, launching: map[string]int{}}
	a.prepare()
	a.unscheduled()
	a.launch()
	a.limits()
	a.bound()
	a.connected()
	a.absent()
	a.rejected()
	a.fargate()
	a.terminating()
	a.byDesign()
	a.contributing()
	a.driftedSettings()
	a.finish()
	return a.res
}

// prepare judges the pods, and draws up the ledgers of nodes and subnets.
func (a *analysis) prepare() {
	events := byPod(a.s.Events)
	for n := range a.s.Pods {
		p := &a.s.Pods[n]
		if w := judge(p, events[string(p.UID)], a.s.At); w.stage != started && w.stage != finished {
			a.pods = append(a.pods, w)
		}
	}
	nodes := map[string]bool{}
	for n := range a.s.Nodes {
		node := &a.s.Nodes[n]
		a.pools[node.Name] = a.s.newPool(node)
		nodes[node.Instance] = true
	}
	delete(nodes, "")
	tenancy := vpc.Tenancy{Cluster: a.s.Target.Cluster, Nodes: nodes, States: a.s.States, Clusters: a.s.Clusters, Now: a.s.At}
	for _, id := range a.s.Whole {
		if s := a.s.subnet(id); s != nil {
			a.ledgers[id] = vpc.NewLedger(*s, a.s.Interfaces, a.s.Reservations, tenancy)
		}
	}
}

// at lists the pods of a stage.
func (a *analysis) at(stages ...stage) []waiting {
	var out []waiting
	for _, w := range a.pods {
		if slices.Contains(stages, w.stage) {
			out = append(out, w)
		}
	}
	return out
}

// mostEvidence is how much evidence of one finding is shown: a hundred nodes prove no more than three.
const mostEvidence = 9

// find adds a finding, or joins it to one of the same cause and subject.
func (a *analysis) find(f diagnostics.Finding, pods []waiting) *diagnostics.Finding {
	f.ID = "pending/" + f.ID
	for _, w := range pods {
		f.Affects = append(f.Affects, w.ref())
	}
	for _, old := range a.findings {
		if old.ID != f.ID || old.Subject != f.Subject {
			continue
		}
		old.Affects = append(old.Affects, f.Affects...)
		slices.Sort(old.Affects)
		old.Affects = slices.Compact(old.Affects)
		for _, e := range f.Evidence {
			if !slices.Contains(old.Evidence, e) && len(old.Evidence) < mostEvidence {
				old.Evidence = append(old.Evidence, e)
			}
		}
		if rank(f.Confidence) < rank(old.Confidence) {
			old.Confidence = f.Confidence
		}
		old.Latent = old.Latent && f.Latent
		old.Weight = len(old.Affects)
		return old
	}
	slices.Sort(f.Affects)
	f.Affects = slices.Compact(f.Affects)
	f.Weight = max(f.Weight, len(f.Affects))
	a.findings = append(a.findings, &f)
	return &f
}

func rank(c diagnostics.Confidence) int {
	return slices.Index([]diagnostics.Confidence{diagnostics.Confirmed, diagnostics.Likely, diagnostics.Possible}, c)
}

// unread finds a read that could not be made.
func (a *analysis) unread(permission string) (diagnostics.Unread, bool) {
	for _, u := range a.s.Unread {
		if u.Permission == permission {
			return u, true
		}
	}
	return diagnostics.Unread{}, false
}

// leaves records that a missed read leaves causes undecided, and reports whether it was missed.
func (a *analysis) leaves(permission string, causes ...string) bool {
	u, missed := a.unread(permission)
	if !missed {
		return false
	}
	u.What = ""
	for _, c := range causes {
		if id := "pending/" + c; !slices.Contains(a.open[u], id) {
			a.open[u] = append(a.open[u], id)
		}
	}
	return true
}

// of lists the findings of a cause, latent ones included, in the order of their subjects.
func (a *analysis) of(causes ...string) []*diagnostics.Finding {
	var out []*diagnostics.Finding
	for _, f := range a.findings {
		if slices.Contains(causes, strings.TrimPrefix(f.ID, "pending/")) {
			out = append(out, f)
		}
	}
	slices.SortStableFunc(out, func(x, y *diagnostics.Finding) int {
		if x.Latent != y.Latent {
			if x.Latent {
				return 1
			}
			return -1
		}
		if x.Weight != y.Weight {
			return y.Weight - x.Weight
		}
		return strings.Compare(x.ID+" "+x.Subject, y.ID+" "+y.Subject)
	})
	return out
}
