package alb

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/netdiag/netdiag/diagnostics"
)

// server is a web server that by default closes idle connections after so many seconds, known by a word in the name of
// its image or in its command.
type server struct {
	word    *regexp.Regexp
	name    string
	seconds int
	flag    *regexp.Regexp // that sets another time, nil where the command line can't
}

var servers = []server{
	{regexp.MustCompile(`(?i)(^|[^a-z])gunicorn(\d|[^a-z]|$)`), "gunicorn", 2, regexp.MustCompile(`--keep-alive[= ](\d+)`)},
	{regexp.MustCompile(`(?i)(^|[^a-z])uvicorn(\d|[^a-z]|$)`), "uvicorn", 5, regexp.MustCompile(`--timeout-keep-alive[= ](\d+)`)},
	{regexp.MustCompile(`(?i)(^|[^a-z])(node|nodejs)(\d|[^a-z]|$)`), "Node.js", 5, nil},
}

// idleClose is how long the server of a container keeps idle connections.
type idleClose struct {
	server  string
	seconds float64
	set     bool // by its command or as its log tells, not by default
	diagnostics.Evidence
}

// keepAlive recognises a few 502 all the time, rollouts and restarts aside, without failing connection, of a server that closes idle
// connections sooner than the load balancer, which then sends a request into a connection that is just being closed.
// Without access logs it stays a possibility.
func (a *analysis) keepAlive() bool {
	idle, known := a.idleTimeout()
	errors := a.counts(elb502)
	if !errors.Apart(a.upheavals(), time.Minute, 2*time.Minute).Flat() || errors.Total() > 0.02*a.total(requests) || a.total(elb504) > 0 || a.total(connectErrors) > 0.1*errors.Total() {
		return false
	}
	for _, g := range a.groups {
		for _, t := range g.registered() {
			if t.pod == nil || len(g.rules) == 0 || hasSidecar(t.pod) { // before a mesh the connection is the sidecar's
				continue
			}
			for _, c := range serving(t.pod, g) {
				k, ok := a.idleOf(t.pod, c)
				if !ok {
					continue
				}
				if k.seconds >= float64(idle) {
					a.pass("keepalive.mismatch", "%s keeps idle connections for %g s, the load balancer for %d s", k.server, k.seconds, idle)
					continue
				}
				a.closesEarly(g, k, idle, known)
				return true
			}
		}
	}
	return false
}

// upheavals lists the moments at which pods were taken away or containers ended: errors then need no server that closes early.
func (a *analysis) upheavals() []time.Time {
	var out []time.Time
	for _, d := range a.departures() {
		out = append(out, d.at)
	}
	for _, g := range a.groups {
		for _, e := range a.endings(g) {
			out = append(out, e.FinishedAt.Time)
		}
	}
	return out
}

func (a *analysis) closesEarly(g *group, k idleClose, idle int, known bool) {
	how := "by default closes"
	if k.set {
		how = "closes"
	}
	f := diagnostics.Finding{
		ID: "keepalive.mismatch", Subject: g.subject(), Confidence: diagnostics.Possible, Weight: 30,
		Summary:  fmt.Sprintf("a few 502 all the time, rollouts and restarts aside: %s %s idle connections after %g s, the load balancer reuses them for %d s", k.server, how, k.seconds, idle),
		Evidence: []diagnostics.Evidence{a.metric(elb502), a.metric(connectErrors), k.Evidence, a.idleEvidence()},
	}
	if k.set && known && k.Source == "get pods/log" {
		f.Confidence = diagnostics.Likely
	}
	a.report(f)
}

var keepAliveLog = regexp.MustCompile(`(?i)keep-?_?alive-?_? ?timeout(?: of)?[=: ]+(\d+(?:\.\d+)?) ?(ms|s)?`)

// idleOf tells how long the server in a container keeps idle connections: as its log says, as its command sets it, or by
// the default of a server that is known.
func (a *analysis) idleOf(p *corev1.Pod, c corev1.Container) (idleClose, bool) {
	name := p.Namespace + "/" + p.Name + "/" + c.Name
	for line := range strings.SplitSeq(a.s.Logs[name], "\n") {
		match := keepAliveLog.FindStringSubmatch(line)
		if match == nil {
			continue
		}
		if n, err := strconv.ParseFloat(match[1], 64); err == nil {
			if match[2] == "ms" || match[2] == "" && n >= 1000 {
				n /= float64(time.Second / time.Millisecond)
			}
			return idleClose{"container " + c.Name, n, true, diagnostics.Evidence{What: "log of " + name, Value: strings.TrimSpace(line), Source: "get pods/log",
				Repeat: fmt.Sprintf("kubectl logs %s -n %s -c %s", p.Name, p.Namespace, c.Name)}}, true
		}
	}
	image := c.Image[strings.LastIndexByte(c.Image, '/')+1:]
	command := strings.Join(append(append([]string{}, c.Command...), c.Args...), " ")
	for _, s := range servers {
		if !s.word.MatchString(image) && !s.word.MatchString(command) {
			continue
		}
		k := idleClose{server: s.name, seconds: float64(s.seconds), Evidence: diagnostics.Evidence{What: "image and command of " + p.Name, Value: strings.TrimSpace(image + " " + command), Source: "list pods",
			Repeat: fmt.Sprintf("kubectl get pod %s -n %s -o jsonpath='{.spec.containers[*].image} {.spec.containers[*].command} {.spec.containers[*].args}'", p.Name, p.Namespace)}}
		if s.flag != nil {
			if match := s.flag.FindStringSubmatch(command); match != nil {
				k.seconds, _ = strconv.ParseFloat(match[1], 64) // digits only, by the expression
				k.set = true
			}
		}
		return k, true
	}
	return idleClose{}, false
}
