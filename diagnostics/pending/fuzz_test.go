package pending

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"

	"github.com/netdiag/netdiag/diagnostics"
)

func FuzzSchedulerMessage(f *testing.F) {
	for _, s := range []string{
		"0/3 nodes are available: 3 Too many pods.",
		"0/5 nodes are available: 2 Insufficient cpu, 2 node(s) had untolerated taint {dedicated: gpu}, 1 node(s) had taint {a: b}, that the pod didn't tolerate. preemption: 0/5 nodes are available: 5 No preemption victims found for incoming pod.",
		`persistentvolumeclaim "data" not found`, "0/1 nodes is available: {[}],,", "99999999999999999999 Too many pods", "",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, message string) {
		nodes, clauses := parseClauses(message)
		if nodes < 0 {
			t.Errorf("%q: %d nodes", message, nodes)
		}
		for _, c := range clauses {
			if c.count < 0 || !strings.Contains(message, c.reason) || !strings.Contains(message, strings.TrimPrefix(c.detail, "node.kubernetes.io/unschedulable")) {
				t.Errorf("%q: clause %+v is not in it", message, c)
			}
			if c.cause != "" && diagnostics.CauseByID("pending/"+c.cause).ID == "" {
				t.Errorf("%q: %s is not in the catalogue", message, c.cause)
			}
		}
	})
}

// Whatever a sandbox event says, a subnet is not blamed where EC2 could not be read, and every cause is one of the catalogue.
func FuzzSandboxMessage(f *testing.F) {
	for _, s := range []string{
		assignFailed, strings.Replace(assignFailed, "failed to assign an IP address to container", "failed to setup network policy", 1),
		`plugin type="cilium-cni" failed (add): unable to allocate IP via local cilium agent: range is full`,
		"rpc error: code = Unavailable desc = connection error: desc = \"transport: Error while dialing: dial tcp 127.0.0.1:50051: connect: connection refused\"",
		"InsufficientFreeAddressesInSubnet", "", "\x00\u202e<!channel>",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, message string) {
		if !utf8.ValidString(message) {
			t.Skip("an API server stores valid UTF-8 only")
		}
		c := newScene(0, 0)
		c.node("n1", "a", 9, 9, 9)
		c.wait("n1", 2, message, func(*corev1.Pod) {})
		c.s.Subnets, c.s.Interfaces, c.s.Whole = nil, nil, nil
		c.s.Unread = denied("ec2:DescribeSubnets", "ec2:DescribeNetworkInterfaces")
		r := c.judged(t)
		for _, found := range slices.Concat(r.Causes, r.Contributing, r.Symptoms) {
			if diagnostics.CauseByID(found.ID).ID == "" || found.ID == "pending/subnet-exhausted" {
				t.Errorf("%q: %s", message, found.ID)
			}
		}
		if len(r.Causes) == 0 && len(r.Gaps) == 0 {
			t.Errorf("%q: two pods wait, and the report has neither a cause nor a gap", message)
		}
	})
}

func FuzzMetrics(f *testing.F) {
	f.Add("awscni_total_ip_addresses 10\nawscni_assigned_ip_addresses 3\nawscni_aws_api_error_count{api=\"AssignPrivateIpAddresses\",error=\"InsufficientFreeAddressesInSubnet\"} 4\n")
	f.Add("# HELP x\nawscni_total_ip_addresses{} 1e400\nawscni_assigned_ip_addresses NaN\n")
	f.Add("awscni_aws_api_error_count{api=\"a\\\"b\",error=} -3\nawscni_total_ip_addresses 1\nawscni_assigned_ip_addresses 0.5")
	f.Add("awscni_total_ip_addresses -1\nawscni_assigned_ip_addresses 1e300\n")
	f.Fuzz(func(t *testing.T, text string) {
		m := parseMetrics(text)
		if m == nil {
			return
		}
		for _, e := range m.Errors {
			if e.Count <= 0 {
				t.Errorf("%q: %+v counts nothing", text, e)
			}
		}
		if m.Total < 0 || m.Assigned < 0 || m.NoAddress < 0 {
			t.Errorf("%q: gauges below zero: %+v", text, m)
		}
	})
}
