package pending

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/trail"
)

// ipamdLine is a line as ipamd writes it.
func ipamdLine(ago time.Duration, level, message string) string {
	return fmt.Sprintf(`{"level":%q,"ts":%q,"caller":"ipamd/ipamd.go:979","msg":%q}`, level, now.Add(-ago).Format("2006-01-02T15:04:05.000Z"), message)
}

// After a refusal for want of room ipamd waits for two minutes, even where there is room again.
func TestBackoff(t *testing.T) {
	counts := func(n *Node) { errorsOf(n, 9, 9, "InsufficientFreeAddressesInSubnet") }
	audited := func(ago time.Duration) func(*scene, *Node) {
		return func(c *scene, n *Node) {
			counts(n)
			c.s.Audit = []trail.Event{{At: now.Add(-ago), Name: "AssignPrivateIpAddresses", Error: "Client.InsufficientFreeAddressesInSubnet", Resources: []string{"eni-n1-0"}}}
		}
	}
	const waits = "Recently we had InsufficientCidr error hence will wait for 2m0s before retrying"
	const refusal = "Unable to attach IPs/Prefixes for the ENI, subnet doesn't seem to have enough IPs/Prefixes. Consider using new subnet or carve a reserved range using create-subnet-cidr-reservation"
	for _, c := range []struct {
		name string
		room int
		edit func(*scene, *Node)
		want []string
		left string // seconds, as the summary says them
	}{
		{"it has been refused once, nobody knows when", 60, func(_ *scene, n *Node) { counts(n) }, []string{"insufficiency-backoff possible"}, ""},
		{"the audit log knows when", 60, audited(82 * time.Second), []string{"insufficiency-backoff likely"}, "38 seconds"},
		{"it may be over, or the audit log late", 60, audited(150 * time.Second), []string{"insufficiency-backoff possible"}, ""},
		{"it has asked again since", 60, audited(9 * time.Minute), nil, ""},
		{"it says that it waits", 60, func(_ *scene, n *Node) {
			counts(n)
			n.Agent.Log = []string{ipamdLine(80*time.Second, "error", refusal), ipamdLine(5*time.Second, "debug", waits)}
		}, []string{"insufficiency-backoff confirmed"}, "40 seconds"},
		{"it says that it waits, and its counters can't be had", 60, func(_ *scene, n *Node) {
			n.Agent.Log = []string{ipamdLine(80*time.Second, "error", refusal), ipamdLine(5*time.Second, "debug", waits)}
		}, []string{"insufficiency-backoff confirmed"}, "40 seconds"},
		{"it said so three minutes ago", 60, func(_ *scene, n *Node) {
			n.Agent.Log = []string{ipamdLine(3*time.Minute, "debug", waits)}
		}, nil, ""},
		{"there is no room yet", 0, audited(82 * time.Second), []string{"subnet-exhausted confirmed"}, ""},
		{"another answer does not make it wait", 60, func(_ *scene, n *Node) { errorsOf(n, 9, 9, "NetworkAddressUsageLimitExceeded") }, []string{"nau-limit confirmed"}, ""},
	} {
		s := newScene(c.room, 100)
		n := s.node("n1", "a", 9, 9)
		s.wait("n1", 2, assignFailed, nil)
		c.edit(s, n)
		r := s.judged(t)
		if d := cmp.Diff(c.want, keys(r.Causes)); d != "" {
			t.Errorf("%s (-want +got):\n%s%s", c.name, d, r.Summary)
			continue
		}
		if !strings.Contains(r.Summary, c.left) || c.left == "" && strings.Contains(r.Summary, "seconds are left") {
			t.Errorf("%s: the summary should tell %q: %s", c.name, c.left, r.Summary)
		}
		if len(c.want) > 0 && strings.HasPrefix(c.want[0], "insufficiency") {
			if fixIDs(r)[0] != "restart-ipamd" || slices.Contains(fixIDs(r), "add-pod-subnet") || !slices.Contains(refusedIDs(r), "add-pod-subnet") {
				t.Errorf("%s: fixes %v, refused %v", c.name, fixIDs(r), refusedIDs(r))
			}
		}
	}
}

