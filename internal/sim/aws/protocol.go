package aws

import (
	"encoding/json"
	"encoding/xml"
	"maps"
	"net/http"
	"strings"
	"time"

	"github.com/aws/smithy-go/encoding/cbor"
)

// answer is a response as it goes over the wire. It holds nothing of the account's state, which may change meanwhile.
type answer struct {
	status int
	header map[string]string
	body   []byte
}

// protocol makes answers of results and errors in the form of a service.
type protocol interface {
	reply(c *call, out object, id string) answer
	fail(c *call, e *apiError, id string) answer
}

type (
	ec2Protocol   struct{} // EC2's dialect of the query protocol
	queryProtocol struct{} // AWS query: Elastic Load Balancing, STS, Auto Scaling, CloudWatch of the command line
	restProtocol  struct{} // REST with JSON: EKS
	jsonProtocol  struct{} // AWS JSON 1.1: CloudTrail
	cborProtocol  struct{} // Smithy RPC v2 CBOR: CloudWatch of the SDK
)

func (ec2Protocol) reply(c *call, out object, id string) answer {
	var b strings.Builder
	b.WriteString(xml.Header + "<" + c.action + `Response xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>` + id + "</requestId>")
	ec2XML(&b, out)
	b.WriteString("</" + c.action + "Response>")
	return body("text/xml;charset=UTF-8", http.StatusOK, []byte(b.String()))
}

func (ec2Protocol) fail(_ *call, e *apiError, id string) answer {
	return body("text/xml;charset=UTF-8", e.status(), []byte(xml.Header+"<Response><Errors><Error><Code>"+escape(e.Code)+"</Code><Message>"+
		escape(e.Message)+"</Message></Error></Errors><RequestID>"+id+"</RequestID></Response>"))
}

var namespaces = map[string]string{
	"elasticloadbalancing": "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/", "sts": "https://sts.amazonaws.com/doc/2011-06-15/", "iam": "https://iam.amazonaws.com/doc/2010-05-08/",
	"cloudwatch": "http://monitoring.amazonaws.com/doc/2010-08-01/", "autoscaling": "http://autoscaling.amazonaws.com/doc/2011-01-01/",
}

func (queryProtocol) reply(c *call, out object, id string) answer {
	var b strings.Builder
	b.WriteString("<" + c.action + `Response xmlns="` + namespaces[c.service] + `"><` + c.action + "Result>")
	queryXML(&b, out)
	b.WriteString("</" + c.action + "Result><ResponseMetadata><RequestId>" + id + "</RequestId></ResponseMetadata></" + c.action + "Response>")
	return body("text/xml", http.StatusOK, []byte(b.String()))
}

func (queryProtocol) fail(c *call, e *apiError, id string) answer {
	return body("text/xml", e.status(), []byte(`<ErrorResponse xmlns="`+namespaces[c.service]+`"><Error><Type>`+side(e)+"</Type><Code>"+escape(e.Code)+
		"</Code><Message>"+escape(e.Message)+"</Message></Error><RequestId>"+id+"</RequestId></ErrorResponse>"))
}

func (restProtocol) reply(_ *call, out object, _ string) answer {
	return body("application/json", http.StatusOK, marshal(epochs(out)))
}

func (restProtocol) fail(_ *call, e *apiError, _ string) answer {
	exception := object{"message": e.Message}
	maps.Copy(exception, e.Fields)
	a := body("application/json", e.status(), marshal(exception))
	a.header["x-amzn-ErrorType"] = e.Code
	return a
}

func (jsonProtocol) reply(_ *call, out object, _ string) answer {
	return body("application/x-amz-json-1.1", http.StatusOK, marshal(epochs(out)))
}

func (jsonProtocol) fail(_ *call, e *apiError, _ string) answer {
	return body("application/x-amz-json-1.1", e.status(), marshal(object{"__type": e.Code, "message": e.Message}))
}

func (cborProtocol) reply(_ *call, out object, _ string) answer {
	a := body("application/cbor", http.StatusOK, cbor.Encode(toCBOR(out)))
	a.header["smithy-protocol"] = "rpc-v2-cbor"
	return a
}

func (cborProtocol) fail(_ *call, e *apiError, _ string) answer {
	a := body("application/cbor", e.status(), cbor.Encode(cbor.Map{
		"__type": cbor.String("com.amazonaws.cloudwatch#" + e.Code), "message": cbor.String(e.Message),
	}))
	a.header["smithy-protocol"] = "rpc-v2-cbor"
	a.header["x-amzn-query-error"] = e.Code + ";" + side(e)
	return a
}

func side(e *apiError) string {
	if e.status() >= http.StatusInternalServerError {
		return "Receiver"
	}
	return "Sender"
}

func body(kind string, status int, b []byte) answer {
	return answer{status, map[string]string{"Content-Type": kind}, b}
}

func marshal(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // trees of JSON values always encode
	}
	return b
}

// moments names the members that are timestamps in the JSON services.
var moments = map[string]bool{"createdAt": true, "modifiedAt": true, "EventTime": true}

// epochs turns timestamps into seconds since 1970, as the JSON protocols carry them.
func epochs(v any) any {
	switch v := v.(type) {
	case object:
		out := make(object, len(v))
		for k, e := range v {
			if t, ok := instant(e); ok && moments[k] {
				out[k] = float64(t.UnixMilli()) / 1000
				continue
			}
			out[k] = epochs(e)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = epochs(e)
		}
		return out
	}
	return v
}

// instant reads a timestamp of the tree.
func instant(v any) (time.Time, bool) {
	switch v := v.(type) {
	case time.Time:
		return v, true
	case string:
		t, err := time.Parse(time.RFC3339Nano, v)
		return t, err == nil
	}
	return time.Time{}, false
}

func toCBOR(v any) cbor.Value {
	switch v := v.(type) {
	case object:
		m := cbor.Map{}
		for k, e := range v {
			if e != nil {
				m[k] = toCBOR(e)
			}
		}
		return m
	case []any:
		l := make(cbor.List, len(v))
		for i, e := range v {
			l[i] = toCBOR(e)
		}
		return l
	case time.Time:
		return &cbor.Tag{ID: 1, Value: cbor.Float64(float64(v.UnixMilli()) / 1000)}
	case float64:
		return cbor.Float64(v)
	case bool:
		return cbor.Bool(v)
	}
	return cbor.String(text(v))
}

func fromCBOR(v cbor.Value) any {
	switch v := v.(type) {
	case cbor.Map:
		o := object{}
		for k, e := range v {
			o[k] = fromCBOR(e)
		}
		return o
	case cbor.List:
		l := make([]any, len(v))
		for i, e := range v {
			l[i] = fromCBOR(e)
		}
		return l
	case *cbor.Tag:
		t, err := cbor.AsTime(v)
		if err != nil {
			return nil
		}
		return t
	case cbor.String:
		return string(v)
	case cbor.Bool:
		return bool(v)
	}
	if n, err := cbor.AsInt64(v); err == nil {
		return int(n)
	}
	if f, err := cbor.AsFloat64(v); err == nil {
		return f
	}
	return nil
}
