package kube

import (
	"encoding/json"
	"math"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"

	"hubcap/engine/resource"
)

// canonical returns the object in the spelling in which the server keeps it:
// quantities, numbers, nulls. Kinds that client-go does not know are returned as
// they are. The object must hold no [resource.Sensitive] value.
func canonical(object map[string]any) map[string]any {
	o := resource.Object(object)
	model, err := scheme.Scheme.New(gvkOf(o))
	if err != nil {
		return object
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object, model); err != nil {
		return object // it does not fit its type: the server will say how
	}
	spelled, err := runtime.DefaultUnstructuredConverter.ToUnstructured(model)
	if err != nil {
		return object
	}
	return intersect(spelled, object).(map[string]any)
}

// intersect keeps of spelled what like has: a round trip through a Go type adds
// zero values that nobody asked for.
func intersect(spelled, like any) any {
	switch like := like.(type) {
	case map[string]any:
		m, isMap := spelled.(map[string]any)
		if !isMap {
			return spelled
		}
		part := make(map[string]any, len(like))
		for k, l := range like {
			if e, exists := m[k]; exists {
				part[k] = intersect(e, l)
			}
		}
		return part
	case []any:
		s, isSlice := spelled.([]any)
		if !isSlice || len(s) != len(like) {
			return spelled
		}
		part := make([]any, len(s))
		for i := range s {
			part[i] = intersect(s[i], like[i])
		}
		return part
	}
	return spelled
}

// covers reports whether have is as want says, whatever else it holds. Numbers
// are compared by value; null, a missing value, {} and [] are the same.
func covers(have, want any) bool {
	if isEmpty(want) {
		_, isList := want.([]any)
		return isEmpty(have) || !isList && isMap(have) && isMap(want)
	}
	switch want := want.(type) {
	case map[string]any:
		h, hasMap := have.(map[string]any)
		if !hasMap {
			h = nil
		}
		for k, w := range want {
			if !covers(h[k], w) {
				return false
			}
		}
		return true
	case []any:
		h, isList := have.([]any)
		if !isList || len(h) != len(want) {
			return false
		}
		for i := range want {
			if !covers(h[i], want[i]) {
				return false
			}
		}
		return true
	}
	return sameScalar(have, want)
}

func isMap(v any) bool {
	_, is := v.(map[string]any)
	return is
}

func isEmpty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case map[string]any:
		return len(v) == 0
	case []any:
		return len(v) == 0
	}
	return false
}

func sameScalar(a, b any) bool {
	x, isNumber := number(a)
	y, isNumberToo := number(b)
	if isNumber && isNumberToo {
		return x == y
	}
	return a == b
}

// number returns the value of any kind of number a decoder makes.
func number(v any) (float64, bool) {
	switch v := v.(type) {
	case int64:
		return float64(v), true
	case int:
		return float64(v), true
	case int32:
		return float64(v), true
	case float64:
		return v, !math.IsNaN(v)
	case json.Number:
		f, err := v.Float64()
		return f, err == nil
	}
	return 0, false
}
