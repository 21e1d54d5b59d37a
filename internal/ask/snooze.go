package ask

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// What a snooze can be about: a condition, a subnet, a zone, an ingress with or without its namespace.
var silenced = regexp.MustCompile(`^[a-z0-9]([-a-z0-9./]{0,315}[a-z0-9])?$`)

const snoozeUsage = "snooze 2h, snooze 1d us-west-2a, snooze off"

func parseSnooze(words []string) (Command, error) {
	c := Command{Verb: "snooze"}
	switch {
	case len(words) == 0:
		return c, refuse("snooze needs a time: %s", snoozeUsage)
	case len(words) > 2:
		return c, refuse("snooze takes a time and at most one thing to silence, not %d words: %s", len(words), snoozeUsage)
	}
	if len(words) == 2 {
		if !silenced.MatchString(words[1]) {
			return c, refuse("%s can't be silenced: name a condition, a subnet, a zone or an ingress", quote(words[1]))
		}
		c.Topic = words[1]
	}
	if strings.EqualFold(words[0], "off") {
		return c, nil
	}
	d, ok := parseDays(words[0])
	switch {
	case !ok:
		return c, refuse("%s is no time: %s", quote(words[0]), snoozeUsage)
	case d < MinSnooze || d > MaxSnooze:
		return c, refuse("snooze takes from 1m to 7d, not %s", quote(words[0]))
	}
	c.For = d
	return c, nil
}

// parseDays reads a duration of Go, or a whole number of days such as 2d.
func parseDays(s string) (time.Duration, bool) {
	s = strings.ToLower(s)
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.Atoi(days)
		if err != nil || n < 0 || n > 1000 {
			return 0, false
		}
		return time.Duration(n) * 24 * time.Hour, true
	}
	d, err := time.ParseDuration(s)
	return d, err == nil
}

// Spell writes a duration as it is typed, such as 2h; 0 is off.
func Spell(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d == 0:
		return "off"
	case d%day == 0:
		return fmt.Sprintf("%dd", d/day)
	case d%time.Hour == 0:
		return fmt.Sprintf("%dh", d/time.Hour)
	case d%time.Minute == 0:
		return fmt.Sprintf("%dm", d/time.Minute)
	}
	return d.String()
}
