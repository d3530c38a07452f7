package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	flowcontrolv1 "k8s.io/api/flowcontrol/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"hubcap/engine/resource"
)

// Of some fields an object may have only one. Server-side apply removes only what the
// applier owned, so that the one that lives, which was defaulted or set by hand, would
// stay beside the one that is wanted, and the server refuses both together. So its
// fields become ours first, as those of a take-over do, and the apply removes them.

// A union is a type of which at most one of some fields, its arms, is set.
type union struct {
	discriminator string            // field that says which; empty: there is none
	arms          map[string]string // by JSON name: the discriminator's value that goes with it
}

// unions are those of the built-in kinds, by their Go types. Sources: patchStrategy
// retainKeys in k8s.io/api, the markers +union, and the validation of each kind;
// TestUnions holds the table against what the types' documentation says.
var unions = map[reflect.Type]union{
	reflect.TypeFor[appsv1.DeploymentStrategy]():        {"type", map[string]string{"rollingUpdate": "RollingUpdate"}},
	reflect.TypeFor[appsv1.StatefulSetUpdateStrategy](): {"type", map[string]string{"rollingUpdate": "RollingUpdate"}},
	reflect.TypeFor[appsv1.DaemonSetUpdateStrategy]():   {"type", map[string]string{"rollingUpdate": "RollingUpdate"}},
	reflect.TypeFor[corev1.SeccompProfile]():            {"type", map[string]string{"localhostProfile": "Localhost"}},
	reflect.TypeFor[corev1.AppArmorProfile]():           {"type", map[string]string{"localhostProfile": "Localhost"}},
	reflect.TypeFor[corev1.ServiceSpec]():               {"type", map[string]string{"externalName": "ExternalName"}},
	reflect.TypeFor[flowcontrolv1.LimitResponse]():      {"type", map[string]string{"queuing": "Queue"}},
	reflect.TypeFor[flowcontrolv1.PriorityLevelConfigurationSpec](): {
		"type", map[string]string{"limited": "Limited", "exempt": "Exempt"},
	},
	reflect.TypeFor[corev1.EnvVar]():                               oneOf("value", "valueFrom"),
	reflect.TypeFor[corev1.VolumeMount]():                          oneOf("subPath", "subPathExpr"),
	reflect.TypeFor[corev1.FlockerVolumeSource]():                  oneOf("datasetName", "datasetUUID"),
	reflect.TypeFor[corev1.PodResourceClaim]():                     oneOf("resourceClaimName", "resourceClaimTemplateName"),
	reflect.TypeFor[policyv1.PodDisruptionBudgetSpec]():            oneOf("minAvailable", "maxUnavailable"),
	reflect.TypeFor[networkingv1.ServiceBackendPort]():             oneOf("name", "number"),
	reflect.TypeFor[networkingv1.IngressBackend]():                 oneOf("service", "resource"),
	reflect.TypeFor[admissionregistrationv1.WebhookClientConfig](): oneOf("url", "service"),
	reflect.TypeFor[admissionregistrationv1.ParamRef]():            oneOf("name", "selector"),
	reflect.TypeFor[corev1.VolumeSource]():                         pointersOf[corev1.VolumeSource](),
	reflect.TypeFor[corev1.PersistentVolumeSource]():               pointersOf[corev1.PersistentVolumeSource](),
	reflect.TypeFor[corev1.VolumeProjection]():                     pointersOf[corev1.VolumeProjection](),
	reflect.TypeFor[corev1.EnvVarSource]():                         pointersOf[corev1.EnvVarSource](),
	reflect.TypeFor[corev1.EnvFromSource]():                        pointersOf[corev1.EnvFromSource](),
	reflect.TypeFor[corev1.ProbeHandler]():                         pointersOf[corev1.ProbeHandler](),
	reflect.TypeFor[corev1.LifecycleHandler]():                     pointersOf[corev1.LifecycleHandler](),
}

func oneOf(arms ...string) union {
	u := union{arms: make(map[string]string)}
	for _, arm := range arms {
		u.arms[arm] = ""
	}
	return u
}

// pointersOf returns the union of all pointers of T.
func pointersOf[T any]() union {
	var arms []string
	t := reflect.TypeFor[T]()
	for i := range t.NumField() {
		if f := t.Field(i); f.Type.Kind() == reflect.Pointer {
			arms = append(arms, jsonName(f))
		}
	}
	return oneOf(arms...)
}

func jsonName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}

// A chooser finds what may not be beside a wanted object.
type chooser struct {
	arms    *fieldpath.Set // of the live object: they have to go
	implied bool           // the wanted object now says which arm it has
}

