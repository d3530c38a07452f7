package resource

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
)

// A chart is rendered only while its block is there. Hooks for when the block is
// gone, or goes back to what it was, are kept in a Secret beside its objects.

// recordedHooks is where that Secret has the hooks.
const recordedHooks = "hooks.json"

// recordedPlaces is where it has what the block rendered.
const recordedPlaces = "places.json"

// A place is a kind of object and where it may lie. One without a namespace is
// cluster-scoped.
type place struct {
	Cluster   string `json:"cluster"`
	Group     string `json:"group,omitempty"`
	Kind      string `json:"kind"`
	Namespace string `json:"namespace,omitempty"`
}

func placeOf(id ID) place {
	return place{Cluster: id.Cluster, Group: id.Group, Kind: id.Kind, Namespace: id.Namespace}
}

// hushKey is the only key of the object that stands for a sensitive text.
const hushKey = "$hush"

// A recordedHook is one hook as the Secret has it.
type recordedHook struct {
	ID      ID             `json:"id"`
	Address Address        `json:"address"`
	Object  map[string]any `json:"object"`
	Hook    Hook           `json:"hook"`
}

// HookRecord returns the data of the Secret that keeps hooks of a block that rendered
// some objects: the hooks are limited to kinds and places of these. It is the same for
// the same hooks and objects.
func HookRecord(hooks []Desired, rendered []ID) map[string]any {
	places := make([]place, len(rendered))
	for i, id := range rendered {
		places[i] = placeOf(id)
	}
	slices.SortFunc(places, func(a, b place) int {
		return cmp.Or(cmp.Compare(a.Cluster, b.Cluster), cmp.Compare(a.Group, b.Group), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Namespace, b.Namespace))
	})
	all := make([]recordedHook, len(hooks))
	for i, h := range hooks {
		object, _ := spell(map[string]any(h.Object)).(map[string]any)
		all[i] = recordedHook{ID: h.ID, Address: h.Address, Object: object, Hook: *h.Hook}
	}
	return map[string]any{recordedHooks: encodeRecord(all), recordedPlaces: encodeRecord(slices.Compact(places))}
}

func encodeRecord(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("resource: a hook holds what is not JSON: %v", err))
	}
	return base64.StdEncoding.EncodeToString(text)
}

// decodeRecord reports whether one key of a record could be read into v.
func decodeRecord(record Object, key string, v any) bool {
	value, _ := record.Value("data", key)
	encoded, _ := Reveal(value).(string)
	text, err := base64.StdEncoding.DecodeString(encoded)
	return err == nil && json.Unmarshal(text, v) == nil
}

// RecordedHooks returns the hooks that a Secret keeps, but for those of kinds and
// places that the block did not render; none when it is no record of hooks, or one that
// cannot be read. The record has to be known for hubcap's, see [Reading].
func RecordedHooks(record Object) []Desired {
	var all []recordedHook
	var places []place
	if !IsRecord(record) || !decodeRecord(record, recordedHooks, &all) || !decodeRecord(record, recordedPlaces, &places) {
		return nil
	}
	var hooks []Desired
	for _, h := range all {
		if !slices.Contains(places, placeOf(h.ID)) {
			continue
		}
		object, _ := unspell(h.Object).(map[string]any)
		hooks = append(hooks, Desired{
			ID: h.ID, Address: h.Address, Component: Component{Block: h.Address.Block(), Name: HooksComponent},
			Object: object, Presence: Managed, Hook: &h.Hook,
		})
	}
	return hooks
}

// spell replaces sensitive texts by what JSON can hold.
func spell(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[k] = spell(e)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = spell(e)
		}
		return out
	case Sensitive:
		return map[string]any{hushKey: v.Reveal()}
	}
	return v
}

// unspell is the inverse of spell, and turns JSON's numbers into those of objects.
func unspell(v any) any {
	switch v := v.(type) {
	case map[string]any:
		if hidden, isText := v[hushKey].(string); isText && len(v) == 1 {
			return Secret(hidden)
		}
		for k, e := range v {
			v[k] = unspell(e)
		}
	case []any:
		for i, e := range v {
			v[i] = unspell(e)
		}
	case float64:
		if whole := int64(v); float64(whole) == v {
			return whole
		}
	}
	return v
}
