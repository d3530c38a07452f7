package resource

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
)

// A chart is rendered only while its block is there. Hooks for when the block is
// gone, or goes back to what it was, are kept in a Secret beside its objects.

// recordedHooks is where that Secret has the hooks.
const recordedHooks = "hooks.json"

// hushKey is the only key of the object that stands for a sensitive text.
const hushKey = "$hush"

// A recordedHook is one hook as the Secret has it.
type recordedHook struct {
	ID      ID             `json:"id"`
	Address Address        `json:"address"`
	Object  map[string]any `json:"object"`
	Hook    Hook           `json:"hook"`
}

// HookRecord returns the data of the Secret that keeps hooks. It is the same for the
// same hooks.
func HookRecord(hooks []Desired) map[string]any {
	all := make([]recordedHook, len(hooks))
	for i, h := range hooks {
		object, _ := spell(map[string]any(h.Object)).(map[string]any)
		all[i] = recordedHook{ID: h.ID, Address: h.Address, Object: object, Hook: *h.Hook}
	}
	text, err := json.Marshal(all)
	if err != nil {
		panic(fmt.Sprintf("resource: a hook holds what is not JSON: %v", err))
	}
	return map[string]any{recordedHooks: base64.StdEncoding.EncodeToString(text)}
}

// RecordedHooks returns the hooks that a Secret keeps; none when it is no record of
// hooks, or one that cannot be read.
func RecordedHooks(record Object) []Desired {
	if !IsRecord(record) {
		return nil
	}
	v, _ := record.Value("data", recordedHooks)
	encoded, _ := Reveal(v).(string)
	text, err := base64.StdEncoding.DecodeString(encoded)
	var all []recordedHook
	if err != nil || json.Unmarshal(text, &all) != nil {
		return nil
	}
	hooks := make([]Desired, len(all))
	for i, h := range all {
		object, _ := unspell(h.Object).(map[string]any)
		hooks[i] = Desired{
			ID: h.ID, Address: h.Address, Component: Component{Block: h.Address.Block(), Name: HooksComponent},
			Object: object, Presence: Managed, Hook: &h.Hook,
		}
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
