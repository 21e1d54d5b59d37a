package pending

import (
	"bufio"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

var metricLine = regexp.MustCompile(`^(awscni_[a-z0-9_]+)(?:\{([^}]*)\})? ([0-9.eE+-]+)`)
var metricLabel = regexp.MustCompile(`([a-zA-Z_]+)="((?:[^"\\]|\\.)*)"`)

// parseMetrics reads the Prometheus text of ipamd; lines that it doesn't know are skipped. Without the two gauges it is no
// text of ipamd, and nil.
func parseMetrics(text string) *Metrics {
	m, gauges := &Metrics{}, 0
	lines := bufio.NewScanner(strings.NewReader(text))
	for lines.Scan() {
		f := metricLine.FindStringSubmatch(lines.Text())
		if f == nil {
			continue
		}
		value, err := strconv.ParseFloat(f[3], 64)
		if err != nil || value < 0 || value > 1e9 { // no count of addresses or calls
			continue
		}
		n := int(value)
		switch f[1] {
		case "awscni_total_ip_addresses":
			m.Total = n
			gauges++
		case "awscni_assigned_ip_addresses":
			m.Assigned = n
			gauges++
		case "awscni_no_available_ip_addresses":
			m.NoAddress = n
		case "awscni_ipamd_error_count":
			if fn := metricLabel.FindStringSubmatch(f[2]); fn != nil && n > 0 {
				if m.Failures == nil {
					m.Failures = map[string]int{}
				}
				m.Failures[fn[2]] = n
			}
		case "awscni_aws_api_error_count":
			labels := map[string]string{}
			for _, l := range metricLabel.FindAllStringSubmatch(f[2], -1) {
				labels[l[1]] = l[2]
			}
			if n > 0 {
				m.Errors = append(m.Errors, APIError{API: labels["api"], Code: labels["error"], Count: n})
			}
		}
	}
	if gauges < 2 {
		return nil
	}
	slices.SortFunc(m.Errors, func(a, b APIError) int { return strings.Compare(a.API+" "+a.Code, b.API+" "+b.Code) })
	return m
}

// addressCalls are the operations of EC2 by which the CNI gets addresses.
func addressCalls() []string {
	return []string{"AssignPrivateIpAddresses", "CreateNetworkInterface", "AttachNetworkInterface"}
}

// count sums the answers with one of the codes to the calls that get addresses.
func (m *Metrics) count(codes ...string) int {
	n := 0
	if m == nil {
		return 0
	}
	for _, e := range m.Errors {
		if slices.Contains(codes, e.Code) && slices.Contains(addressCalls(), e.API) {
			n += e.Count
		}
	}
	return n
}

var secretish = regexp.MustCompile(`(?i)(token|secret|password|authorization)[^\s]*[=:]\s*\S+`)

// telling are the parts by which lines of ipamd or its entrypoint are known that tell why addresses don't come.
func telling() []string {
	return []string{
		"error", "fail", "not supported", "cannot", "unable to", "giving up",
		"no available ip/prefix", // the pool is empty
		"will wait for",          // the pause after a refusal for want of room
		"max eni limit",          // no interface more fits
		"non schedulable node",   // cordoned
		"ip stats for",           // total, assigned and cooling addresses
		"does not match data store",
		"no valid subnets", "no eniconfig", "no space left",
	}
}

// complaints keeps the last lines of a log that tell of a trouble. Of lines that differ in their time and numbers only, the
// last one stands for all.
func complaints(log string) []string {
	var out, kinds []string
	lines := bufio.NewScanner(strings.NewReader(log))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		l := lines.Text()
		low := strings.ToLower(l)
		if !slices.ContainsFunc(telling(), func(part string) bool { return strings.Contains(low, part) }) {
			continue
		}
		kind := varying.ReplaceAllString(l, "#")
		if at := slices.Index(kinds, kind); at >= 0 {
			out, kinds = slices.Delete(out, at, at+1), slices.Delete(kinds, at, at+1)
		}
		out, kinds = append(out, secretish.ReplaceAllString(shorten(l), "$1…")), append(kinds, kind)
	}
	if len(out) > 8 {
		out = out[len(out)-8:]
	}
	return out
}

var (
	varying  = regexp.MustCompile(`[0-9]+`)
	logStamp = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)`)
)

// logged finds the latest line of the log of a node's CNI that has one of the parts and, where it tells its time, is not older than within.
func (n *Node) logged(now time.Time, within time.Duration, parts ...string) (line string, at time.Time, ok bool) {
	if n.Agent == nil {
		return "", time.Time{}, false
	}
	for _, l := range slices.Backward(n.Agent.Log) {
		if !slices.ContainsFunc(parts, func(p string) bool { return strings.Contains(l, p) }) {
			continue
		}
		at = logTime(l)
		if at.IsZero() || now.Sub(at) <= within {
			return l, at, true
		}
	}
	return "", time.Time{}, false
}

// logTime is when a line was written; zero where it doesn't say.
func logTime(line string) time.Time {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999-0700"} {
		if t, err := time.Parse(layout, logStamp.FindString(line)); err == nil {
			return t
		}
	}
	return time.Time{}
}
