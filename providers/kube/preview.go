package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/structured-merge-diff/v6/value"

	"hubcap/engine/resource"
)

func valueOf(tree map[string]any) value.Value { return value.NewValueInterface(tree) }

// An application is one server-side apply.
type application struct {
	kind      *kind
	namespace string
	name      string
	body      map[string]any // plain: it may hold secrets
	options   metav1.PatchOptions
}

// send makes the request. It retries nothing.
func (p *Provider) send(ctx context.Context, a application) (*unstructured.Unstructured, error) {
	text, err := json.Marshal(a.body)
	if err != nil {
		return nil, fmt.Errorf("encode %s %s: %w", a.kind.gvk.Kind, a.name, err)
	}
	a.options.FieldManager = p.manager()
	return p.resourceOf(a.kind, a.namespace).Patch(ctx, a.name, types.ApplyPatchType, text, a.options)
}

var forced = true

// dryRun returns the object as applying would leave it.
func (c *comparison) dryRun(ctx context.Context) (*unstructured.Unstructured, error) {
	body := resource.Object(resourceCopy(c.plain))
	if c.live != nil && c.desired.GivesBack == nil {
		for _, note := range []string{AnnotationApplied, resource.AnnotationSeal} {
			if text, has := c.live.GetAnnotations()[note]; has {
				setAnnotation(body, note, text)
			}
		}
	}
	a := application{
		kind: c.kind, namespace: c.desired.ID.Namespace, name: c.desired.ID.Name, body: body,
		options: metav1.PatchOptions{DryRun: []string{metav1.DryRunAll}, Force: &forced},
	}
	var result *unstructured.Unstructured
	err := retryRead(ctx, func() (err error) {
		result, err = c.p.send(ctx, a)
		return err
	})
	return result, err
}

// observeNew previews an object that does not exist.
func (c *comparison) observeNew(ctx context.Context, o *resource.Observation) error {
	c.plain = resource.Reveal(c.desired.Object).(map[string]any)
	o.Preview = c.desired.Object.Copy()
	if c.p.isMuted(c.kind) {
		return c.guess(o)
	}
	if c.makes {
		return c.checkElsewhere(ctx, o)
	}
	result, err := c.dryRun(ctx)
	if err == nil {
		c.answer = result
		if wants, err := c.p.Client.types.fieldSet(c.plain); err == nil {
			c.fields = wants
			o.Preview = c.part(result)
		}
		return nil
	}
	if missing, isMissing := missingNamespace(err); isMissing {
		o.Refused = fmt.Sprintf("namespace %s does not exist, and no block makes it", missing)
		return nil
	}
	return c.rejected(ctx, o, err)
}

// preview asks the server what applying would do and fills in the rest of o.
func (c *comparison) preview(ctx context.Context, o *resource.Observation) error {
	if c.p.isMuted(c.kind) {
		return c.guess(o)
	}
	dryRun, first := c.dryRun, c.arms != nil || c.from != nil && c.wants != nil
	if first { // something becomes ours before the write
		dryRun = c.dryRunWithout
	}
	result, err := dryRun(ctx)
	if err != nil {
		return c.rejected(ctx, o, err)
	}
	c.answer = result
	becomes, _ := ownedBy(result, c.p.manager())
	if first {
		becomes = c.wants
	}
	if c.wants == nil { // only the server knows the type
		c.fields = c.held().Union(becomes)
	}
	c.dropGained(result, becomes)
	o.Before, o.Preview = c.part(c.live), c.part(result)
	if !resource.Equal(o.Before, o.Preview) || o.TakesOver != nil {
		return nil
	}
	switch {
	case becomes.Equals(c.owns) && o.Seals:
		return nil
	case becomes.Equals(c.owns) && !haveTheirs(c.live, c.p.manager(), c.desired.Owners):
		o.Notes = append(o.Notes, "changes no value: gives fields back to who wrote them")
		return nil
	case becomes.Equals(c.owns):
		*o = resource.Observation{Desired: o.Desired, Live: o.Live, Same: true, Foreign: o.Foreign, Unmoved: o.Unmoved}
		return nil
	}
	o.Notes = append(o.Notes, ownershipNote(becomes.Difference(c.owns).Leaves().Size(), c.owns.Difference(becomes).Leaves().Size()))
	return nil
}

