package pending

import (
	"fmt"
	"regexp"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apiresource "k8s.io/apimachinery/pkg/api/resource"

	"github.com/netdiag/netdiag/diagnostics"
)

var (
	quotaName = regexp.MustCompile(`(?:exceeded|failed) quota: ([^,:\s]+)`)
	mustState = regexp.MustCompile(`must specify ([^;]+)`)
)

// quota explains pods that a resource quota leaves no room for, and reports false where it has room by now: then the
// controller makes them at its next try.
func (a *analysis) quota(f *diagnostics.Finding, message, missing string) bool {
	f.ID = "quota"
	if m := quotaName.FindStringSubmatch(message); m != nil {
		f.Subject = m[1]
	}
	if m := mustState.FindStringSubmatch(message); m != nil {
		f.Summary = fmt.Sprintf("resource quota %s lets in only pods that state %s: %s can't be made", f.Subject, shorten(m[1]), missing)
		return true
	}
	requested := quotaPart(message, "requested: ", ", used: ")
	f.Summary = fmt.Sprintf("resource quota %s leaves no room for %s", f.Subject, missing)
	if used, limited := quotaPart(message, "used: ", ", limited: "), quotaPart(message, "limited: ", "\x00"); len(requested) > 0 {
		f.Summary += ": " + quotaText(requested, used, limited)
	}
	if _, missed := a.unread("list resourcequotas"); missed || len(requested) == 0 {
		return true
	}
	q := a.quotaNamed(f.Subject)
	if q == nil || fitsQuota(q, requested) {
		now := "is gone by now"
		if q != nil {
			now = "has room by now"
		}
		a.notes = append(a.notes, fmt.Sprintf("%s are not there yet: resource quota %s, which had no room for them, %s, and their controller tries again within a quarter of an hour", missing, f.Subject, now))
		return false
	}
	for _, name := range sortedKeys(requested) {
		hard, used := q.Status.Hard[corev1.ResourceName(name)], q.Status.Used[corev1.ResourceName(name)]
		f.Evidence = append(f.Evidence, diagnostics.Evidence{What: name + " of resource quota " + q.Name, Value: fmt.Sprintf("%s used of %s", used.String(), hard.String()), Source: "list resourcequotas",
			Repeat: fmt.Sprintf("kubectl describe resourcequota -n %s %s", a.s.Target.Namespace, q.Name)})
	}
	return true
}

func (a *analysis) quotaNamed(name string) *corev1.ResourceQuota {
	for n := range a.s.Quotas {
		if a.s.Quotas[n].Name == name {
			return &a.s.Quotas[n]
		}
	}
	return nil
}

// fitsQuota reports that a quota has room for what is requested.
func fitsQuota(q *corev1.ResourceQuota, requested map[string]string) bool {
	for name, text := range requested {
		want, err := apiresource.ParseQuantity(text)
		hard, limited := q.Status.Hard[corev1.ResourceName(name)]
		if err != nil || !limited {
			continue
		}
		used := q.Status.Used[corev1.ResourceName(name)]
		used.Add(want)
		if used.Cmp(hard) > 0 {
			return false
		}
	}
	return true
}

// quotaPart reads a part of "requested: pods=1, used: pods=10, limited: pods=10".
func quotaPart(message, from, to string) map[string]string {
	_, rest, ok := strings.Cut(message, from)
	if !ok {
		return nil
	}
	part, _, _ := strings.Cut(rest, to)
	out := map[string]string{}
	for item := range strings.SplitSeq(part, ",") {
		if name, value, ok := strings.Cut(strings.TrimSpace(item), "="); ok {
			out[name] = value
		}
	}
	return out
}

func quotaText(requested, used, limited map[string]string) string {
	var parts []string
	for _, name := range sortedKeys(requested) {
		parts = append(parts, fmt.Sprintf("%s of %s are used and one pod asks for %s %s", used[name], limited[name], requested[name], name))
	}
	return strings.Join(parts, ", ")
}