// alternatives returns the fields of live that may not be beside what is wanted and that
// applying it would leave; and want, which says now which arm of a union it has where
// that is implied and live says another.
func (p *Provider) alternatives(want resource.Object, live *unstructured.Unstructured) (arms *fieldpath.Set, full resource.Object, implied bool) {
	c := &chooser{arms: fieldpath.NewSet()}
	model, err := scheme.Scheme.New(gvkOf(want))
	if err != nil {
		return c.arms, want, false // only the built-in kinds are known
	}
	owns, _ := ownedBy(live, p.manager())
	others := othersOwn(live, p.manager())
	full = want.Copy()
	c.value(reflect.TypeOf(model), full, live.Object, place{owns: owns, others: others})
	return c.arms, full, c.implied
}

// othersOwn returns the fields of u that others than our applies own.
func othersOwn(u *unstructured.Unstructured, ours string) *fieldpath.Set {
	others := fieldpath.NewSet()
	for _, e := range entriesOf(u) {
		if set, err := treeSet(e.fields); err == nil && e.Manager != applierOf(ours) {
			others = others.Union(set)
		}
	}
	return others
}

// A place is where a chooser is: what is owned there, and how items of a list there
// are told from one another.
type place struct {
	path         fieldpath.Path
	owns, others *fieldpath.Set // may be nil: nothing
	mergeKey     string
}

func (at place) child(e fieldpath.PathElement, mergeKey string) place {
	return place{append(at.path.Copy(), e), descend(at.owns, e), descend(at.others, e), mergeKey}
}

func descend(set *fieldpath.Set, e fieldpath.PathElement) *fieldpath.Set {
	if set == nil {
		return nil
	}
	inner, _ := set.Children.Get(e)
	return inner
}

var unmarshaler = reflect.TypeFor[json.Unmarshaler]()

func (c *chooser) value(t reflect.Type, want, live any, at place) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Implements(unmarshaler) || reflect.PointerTo(t).Implements(unmarshaler) {
		return
	}
	switch t.Kind() {
	case reflect.Struct:
		w, l := treeOf(want), treeOf(live)
		if w != nil && l != nil {
			c.fields(t, w, l, at)
		}
	case reflect.Slice:
		w, isList := want.([]any)
		l, isListToo := live.([]any)
		if isList && isListToo && at.mergeKey != "" {
			c.items(t.Elem(), w, l, at)
		}
	}
}

func treeOf(v any) map[string]any {
	if o, isObject := v.(resource.Object); isObject {
		return o
	}
	m, _ := v.(map[string]any)
	return m
}

// fields looks at a struct, and at what is embedded in it.
func (c *chooser) fields(t reflect.Type, want, live map[string]any, at place) {
	if u, isUnion := unions[t]; isUnion {
		c.union(u, want, live, at)
	}
	for i := range t.NumField() {
		f := t.Field(i)
		name := jsonName(f)
		if name == "" && f.Anonymous {
			c.fields(f.Type, want, live, at)
			continue
		}
		if w, has := want[name]; has && w != nil {
			c.value(f.Type, w, live[name], at.child(fieldpath.PathElement{FieldName: &name}, f.Tag.Get("patchMergeKey")))
		}
	}
}

// items looks at the items of a list that live has, too.
func (c *chooser) items(t reflect.Type, want, live []any, at place) {
	for _, w := range want {
		key, isText := treeOf(w)[at.mergeKey].(string)
		for _, l := range live {
			if isText && treeOf(l)[at.mergeKey] == key {
				c.value(t, w, l, at.child(fieldpath.PathElement{Key: fieldpath.KeyByFields(at.mergeKey, key)}, ""))
				break
			}
		}
	}
}

func (c *chooser) union(u union, want, live map[string]any, at place) {
	var chosen []string
	for _, arm := range slices.Sorted(maps.Keys(u.arms)) {
		if v := want[arm]; v != nil && v != "" {
			chosen = append(chosen, arm)
		}
	}
	is, _ := want[u.discriminator].(string)
	if u.discriminator != "" && is == "" && len(chosen) == 1 {
		is = u.arms[chosen[0]]
		isOurs := at.owns != nil && at.owns.Members.Has(fieldpath.PathElement{FieldName: &u.discriminator})
		if was := live[u.discriminator]; was != nil && (was != is || isOurs) {
			want[u.discriminator], c.implied = is, true
		}
	}
	if u.discriminator == "" && len(chosen) == 0 || u.discriminator != "" && is == "" {
		return
	}
	for arm, goesWith := range u.arms {
		isOther := u.discriminator == "" && !slices.Contains(chosen, arm) || u.discriminator != "" && goesWith != is
		if v := live[arm]; isOther && v != nil && stays(v, at.child(fieldpath.PathElement{FieldName: &arm}, ""), at) {
			insert(c.arms, at.child(fieldpath.PathElement{FieldName: &arm}, "").path, v)
		}
	}
}

