package modules_test

import (
	"strings"
	"sync"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"hubcap/engine/chart"
	"hubcap/engine/resource"
	"hubcap/modules"
)

// An object is one rendered object with the template it came from, its secrets
// revealed.
type object struct {
	*unstructured.Unstructured
	source string
	hook   *chart.Hook
}

// key names an object in tables: "Deployment/hub".
func (o object) key() string { return o.GetKind() + "/" + o.GetName() }

// A release is what is rendered: a chart as release "prod" in namespace
// "binder".
type release struct {
	chart  string
	values map[string]any
	live   []object // what lookup finds
	kube   string   // version of the cluster; empty: a recent one
}

// render renders a built-in chart as hubcap does. Hooks come last.
func (r release) render() ([]object, error) {
	loaded, err := chart.NewLibrary(modules.Chart).Load(chart.Source{Location: modules.Prefix + r.chart})
	if err != nil {
		return nil, err
	}
	rendered, err := loaded.Render(chart.Request{
		Release: "prod", Namespace: "binder", Values: r.values, KubeVersion: r.kube,
		Lookup: func(_, kind, _, name string) (map[string]any, error) {
			for _, o := range r.live {
				if o.GetKind() == kind && o.GetName() == name {
					return o.DeepCopy().Object, nil
				}
			}
			return nil, nil
		},
	})
	if err != nil {
		return nil, err
	}
	var objects []object
	for _, o := range append(rendered.Objects, rendered.Hooks...) {
		plain := resource.Reveal(o.Object.Copy()).(map[string]any)
		objects = append(objects, object{&unstructured.Unstructured{Object: plain}, o.Source, o.Hook})
	}
	return objects, nil
}

// scenario returns the objects of a scenario, rendered once for all tests. They
// are not to be changed.
func scenario(t *testing.T, name string) []object {
	t.Helper()
	rendered.Lock()
	defer rendered.Unlock()
	if rendered.objects[name] == nil {
		rendered.objects[name] = scenarios[name].mustRender(t)
	}
	return rendered.objects[name]
}

var rendered = struct {
	sync.Mutex
	objects map[string][]object
}{objects: map[string][]object{}}

func (r release) mustRender(t *testing.T) []object {
	t.Helper()
	objects, err := r.render()
	if err != nil {
		t.Fatalf("render %s: %v", r.chart, err)
	}
	return objects
}

// overlay lays one tree of values over another; neither is changed.
func overlay(base, over map[string]any) map[string]any {
	merged := map[string]any{}
	for key, value := range base {
		merged[key] = value
	}
	for key, value := range over {
		below, isMap := value.(map[string]any)
		under, wasMap := merged[key].(map[string]any)
		if isMap && wasMap {
			value = overlay(under, below)
		}
		merged[key] = value
	}
	return merged
}

// find returns the object "Kind/name".
func find(t *testing.T, objects []object, key string) object {
	t.Helper()
	var all []string
	for _, o := range objects {
		if o.key() == key {
			return o
		}
		all = append(all, o.key())
	}
	t.Fatalf("no %s is rendered, only %s", key, strings.Join(all, ", "))
	return object{}
}

// at returns what stands at a path of an object, or fails.
func at[T any](t *testing.T, o object, path ...string) T {
	t.Helper()
	value, found, err := unstructured.NestedFieldNoCopy(o.Object, path...)
	typed, fits := value.(T)
	if !found || err != nil || !fits {
		t.Fatalf("%s has no %s of that type: %v %v", o.key(), strings.Join(path, "."), value, err)
	}
	return typed
}

// firstContainer returns the first container of a workload's pod template.
func firstContainer(t *testing.T, o object) map[string]any {
	t.Helper()
	all := at[[]any](t, o, "spec", "template", "spec", "containers")
	return all[0].(map[string]any)
}
