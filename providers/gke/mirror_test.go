package gke

import (
	"fmt"
	"testing"

	"hubcap/engine/resource"
)

// shapes are pools that differ from one another in one place each.
func shapes() map[string]resource.Object {
	edits := map[string]edit{
		"plain":          func(resource.Object) {},
		"bounds":         setting(int64(9), "autoscaling", "maxNodeCount"),
		"no autoscaling": func(o resource.Object) { delete(o, "autoscaling") },
		"off":            setting(map[string]any{"enabled": false}, "autoscaling"),
		"label":          setting("x", "config", "labels", "a.b/c"),
		"empty label":    setting("", "config", "labels", "marker"),
		"no labels":      setting(map[string]any{}, "config", "labels"),
		"no taints":      setting([]any{}, "config", "taints"),
		"other taint": setting([]any{
			map[string]any{"key": "hub.jupyter.org_dedicated", "value": "core", "effect": "NO_SCHEDULE"},
			map[string]any{"key": "k", "effect": "NO_EXECUTE"},
		}, "config", "taints"),
		"tags":      setting([]any{"a", "b"}, "config", "tags"),
		"spot":      setting(true, "config", "spot"),
		"not spot":  setting(false, "config", "spot"),
		"scopes":    setting([]any{"b", "a"}, "config", "oauthScopes"),
		"scopes 2":  setting([]any{"a", "b"}, "config", "oauthScopes"),
		"text":      setting("200", "config", "diskSizeGb"),
		"ephemeral": setting(int64(1), "config", "ephemeralStorageLocalSsdConfig", "localSsdCount"),
		"secret":    setting(resource.Secret("s"), "config", "metadata", "k"),
		"metadata":  setting("s", "config", "metadata", "k"),
		"gpu":       setting([]any{map[string]any{"acceleratorType": "t4", "acceleratorCount": "1"}}, "config", "accelerators"),
		"gpu 2":     setting([]any{map[string]any{"acceleratorType": "t4", "acceleratorCount": int64(1), "share": ""}}, "config", "accelerators"),
	}
	pools := map[string]resource.Object{}
	for name, edit := range edits {
		pools[name] = desired("user", edit).Object
	}
	return pools
}

// A mirror equals what is wanted exactly when nothing differs; it names the same
// fields, holds what live has in them, and is its own mirror.
func TestMirror(t *testing.T) {
	for wantName, want := range shapes() {
		for liveName, live := range shapes() {
			t.Run(fmt.Sprintf("%s over %s", wantName, liveName), func(t *testing.T) {
				kept := live.Copy()
				m := mirror(want, live, nil)
				differ := differing(leaves(want), leaves(live))
				if equal := resource.Equal(map[string]any(m), map[string]any(want)); equal != (len(differ) == 0) {
					t.Errorf("mirror equals want: %v; differing: %v", equal, differ)
				}
				if d := differing(leaves(m), leaves(live)); len(d) > 0 {
					t.Errorf("the mirror differs from live in %v", d)
				}
				if again := mirror(m, live, nil); !resource.Equal(map[string]any(again), map[string]any(m)) {
					t.Errorf("the mirror's mirror is another:\n%v\n%v", m, again)
				}
				if !resource.Equal(map[string]any(kept), map[string]any(live)) {
					t.Error("mirroring changed what it looked at")
				}
			})
		}
	}
}
