package kube

import (
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"hubcap/engine/resource"
	"hubcap/engine/run"
)

// Look gets the object once and tells where it stands between change.Before and
// change.After, looking only at fields that these two hold. An object that has
// the wanted values without being ours counts as before: writing it is harmless
// and makes it ours.
func (p *Provider) Look(ctx context.Context, change resource.Change) (run.Sight, error) {
	seen, err := p.look(ctx, change)
	return seen.sight, err
}

// A view is what look found.
type view struct {
	sight run.Sight
	kind  *kind
	live  *unstructured.Unstructured // nil when there is none
}

func (p *Provider) look(ctx context.Context, change resource.Change) (view, error) {
	k, err := p.kindOf(change)
	if isNoKind(err) && change.After == nil {
		return view{sight: run.Sight{State: run.AtAfter}}, nil // its kind is gone, and it with it
	}
	if isNoKind(err) && change.Before == nil {
		return view{sight: run.Sight{State: run.AtBefore}}, nil // its CRD comes first
	}
	if err != nil {
		return view{}, p.Client.explain("look at", objectText(change.ID), err)
	}
	if _, err := p.signingKey(ctx); err != nil { // what lives is told by it, from now on
		return view{}, err
	}
	live, err := p.get(ctx, k, change.ID)
	if err != nil {
		return view{}, p.Client.explain("look at", objectText(change.ID), err)
	}
	v := view{kind: k, live: live}
	if change.Hook != nil {
		v.sight = p.judgeHook(ctx, change, live)
		return v, nil
	}
	v.sight = p.judge(change, live)
	if v.sight.State == run.Elsewhere {
		if err := p.judgeAdmitted(ctx, change, &v); err != nil {
			return view{}, p.Client.explain("look at", objectText(change.ID), err)
		}
	}
	return v, nil
}

// get reads one object; nil when there is none.
func (p *Provider) get(ctx context.Context, k *kind, id resource.ID) (*unstructured.Unstructured, error) {
	var live *unstructured.Unstructured
	err := retryRead(ctx, func() (err error) {
		live, err = p.resourceOf(k, id.Namespace).Get(ctx, id.Name, metav1.GetOptions{})
		return err
	})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	return live, err
}

// kindOf returns the kind of the object that change is about.
func (p *Provider) kindOf(change resource.Change) (*kind, error) {
	o := change.After
	if o == nil {
		o = change.Before
	}
	gvk := gvkOf(o)
	m, err := p.Client.mapping(gvk)
	if isNoKind(err) { // a CRD of this run may define it
		p.Client.Reset()
		m, err = p.Client.mapping(gvk)
	}
	if err != nil {
		return nil, err
	}
	return &kind{gvk: gvk, mapping: m}, nil
}

// judge decides where live stands. It makes no request.
func (p *Provider) judge(change resource.Change, live *unstructured.Unstructured) run.Sight {
	s := run.Sight{State: run.Elsewhere}
	if live == nil {
		switch {
		case change.Action == resource.Delete:
			s.State = run.AtAfter
		case change.Action == resource.Create || change.Action == resource.Replace:
			s.State = run.AtBefore // a replacement that was cut off between its two halves
		default:
			s.Moved = "the object is gone"
		}
		return s
	}
	s.Version = versionOf(live)
	if change.Action == resource.Delete {
		return p.judgeDelete(change, live, s)
	}
	if live.GetDeletionTimestamp() != nil && change.Action != resource.Replace {
		s.Moved = "the object is being deleted"
		return s
	}
	after, moved := p.stands(live, change.After, change.Before)
	if !after && change.Image != nil {
		after, _ = p.stands(live, change.Image, change.Before)
	}
	if after && p.hasChangedHands(live, change) {
		s.State, s.Image = run.AtAfter, p.afterImage(change, live)
		return s
	}
	if change.Before == nil {
		claim := p.claim(live, resource.Desired{})
		switch {
		case !claim.ours:
			s.Moved = claim.reason
		case after:
			s.State = run.AtBefore
		default:
			s.Moved = "the object appeared" + writtenBy(live)
		}
		return s
	}
	before, movedBefore := p.stands(live, change.Before, change.After)
	if before || after {
		s.State = run.AtBefore
		return s
	}
	s.Moved = movedBefore
	if s.Moved == "" {
		s.Moved = moved
	}
	return s
}

