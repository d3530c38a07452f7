package kube

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"hubcap/engine/resource"
)

// An object changes hands in its managed fields: what its former managers own is
// put into our entry, and our next apply then removes what it does not hold.
// Without that a value that is wanted no more would stay for ever, because
// somebody else owns it. One patch does it, which changes no value and starts
// nothing; a run that dies after it has an object that is as before, and still
// bears its former owner's marks, so that it is recognised again.

// An entry is one of an object's managed fields, as it was decoded.
type entry struct {
	resource.Manager
	version string // API version that its paths are of
	time    string
	fields  map[string]any
}

// entriesOf returns the entries of those who wrote into u itself.
func entriesOf(u *unstructured.Unstructured) []entry {
	metadata, _ := u.Object["metadata"].(map[string]any)
	listed, _ := metadata["managedFields"].([]any)
	var all []entry
	for _, one := range listed {
		raw, _ := one.(map[string]any)
		if _, subresource := raw["subresource"]; subresource {
			continue
		}
		e := entry{}
		e.Name, _ = raw["manager"].(string)
		e.Operation, _ = raw["operation"].(string)
		e.version, _ = raw["apiVersion"].(string)
		e.time, _ = raw["time"].(string)
		e.fields, _ = raw["fieldsV1"].(map[string]any)
		all = append(all, e)
	}
	return all
}

// managersOf returns the managers of u's own fields that wanted lets through.
func managersOf(u *unstructured.Unstructured, wanted func(entry) bool) []resource.Manager {
	var all []resource.Manager
	for _, e := range entriesOf(u) {
		if wanted(e) {
			all = append(all, e.Manager)
		}
	}
	slices.SortFunc(all, func(a, b resource.Manager) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Operation, b.Operation))
	})
	return slices.Compact(all)
}

// remnant returns the fields of u that managers still own, but for their marks.
func remnant(u *unstructured.Unstructured, ours string, managers []resource.Manager) *fieldpath.Set {
	all := fieldpath.NewSet()
	entries := entriesOf(u)
	version := commonVersion(entries, ours, managers)
	for _, e := range entries {
		if e.version != version || !slices.Contains(managers, e.Manager) {
			continue
		}
		if set, err := treeSet(e.fields); err == nil {
			all = all.Union(set)
		}
	}
	return all.Difference(leftMarks).Difference(markMaps)
}

// commonVersion returns the API version in which fields change hands: that of our
// own entry or, without one, of the newest of the managers'. Paths of another
// version may not mean the same.
func commonVersion(entries []entry, ours string, managers []resource.Manager) string {
	version, newest := "", ""
	for _, e := range entries {
		if e.Manager == applierOf(ours) {
			return e.version
		}
		if slices.Contains(managers, e.Manager) && (version == "" || e.time > newest) {
			version, newest = e.version, e.time
		}
	}
	return version
}

// applierOf returns the manager of server-side applies in the name of ours.
func applierOf(ours string) resource.Manager {
	return resource.Manager{Name: ours, Operation: string(metav1.ManagedFieldsOperationApply)}
}

func managerOf(e metav1.ManagedFieldsEntry) resource.Manager {
	return resource.Manager{Name: e.Manager, Operation: string(e.Operation)}
}

// handOver returns the managed fields of u with what managers own of wanted in our
// entry, and whether anything changes hands. Their marks stay theirs. The rest is
// nobody's from then on and stays as it is: whoever makes an object the old way
// owns all defaults in it too, and some of those cannot even be removed.
func handOver(u *unstructured.Unstructured, ours string, managers []resource.Manager, wanted *fieldpath.Set) ([]metav1.ManagedFieldsEntry, bool, error) {
	all := remnant(u, ours, managers)
	if all.Empty() {
		return nil, false, nil
	}
	gained := all.Intersection(wanted)
	version := commonVersion(entriesOf(u), ours, managers)
	own := metav1.ManagedFieldsEntry{
		Manager: ours, Operation: metav1.ManagedFieldsOperationApply, APIVersion: version, FieldsType: "FieldsV1",
	}
	var rest []metav1.ManagedFieldsEntry
	for _, e := range u.GetManagedFields() {
		set, err := entrySet(e)
		switch {
		case err != nil:
			return nil, false, err
		case e.Subresource == "" && managerOf(e) == applierOf(ours):
			own, gained = e, gained.Union(set)
			continue
		case e.Subresource == "" && slices.Contains(managers, managerOf(e)) && e.APIVersion == version:
			if set.Intersection(leftMarks).Empty() {
				continue
			}
			if e.FieldsV1, err = fieldsOf(set.Intersection(leftMarks.Union(markMaps))); err != nil {
				return nil, false, err
			}
		}
		rest = append(rest, e)
	}
	if gained.Empty() {
		return rest, true, nil
	}
	var err error
	own.FieldsV1, err = fieldsOf(gained)
	return append(rest, own), true, err
}

