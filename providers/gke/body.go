package gke

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"hubcap/engine/resource"
)

// body turns a tree into the request T that sends exactly what the tree says:
// the generated types leave zero values out unless told, and spell some numbers
// as text. It errs on a field that T does not have.
func body[T any](o resource.Object) (*T, error) {
	request := new(T)
	plain, _ := resource.Reveal(map[string]any(o)).(map[string]any)
	spelt := respell(plain, reflect.TypeFor[T]())
	text, err := json.Marshal(spelt)
	if err != nil {
		return nil, fmt.Errorf("encode request: %w", err)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(request); err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	force(spelt, reflect.ValueOf(request))
	return request, nil
}

// fieldOf returns the Go field for a JSON key, and whether it spells a number as
// text.
func fieldOf(t reflect.Type, key string) (field reflect.StructField, asText, found bool) {
	if t.Kind() != reflect.Struct {
		return field, false, false
	}
	for i := range t.NumField() {
		name, options, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		if name == key {
			return t.Field(i), strings.Contains(options, "string"), true
		}
	}
	return field, false, false
}

// respell returns v with numbers as t spells them.
func respell(v any, t reflect.Type) any {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch v := v.(type) {
	case map[string]any:
		m := make(map[string]any, len(v))
		for key, value := range v {
			field, asText, found := fieldOf(t, key)
			if value == nil {
				continue // null: not wanted
			}
			if !found {
				m[key] = value
				continue
			}
			m[key] = respellField(value, field.Type, asText)
		}
		return m
	case []any:
		if t.Kind() != reflect.Slice {
			return v
		}
		list := make([]any, len(v))
		for i, e := range v {
			list[i] = respell(e, t.Elem())
		}
		return list
	}
	return v
}

func respellField(v any, t reflect.Type, asText bool) any {
	number, isNumber := v.(int64)
	text, isText := v.(string)
	switch {
	case asText && isNumber:
		return strconv.FormatInt(number, 10)
	case !asText && isText && t.Kind() == reflect.Int64:
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return n
		}
	}
	return respell(v, t)
}

// force marks in every struct below v the fields that o names and that are zero.
func force(o any, v reflect.Value) {
	for v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return
		}
		v = v.Elem()
	}
	switch o := o.(type) {
	case map[string]any:
		if v.Kind() != reflect.Struct {
			return
		}
		for key, value := range o {
			field, _, found := fieldOf(v.Type(), key)
			if !found {
				continue
			}
			at := v.FieldByIndex(field.Index)
			empty := (at.Kind() == reflect.Slice || at.Kind() == reflect.Map) && at.Len() == 0
			if at.IsZero() || empty {
				names := v.FieldByName("ForceSendFields")
				names.Set(reflect.Append(names, reflect.ValueOf(field.Name)))
			}
			force(value, at)
		}
	case []any:
		for i := range min(len(o), v.Len()) {
			force(o[i], v.Index(i))
		}
	}
}