// stays reports whether v, which lies at inner within at, would stay there when an
// object without it is applied: not all of it is ours alone.
func stays(v any, inner, at place) bool {
	element := inner.path[len(inner.path)-1]
	isShared := at.others != nil && (at.others.Members.Has(element) || inner.others != nil && !inner.others.Empty())
	return isShared || at.owns == nil || !covers(extractChild(v, element, at.owns), v)
}

// insert puts path into set, and all that lies below it in v.
func insert(set *fieldpath.Set, path fieldpath.Path, v any) {
	set.Insert(path.Copy())
	for key, inner := range treeOf(v) {
		insert(set, append(path.Copy(), fieldpath.PathElement{FieldName: &key}), inner)
	}
}

// dropped returns the fields that go: those that are ours by then and that nobody wants,
// nor owns besides.
func (c *comparison) dropped() *fieldpath.Set {
	kept, all := c.wants, c.held()
	if c.from != nil {
		kept = c.staying(c.wants)
	}
	if c.arms != nil {
		kept, all = kept.Difference(c.arms.Difference(c.wants)), all.Union(c.arms)
	}
	dropped := fieldpath.NewSet()
	all.Difference(kept).Difference(appliedPath).Iterate(func(path fieldpath.Path) {
		if !hasBelow(kept, path) {
			dropped.Insert(path.Copy())
		}
	})
	return dropped
}

// dryRunWithout returns the object as it will be once what becomes ours before the write
// (arms, and the fields of a take-over) is removed and what is wanted is applied: the
// apply alone cannot be tried while they are not ours.
func (c *comparison) dryRunWithout(ctx context.Context) (*unstructured.Unstructured, error) {
	live, err := c.p.Client.types.typed(resourceCopy(c.live.Object))
	if err != nil {
		return nil, err
	}
	want, err := c.p.Client.types.typed(resourceCopy(c.plain))
	if err != nil {
		return nil, err
	}
	merged, err := live.RemoveItems(c.dropped()).Merge(want)
	if err != nil {
		return nil, err
	}
	o, _ := merged.AsValue().Unstructured().(map[string]any)
	type operation struct {
		Op    string `json:"op"`
		Path  string `json:"path"`
		Value any    `json:"value,omitempty"`
	}
	var patch []operation
	turn := func(path string, is, was map[string]any, key string) {
		if v, has := is[key]; has {
			patch = append(patch, operation{"add", path + key, v})
		} else if was[key] != nil {
			patch = append(patch, operation{"remove", path + key, nil})
		}
	}
	all := maps.Clone(o)
	maps.Copy(all, c.live.Object)
	for _, key := range slices.Sorted(maps.Keys(all)) {
		if key != "metadata" && key != "status" && key != "apiVersion" && key != "kind" {
			turn("/", o, c.live.Object, key)
		}
	}
	for _, key := range []string{"labels", "annotations"} {
		turn("/metadata/", treeOf(o["metadata"]), treeOf(c.live.Object["metadata"]), key)
	}
	text, err := json.Marshal(patch)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", objectText(c.desired.ID), err)
	}
	var result *unstructured.Unstructured
	err = retryRead(ctx, func() (err error) {
		result, err = c.p.resourceOf(c.kind, c.desired.ID.Namespace).Patch(ctx, c.desired.ID.Name, types.JSONPatchType, text,
			metav1.PatchOptions{DryRun: []string{metav1.DryRunAll}, FieldManager: c.p.manager()})
		return err
	})
	return result, err
}

// takeArms makes the fields of u that may not be beside what is wanted ours alone, so
// that the apply that follows removes them.
func takeArms(u *unstructured.Unstructured, ours string, arms *fieldpath.Set) ([]metav1.ManagedFieldsEntry, bool, error) {
	if arms.Empty() {
		return nil, false, nil
	}
	own := metav1.ManagedFieldsEntry{
		Manager: ours, Operation: metav1.ManagedFieldsOperationApply, APIVersion: u.GetAPIVersion(), FieldsType: "FieldsV1",
	}
	gained := arms
	var rest []metav1.ManagedFieldsEntry
	for _, e := range u.GetManagedFields() {
		set, err := entrySet(e)
		if err != nil {
			return nil, false, err
		}
		if e.Subresource == "" && managerOf(e) == applierOf(ours) {
			own, gained = e, gained.Union(set)
			continue
		}
		if left := set.Difference(arms); e.Subresource == "" && !left.Equals(set) {
			if left.Empty() {
				continue
			}
			if e.FieldsV1, err = fieldsOf(left); err != nil {
				return nil, false, err
			}
		}
		rest = append(rest, e)
	}
	var err error
	own.FieldsV1, err = fieldsOf(gained)
	return append(rest, own), true, err
}
