package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"hubcap/engine/journal"
	"hubcap/engine/plan"
	"hubcap/engine/resource"
)

// maxImage is how large an after-image may be, encoded, to be kept. Of a larger one
// the journal has nothing: whether an object is as wanted is asked of the server then.
const maxImage = 32 << 10

// An ImageSecrets keeps the sensitive values of a run's after-images.
type ImageSecrets interface {
	// AddSecrets makes values of run id durable, beside those that the run was created
	// with: Load returns all of them. part is another one each time.
	AddSecrets(ctx context.Context, id string, part int, values map[string]string) error
}

// imagePlace names the after-image of an object that entry seq holds.
func imagePlace(seq int, id resource.ID) string { return fmt.Sprintf("%s#image%d", id, seq) }

// maskImages returns entries as they are stored: without the sensitive values of
// their after-images, which it makes durable first, and without images that are too
// large.
func (s *session) maskImages(ctx context.Context, entries []journal.Entry) ([]journal.Entry, error) {
	entries = slices.Clone(entries)
	for i, e := range entries {
		if len(e.Images) == 0 {
			continue
		}
		var kept []journal.Image
		values := make(map[string]string)
		for _, image := range e.Images {
			masked, secrets := plan.MaskObject(s.digests, imagePlace(e.Seq, image.ID), image.Object)
			text, err := json.Marshal(masked)
			if err != nil {
				return nil, fmt.Errorf("encode after-image of %s: %w", image.ID, err)
			}
			if len(text) > maxImage || len(secrets) > 0 && s.home.Images == nil {
				continue
			}
			kept = append(kept, journal.Image{ID: image.ID, Object: masked})
			maps.Copy(values, secrets)
		}
		if entries[i].Images = kept; len(values) == 0 {
			continue
		}
		if err := s.home.Images.AddSecrets(ctx, s.run.ID, e.Seq, values); err != nil {
			return nil, fmt.Errorf("keep the secrets of after-images: %w", err)
		}
	}
	return entries, nil
}

// unmaskImages puts the sensitive values of after-images back. An image whose values
// are lost, or are others, is left out.
func unmaskImages(entries []journal.Entry, m plan.Mask, secrets map[string]string) {
	for i, e := range entries {
		var whole []journal.Image
		for _, image := range e.Images {
			o, err := plan.UnmaskObject(m, imagePlace(e.Seq, image.ID), image.Object, func(place string) (string, bool) {
				text, found := secrets[place]
				return text, found
			})
			if err == nil {
				whole = append(whole, journal.Image{ID: image.ID, Object: o})
			}
		}
		entries[i].Images = whole
	}
}

// giveImages gives the changes of p the after-images that entries hold.
func giveImages(p *plan.Plan, entries []journal.Entry) {
	images := journal.Images(entries)
	for _, step := range p.Steps() {
		for i, c := range step.Changes {
			if image := images[c.ID]; image != nil {
				step.Changes[i].Image = image
			}
		}
	}
}
