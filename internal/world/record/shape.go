package record

import (
	"reflect"
	"strings"
	"time"
)

// object is a structure in the shape that the aws command line prints.
type object = map[string]any

// shape turns a structure of the SDK into the shape that aws … --output json prints: its fields are named alike, but those
// of EKS begin with a small letter (lower). What isn't set is left out.
func shape(v any, lower bool) any { return shaped(reflect.ValueOf(v), lower) }

func shaped(v reflect.Value, lower bool) any {
	switch v.Kind() {
	case reflect.Invalid: // of an answer that isn't there
		return nil
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return nil
		}
		return shaped(v.Elem(), lower)
	case reflect.Struct:
		if t, ok := reflect.TypeAssert[time.Time](v); ok {
			return t.UTC().Format(time.RFC3339Nano)
		}
		return fields(v, lower)
	case reflect.Slice:
		if v.IsNil() {
			return nil
		}
		out := make([]any, v.Len())
		for i := range out {
			out[i] = shaped(v.Index(i), lower)
		}
		return out
	case reflect.Map:
		if v.IsNil() {
			return nil
		}
		out := object{}
		for _, k := range v.MapKeys() {
			out[k.String()] = shaped(v.MapIndex(k), lower)
		}
		return out
	case reflect.String: // enums, with "" for none
		if v.Len() == 0 {
			return nil
		}
		return v.String()
	}
	return v.Interface()
}

func fields(v reflect.Value, lower bool) object {
	out := object{}
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if !f.IsExported() || f.Name == "ResultMetadata" {
			continue
		}
		if e := shapedField(v.Field(i), lower); e != nil {
			name := f.Name
			if lower {
				name = strings.ToLower(name[:1]) + name[1:]
			}
			out[name] = e
		}
	}
	return out
}

// shapedField keeps an empty text that is set.
func shapedField(v reflect.Value, lower bool) any {
	if v.Kind() == reflect.Pointer && !v.IsNil() && v.Elem().Kind() == reflect.String {
		return v.Elem().String()
	}
	return shaped(v, lower)
}
