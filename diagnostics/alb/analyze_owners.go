package alb

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/elb"
	"github.com/netdiag/netdiag/internal/trail"
)

// owners reports a target group that two parties fill and empty in turn: two bindings of this cluster, or a second
// cluster or tool. A binding that says multiClusterTargetGroup leaves alone what it hasn't registered itself.
func (a *analysis) owners() {
	for _, g := range a.groups {
		rivals := a.rivals(g)
		fight, ok := a.fight(g)
		if len(rivals) == 0 && (!ok || !a.feltAt(g)) {
			continue
		}
		ev := append([]diagnostics.Evidence{g.evidence(g.list)}, fight.evidence...)
		who := joined(fight.parties)
		if len(rivals) > 0 {
			var names []string
			for i := range rivals {
				names = append(names, rivals[i].Namespace+"/"+rivals[i].Name)
				ev = append(ev, sharingEvidence(&rivals[i]))
			}
			who = "TargetGroupBindings " + joined(names)
		} else if g.binding != nil {
			ev = append(ev, sharingEvidence(g.binding))
		}
		a.report(diagnostics.Finding{
			ID: "tg.two-owners", Subject: g.Name, Confidence: diagnostics.Likely, Weight: 80, Affects: []string{"targetgroup/" + g.Name},
			Summary:  fmt.Sprintf("target group %s has more than one owner (%s): each takes out what the other put in", g.Name, who),
			Evidence: ev[:min(len(ev), 8)],
		})
	}
}

// rivals lists the bindings of a group where there are several for different Services and not all of them share it.
func (a *analysis) rivals(g *group) []elb.TargetGroupBinding {
	var all []elb.TargetGroupBinding
	greedy, differ := false, false
	for _, b := range a.s.Bindings {
		if b.TargetGroupARN != g.ARN {
			continue
		}
		all = append(all, b)
		greedy = greedy || !b.MultiCluster
		differ = differ || b.Namespace != all[0].Namespace || b.Service != all[0].Service || b.ServicePort != all[0].ServicePort
	}
	if !greedy || !differ {
		return nil
	}
	return all
}

func sharingEvidence(b *elb.TargetGroupBinding) diagnostics.Evidence {
	return diagnostics.Evidence{What: "TargetGroupBinding " + b.Namespace + "/" + b.Name, Value: fmt.Sprintf("Service %s port %s, multiClusterTargetGroup %v", b.Service, b.ServicePort, b.MultiCluster), Source: "list targetgroupbindings.elbv2.k8s.aws",
		Repeat: fmt.Sprintf("kubectl get targetgroupbinding %s -n %s -o yaml", b.Name, b.Namespace)}
}

// feltAt reports whether something is wrong with a group now, or was within the hour: what has healed is no fault.
func (a *analysis) feltAt(g *group) bool {
	return g.foreign() || len(g.bad()) > 0 || len(g.registered()) == 0 || a.total(elb502)+a.total(elb503)+a.total(elb504) > 0
}

// fight is who undid whose registrations.
type fight struct {
	parties  []string
	others   []string // those that didn't register what this cluster's Service has
	evidence []diagnostics.Evidence
}

// fight looks through CloudTrail for parties that take out of a group what the other one registered, or put back in what
// the other one took out, at least twice. Where the records don't say which targets were meant, it is enough that one
// party registers and another one deregisters, if the binding claims the whole group.
func (a *analysis) fight(g *group) (fight, bool) {
	last := map[string]string{} // by target: who touched it last
	parties := map[string]bool{}
	registers, takes := map[string]bool{}, map[string]bool{}
	undone, silent := 0, 0
	own := map[string]bool{}
	want, _ := g.due()
	var f fight
	for _, e := range a.s.Audit {
		if (e.Name != "RegisterTargets" && e.Name != "DeregisterTargets") || e.Error != "" || !touches(e, g.ARN) {
			continue
		}
		who := principal(e)
		if !parties[who] || len(f.evidence) < 4 {
			f.evidence = append(f.evidence, auditEvidence(e, g.ARN))
		}
		parties[who] = true
		if e.Name == "RegisterTargets" {
			registers[who] = true
		} else {
			takes[who] = true
		}
		ids := meant(e)
		if len(ids) == 0 {
			silent++
		}
		if slices.ContainsFunc(ids, func(id string) bool { return last[id] != "" && last[id] != who }) {
			undone++
		}
		for _, id := range ids {
			last[id] = who
			if e.Name == "RegisterTargets" && slices.ContainsFunc(want, func(d due) bool { return d.id == id }) {
				own[who] = true
			}
		}
	}
	f.parties = sortedKeys(parties)
	f.others = slices.DeleteFunc(slices.Clone(f.parties), func(who string) bool { return own[who] })
	if len(parties) < 2 {
		return fight{}, false
	}
	exclusive := g.binding == nil || !g.binding.MultiCluster
	crossed := false
	for who := range takes {
		for other := range registers {
			crossed = crossed || who != other
		}
	}
	return f, undone >= 2 || (silent > 0 && exclusive && crossed)
}

// meant lists the targets that a call names.
func meant(e trail.Event) []string {
	var record struct {
		RequestParameters struct {
			Targets []struct {
				ID string `json:"id"`
			} `json:"targets"`
		} `json:"requestParameters"`
	}
	if json.Unmarshal([]byte(e.Detail), &record) != nil {
		return nil
	}
	var out []string
	for _, t := range record.RequestParameters.Targets {
		out = append(out, t.ID)
	}
	return out
}