// handBack returns the managed fields of u with what is ours in the entry of to,
// and whether there is anything to give. Without a manager to give it to, it
// becomes nobody's.
func handBack(u *unstructured.Unstructured, ours string, to resource.Manager) ([]metav1.ManagedFieldsEntry, bool, error) {
	given, known := ownedBy(u, ours)
	if !known {
		return nil, false, nil
	}
	version := commonVersion(entriesOf(u), ours, nil)
	back := metav1.ManagedFieldsEntry{
		Manager: to.Name, Operation: metav1.ManagedFieldsOperationType(to.Operation), APIVersion: version, FieldsType: "FieldsV1",
	}
	var rest []metav1.ManagedFieldsEntry
	for _, e := range u.GetManagedFields() {
		set, err := entrySet(e)
		switch {
		case err != nil:
			return nil, false, err
		case e.Subresource == "" && managerOf(e) == applierOf(ours):
			back.Time = e.Time
			continue
		case e.Subresource == "" && managerOf(e) == to && e.APIVersion == version:
			given = given.Union(set)
			continue
		}
		rest = append(rest, e)
	}
	if to.Name == "" {
		return rest, true, nil
	}
	var err error
	back.FieldsV1, err = fieldsOf(given)
	return append(rest, back), true, err
}

func fieldsOf(set *fieldpath.Set) (*metav1.FieldsV1, error) {
	text, err := set.ToJSON()
	if err != nil {
		return nil, fmt.Errorf("write managed fields: %w", err)
	}
	f := &metav1.FieldsV1{}
	f.SetRawBytes(bytes.Clone(text))
	return f, nil
}

// migrate makes the fields of a take-over ours, if the object is still at version,
// and returns the version that it has then. When it has moved on, so that nothing
// is sent, what follows finds out.
func (p *Provider) migrate(ctx context.Context, change resource.Change, version string) (string, error) {
	wanted := p.setOf(resource.Reveal(clean(change.After)).(map[string]any))
	if change.Before != nil {
		wanted = wanted.Union(p.setOf(resource.Reveal(clean(change.Before)).(map[string]any)))
	}
	return p.pass(ctx, change, version, func(live *unstructured.Unstructured) ([]metav1.ManagedFieldsEntry, bool, error) {
		entries, turns, err := handOver(live, p.manager(), change.TakesOver.Managers, wanted)
		if err != nil || !turns {
			return entries, turns, err
		}
		return entries, true, p.renew(entries, live)
	})
}

// renew makes our entry one of live's version where its own is served no more: of such
// an entry the server knows nothing, and an apply would remove nothing.
func (p *Provider) renew(entries []metav1.ManagedFieldsEntry, live *unstructured.Unstructured) error {
	for i, e := range entries {
		if managerOf(e) != applierOf(p.manager()) || e.Subresource != "" || e.APIVersion == live.GetAPIVersion() {
			continue
		}
		_, err := p.Client.mapping(schema.FromAPIVersionAndKind(e.APIVersion, live.GetKind()))
		if !meta.IsNoMatchError(err) {
			continue
		}
		set, err := entrySet(e)
		if err != nil {
			return err
		}
		entries[i].APIVersion = live.GetAPIVersion()
		if entries[i].FieldsV1, err = fieldsOf(set.Intersection(p.setOf(live.Object))); err != nil {
			return err
		}
	}
	return nil
}

// giveBack makes fields of ours those of who had them before: single ones that were
// overruled, then all the rest of an object that was taken over. The values are as they
// were by now.
func (p *Provider) giveBack(ctx context.Context, change resource.Change, version string) (string, error) {
	return p.pass(ctx, change, version, func(live *unstructured.Unstructured) ([]metav1.ManagedFieldsEntry, bool, error) {
		entries, turns, err := p.returnTo(live, change.Returns)
		if err != nil || change.GivesBack == nil {
			return entries, turns, err
		}
		if turns {
			live = live.DeepCopy()
			live.SetManagedFields(entries)
		}
		var to resource.Manager
		if len(change.GivesBack.Managers) > 0 {
			to = change.GivesBack.Managers[0]
		}
		all, turnsToo, err := handBack(live, p.manager(), to)
		if turnsToo || err != nil {
			return all, turnsToo, err
		}
		return entries, turns, nil
	})
}

// pass writes the managed fields that turn makes of the live ones.
func (p *Provider) pass(ctx context.Context, change resource.Change, version string,
	turn func(*unstructured.Unstructured) ([]metav1.ManagedFieldsEntry, bool, error),
) (string, error) {
	k, err := p.kindOf(change)
	if err != nil {
		return version, err
	}
	live, err := p.get(ctx, k, change.ID)
	if err != nil || live == nil || version != "" && versionOf(live) != version {
		return version, err
	}
	entries, turns, err := turn(live)
	if err != nil || !turns {
		return version, err
	}
	type operation struct {
		Op    string `json:"op"`
		Path  string `json:"path"`
		Value any    `json:"value"`
	}
	patch, err := json.Marshal([]operation{
		{"replace", "/metadata/managedFields", entries},
		{"replace", "/metadata/resourceVersion", live.GetResourceVersion()}, // refused when it is another by then
	})
	if err != nil {
		return version, fmt.Errorf("encode managed fields of %s: %w", objectText(change.ID), err)
	}
	result, err := p.resourceOf(k, change.ID.Namespace).Patch(ctx, change.ID.Name, types.JSONPatchType, patch,
		metav1.PatchOptions{FieldManager: p.manager()})
	if err != nil {
		return version, err
	}
	return versionOf(result), nil
}
