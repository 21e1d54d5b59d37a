// Package trail holds what CloudWatch and CloudTrail remember: metric series and audit events, as plain values.
package trail

import "time"

// Query asks for one metric series: Period and Statistic as CloudWatch spells them.
type Query struct {
	Namespace  string            `json:"namespace"`
	Metric     string            `json:"metric"`
	Dimensions map[string]string `json:"dimensions"`
	Statistic  string            `json:"statistic"` // Sum, Average, Maximum, Minimum or p99
	Period     time.Duration     `json:"period"`
}

// Series is the answer to a Query, oldest point first. No points means that CloudWatch has none, which for most load
// balancer counters means that nothing was counted.
type Series struct {
	Query
	Points []Point `json:"points"`
}

// Point is one value of a series; At is the start of its period.
type Point struct {
	At    time.Time `json:"at"`
	Value float64   `json:"value"`
}

// Event is a CloudTrail event.
type Event struct {
	ID        string    `json:"id"`
	At        time.Time `json:"at"`
	Name      string    `json:"name"`   // such as RevokeSecurityGroupIngress
	Source    string    `json:"source"` // such as ec2.amazonaws.com
	User      string    `json:"user"`
	Error     string    `json:"error,omitempty"` // errorCode of the call
	Resources []string  `json:"resources,omitempty"`
	Detail    string    `json:"detail,omitempty"` // the CloudTrailEvent record, JSON text
}

// Activity is a scaling activity of an Auto Scaling group.
type Activity struct {
	Group   string    `json:"group"`
	At      time.Time `json:"at"`
	Status  string    `json:"status"` // Successful, Failed, Cancelled, …
	Message string    `json:"message"`
}
