package chart

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"unicode/utf8"

	yamlv2 "go.yaml.in/yaml/v2"
	"sigs.k8s.io/yaml"
)

// decode parses YAML as Kubernetes does, with whole numbers as int64.
//
// Kubernetes goes by way of JSON. What that does to a tree is done here on the
// tree itself, which takes half the time; what is rare goes the long way.
func decode(text string) (any, error) {
	var tree any
	if err := yamlv2.Unmarshal([]byte(text), &tree); err != nil {
		return nil, err
	}
	plain, err := asJSON(tree)
	if errors.Is(err, errRare) {
		return decodeByJSON(text)
	}
	return plain, err
}

// errRare says that a tree has something in it that asJSON leaves to the JSON
// packages.
var errRare = errors.New("rare value")

// asJSON returns what would come back of a parsed tree that was written as JSON
// and read again.
func asJSON(v any) (any, error) {
	switch v := v.(type) {
	case map[any]any:
		table := make(map[string]any, len(v))
		for k, e := range v {
			key, err := keyText(k)
			if err != nil {
				return nil, err
			}
			if table[key], err = asJSON(e); err != nil {
				return nil, err
			}
		}
		if len(table) != len(v) { // 1 and "1"
			return nil, errRare
		}
		return table, nil
	case []any:
		list := make([]any, len(v))
		for i, e := range v {
			var err error
			if list[i], err = asJSON(e); err != nil {
				return nil, err
			}
		}
		return list, nil
	case string:
		if !utf8.ValidString(v) {
			return nil, errRare
		}
		return v, nil
	case float64:
		switch {
		case math.IsNaN(v) || math.IsInf(v, 0):
			return nil, errRare
		case v == math.Trunc(v) && v >= -(1<<63) && v < 1<<63:
			return int64(v), nil
		}
		return v, nil
	case int:
		return int64(v), nil
	case nil, bool, int64:
		return v, nil
	}
	return nil, errRare
}

// keyText returns the key of a table as text.
func keyText(k any) (string, error) {
	switch k := k.(type) {
	case string:
		if !utf8.ValidString(k) {
			return "", errRare
		}
		return k, nil
	case int:
		return strconv.Itoa(k), nil
	case bool:
		return strconv.FormatBool(k), nil
	}
	return "", errRare
}

// decodeByJSON is the long way, and what decode is held to.
func decodeByJSON(text string) (any, error) {
	asJSON, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(asJSON))
	decoder.UseNumber()
	var tree any
	if err := decoder.Decode(&tree); err != nil {
		return nil, err
	}
	return numbers(tree)
}

// numbers replaces every json.Number by int64 or float64.
func numbers(v any) (any, error) {
	var err error
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			if v[k], err = numbers(e); err != nil {
				return nil, err
			}
		}
	case []any:
		for i, e := range v {
			if v[i], err = numbers(e); err != nil {
				return nil, err
			}
		}
	case json.Number:
		if i, err := v.Int64(); err == nil {
			return i, nil
		}
		return v.Float64()
	}
	return v, nil
}
