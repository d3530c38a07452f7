package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"hubcap/engine/resource"
	"hubcap/engine/seal"
)

// unsealedOf describes u, which is not known to be ours for the reason why.
func (s *survey) unsealedOf(u *unstructured.Unstructured, why string) resource.Unsealed {
	notes := u.GetAnnotations()
	found := resource.Unsealed{
		ID: s.p.id(u), Reason: why, Says: parseComponent(notes[AnnotationComponent]), Record: notes[resource.AnnotationRecord],
		Version: versionOf(u), Seal: resource.SealOf(u.Object), Barred: s.p.barred(u, s.key),
	}
	if s.keyless {
		found.Barred = "the key to tell hubcap's objects by could not be read"
	}
	return found
}

// barred returns why u may not be sealed on a person's word: an entry of our manager in
// its managed fields proves nothing, and without one it is not ours for sure.
func (p *Provider) barred(u *unstructured.Unstructured, key seal.Public) string {
	if _, wrote := ownedBy(u, p.manager()); !wrote {
		return "its managed fields do not say that hubcap wrote it"
	}
	return resource.BarredSeal(resource.SealOf(u.Object), key)
}

// Seal seals with key, on a person's word, what nothing desires: if it is still as it
// was shown, and nothing bars it.
func (p *Provider) Seal(ctx context.Context, key seal.Key, shown resource.Unsealed) error {
	what := objectText(shown.ID)
	m, err := p.Client.mapping(schema.GroupVersionKind{Group: shown.ID.Group, Kind: shown.ID.Kind})
	if err != nil {
		return p.Client.explain("seal", what, err)
	}
	k := &kind{gvk: m.GroupVersionKind, mapping: m}
	live, err := p.get(ctx, k, shown.ID)
	if err != nil {
		return p.Client.explain("seal", what, err)
	}
	if live == nil || versionOf(live) != shown.Version || live.GetLabels()[LabelConfig] != p.Owner {
		return fmt.Errorf("seal %s: %w", what, resource.ErrChanged)
	}
	why := p.barred(live, key.Public())
	if !shown.Under.IsZero() {
		why = p.doubt(live, shown.Under)
	}
	if why != "" {
		return fmt.Errorf("seal %s: %s", what, why)
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"uid": live.GetUID(), "resourceVersion": live.GetResourceVersion(),
		"annotations": map[string]string{resource.AnnotationSeal: key.Sign(p.statement(shown.ID, live.Object))},
	}})
	if err != nil {
		return fmt.Errorf("seal %s: %w", what, err)
	}
	_, err = p.resourceOf(k, shown.ID.Namespace).Patch(ctx, shown.ID.Name, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: p.manager()})
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return errors.Join(fmt.Errorf("seal %s: %w", what, resource.ErrChanged), err)
	}
	return p.Client.explain("seal", what, err)
}
