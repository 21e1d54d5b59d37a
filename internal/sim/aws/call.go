package aws

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/aws/smithy-go/encoding/cbor"
)

// call is one request, whatever its protocol: service and action as IAM spells them, and the parameters as a tree.
type call struct {
	service   string
	action    string
	accessKey string
	protocol  protocol
	params    object
	page      int // the most items of an answer, 0 for no limit
}

// signingNames maps the service of a credential scope to the prefix of IAM actions.
var signingNames = map[string]string{
	"ec2": "ec2", "elasticloadbalancing": "elasticloadbalancing", "eks": "eks", "sts": "sts", "monitoring": "cloudwatch",
	"cloudtrail": "cloudtrail", "autoscaling": "autoscaling", "iam": "iam",
}

// versions tells an unsigned call of the query protocol by its Version parameter.
var versions = map[string]string{
	"2016-11-15": "ec2", "2015-12-01": "elasticloadbalancing", "2011-06-15": "sts", "2010-08-01": "cloudwatch", "2011-01-01": "autoscaling",
	"2010-05-08": "iam",
}

// parse reads a request: the service from its credential scope, or else from what it carries.
func parse(r *http.Request) (*call, error) {
	c := &call{params: object{}}
	c.accessKey, c.service = credential(r)
	body, err := io.ReadAll(io.LimitReader(r.Body, 10<<20))
	if err != nil {
		return nil, fmt.Errorf("read the body: %w", err)
	}
	target := r.Header.Get("X-Amz-Target")
	switch {
	case r.Header.Get("Smithy-Protocol") == "rpc-v2-cbor":
		c.protocol, c.service = cborProtocol{}, "cloudwatch"
		c.action = r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
		if len(body) > 0 {
			v, err := cbor.Decode(body)
			if err != nil {
				return nil, fmt.Errorf("decode CBOR: %w", err)
			}
			c.params, _ = fromCBOR(v).(object)
		}
	case target != "":
		c.protocol = jsonProtocol{}
		service, action, _ := strings.Cut(target, ".")
		c.action = action[strings.LastIndex(action, ".")+1:]
		if c.service == "" {
			c.service = strings.ToLower(strings.SplitN(service, "_", 2)[0])
		}
		if err := decodeJSON(body, &c.params); err != nil {
			return nil, err
		}
	case c.service == "eks" || c.service == "" && r.URL.Path != "/":
		c.protocol, c.service = restProtocol{}, "eks"
		if err := decodeJSON(body, &c.params); err != nil {
			return nil, err
		}
		c.action = routeEKS(r, c.params)
	default:
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return nil, fmt.Errorf("decode the form: %w", err)
		}
		maps.Copy(form, r.URL.Query())
		c.action = form.Get("Action")
		if c.service == "" {
			c.service = versions[form.Get("Version")]
		}
		c.params, _ = tree(form).(object)
		c.protocol = queryProtocol{}
		if c.service == "ec2" {
			c.protocol = ec2Protocol{}
		}
	}
	return c, nil
}

// credential reads the access key id and the service from a Signature V4 header or query.
func credential(r *http.Request) (key, service string) {
	scope := r.URL.Query().Get("X-Amz-Credential")
	if _, after, ok := strings.Cut(r.Header.Get("Authorization"), "Credential="); ok {
		scope, _, _ = strings.Cut(after, ",")
	}
	part := strings.Split(scope, "/") // key/date/region/service/aws4_request
	if len(part) < 5 {
		return "", ""
	}
	return part[0], signingNames[part[3]]
}

func decodeJSON(body []byte, into *object) error {
	if len(strings.TrimSpace(string(body))) == 0 {
		return nil
	}
	dec := json.NewDecoder(strings.NewReader(string(body)))
	dec.UseNumber()
	if err := dec.Decode(into); err != nil {
		return fmt.Errorf("decode JSON: %w", err)
	}
	return nil
}

// tree turns the flat keys of a query ("Filter.1.Value.2", "Names.member.1") into objects and lists.
func tree(form url.Values) any {
	root := object{}
	for key, values := range form {
		at := root
		part := strings.Split(key, ".")
		for _, p := range part[:len(part)-1] {
			next, ok := at[p].(object)
			if !ok {
				next = object{}
				at[p] = next
			}
			at = next
		}
		at[part[len(part)-1]] = values[0]
	}
	return listsOf(root)
}

func listsOf(v any) any {
	o, ok := v.(object)
	if !ok {
		return v
	}
	if m, ok := o["member"].(object); ok && len(o) == 1 {
		return listsOf(m)
	}
	numbered := len(o) > 0
	for k := range o {
		if _, err := strconv.Atoi(k); err != nil {
			numbered = false
		}
		o[k] = listsOf(o[k])
	}
	if !numbered {
		return o
	}
	var out []any
	for i := 0; len(out) < len(o); i++ {
		if e, ok := o[strconv.Itoa(i)]; ok {
			out = append(out, e)
		}
	}
	return out
}

// name is the call as IAM spells it, such as ec2:DescribeSubnets.
func (c *call) name() string { return c.service + ":" + c.action }

// request is what is written down of the call.
func (c *call) request() Request {
	r := Request{Service: c.service, Action: c.action, AccessKey: c.accessKey, DryRun: c.flag("DryRun")}
	for _, token := range []string{"NextToken", "nextToken", "Marker"} {
		r.Further = r.Further || c.str(token) != ""
	}
	return r
}

// str is a parameter as text, empty where it wasn't given.
func (c *call) str(name string) string { return text(c.params[name]) }

// strs is a list of texts.
func (c *call) strs(name string) []string { return values(c.params[name]) }

// flag is a boolean parameter.
func (c *call) flag(name string) bool { return c.str(name) == "true" }

// number is a whole number, or def where it wasn't given.
func (c *call) number(name string, def int) int {
	n, err := strconv.Atoi(c.str(name))
	if err != nil {
		return def
	}
	return n
}

// size is how many items a page may hold: what the call asks for, def where it doesn't, but no more than the server gives.
func (c *call) size(name string, def int) int {
	n := c.number(name, def)
	if c.page > 0 && (n == 0 || n > c.page) {
		n = c.page
	}
	return n
}

// objects is a list of structures.
func (c *call) objects(name string) []object { return objects(c.params[name]) }
