package pending

import (
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/netdiag/netdiag/diagnostics"
)

// cooling is what is known of the addresses of a node that ipamd keeps from new pods for a while after their last one.
type cooling struct {
	addresses int // at most so many are in quarantine
	ends      int // pods that end in as long as one rests
	evidence  []diagnostics.Evidence
}

// teardown is how long the kubelet may take from the end of a pod's containers to the end of its network, when the cooldown begins.
const teardown = 15 * time.Second

var poolStats = regexp.MustCompile(`total IPs: (\d+), assigned IPs: (\d+), cooldown IPs: (\d+)`)

// coolingOn counts the addresses in quarantine: what ipamd itself says of them, or the unused ones of pods that ended a moment
// ago; where these were deleted, their address isn't known any more, and each counts one.
func (a *analysis) coolingOn(node *Node, p *pool) cooling {
	var c cooling
	within := p.settings.Cooldown + teardown
	if line, _, ok := node.logged(a.s.At, within, "cooldown IPs: "); ok {
		if m := poolStats.FindStringSubmatch(line); m != nil {
			c.addresses, _ = strconv.Atoi(m[3])
			c.ends = c.addresses
			c.evidence = append(c.evidence, logEvidence(node, line))
			return c
		}
	}
	free := p.unused()
	for _, f := range node.Freed {
		addr, err := netip.ParseAddr(f.IP)
		if ago := a.s.At.Sub(f.At); err != nil || !free[addr] || ago > within {
			continue
		}
		delete(free, addr)
		c.addresses++
		c.ends++
		if ns, name, _ := strings.Cut(f.Name, "/"); len(c.evidence) < 3 {
			c.evidence = append(c.evidence, diagnostics.Evidence{What: "end of pod " + name, Value: fmt.Sprintf("%s, %s ago; its address was %s", f.At.UTC().Format("15:04:05"), a.s.At.Sub(f.At).Round(time.Second), f.IP),
				Source: "list pods", Repeat: fmt.Sprintf("kubectl get pod -n %s %s -o yaml", ns, name)})
		}
	}
	if killed := a.killedLately(node); len(killed) > 0 {
		c.addresses += len(killed)
		c.ends += (len(killed)*int(p.settings.Cooldown/time.Second) + 59) / 60 // they ended within a minute
		c.evidence = append(c.evidence, eventEvidence(killed[0]))
	}
	return c
}

// unused is the set of addresses that pods could have and none has.
func (p *pool) unused() map[netip.Addr]bool {
	out := map[netip.Addr]bool{}
	for _, m := range p.members {
		if m.excluded {
			continue
		}
		for _, addr := range m.eni.Addresses {
			if addr != m.eni.Primary && !p.prefixes() {
				out[addr] = true
			}
		}
		for _, prefix := range m.eni.Prefixes {
			if !p.prefixes() {
				break
			}
			for addr := prefix.Masked().Addr(); prefix.Contains(addr); addr = addr.Next() {
				out[addr] = true
			}
		}
	}
	for _, pod := range p.node.Pods {
		if addr, err := netip.ParseAddr(pod.IP); err == nil {
			delete(out, addr)
		}
	}
	return out
}

// killedLately lists events of pods that were ended on a node within the last minute, one a pod, and that are not among those still to be seen.
func (a *analysis) killedLately(node *Node) []*corev1.Event {
	seen := map[string]bool{}
	for _, f := range node.Freed {
		seen[f.Name] = true
	}
	var out []*corev1.Event
	for n := range a.s.Events {
		e := &a.s.Events[n]
		name := e.InvolvedObject.Namespace + "/" + e.InvolvedObject.Name
		if e.Reason == "Killing" && (e.Source.Host == node.Name || e.ReportingInstance == node.Name) && a.s.At.Sub(diagnostics.LastSeen(e)) <= young && !seen[name] {
			seen[name] = true
			out = append(out, e)
		}
	}
	return out
}

// cooldown explains pods that get none of the free addresses because all of these are in quarantine. ipamd counts those as
// free, so that it asks for no further ones. Each failure lasts as long as the quarantine: a pod that fails for much longer
// waits for something else, or loses the race for each address again.
func (a *analysis) cooldown(node *Node, p *pool, f diagnostics.Finding, pods []waiting) bool {
	c := a.coolingOn(node, p)
	if c.addresses == 0 || c.addresses < p.free() {
		return false
	}
	f.ID, f.Confidence = "ip-cooldown", diagnostics.Likely
	if a.failingFor(pods) > 2*young {
		f.Confidence = diagnostics.Possible
	}
	seconds := int(p.settings.Cooldown.Seconds())
	f.Summary = fmt.Sprintf("the %s of node %s that no pod uses had one a moment ago and rest for %d seconds before they are given out again", plural(p.free(), "address"), node.Name, seconds)
	f.Evidence = append(f.Evidence, c.evidence...)
	f.Evidence = append(f.Evidence, settingsEvidence("IP_COOLDOWN_PERIOD", p))
	for _, id := range p.subnets() {
		if s := a.s.subnet(id); s != nil {
			f.Evidence = append(f.Evidence, subnetEvidence(s))
		}
	}
	a.find(f, pods)
	return true
}
