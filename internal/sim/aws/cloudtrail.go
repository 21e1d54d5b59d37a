package aws

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
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

// recordAssumed adds the event of a role that was assumed.
func (s *Server) recordAssumed(c *call, caller string) {
	tags := object{}
	for _, t := range c.objects("Tags") {
		tags[text(t["Key"])] = text(t["Value"])
	}
	s.serial++
	id, at := fmt.Sprintf("a55e0000-0000-4000-8000-%012d", s.serial), text(s.now())
	event := object{
		"eventVersion": "1.11", "eventTime": at, "eventSource": "sts.amazonaws.com", "eventName": "AssumeRole", "eventID": id,
		"recipientAccountId": s.world.Meta.Account, "eventType": "AwsApiCall", "readOnly": true,
		"userIdentity":      object{"arn": caller, "accountId": s.world.Meta.Account},
		"requestParameters": object{"roleArn": c.str("RoleArn"), "roleSessionName": c.str("RoleSessionName"), "principalTags": tags},
	}
	s.add("cloudtrail", "Events", object{
		"EventId": id, "EventName": "AssumeRole", "ReadOnly": "true", "EventTime": at, "EventSource": "sts.amazonaws.com",
		"Username":  caller[strings.LastIndex(caller, "/")+1:],
		"Resources": []any{object{"ResourceType": "AWS::IAM::Role", "ResourceName": c.str("RoleArn")}}, "CloudTrailEvent": string(marshal(event)),
	})
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