// The counters of the CNI can be out of reach; its log, where it goes to standard output, and the node monitoring agent say the same.
func TestWitnessesOtherThanTheCounters(t *testing.T) {
	for _, c := range []struct {
		name string
		room int
		edit func(*scene)
		want []string
	}{
		{"throttled", 150, func(c *scene) {
			for k := range 3 {
				c.s.node(fmt.Sprintf("n%d", k+1)).Agent.Log = []string{ipamdLine(20*time.Second, "error", "Failed to allocate a private IP/Prefix addresses on ENI eni-1: operation error EC2: AssignPrivateIpAddresses, api error RequestLimitExceeded: Request limit exceeded.")}
			}
		}, []string{"api-throttled confirmed"}},
		{"throttled an hour ago", 150, func(c *scene) {
			c.s.node("n1").Agent.Log = []string{ipamdLine(time.Hour, "error", "operation error EC2: AssignPrivateIpAddresses, api error RequestLimitExceeded: Request limit exceeded.")}
		}, nil},
		{"fewer addresses than pods, and EC2 has refused some", 1, func(c *scene) {
			c.say("Node", "n1", "IPAMDNoIPs", "subnet is out of IPs", 0.5)
		}, []string{"subnet-exhausted likely"}},
		{"fewer addresses than pods, and nobody says that EC2 refused any", 1, func(*scene) {}, nil},
		{"network address units", 150, func(c *scene) {
			c.s.node("n1").Agent.Log = []string{ipamdLine(20*time.Second, "error", "operation error EC2: AssignPrivateIpAddresses, api error NetworkAddressUsageLimitExceeded: …")}
		}, []string{"nau-limit confirmed"}},
	} {
		s := newScene(c.room, 100)
		s.node("n1", "a", 8, 8)
		s.node("n2", "a", 9, 9)
		s.node("n3", "a", 9, 9)
		s.wait("n1", 2, assignFailed, nil)
		s.s.Unread = denied("get pods/proxy")
		c.edit(s)
		r := s.judged(t)
		if d := cmp.Diff(c.want, keys(r.Causes)); d != "" {
			t.Errorf("%s (-want +got):\n%s%s", c.name, d, r.Summary)
		}
		if len(c.want) == 0 && !r.Open() {
			t.Errorf("%s: the counters would tell: the question is open", c.name)
		}
	}
}

// Addresses rest for half a minute after their last pod; ipamd counts them as free.
func TestCooldown(t *testing.T) {
	ended := func(n *Node, ago time.Duration, count int) {
		for k := range count {
			n.Freed = append(n.Freed, Freed{Name: fmt.Sprintf("batch/job-%d", k), IP: fmt.Sprintf("10.0.1.%d", 18+k), At: now.Add(-ago)}) // the node's addresses are 12 to 20
		}
	}
	for _, c := range []struct {
		name string
		edit func(*scene, *Node)
		want []string
	}{
		{"all free ones were freed a moment ago", func(_ *scene, n *Node) { ended(n, 12*time.Second, 3) }, []string{"ip-cooldown likely"}},
		{"two of three free ones were freed a moment ago", func(_ *scene, n *Node) { ended(n, 12*time.Second, 2) }, nil},
		{"they were freed a minute ago", func(_ *scene, n *Node) { ended(n, time.Minute, 3) }, nil},
		{"they were freed a minute ago, and rest for two", func(c *scene, n *Node) {
			ended(n, time.Minute, 3)
			c.s.Driver.Env["IP_COOLDOWN_PERIOD"] = "120"
		}, []string{"ip-cooldown likely"}},
		{"the pods had the addresses that others have now", func(_ *scene, n *Node) {
			ended(n, 12*time.Second, 3)
			for k := range n.Freed {
				n.Freed[k].IP = n.Pods[k].IP
			}
		}, nil},
		{"pods of the namespace were deleted", func(c *scene, n *Node) {
			for k := range 3 {
				e := event("Killing", "Stopping container api", 0.3)
				e.InvolvedObject = corev1.ObjectReference{Kind: "Pod", Namespace: "backend", Name: fmt.Sprintf("gone-%d", k)}
				e.Source.Host = n.Name
				c.s.Events = append(c.s.Events, *e)
			}
		}, []string{"ip-cooldown likely"}},
		{"pods of another node were deleted", func(c *scene, n *Node) {
			e := event("Killing", "Stopping container api", 0.3)
			e.Source.Host = "n9"
			c.s.Events = append(c.s.Events, *e, *e, *e)
		}, nil},
		{"ipamd says how many rest", func(_ *scene, n *Node) {
			n.Agent.Log = []string{ipamdLine(4*time.Second, "debug", "IP stats for Network Card 0 - total IPs: 9, assigned IPs: 6, cooldown IPs: 3")}
		}, []string{"ip-cooldown likely"}},
		{"ipamd says that none rests", func(_ *scene, n *Node) {
			ended(n, 12*time.Second, 3)
			n.Agent.Log = []string{ipamdLine(4*time.Second, "debug", "IP stats for Network Card 0 - total IPs: 9, assigned IPs: 6, cooldown IPs: 0")}
		}, nil},
		{"ipamd counts them as assigned still", func(_ *scene, n *Node) {
			ended(n, 12*time.Second, 3)
			n.Metrics = &Metrics{Total: 9, Assigned: 9}
		}, []string{"ipamd-leak possible"}},
		{"the pods have waited for a quarter of an hour", func(c *scene, n *Node) {
			ended(n, 12*time.Second, 3)
			for k := range c.s.Events {
				c.s.Events[k].FirstTimestamp = minutes(15)
			}
		}, []string{"ip-cooldown possible"}},
	} {
		s := newScene(120, 100)
		n := s.node("n1", "a", 6, 9)
		s.wait("n1", 2, assignFailed, nil)
		for k := range s.s.Events {
			s.s.Events[k].FirstTimestamp = minutes(0.4)
		}
		c.edit(s, n)
		r := s.judged(t)
		if d := cmp.Diff(c.want, keys(r.Causes)); d != "" {
			t.Errorf("%s (-want +got):\n%s%s", c.name, d, r.Summary)
		}
	}
}

