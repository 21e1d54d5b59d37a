package kube

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/duration"
)

// column is one column of a table; wide ones show with -o wide only.
type column struct {
	name string
	wide bool
	cell func(o *unstructured.Unstructured) any
}

// tableAnswer is a meta.k8s.io/v1 Table.
type tableAnswer struct {
	metav1.TypeMeta `json:",inline"`
	Metadata        metav1.ListMeta                `json:"metadata"`
	Columns         []metav1.TableColumnDefinition `json:"columnDefinitions"`
	Rows            []tableRow                     `json:"rows"`
}

type tableRow struct {
	Cells  []any          `json:"cells"`
	Object map[string]any `json:"object,omitempty"`
}

// table prints objects as kubectl shows them. include is what each row carries besides: Metadata, Object or None.
func (s *Server) table(res *resource, objects []*unstructured.Unstructured, meta metav1.ListMeta, include string, head bool) tableAnswer {
	t := tableAnswer{TypeMeta: metav1.TypeMeta{APIVersion: "meta.k8s.io/v1", Kind: "Table"}, Metadata: meta, Rows: []tableRow{}, Columns: []metav1.TableColumnDefinition{}}
	columns := s.columns(res)
	for i, c := range columns {
		d := metav1.TableColumnDefinition{Name: c.name, Type: "string"}
		if i == 0 {
			d.Format = "name"
		}
		if c.wide {
			d.Priority = 1
		}
		if head {
			t.Columns = append(t.Columns, d)
		}
	}
	for _, o := range objects {
		row := tableRow{}
		for _, c := range columns {
			row.Cells = append(row.Cells, c.cell(o))
		}
		switch include {
		case "None":
		case "Object":
			row.Object = s.external(res, o).Object
		default:
			row.Object = partial(o)
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// columns gives the columns of a resource: the ones that kubectl users know, or name and age.
func (s *Server) columns(res *resource) []column {
	name := column{name: "Name", cell: func(o *unstructured.Unstructured) any { return o.GetName() }}
	age := column{name: "Age", cell: func(o *unstructured.Unstructured) any { return s.age(text(o.Object, "metadata", "creationTimestamp")) }}
	var middle []column
	switch res.gr().String() {
	case "pods":
		return append([]column{name}, s.podColumns(age)...)
	case "events", "events.events.k8s.io":
		return s.eventColumns(name)
	case "nodes":
		return append([]column{name}, nodeColumns(age)...)
	case "services":
		middle = serviceColumns()
	case "ingresses.networking.k8s.io":
		middle = ingressColumns()
	case "deployments.apps", "replicasets.apps", "statefulsets.apps", "daemonsets.apps", "jobs.batch":
		return append([]column{name}, s.workloadColumns(res.name, age)...)
	case "namespaces":
		middle = []column{plain("Status", "status", "phase")}
	case "configmaps":
		middle = []column{{name: "Data", cell: func(o *unstructured.Unstructured) any { return strconv.Itoa(size(o, "data") + size(o, "binaryData")) }}}
	case "persistentvolumeclaims":
		middle = []column{
			plain("Status", "status", "phase"), plain("Volume", "spec", "volumeName"), plain("Capacity", "status", "capacity", "storage"),
			joined("Access Modes", "spec", "accessModes"), plain("StorageClass", "spec", "storageClassName"),
		}
	case "persistentvolumes":
		middle = []column{
			plain("Capacity", "spec", "capacity", "storage"), joined("Access Modes", "spec", "accessModes"),
			plain("Reclaim Policy", "spec", "persistentVolumeReclaimPolicy"), plain("Status", "status", "phase"),
			{name: "Claim", cell: func(o *unstructured.Unstructured) any {
				if n := text(o.Object, "spec", "claimRef", "name"); n != "" {
					return text(o.Object, "spec", "claimRef", "namespace") + "/" + n
				}
				return ""
			}},
			plain("StorageClass", "spec", "storageClassName"),
		}
	case "endpointslices.discovery.k8s.io":
		middle = sliceColumns()
	case "networkpolicies.networking.k8s.io":
		middle = []column{{name: "Pod-Selector", cell: func(o *unstructured.Unstructured) any { return selectorText(o, "spec", "podSelector") }}}
	case "ingressclasses.networking.k8s.io":
		middle = []column{plain("Controller", "spec", "controller"), {name: "Parameters", cell: func(o *unstructured.Unstructured) any {
			k, n := text(o.Object, "spec", "parameters", "kind"), text(o.Object, "spec", "parameters", "name")
			if g := text(o.Object, "spec", "parameters", "apiGroup"); g != "" {
				k += "." + g
			}
			return or(strings.Trim(k+"/"+n, "/"), "<none>")
		}}}
	case "leases.coordination.k8s.io":
		middle = []column{plain("Holder", "spec", "holderIdentity")}
	case "targetgroupbindings.elbv2.k8s.aws", "targetgroupbindings.eks.amazonaws.com":
		middle = []column{
			plain("Service-Name", "spec", "serviceRef", "name"), plain("Service-Port", "spec", "serviceRef", "port"),
			plain("Target-Type", "spec", "targetType"), wide(plain("ARN", "spec", "targetGroupARN")),
		}
	case "ingressclassparams.elbv2.k8s.aws":
		middle = []column{plain("Group-Name", "spec", "group", "name"), plain("Scheme", "spec", "scheme"), plain("IP-Address-Type", "spec", "ipAddressType")}
	case "investigations.netdiag.io", "remediations.netdiag.io":
		middle = []column{plain("Phase", "status", "phase")}
	}
	out := append([]column{name}, middle...)
	var last []column
	for i := len(out) - 1; i > 0 && out[i].wide; i-- { // the age stands before what only -o wide shows
		last = append([]column{out[i]}, last...)
		out = out[:i]
	}
	return append(append(out, age), last...)
}

func plain(name string, path ...string) column {
	return column{name: name, cell: func(o *unstructured.Unstructured) any { return text(o.Object, path...) }}
}

func wide(c column) column {
	c.wide = true
	return c
}

func joined(name string, path ...string) column {
	return column{name: name, cell: func(o *unstructured.Unstructured) any {
		l, _, _ := unstructured.NestedStringSlice(o.Object, path...)
		short := strings.NewReplacer("ReadWriteOncePod", "RWOP", "ReadWriteOnce", "RWO", "ReadOnlyMany", "ROX", "ReadWriteMany", "RWX")
		return short.Replace(strings.Join(l, ","))
	}}
}

func size(o *unstructured.Unstructured, key string) int {
	m, _, _ := unstructured.NestedMap(o.Object, key)
	return len(m)
}

func number(o *unstructured.Unstructured, path ...string) int64 {
	n, _, _ := unstructured.NestedInt64(o.Object, path...)
	return n
}

// age is the time since an RFC 3339 time in kubectl's short form.
func (s *Server) age(stamp string) string {
	t, err := time.Parse(time.RFC3339Nano, stamp)
	if err != nil {
		return "<unknown>"
	}
	return duration.HumanDuration(s.options.Now().Sub(t))
}

// selectorText prints a label selector as kubectl does.
func selectorText(o *unstructured.Unstructured, path ...string) string {
	m, ok, _ := unstructured.NestedMap(o.Object, path...)
	if !ok {
		return "<none>"
	}
	b, err := toTyped[metav1.LabelSelector](m)
	if err != nil {
		return "<error>"
	}
	return or(metav1.FormatLabelSelector(b), "<none>")
}

func sliceColumns() []column {
	return []column{
		plain("AddressType", "addressType"),
		{name: "Ports", cell: func(o *unstructured.Unstructured) any {
			var out []string
			for _, p := range maps(o, "ports") {
				out = append(out, or(text(p, "port"), "*"))
			}
			return or(strings.Join(out, ","), "<unset>")
		}},
		{name: "Endpoints", cell: func(o *unstructured.Unstructured) any {
			var out []string
			for _, e := range maps(o, "endpoints") {
				l, _, _ := unstructured.NestedStringSlice(e, "addresses")
				out = append(out, l...)
			}
			if n := len(out); n > 3 {
				return fmt.Sprintf("%s + %d more...", strings.Join(out[:3], ","), n-3)
			}
			return or(strings.Join(out, ","), "<unset>")
		}},
	}
}

// maps reads a list of objects.
func maps(o *unstructured.Unstructured, path ...string) []map[string]any {
	l, _, _ := unstructured.NestedSlice(o.Object, path...)
	var out []map[string]any
	for _, e := range l {
		if m, ok := e.(map[string]any); ok {
			out = append(out, m)
		}
	}
	return out
}