// judgeDelete looks only at the fields that are ours: what others wrote into an
// object that goes away keeps nobody from removing it.
func (p *Provider) judgeDelete(change resource.Change, live *unstructured.Unstructured, s run.Sight) run.Sight {
	if live.GetDeletionTimestamp() != nil {
		s.State = run.AtAfter
		return s
	}
	owns, _ := ownedBy(live, p.manager())
	image := resource.Reveal(clean(change.Before)).(map[string]any)
	was := canonical(restrict(&unstructured.Unstructured{Object: image}, owns))
	is := restrict(live, owns)
	if covers(is, was) && covers(was, is) {
		s.State = run.AtBefore
		return s
	}
	s.Moved = p.whoMoved(live, was, is)
	return s
}

// stands reports whether live has all that want says and, of what only other
// says, nothing that is still ours or that another way of looking would call
// changed; moved names the first field where it does not.
func (p *Provider) stands(live *unstructured.Unstructured, want, other resource.Object) (ok bool, moved string) {
	plain := resource.Reveal(clean(want)).(map[string]any)
	wanted := canonical(plain)
	wants := p.setOf(plain)
	have := restrict(live, wants)
	if !covers(have, wanted) {
		return false, p.whoMoved(live, wanted, have)
	}
	if other == nil {
		return true, ""
	}
	owns, _ := ownedBy(live, p.manager())
	others := resource.Reveal(clean(other)).(map[string]any)
	gone := p.setOf(others).Difference(wants).Intersection(owns)
	for _, path := range leaves(gone) {
		if said, isSaid := at(others, path); isSaid && said == nil {
			continue // a null owns the field, and what is there is the server's default
		}
		if v, exists := at(live.Object, path); exists && !isEmpty(v) && !marked(path) {
			return false, pathText(path) + " is there"
		}
	}
	return true, ""
}

// marked reports a path that holds one of our own marks, but for the one that protects:
// that is taken off as any field is.
func marked(path fieldpath.Path) bool {
	if len(path) != 3 || path[2].FieldName == nil {
		return false
	}
	marks := []string{LabelConfig, AnnotationAddress, AnnotationComponent, AnnotationApplied, resource.AnnotationSeal}
	return slices.Contains(marks, *path[2].FieldName)
}

// hasChangedHands reports whether the object is, besides its values, whose it will
// be after the change.
func (p *Provider) hasChangedHands(live *unstructured.Unstructured, change resource.Change) bool {
	switch {
	case !haveTheirs(live, p.manager(), change.Returns):
		return false
	case change.GivesBack != nil:
		return returned(live, p.manager())
	case change.TakesOver != nil && !remnant(live, p.manager(), change.TakesOver.Managers).Empty():
		return false
	case change.Seals && p.Seals != nil && !p.bearsSeal(live, p.verifier()):
		return false
	}
	return p.ownsAll(live, change.After, notOurs(change.Returns))
}

// ownsAll reports whether every field that want holds, but for those of others, is ours,
// so that writing it again would change nothing. What admission made of our writes is
// ours too.
func (p *Provider) ownsAll(live *unstructured.Unstructured, want resource.Object, others *fieldpath.Set) bool {
	owns, _ := ownedBy(live, p.manager())
	_, admitted := (&comparison{p: p, live: live}).writers()
	owns = owns.Union(admitted)
	plain := resource.Reveal(clean(want)).(map[string]any)
	wants, err := p.Client.types.fieldSet(plain)
	if err != nil { // without a type, the record of the last write has to do
		last := applied(live)
		return last != nil && last.Digest == resource.Digest(clean(want))
	}
	return wants.Difference(owns).Difference(others).Empty()
}

// setOf returns the fields of a plain object: by its type or, without one, as
// they come.
func (p *Provider) setOf(plain map[string]any) *fieldpath.Set {
	set, err := p.Client.types.fieldSet(plain)
	if err != nil {
		set = fieldpath.SetFromValue(valueOf(plain)).Difference(unowned).Difference(appliedPath)
	}
	return set
}

// whoMoved names the first field in which have is not as want says, and who
// wrote it.
func (p *Provider) whoMoved(live *unstructured.Unstructured, want, have map[string]any) string {
	for _, path := range leaves(p.setOf(want)) {
		w, _ := at(want, path)
		h, _ := at(have, path)
		if covers(h, w) {
			continue
		}
		c := &comparison{p: p, live: live}
		others, _ := c.writers()
		for _, o := range others {
			if ownsPath(o.set, path) {
				return fmt.Sprintf("%s was written by %s", pathText(path), o)
			}
		}
		return pathText(path) + " has another value"
	}
	return "it has another value"
}