// ownershipNote tells of a write that changes no value.
func ownershipNote(gained, lost int) string {
	var parts []string
	if gained > 0 {
		parts = append(parts, fmt.Sprintf("takes %d fields into its care", gained))
	}
	if lost > 0 {
		parts = append(parts, fmt.Sprintf("gives up %d fields", lost))
	}
	return "changes no value: " + strings.Join(parts, ", ")
}

// rejected sorts out why the server refused the dry run. Only an error about the
// whole cluster is returned.
func (c *comparison) rejected(ctx context.Context, o *resource.Observation, err error) error {
	if reason, leaves := c.inLeavingNamespace(ctx, err); leaves {
		o.Refused, o.Preview = reason, nil
		return nil
	}
	switch {
	case c.p.Client.hopeless(ctx, err):
		return err
	case isNetwork(err):
		o.Refused, o.Preview = "it could not be tried: "+reasonText(err), nil
		return nil
	case apierrors.IsForbidden(err) && isDenied(err):
		c.p.mute(c.kind)
		return c.guess(o)
	case strings.Contains(err.Error(), "does not support dry run"):
		if guessErr := c.guess(o); guessErr != nil {
			return guessErr
		}
		o.Notes = append(o.Notes, "an admission webhook does not support dry runs")
		return nil
	}
	fields, immutable := c.immutable(err)
	kept, isKept := keptKinds[groupKind(c.desired.ID)]
	switch {
	case immutable && isKept:
		o.Refused = fmt.Sprintf("%s cannot be changed in place, and %s are never made anew: %s",
			strings.Join(fields, ", "), kept, c.p.against(c.desired.Object, err))
	case immutable && o.TakesOver != nil && !o.TakesOver.Again:
		o.Refused = strings.Join(fields, ", ") + " cannot be changed in place, and nothing is made anew while it is taken over: take it over as it is, and change it then"
	case immutable && c.desired.Protected:
		o.Refused = strings.Join(fields, ", ") + " cannot be changed in place, and the object is protected"
	case immutable:
		o.Replace = fields
		o.Preview = c.merged()
	default:
		o.Refused = "the server rejects it: " + c.p.against(c.desired.Object, err)
	}
	if o.Refused != "" {
		o.Preview = nil
	}
	return nil
}

// isDenied tells a missing permission from an admission plugin's refusal (a
// quota, a policy), which is about the object.
func isDenied(err error) bool {
	text := plainText(err)
	return strings.Contains(text, "cannot patch resource") || strings.Contains(text, "cannot create resource")
}

// guess fills in a preview without the server: the caller may read but not even
// dry-run.
func (c *comparison) guess(o *resource.Observation) error {
	if c.live != nil {
		o.Preview = c.merged()
	}
	if o.TakesOver != nil && resource.Equal(map[string]any(o.Before.Unmarked()), map[string]any(o.Preview.Unmarked())) {
		return nil // only its owner changes
	}
	o.Notes = append(o.Notes, resource.Unchecked+"the caller may not patch "+c.kind.plural())
	return nil
}

// merged is the live part with the desired one over it, and without what would be
// given up. Where both spell the same value, the live spelling stays.
func (c *comparison) merged() resource.Object {
	if c.live == nil {
		return c.desired.Object.Copy()
	}
	kept := c.fields
	if c.wants != nil {
		kept = kept.Difference(c.held().Difference(c.wants).Union(appliedPath))
	}
	live := restrict(c.live, kept)
	merged := overlay(live, canonical(c.plain), c.plain).(map[string]any)
	c.fillHoles(merged)
	return c.p.veilTree(merged, veilOf(c.live), c.desired.Object)
}

// overlay puts want, which is raw as the server would spell it, over have. What
// have covers already stays as it is; items of lists are matched by name; lists of
// other things are replaced.
func overlay(have, want, raw any) any {
	if covers(have, want) {
		return have
	}
	switch want := want.(type) {
	case map[string]any:
		h, isMap := have.(map[string]any)
		if !isMap {
			return resource.CopyValue(raw)
		}
		r, _ := raw.(map[string]any)
		for k, v := range r {
			w, known := want[k]
			switch {
			case !known: // a zero value, which the server does not keep
				delete(h, k)
			case !covers(h[k], w):
				h[k] = overlay(h[k], w, v)
			}
		}
		return h
	case []any:
		return overlayList(have, want, raw)
	}
	return resource.CopyValue(raw)
}

