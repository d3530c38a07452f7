package gke

import (
	"context"
	"errors"
	"fmt"

	container "google.golang.org/api/container/v1"

	"hubcap/engine/resource"
	"hubcap/engine/seal"
)

// Seal seals on a person's word a pool that nothing desires: if it is still as it was
// shown, and nothing bars it. key is the signing key of the cluster.
func (p *Provider) Seal(ctx context.Context, key seal.Key, shown resource.Unsealed) error {
	done, err := p.take(ctx)
	if err != nil {
		return err
	}
	defer done()
	w := &write{Provider: p, name: shown.ID.Name, change: resource.Change{ID: shown.ID, Action: resource.Update}}
	if err := w.resealable(ctx, key, shown); err != nil {
		return fmt.Errorf("seal node pool %s: %w", w.name, err)
	}
	if err := w.until(ctx, w.reseal); err != nil {
		return fmt.Errorf("seal node pool %s: %w", w.name, err)
	}
	return nil
}

// resealable returns why the pool may not be sealed, if so.
func (w *write) resealable(ctx context.Context, key seal.Key, shown resource.Unsealed) error {
	l, _, err := w.get(ctx, w.name)
	if err != nil {
		return err
	}
	if l == nil || l.Version != shown.Version || l.Owner != w.c.Owner {
		return resource.ErrChanged
	}
	s, now, err := w.signed(ctx)
	if err != nil {
		return err
	}
	if now.Public() != key.Public() {
		return errors.New("the signing key is another one by now")
	}
	why := s.barred(l)
	if !shown.Under.IsZero() {
		s.key = shown.Under
		why = s.doubt(w.name, labelsOf(l.Object))
	}
	if why != "" {
		return errors.New(why)
	}
	return nil
}

// reseal writes the record, and then the label, if they are not there.
func (w *write) reseal(ctx context.Context) (stay, error) {
	l, _, err := w.get(ctx, w.name)
	if err != nil {
		return again, err
	}
	if l == nil || l.Owner != w.c.Owner {
		return again, resource.ErrChanged
	}
	labels := labelsOf(l.Object)
	w.change.Before, w.change.After = l.Object, l.Object
	if err := w.vouch(ctx, labels); err != nil {
		return again, err
	}
	if labels[noteSeal] == w.nonce {
		return finished, nil
	}
	if w.sent != nil {
		return again, errors.New("GKE says that it is done, but the label is not there")
	}
	c := w.labelling(l.Object, nil, marks(labels), labels[noteApplied])
	w.sent = []leaf{{field: "config.resourceLabels", entry: noteSeal}}
	op, err := change(ctx, func(ctx context.Context) (*container.Operation, error) { return w.send(ctx, *c, l.Version) })
	return w.after(ctx, op, err)
}
