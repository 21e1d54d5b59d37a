package pending

import (
	"regexp"
	"strconv"
	"strings"
)

// clause is one reason why nodes don't take a pod: "3 Too many pods". Nodes may stand in several clauses.
type clause struct {
	count  int // of nodes; 0 where the reason is about the pod itself
	reason string
	cause  string // id in the catalogue without the diagnosis; empty where unknown
	detail string // taint, resource, device
}

var (
	noNodes    = regexp.MustCompile(`^0/(\d+) nodes (?:are|is) available: ?`)
	counted    = regexp.MustCompile(`^(\d+) (.+)$`)
	taintBrace = regexp.MustCompile(`taints?(?:\(s\))? ?\{([^}]*)\}`)
)

// parseClauses reads the message of a pod that found no node. nodes is how many the scheduler looked at, 0 where the
// message says nothing of it. It knows the texts of before and after Kubernetes 1.18 and 1.27.
func parseClauses(message string) (nodes int, clauses []clause) {
	m := noNodes.FindStringSubmatch(message)
	rest := message
	if m != nil {
		nodes, _ = strconv.Atoi(m[1])
		rest = message[len(m[0]):]
	}
	for _, cut := range []string{" preemption: ", " no new claims to deallocate"} {
		rest, _, _ = strings.Cut(rest, cut)
	}
	for _, part := range splitClauses(strings.TrimSuffix(strings.TrimSpace(rest), ".")) {
		c := clause{reason: part}
		if m := counted.FindStringSubmatch(part); m != nil {
			c.count, _ = strconv.Atoi(m[1])
			c.reason = m[2]
		}
		c.cause, c.detail = causeOfClause(c.reason)
		clauses = append(clauses, c)
	}
	return nodes, clauses
}

// splitClauses splits at commas, but not inside braces, and not before the rest of "had taint {…}, that the pod didn't tolerate".
func splitClauses(s string) []string {
	var parts []string
	depth, from := 0, 0
	for n, r := range s {
		switch r {
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		case ',':
			rest := strings.TrimSpace(s[n+1:])
			if depth == 0 && !strings.HasPrefix(rest, "that the pod didn't tolerate") {
				parts = append(parts, strings.TrimSpace(s[from:n]))
				from = n + 1
			}
		}
	}
	if tail := strings.TrimSpace(s[from:]); tail != "" {
		parts = append(parts, tail)
	}
	return parts
}

func causeOfClause(reason string) (cause, detail string) {
	has := func(texts ...string) bool {
		for _, t := range texts {
			if strings.Contains(reason, t) {
				return true
			}
		}
		return false
	}
	switch {
	case has("Too many pods"), reason == "Insufficient pods":
		return "max-pods", ""
	case has("Insufficient vpc.amazonaws.com/pod-eni"):
		return "branch-eni-capacity", ""
	case has("Insufficient vpc.amazonaws.com/PrivateIPv4Address"):
		return "windows-ip-resource", ""
	case strings.HasPrefix(reason, "Insufficient "):
		return "insufficient-resources", strings.TrimPrefix(reason, "Insufficient ")
	case has("untolerated taint", "didn't tolerate"):
		if m := taintBrace.FindStringSubmatch(reason); m != nil {
			detail = strings.TrimSuffix(strings.TrimSpace(m[1]), ":")
		}
		return "taint", detail
	case has("were unschedulable"):
		return "taint", "node.kubernetes.io/unschedulable"
	case has("unbound immediate PersistentVolumeClaims", "volume node affinity conflict", "exceed max volume count",
		"available persistent volumes to bind", "available volume zone"), has("persistentvolumeclaim") && has("not found"):
		return "volume-binding", reason
	case has("node affinity", "node selector", "pod affinity", "anti-affinity", "topology spread"):
		return "affinity", reason
	case has("free ports"):
		return "host-port", ""
	}
	return "", ""
}