func TestCooldownIsTunedByWhatEnds(t *testing.T) {
	for _, c := range []struct {
		name   string
		room   int
		env    map[string]string
		change string
	}{
		{"whole interfaces are kept, which stays so", 120, nil, "IP_COOLDOWN_PERIOD unset → 15"},
		{"two are kept: two and three", 120, map[string]string{"WARM_IP_TARGET": "2"}, "WARM_IP_TARGET 2 → 5"},
		{"no room for more", 5, map[string]string{"WARM_IP_TARGET": "2"}, "IP_COOLDOWN_PERIOD unset → 15"},
		{"no room, and a short rest already", 5, map[string]string{"WARM_IP_TARGET": "2", "IP_COOLDOWN_PERIOD": "15"}, ""},
	} {
		s := newScene(c.room, 100)
		n := s.node("n1", "a", 6, 9)
		maps.Copy(s.s.Driver.Env, c.env)
		s.wait("n1", 2, assignFailed, nil)
		for k := range 3 {
			n.Freed = append(n.Freed, Freed{Name: fmt.Sprintf("batch/job-%d", k), IP: fmt.Sprintf("10.0.1.%d", 18+k), At: now.Add(-10 * time.Second)})
		}
		r := s.judged(t)
		change := ""
		if i := slices.IndexFunc(r.Fixes, func(f diagnostics.Fix) bool { return f.ID == "pending/tune-cooldown" }); i >= 0 {
			change = r.Fixes[i].Changes[0]
			if r.Fixes[i].Executable || r.Fixes[i].Action != nil {
				t.Errorf("%s: it is no fix for the bot", c.name)
			}
		}
		if !strings.HasSuffix(change, c.change) || (change == "") != (c.change == "") {
			t.Errorf("%s: change %q, want %q", c.name, change, c.change)
		}
	}
}

func TestComplaints(t *testing.T) {
	log := strings.Join([]string{
		`Installed /host/opt/cni/bin/aws-cni`,
		ipamdLine(40*time.Second, "debug", "IP stats for Network Card 0 - total IPs: 9, assigned IPs: 8, cooldown IPs: 0"),
		ipamdLine(30*time.Second, "error", "Failed to CreateNetworkInterface InsufficientFreeAddressesInSubnet for subnet subnet-1"),
		ipamdLine(25*time.Second, "debug", "nothing of note"),
		ipamdLine(20*time.Second, "debug", "Skipping ENI allocation as the max ENI limit is already reached"),
		ipamdLine(10*time.Second, "debug", "IP stats for Network Card 0 - total IPs: 9, assigned IPs: 6, cooldown IPs: 3"),
	}, "\n")
	got := complaints(log)
	if len(got) != 3 || !strings.Contains(got[0], "CreateNetworkInterface") || !strings.Contains(got[1], "max ENI limit") || !strings.Contains(got[2], "cooldown IPs: 3") {
		t.Errorf("%q", got)
	}
	if at := logTime(got[0]); !at.Equal(now.Add(-30 * time.Second)) {
		t.Error(at)
	}
	if at := logTime(`time="2026-03-22T10:29:00+0000" level=error`); !at.Equal(now.Add(-time.Minute)) {
		t.Error(at)
	}
}

func TestFreed(t *testing.T) {
	pod := func(phase corev1.PodPhase, ip string, ago time.Duration) corev1.Pod {
		p := *pendingPod(nil)
		p.Status.Phase, p.Status.PodIP = phase, ip
		p.Status.ContainerStatuses[0].State = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{FinishedAt: minutes(ago.Minutes())}}
		return p
	}
	host := pod(corev1.PodSucceeded, "10.0.1.4", time.Second)
	host.Spec.HostNetwork = true
	got := freed([]corev1.Pod{pod(corev1.PodSucceeded, "10.0.1.9", 20*time.Second), pod(corev1.PodRunning, "10.0.1.8", 20*time.Second),
		pod(corev1.PodFailed, "10.0.1.7", 5*time.Minute), pod(corev1.PodSucceeded, "", time.Second), host}, now, 2*time.Minute)
	if d := cmp.Diff([]Freed{{"backend/api-1", "10.0.1.9", now.Add(-20 * time.Second)}}, got); d != "" {
		t.Error(d)
	}
}
