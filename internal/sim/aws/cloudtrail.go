package aws

import (
	"slices"
	"strconv"
	"time"
)

func cloudtrailOperations() map[string]operation {
	return map[string]operation{"LookupEvents": lookupEvents}
}

// lookupPaths maps the attribute keys of LookupEvents to members of an event.
var lookupPaths = map[string][]string{
	"EventId": {"EventId"}, "EventName": {"EventName"}, "EventSource": {"EventSource"}, "Username": {"Username"}, "ReadOnly": {"ReadOnly"},
	"AccessKeyId": {"AccessKeyId"}, "ResourceName": {"Resources", "ResourceName"}, "ResourceType": {"Resources", "ResourceType"},
}

// lookupEvents answers the events of the asked time, newest first.
func lookupEvents(s *Server, c *call) (object, error) {
	items, err := s.list("cloudtrail", "Events")
	if err != nil {
		return nil, err
	}
	for _, a := range c.objects("LookupAttributes") {
		path, ok := lookupPaths[text(a["AttributeKey"])]
		if !ok {
			return nil, &apiError{Code: "InvalidLookupAttributesException", Message: "unknown attribute key " + text(a["AttributeKey"])}
		}
		items = keep(items, func(o object) bool { return slices.Contains(values(o, path...), text(a["AttributeValue"])) })
	}
	from, to := epoch(c.params["StartTime"]), epoch(c.params["EndTime"])
	when := func(o object) time.Time { t, _ := instant(o["EventTime"]); return t }
	items = keep(items, func(o object) bool {
		t := when(o)
		return (from.IsZero() || !t.Before(from)) && (to.IsZero() || !t.After(to))
	})
	slices.SortStableFunc(items, func(a, b object) int { return when(b).Compare(when(a)) })
	start, size := c.number("NextToken", 0), c.size("MaxResults", 50)
	if start > len(items) || size < 1 || size > 50 {
		return nil, &apiError{Code: "InvalidMaxResultsException", Message: "MaxResults must be between 1 and 50"}
	}
	items = items[start:]
	answer := object{}
	if len(items) > size {
		items = items[:size]
		answer["NextToken"] = strconv.Itoa(start + size)
	}
	answer["Events"] = anys(items)
	return answer, nil
}

// epoch reads a timestamp of AWS JSON 1.1: seconds since 1970, or text.
func epoch(v any) time.Time {
	if t, ok := instant(v); ok {
		return t
	}
	f, err := strconv.ParseFloat(text(v), 64)
	if err != nil {
		return time.Time{}
	}
	return time.UnixMilli(int64(f * 1000))
}
