package plan_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A way is how a pod reads the key k of the configuration c.
type way struct {
	name  string
	kind  string // of the configuration
	spec  map[string]any
	stamp bool // its digest stands on the pods
	whole bool // other keys are read too
	fixed bool // read at the start only
}

// ways are all ways of reading a configuration.
func ways() []way {
	list := func(m map[string]any) []any { return []any{m} }
	container := func(field string, v map[string]any) map[string]any {
		return map[string]any{"containers": list(map[string]any{"name": "x", field: list(v)})}
	}
	volume := func(v map[string]any, mount map[string]any) map[string]any {
		v["name"] = "v"
		return map[string]any{
			"volumes":    list(v),
			"containers": list(map[string]any{"name": "x", "volumeMounts": list(mount)}),
		}
	}
	items := list(map[string]any{"key": "k", "path": "k"})
	plain := map[string]any{"name": "v", "mountPath": "/x"}
	all := []way{
		{name: "environment", kind: "Secret", fixed: true, spec: container("env", map[string]any{"name": "A", "valueFrom": map[string]any{"secretKeyRef": map[string]any{"name": "c", "key": "k"}}})},
		{name: "environment", kind: "ConfigMap", fixed: true, spec: container("env", map[string]any{"name": "A", "valueFrom": map[string]any{"configMapKeyRef": map[string]any{"name": "c", "key": "k"}}})},
		{name: "whole environment", kind: "Secret", fixed: true, whole: true, spec: container("envFrom", map[string]any{"secretRef": map[string]any{"name": "c"}})},
		{name: "whole environment", kind: "ConfigMap", fixed: true, whole: true, spec: container("envFrom", map[string]any{"configMapRef": map[string]any{"name": "c"}})},
		{name: "volume", kind: "Secret", whole: true, spec: volume(map[string]any{"secret": map[string]any{"secretName": "c"}}, plain)},
		{name: "volume", kind: "ConfigMap", whole: true, spec: volume(map[string]any{"configMap": map[string]any{"name": "c"}}, plain)},
		{name: "part of a volume", kind: "Secret", spec: volume(map[string]any{"secret": map[string]any{"secretName": "c", "items": items}}, plain)},
		{name: "volume by sub-path", kind: "ConfigMap", whole: true, fixed: true,
			spec: volume(map[string]any{"configMap": map[string]any{"name": "c"}}, map[string]any{"name": "v", "mountPath": "/x", "subPath": "k"})},
		{name: "projected", kind: "ConfigMap", whole: true, spec: volume(map[string]any{"projected": map[string]any{"sources": list(map[string]any{"configMap": map[string]any{"name": "c"}})}}, plain)},
		{name: "projected part", kind: "Secret", spec: volume(map[string]any{"projected": map[string]any{"sources": list(map[string]any{"secret": map[string]any{"name": "c", "items": items}})}}, plain)},
	}
	for _, w := range slices.Clone(all) {
		inner, isList := w.spec["containers"].([]any)
		if isList {
			w.name += " of an initial container"
			spec := map[string]any{"initContainers": inner}
			if v, has := w.spec["volumes"]; has {
				spec["volumes"] = v
			}
			w.spec = spec
			all = append(all, w)
		}
	}
	for _, w := range slices.Clone(all) {
		w.name, w.stamp = w.name+" with a digest", true
		all = append(all, w)
	}
	return all
}

// reader is a workload that reads a configuration in the way of w.
func (w way) reader(image, stamp string) map[string]any {
	meta := map[string]any{}
	if w.stamp {
		meta["annotations"] = map[string]any{"checksum/config": stamp}
	}
	spec := map[string]any{}
	for k, v := range w.spec {
		spec[k] = v
	}
	spec["hostname"] = image // any field of the template
	return map[string]any{"spec": map[string]any{"template": map[string]any{"metadata": meta, "spec": spec}}}
}

// TestConfigurationGoesWithItsReader checks for every way of reading, and for
// readers of components before and after the configuration's own, that the two are
// one step when the reader starts anew, and that the plan says so when it does not.
func TestConfigurationGoesWithItsReader(t *testing.T) {
	for _, w := range ways() {
		for _, component := range []string{"proxy", "hub", "zone"} { // before, within, after
			t.Run(fmt.Sprintf("%s of a %s by %s", w.name, w.kind, component), func(t *testing.T) {
				config := object{block: "hub.prod", component: "hub", kind: w.kind, name: "c", want: data("k", "new", "o", "1"), live: data("k", "old", "o", "1")}
				reader := object{block: "hub.prod", component: component, kind: "Deployment", name: "reader", live: w.reader("1", "a")}
				plan := func(key, image, stamp string) (steps, warnings []string) {
					config.want = data("k", "old", "o", "1")
					config.want["data"].(map[string]any)[key] = "new"
					reader.want = w.reader(image, stamp)
					p := build(t, input(config, reader))
					for _, s := range p.Steps() {
						var names []string
						for _, c := range s.Changes {
							names = append(names, c.ID.Name)
						}
						steps = append(steps, s.Component.Name+": "+strings.Join(names, " "))
					}
					return steps, p.Warnings
				}
				together := []string{component + ": c reader"}
				stamp := "a"
				if w.stamp {
					stamp = "b"
				}
				if steps, warnings := plan("k", "2", stamp); !slices.Equal(steps, together) || len(warnings) > 0 {
					t.Errorf("with a reader that starts anew: steps %v, warnings %v; want %v", steps, warnings, together)
				}
				if w.stamp {
					if steps, warnings := plan("k", "1", "b"); !slices.Equal(steps, together) || len(warnings) > 0 {
						t.Errorf("with a reader whose digest changes: steps %v, warnings %v; want %v", steps, warnings, together)
					}
				}
				alone := []string{"hub: c"}
				says := "pods see its new files within minutes"
				if w.fixed {
					says = "they read it only at their start"
				}
				steps, warnings := plan("k", "1", "a")
				if !slices.Equal(steps, alone) || len(warnings) != 1 ||
					!strings.Contains(warnings[0], w.kind+"/c changes and hub.prod/Deployment/reader is not restarted") || !strings.Contains(warnings[0], says) {
					t.Errorf("with a reader that does not: steps %v, warnings %v; want %v and that %q", steps, warnings, alone, says)
				}
				want := 0
				if w.whole {
					want = 1
				}
				if _, warnings := plan("o", "1", "a"); len(warnings) != want {
					t.Errorf("when another key changes: warnings %v, want %d", warnings, want)
				}
			})
		}
	}
}

// TestNoWarningOfWhatStarts checks that nobody is warned of pods that are not there
// yet, go, or end by themselves.
func TestNoWarningOfWhatStarts(t *testing.T) {
	config := object{block: "hub.prod", component: "hub", kind: "Secret", name: "hub", want: data("k", "new"), live: data("k", "old")}
	for _, o := range []object{
		{kind: "Deployment", want: pods("a:1", "a", "hub")},
		{kind: "Deployment", live: pods("a:1", "a", "hub")},
		{kind: "CronJob", want: pods("a:1", "a", "hub"), live: pods("a:1", "a", "hub")},
		{kind: "Deployment", namespace: "other", want: pods("a:1", "a", "hub"), live: pods("a:1", "a", "hub")},
	} {
		o.block, o.component, o.name = "hub.prod", "hub", "reader"
		if diff := cmp.Diff([]string(nil), build(t, input(config, o)).Warnings); diff != "" {
			t.Errorf("%s: warnings (-want +got):\n%s", o.kind, diff)
		}
	}
}
