package pending

import (
	"bufio"
	"regexp"
	"slices"
	"strconv"
	"strings"
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

// refused reports that EC2 answered one of the codes to a call that gets addresses.
func (m *Metrics) refused(codes ...string) bool { return m != nil && m.count(codes...) > 0 }

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

// telling reports a line of ipamd's log that says why it asks for nothing, at whatever level.
func telling(low string) bool {
	return slices.ContainsFunc([]string{"non schedulable node", "no valid subnets", "no eniconfig", "giving up", "does not match data store", "no space left"},
		func(t string) bool { return strings.Contains(low, t) })
}

// complaints keeps the last lines of a log that tell of an error.
func complaints(log string) []string {
	var out []string
	lines := bufio.NewScanner(strings.NewReader(log))
	for lines.Scan() {
		l := lines.Text()
		low := strings.ToLower(l)
		if strings.Contains(low, "error") || strings.Contains(low, "fail") || strings.Contains(low, "not supported") || strings.Contains(low, "will wait for") || strings.Contains(low, "cannot") || telling(low) {
			out = append(out, secretish.ReplaceAllString(shorten(l), "$1…"))
		}
	}
	if len(out) > 8 {
		out = out[len(out)-8:]
	}
	return out
}
