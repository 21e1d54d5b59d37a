package aws

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/netdiag/netdiag/internal/world"
)

// object is a structure in the shape that the aws command line prints.
type object = map[string]any

func decodeLists(in world.AWS) map[string]map[string]any {
	out := map[string]map[string]any{}
	for service, lists := range in {
		out[service] = map[string]any{}
		for name, raw := range lists {
			dec := json.NewDecoder(bytes.NewReader(raw))
			dec.UseNumber()
			var v any
			if err := dec.Decode(&v); err != nil {
				panic(fmt.Sprintf("aws.json %s.%s: %v", service, name, err)) // world.Load has decoded it before
			}
			out[service][name] = v
		}
	}
	return out
}

// World is the world as it is now: what was loaded, with the AWS resources as the writes so far have left them.
func (s *Server) World() *world.World {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := *s.world
	w.AWS = world.AWS{}
	for service, lists := range s.lists {
		w.AWS[service] = map[string]json.RawMessage{}
		for name, v := range lists {
			raw, err := json.Marshal(v)
			if err != nil {
				panic(err) // it was decoded from JSON
			}
			w.AWS[service][name] = raw
		}
	}
	return &w
}

// list gives the items of a recorded list. One that was not recorded is UnsupportedOperation.
func (s *Server) list(service, name string) ([]object, error) {
	v, ok := s.lists[service][name]
	if !ok {
		return nil, &apiError{Code: "UnsupportedOperation", Message: fmt.Sprintf("%s.%s was not recorded in this world", service, name)}
	}
	return objects(v), nil
}

// keyed gives the items of a recorded list of elbv2 that is an object keyed by ARN.
func (s *Server) keyed(name string) (object, error) {
	v, ok := s.lists["elbv2"][name]
	if !ok {
		return nil, &apiError{Code: "UnsupportedOperation", Message: fmt.Sprintf("elbv2.%s was not recorded in this world", name)}
	}
	o, _ := v.(object)
	return o, nil
}

// find gives the item of a list whose field has this value, or nil.
func (s *Server) find(service, name, field, value string) object {
	for _, o := range objects(s.lists[service][name]) {
		if text(o[field]) == value {
			return o
		}
	}
	return nil
}

// add appends an item to a list.
func (s *Server) add(service, name string, o object) {
	l, _ := s.lists[service][name].([]any)
	s.lists[service][name] = append(slices.Clip(l), o)
}

// remove takes the items for which drop is true out of a list.
func (s *Server) remove(service, name string, drop func(object) bool) {
	l, _ := s.lists[service][name].([]any)
	kept := make([]any, 0, len(l))
	for _, v := range l {
		if o, ok := v.(object); !ok || !drop(o) {
			kept = append(kept, v)
		}
	}
	s.lists[service][name] = kept
}

// objects is the structures of a list.
func objects(v any) []object {
	l, _ := v.([]any)
	out := make([]object, 0, len(l))
	for _, e := range l {
		if o, ok := e.(object); ok {
			out = append(out, o)
		}
	}
	return out
}

// list of structures as a value of the tree.
func anys[T any](in []T) []any {
	out := make([]any, len(in))
	for i, v := range in {
		out[i] = v
	}
	return out
}

// text is a scalar as it goes over the wire; empty for nil.
func text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		return strconv.FormatBool(v)
	case int:
		return strconv.Itoa(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case time.Time:
		return v.UTC().Format("2006-01-02T15:04:05.000Z")
	}
	return ""
}

// integer is a number of the tree; 0 where it is none.
func integer(v any) int {
	f, err := strconv.ParseFloat(text(v), 64)
	if err != nil {
		return 0
	}
	return int(f)
}

// values lists every scalar at a path below v; lists on the way are entered.
func values(v any, path ...string) []string {
	if l, ok := v.([]any); ok {
		var out []string
		for _, e := range l {
			out = append(out, values(e, path...)...)
		}
		return out
	}
	if len(path) == 0 {
		if v == nil {
			return nil
		}
		if _, ok := v.(object); ok {
			return nil
		}
		return []string{text(v)}
	}
	o, ok := v.(object)
	if !ok {
		return nil
	}
	return values(o[path[0]], path[1:]...)
}

// at is the structure at a path below o, or nil.
func at(o object, path ...string) object {
	for _, p := range path {
		o, _ = o[p].(object)
	}
	return o
}

// clone copies an item one level deep, so that the copy can get other fields.
func clone(o object) object {
	out := make(object, len(o)+2)
	maps.Copy(out, o)
	return out
}