func overlayList(have any, want []any, raw any) any {
	h, isList := have.([]any)
	r, _ := raw.([]any)
	if !isList || len(r) != len(want) {
		return resource.CopyValue(raw)
	}
	list := make([]any, len(want))
	for i := range want {
		list[i] = resource.CopyValue(r[i])
		if m, isMap := want[i].(map[string]any); isMap && m["name"] != nil {
			if at := sameItem(h, want[i], i); at >= 0 {
				list[i] = overlay(h[at], want[i], r[i])
			}
		}
	}
	return list
}

// immutable reports whether the server refused only because fields cannot be
// changed in place, and which.
func (c *comparison) immutable(err error) ([]string, bool) {
	var status apierrors.APIStatus
	if c.live == nil || !apierrors.IsInvalid(err) || !errors.As(err, &status) || status.Status().Details == nil {
		return nil, false
	}
	var fields []string
	for _, cause := range status.Status().Details.Causes {
		if !isImmutability(cause.Message) {
			return nil, false
		}
		field := cause.Field
		if field == "" || field == "spec" || field == "<nil>" {
			fields = append(fields, c.changedIn("spec")...)
			continue
		}
		fields = append(fields, field)
	}
	slices.Sort(fields)
	return slices.Compact(fields), len(fields) > 0
}

// immutabilityWords are how API validation says that a field stays as it was made.
var immutabilityWords = []string{
	"field is immutable", "is immutable after creation", "may not be changed", "may not change once set",
	"updates to statefulset spec for fields other than", "cannot change roleRef", "may not be modified",
	"updates to provisioner are forbidden", "updates to parameters are forbidden", "updates to reclaimPolicy are forbidden",
	"is immutable when", "field cannot be changed", "cannot be updated",
}

func isImmutability(message string) bool {
	for _, words := range immutabilityWords {
		if strings.Contains(message, words) {
			return true
		}
	}
	return false
}

// inPlace are the fields of a StatefulSet that may change; its message names the
// whole spec.
var inPlace = fieldpath.NewSet(
	fieldpath.MakePathOrDie("spec", "replicas"), fieldpath.MakePathOrDie("spec", "ordinals"),
	fieldpath.MakePathOrDie("spec", "template"), fieldpath.MakePathOrDie("spec", "updateStrategy"),
	fieldpath.MakePathOrDie("spec", "revisionHistoryLimit"), fieldpath.MakePathOrDie("spec", "minReadySeconds"),
	fieldpath.MakePathOrDie("spec", "persistentVolumeClaimRetentionPolicy"),
)

// changedIn returns the paths below top that differ, without those that may
// change in place.
func (c *comparison) changedIn(top string) []string {
	if c.wants == nil {
		return []string{top}
	}
	wanted := canonical(c.plain)
	seen := map[string]bool{}
	for _, path := range leaves(c.wants.RecursiveDifference(inPlace)) {
		if len(path) < 2 || path[0].FieldName == nil || *path[0].FieldName != top {
			continue
		}
		w, _ := at(wanted, path)
		l, _ := at(c.live.Object, path)
		if !covers(l, w) {
			seen[pathText(path[:2])] = true
		}
	}
	for _, path := range leaves(c.held().Difference(c.wants).RecursiveDifference(inPlace)) {
		if len(path) >= 2 && path[0].FieldName != nil && *path[0].FieldName == top {
			seen[pathText(path[:2])] = true
		}
	}
	if len(seen) == 0 {
		return []string{top}
	}
	var fields []string
	for field := range seen {
		fields = append(fields, field)
	}
	return fields
}

// missingNamespace returns the namespace whose absence is what err is about.
func missingNamespace(err error) (string, bool) {
	var status apierrors.APIStatus
	if !apierrors.IsNotFound(err) || !errors.As(err, &status) || status.Status().Details == nil {
		return "", false
	}
	d := status.Status().Details
	return d.Name, d.Kind == "namespaces"
}

// mute remembers that the caller may not dry-run objects of this kind, so that it
// is asked once and not for each.
func (p *Provider) mute(k *kind) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.muted == nil {
		p.muted = map[schema.GroupVersionResource]bool{}
	}
	p.muted[k.mapping.Resource] = true
}

func (p *Provider) isMuted(k *kind) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.muted[k.mapping.Resource]
}

func resourceCopy(tree map[string]any) map[string]any {
	if tree == nil {
		return map[string]any{}
	}
	return resource.CopyValue(tree).(map[string]any)
}
