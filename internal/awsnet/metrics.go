package awsnet

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	trailtypes "github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/netdiag/netdiag/internal/recall"
	"github.com/netdiag/netdiag/internal/trail"
)

// metricQueries is how many queries CloudWatch takes in one call.
const metricQueries = 500

// Metrics implements diagnostics.Metrics.
func (r *Reader) Metrics(ctx context.Context, from, to time.Time, queries []trail.Query) ([]trail.Series, error) {
	asked, err := json.Marshal(queries)
	if err != nil {
		return nil, fmt.Errorf("metric queries: %w", err)
	}
	return recall.List(ctx, &r.memory, key("metrics", from.UTC().String(), to.UTC().String(), string(asked)), func(ctx context.Context) ([]trail.Series, error) {
		out := make([]trail.Series, len(queries))
		for i, q := range queries {
			out[i].Query = q
		}
		for start := 0; start < len(queries); start += metricQueries {
			end := min(start+metricQueries, len(queries))
			if err := r.metrics(ctx, from, to, out[start:end]); err != nil {
				return nil, unreadable("cloudwatch:GetMetricData", fmt.Sprintf("get %d metrics", end-start), err)
			}
		}
		return out, nil
	})
}

// metrics fills in the points of the series.
func (r *Reader) metrics(ctx context.Context, from, to time.Time, series []trail.Series) error {
	in := &cloudwatch.GetMetricDataInput{StartTime: aws.Time(from), EndTime: aws.Time(to), ScanBy: types.ScanByTimestampAscending}
	for i, s := range series {
		metric := &types.Metric{Namespace: aws.String(s.Namespace), MetricName: aws.String(s.Metric)}
		for _, name := range slices.Sorted(maps.Keys(s.Dimensions)) {
			metric.Dimensions = append(metric.Dimensions, types.Dimension{Name: aws.String(name), Value: aws.String(s.Dimensions[name])})
		}
		in.MetricDataQueries = append(in.MetricDataQueries, types.MetricDataQuery{
			Id:         aws.String("m" + strconv.Itoa(i)),
			MetricStat: &types.MetricStat{Metric: metric, Stat: aws.String(s.Statistic), Period: aws.Int32(int32(s.Period / time.Second))},
		})
	}
	return pages(ctx, cloudwatch.NewGetMetricDataPaginator(r.c.cloudwatch, in), func(page *cloudwatch.GetMetricDataOutput) {
		for _, m := range page.MetricDataResults {
			i, err := strconv.Atoi(aws.ToString(m.Id)[1:])
			if err != nil || i >= len(series) {
				continue // not one of ours
			}
			for k := range min(len(m.Timestamps), len(m.Values)) {
				series[i].Points = append(series[i].Points, trail.Point{At: m.Timestamps[k].UTC(), Value: m.Values[k]})
			}
		}
	})
}

// auditPages bounds how far back a busy resource is read: LookupEvents gives 50 events a call and two calls a second.
const auditPages = 4

// Audit implements diagnostics.Audit: the newest two hundred events at most.
func (r *Reader) Audit(ctx context.Context, resource string, from, to time.Time) ([]trail.Event, error) {
	return recall.List(ctx, &r.memory, key("audit", resource, from.UTC().String(), to.UTC().String()), func(ctx context.Context) ([]trail.Event, error) {
		p := cloudtrail.NewLookupEventsPaginator(r.c.cloudtrail, &cloudtrail.LookupEventsInput{
			StartTime: aws.Time(from), EndTime: aws.Time(to),
			LookupAttributes: []trailtypes.LookupAttribute{{AttributeKey: trailtypes.LookupAttributeKeyResourceName, AttributeValue: aws.String(resource)}},
		})
		var out []trail.Event
		for n := 0; p.HasMorePages() && n < auditPages; n++ {
			page, err := p.NextPage(ctx)
			if err != nil {
				return nil, unreadable("cloudtrail:LookupEvents", "look up events of "+resource, err)
			}
			for _, e := range page.Events {
				out = append(out, event(e))
			}
		}
		return out, nil
	})
}

func event(e trailtypes.Event) trail.Event {
	out := trail.Event{
		ID: aws.ToString(e.EventId), At: aws.ToTime(e.EventTime).UTC(), Name: aws.ToString(e.EventName), Source: aws.ToString(e.EventSource),
		User: aws.ToString(e.Username), Detail: aws.ToString(e.CloudTrailEvent),
	}
	for _, r := range e.Resources {
		out.Resources = append(out.Resources, aws.ToString(r.ResourceName))
	}
	var record struct {
		ErrorCode string `json:"errorCode"`
	}
	if json.Unmarshal([]byte(out.Detail), &record) == nil { // a record that isn't JSON tells no error
		out.Error = record.ErrorCode
	}
	return out
}
